"""Nobody's request is answered with a stranger's, through a real nginx that forwards upgrades.

What is called the usual WebSocket configuration hands `Upgrade` and `Connection` of every client to
the service, over connections that all clients share. A service that does not read the body of such
a request takes it for the next one's beginning (RFC 9112 section 11.2).
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from login_steps import CHALLENGE, REDIRECT_URI, REGISTRATION
from nginx_process import running_nginx

# How the packets fall decides whether an attack works: these did, most others seldom.
FEW_PADDINGS = (0, 20_000, 40_000, 100_000)
PADDINGS = (0, 2, 2_000, 8_000, 16_384, 20_000, 40_000, 65_536, 100_000, 150_000, 200_000, 300_000)
UPGRADES = ("x", "h2c", "websocket")
# The next clients after each attack. The poisoned connection is the first that nginx takes.
VICTIMS = 2
STRANGER = "198.51.100.77"
METADATA = "/.well-known/oauth-protected-resource/mcp"

_HTTP = """
    map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
    upstream mcp {{ server 127.0.0.1:{mcp}; keepalive 8; }}
    upstream auth {{ server 127.0.0.1:{auth}; keepalive 8; }}
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $remote_addr;
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://auth; }}
        location /mcp {{ proxy_pass http://mcp; }}
    }}
"""


@dataclass(frozen=True)
class Site:
    """nginx in front of one replica of mcp and one of auth, and what these two have logged."""

    url: str
    logs: tuple[Path, ...]

    def logged(self) -> str:
        """All of it."""
        return "".join(log.read_text(encoding="utf-8") for log in self.logs)


@pytest.fixture(scope="module")
def site(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    mcp, auth = cluster.mcp[0], cluster.auth[0]
    http = _HTTP.format(port=port, mcp=_port(mcp.url), auth=_port(auth.url))
    with running_nginx(tmp_path_factory.mktemp("nginx"), http, port):
        yield Site(f"http://127.0.0.1:{port}", (mcp.log, auth.log))


@pytest_asyncio.fixture
async def evil(site: Site, http: httpx.AsyncClient) -> AsyncIterator[str]:
    """The path of the consent page of a stranger's client."""
    registration = REGISTRATION | {"client_name": "Evil"}
    registered = await http.post(f"{site.url}/register", json=registration)
    query = {
        "response_type": "code",
        "client_id": registered.raise_for_status().json()["client_id"],
        "redirect_uri": REDIRECT_URI,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "state": "of-the-stranger",
    }
    path = f"/authorize?{urlencode(query)}"
    assert "Evil" in (await http.get(f"{site.url}{path}")).text
    yield path


async def test_a_strangers_body_is_never_answered_to_the_next_client_of_nginx(
    site: Site,
    http: httpx.AsyncClient,
    evil: str,
    sign_in: Any,
    call_tool: Any,
    eventually: Any,
    times: Any,
    note: Any,
) -> None:
    person = await sign_in()
    account = await http.get(f"{site.url}/account")
    before = len(site.logged())
    attacks, victims, hurt = 0, 0, list[str]()
    for turn in range(times(2, 20)):
        for padding in times(FEW_PADDINGS, PADDINGS):
            upgrade = UPGRADES[turn % len(UPGRADES)]
            for url, target in (f"{site.url}/mcp", METADATA), (f"{site.url}/register", evil):
                answer = await _attack(http, url, target, padding, upgrade)
                if not httpx.codes.is_client_error(answer.status_code):
                    hurt.append(f"{padding} bytes: the stranger got {_shown(answer)}")
                attacks += 1
            for _ in range(VICTIMS):
                called = await call_tool(site.url, person.access)
                if not _is_own_result(called):
                    hurt.append(f"{padding} bytes: a tool call got {_shown(called)}")
                visited = await http.get(f"{site.url}/account")
                if not _is_same_page(visited, account):
                    hurt.append(f"{padding} bytes: the account page was {_shown(visited)}")
                victims += 2
    assert not hurt, "\n".join(hurt)
    logged = (await _log_to_here(site, http, eventually))[before:]
    assert STRANGER not in logged
    assert METADATA not in logged
    note(
        26,
        "A stranger sends requests with an `Upgrade` header and a body that is an unfinished"
        " request, through a real nginx with the usual WebSocket lines and shared connections. The"
        " next clients get their own answers, and no log names an address that the stranger chose.",
        f"{attacks} attacks with bodies of up to {max(times(FEW_PADDINGS, PADDINGS))} bytes;"
        f" {victims} requests of others, {len(hurt)} wrong answers",
    )


async def _attack(
    http: httpx.AsyncClient, url: str, target: str, padding: int, to: str
) -> httpx.Response:
    unfinished = (
        f"GET {target} HTTP/1.1\r\nHost: here\r\nX-Forwarded-For: {STRANGER}\r\nX-Swallow: "
    )
    headers = {
        "Upgrade": to,
        "Connection": "Upgrade",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
    }
    body = b"\r\n" * (padding // 2) + unfinished.encode()
    return await http.post(url, content=body, headers=headers)


def _is_own_result(answer: httpx.Response) -> bool:
    return answer.status_code == httpx.codes.OK and "result" in answer.json()


def _is_same_page(visited: httpx.Response, wanted: httpx.Response) -> bool:
    same = ("content-type", "location")
    return (
        visited.status_code == wanted.status_code
        and [visited.headers.get(name) for name in same]
        == [wanted.headers.get(name) for name in same]
        # Each visit has a form, and a cookie, of its own; a consent page would have those, too.
        and "<h1>Your connected apps</h1>" in visited.text
        and "Evil" not in visited.text
    )


def _shown(answer: httpx.Response) -> str:
    return f"{answer.status_code} {answer.text[:120]!r}"


async def _log_to_here(site: Site, http: httpx.AsyncClient, eventually: Any) -> str:
    """What is logged once two requests that come last are: one of each service."""
    last = [f"/{uuid4()}", f"/mcp/{uuid4()}"]
    for path in last:
        assert (await http.get(f"{site.url}{path}")).status_code == httpx.codes.NOT_FOUND

    async def are_logged() -> bool:
        text = await asyncio.to_thread(site.logged)
        return all(path in text for path in last)

    await eventually(are_logged)
    return site.logged()


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])
