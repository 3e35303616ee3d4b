"""The address of a request: the peer's, unless a trusted proxy vouches for another."""

import asyncio

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.testing import capture_logs

from service_kit.client_address import (
    MAX_PROXIES,
    ClientAddress,
    client_address,
    current_client_address,
    parse_trusted_proxies,
)
from service_kit.logging import RequestLog

TRUSTED = parse_trusted_proxies("10.0.0.0/8, 192.0.2.7, fd00::/8")
PROXY = "10.1.2.3"
STRANGER = "198.51.100.9"


def address(peer: str | None, *lines: str) -> str | None:
    return client_address(peer, [line.encode("latin-1") for line in lines], TRUSTED)


def test_without_trusted_proxies_the_peer_counts_whatever_it_claims() -> None:
    assert client_address(STRANGER, [b"203.0.113.5"], ()) == STRANGER
    assert client_address(PROXY, [b"203.0.113.5"], ()) == PROXY


def test_a_stranger_cannot_choose_its_address() -> None:
    assert address(STRANGER, "203.0.113.5") == STRANGER
    assert address(STRANGER, PROXY, "203.0.113.5") == STRANGER


def test_a_trusted_proxy_says_whom_it_saw() -> None:
    assert address(PROXY, STRANGER) == STRANGER


def test_the_header_is_read_from_the_right_past_trusted_proxies() -> None:
    forged = "203.0.113.5"
    assert address(PROXY, f"{forged}, {STRANGER}") == STRANGER
    assert address(PROXY, f"{forged}, {STRANGER}, 192.0.2.7, 10.9.9.9") == STRANGER
    assert address(PROXY, f"{forged}, 10.9.9.9, {STRANGER}, 10.8.8.8") == STRANGER


def test_several_lines_are_one_list() -> None:
    assert address(PROXY, "203.0.113.5", STRANGER) == STRANGER
    assert address(PROXY, f"203.0.113.5, {STRANGER}", "10.9.9.9") == STRANGER


def test_a_request_of_the_proxies_themselves_has_the_farthest_ones_address() -> None:
    assert address(PROXY) == PROXY
    assert address(PROXY, "10.9.9.9, 10.8.8.8") == "10.9.9.9"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("198.51.100.9:4711", STRANGER),
        ("  198.51.100.9\t", STRANGER),
        ("::ffff:198.51.100.9", STRANGER),
        ("[::ffff:c633:6409]:443", STRANGER),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
    ],
)
def test_an_address_has_one_spelling_and_no_port(entry: str, expected: str) -> None:
    assert address(PROXY, entry) == expected


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "unknown",
        "_hidden",
        "for=198.51.100.9",
        "198.51.100.9:",
        "198.51.100.9:port",
        "198.51.100.9:\xb2",
        "198.51.100.256",
        "198.51.100.09",
        "[2001:db8::1",
        "[2001:db8::1]443",
        "[2001:db8::1]:",
        "fe80::1%eth0",
        "fe80::1%\x1b[31m",
        "\xb9.2.3.4",
        "1" * 10_000,
        "<script>",
    ],
)
def test_behind_what_is_no_address_the_chain_ends_at_who_wrote_it(entry: str) -> None:
    assert address(PROXY, f"203.0.113.5, {entry}") == PROXY
    assert address(PROXY, f"203.0.113.5, {entry}, 10.9.9.9") == "10.9.9.9"


def test_a_chain_longer_than_any_real_one_is_not_followed_to_its_end() -> None:
    proxies = [f"10.0.0.{number}" for number in range(MAX_PROXIES)]
    assert address(PROXY, ", ".join([STRANGER, *proxies])) == "10.0.0.0"
    assert address(PROXY, ", ".join([STRANGER, *proxies[1:]])) == STRANGER


@pytest.mark.parametrize("peer", [None, "", "/run/auth.sock", "testclient"])
def test_a_peer_without_an_address_has_none(peer: str | None) -> None:
    assert address(peer, STRANGER) is None


def test_the_peer_may_be_seen_through_a_dual_stack_socket_or_a_zone() -> None:
    assert address("::ffff:10.1.2.3", STRANGER) == STRANGER
    assert address("fe80::1%eth0", STRANGER) == "fe80::1"
    assert address("fd00::1", STRANGER) == STRANGER


@pytest.mark.parametrize("value", ["", " ", ","])
def test_nobody_is_trusted_by_default(value: str) -> None:
    assert parse_trusted_proxies(value) == ()


@pytest.mark.parametrize("value", ["10.0.0.0/33", "10.0.0.1/8", "proxy.example", "10.0.0.0/8 ::1"])
def test_what_is_no_network_is_refused_by_name(value: str) -> None:
    with pytest.raises(ValueError, match="is not an address or network"):
        parse_trusted_proxies(f"192.0.2.1,{value}")


@pytest.mark.parametrize("value", ["0.0.0.0/0", "::/0"])
def test_trusting_everybody_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="trusts everybody"):
        parse_trusted_proxies(value)


class Noting:
    """An application that notes what a request looks like from inside."""

    def __init__(self) -> None:
        self.seen: list[tuple[object, str | None]] = []

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        self.seen.append((scope.get("client"), current_client_address()))
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body"})


async def get(app: ASGIApp, peer: str, **headers: str) -> None:
    transport = httpx.ASGITransport(app, client=(peer, 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        await client.get("/", headers=names)


async def test_the_address_is_in_the_scope_and_in_the_context_for_one_request() -> None:
    app = Noting()
    await get(ClientAddress(app, TRUSTED), PROXY, X_Forwarded_For=STRANGER)
    await get(ClientAddress(app, TRUSTED), STRANGER, X_Forwarded_For="203.0.113.5")
    assert app.seen == [((STRANGER, 0), STRANGER), ((STRANGER, 4711), STRANGER)]
    assert current_client_address() is None


async def test_requests_at_the_same_time_keep_their_own_addresses() -> None:
    both_inside = asyncio.Barrier(2)
    noting = Noting()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await both_inside.wait()
        await noting(scope, receive, send)

    layered = ClientAddress(app, ())
    await asyncio.gather(get(layered, STRANGER), get(layered, "203.0.113.5"))
    assert {seen for _, seen in noting.seen} == {STRANGER, "203.0.113.5"}


async def test_what_is_no_request_passes_unchanged() -> None:
    app = Noting()

    async def receive() -> dict[str, str]:
        raise AssertionError("nothing is to be received")

    async def send(_message: object) -> None: ...

    await ClientAddress(app, TRUSTED)({"type": "lifespan"}, receive, send)
    assert app.seen == [(None, None)]


async def test_the_request_line_shows_the_address_and_no_claim_of_a_stranger() -> None:
    app = ClientAddress(RequestLog(Noting()), TRUSTED)
    with capture_logs() as logs:
        await get(app, PROXY, X_Forwarded_For=STRANGER)
        await get(app, STRANGER, X_Forwarded_For="203.0.113.5")
    assert [line["client_address"] for line in logs] == [STRANGER, STRANGER]
    assert "203.0.113.5" not in str(logs)
