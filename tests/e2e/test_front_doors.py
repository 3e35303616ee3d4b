"""One request is one request on every port (RFC 9110 section 7.8, RFC 9112 section 11.2).

A server that does not change to another protocol ignores the wish, and reads the body.
"""

import json
import subprocess
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from e2e.front_doors import Door, doors
from installed_programs import installed
from raw_conversation import SMUGGLED, Answer, converse, framed, request_head

from local_stack.browser import ALICE
from local_stack.secrets import Secrets

pytestmark = pytest.mark.parametrize("stack", ["sqlite"], indirect=True)

PORTS = ("auth", "auth_internal", "mcp", "mcp_internal", "todo", "todo_internal", "simulator")
UPGRADES = (b"x", b"h2c", b"websocket", b"TLS/1.0", b"", b"h2c, websocket")
NOT_FOUND = 404
LAST = request_head(b"GET /nowhere HTTP/1.1", b"Connection: close")
CURL_SECONDS = 30


@pytest.fixture
def front_doors(stack: Any) -> dict[str, Door]:
    return doors(stack.config.ports, Secrets.load_or_create(stack.config.state))


def requests(door: Door, body: bytes, *asking: bytes, line: bytes = b"") -> Iterator[list[bytes]]:
    """With a length and in chunks, in one packet and in two."""
    for is_chunked, is_split in product((False, True), repeat=2):
        field, sent = framed(body, is_chunked=is_chunked)
        head = request_head(line or door.line, *door.fields, *asking, field)
        yield [head, sent] if is_split else [head + sent]


def asking(upgrade: bytes) -> tuple[bytes, ...]:
    return b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: " + upgrade, b"HTTP2-Settings: AAMA"


@pytest.mark.parametrize("upgrade", UPGRADES, ids=[value.decode() or "empty" for value in UPGRADES])
@pytest.mark.parametrize("port", PORTS)
def test_a_body_that_is_a_request_is_never_answered_whatever_protocol_its_head_asks_for(
    front_doors: dict[str, Door], port: str, upgrade: bytes
) -> None:
    door = front_doors[port]
    [plain, *_] = requests(door, SMUGGLED)
    [refused, last] = _statuses(converse(door.port, plain, LAST))
    assert 400 <= refused < 500
    assert last == NOT_FOUND
    for parts in requests(door, SMUGGLED, *asking(upgrade)):
        assert _statuses(converse(door.port, parts, LAST)) == [refused, NOT_FOUND]


@pytest.mark.parametrize("target", [b"localhost:80", b"/register", b"http://localhost/"])
@pytest.mark.parametrize("port", PORTS)
def test_a_body_that_is_a_request_is_never_answered_when_connect_carries_it(
    front_doors: dict[str, Door], port: str, target: bytes
) -> None:
    door = front_doors[port]
    for parts in requests(door, SMUGGLED, line=b"CONNECT " + target + b" HTTP/1.1"):
        refused, *last = _statuses(converse(door.port, parts, LAST))
        assert 400 <= refused <= 501
        # Either the connection ends with the refusal, or it goes on with the next request.
        assert last in ([], [NOT_FOUND])


@pytest.mark.parametrize("port", ["auth", "auth_internal", "simulator"])
def test_a_body_is_read_to_its_end_whatever_protocol_its_head_asks_for(
    front_doors: dict[str, Door], port: str
) -> None:
    _assert_intact(front_doors[port])


async def test_a_tool_client_that_asks_for_another_protocol_has_its_answer(
    stack: Any, world: Any
) -> None:
    agent = await world.agent(ALICE)
    async with agent.connect() as client:
        await client.list_tools()
    secrets = Secrets.load_or_create(stack.config.state)
    _assert_intact(doors(stack.config.ports, secrets, agent.access_handle)["mcp"])


async def test_curl_with_http2_registers_and_calls_a_tool_server(stack: Any, world: Any) -> None:
    agent = await world.agent(ALICE)
    async with agent.connect() as client:
        await client.list_tools()
    registration = {"client_name": "curl", "redirect_uris": ["http://127.0.0.1:33418/callback"]}
    status, answer = _curl(f"{stack.issuer}/register", registration)
    assert (status, answer["client_name"]) == (201, "curl")
    bearer = f"Authorization: Bearer {agent.access_handle}"
    accept = "Accept: application/json, text/event-stream"
    ping = {"jsonrpc": "2.0", "id": 7, "method": "ping"}
    assert _curl(stack.mcp_url, ping, bearer, accept) == (
        200,
        {"jsonrpc": "2.0", "id": 7, "result": {}},
    )


def _curl(url: str, document: object, *headers: str) -> tuple[int, Any]:
    """Post it with `--http2`, with which curl asks for h2c: the status, and the document."""
    program = installed("curl", "curl")
    fields = [part for header in headers for part in ("-H", header)]
    sent = ["-H", "Content-Type: application/json", "--data-binary", json.dumps(document)]
    command = [program, "--http2", "-sS", "--noproxy", "*", *fields, *sent, "-w", "\n%{http_code}"]
    result = subprocess.run(  # noqa: S603  (to our own server)
        [*command, url], capture_output=True, text=True, timeout=CURL_SECONDS, check=True
    )
    body, _, status = result.stdout.rpartition("\n")
    return int(status), json.loads(body)


def _assert_intact(door: Door) -> None:
    assert door.is_intact is not None
    # Not all of them: a client's registrations are counted.
    for upgrade in UPGRADES[:3]:
        for parts in requests(door, door.body, *asking(upgrade)):
            answer, last = converse(door.port, parts, LAST)
            assert door.is_intact(answer), answer
            assert last.status == NOT_FOUND


def _statuses(answers: list[Answer]) -> list[int]:
    return [answer.status for answer in answers]
