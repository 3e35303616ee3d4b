"""A process that starts sends what another has left behind, over a real connection."""

import asyncio

import pytest
from auth_answers import count_rows
from auth_harness import AuthUnderTest

from auth_server.app import service, utc_now
from auth_server.domain.upstream_tokens import UpstreamTokens
from auth_server.settings import AuthSettings
from auth_server.storage.tables import upstream_revocations
from service_kit.health import Lifecycle


class RevocationEndpoint:
    """A PingOne that only revokes, on a port of its own."""

    def __init__(self) -> None:
        self.request = ""
        self.was_asked = asyncio.Event()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one request, whose body names the token, and answer 200."""
        self.request = (await reader.readuntil(b"token_type_hint=refresh_token")).decode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()
        self.was_asked.set()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_revocation_that_a_dead_process_left_behind_is_sent_at_the_next_start(
    auth: AuthUnderTest,
) -> None:
    async with auth.resources.database.transaction() as tx:
        left_behind = UpstreamTokens("an access token", "left-behind", "openid", utc_now())
        await tx.upstream_revocations.insert(left_behind, now=utc_now())
    endpoint = RevocationEndpoint()
    server = await asyncio.start_server(endpoint.answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    # With all of these given nothing is discovered.
    settings = auth.resources.settings.model_dump() | {
        "pingone_authorization_endpoint": url,
        "pingone_token_endpoint": url,
        "pingone_jwks_uri": url,
        "pingone_revocation_endpoint": f"{url}/revoke",
    }
    async with server, service(AuthSettings(**settings), Lifecycle()), asyncio.timeout(10):
        await endpoint.was_asked.wait()
    assert endpoint.request.startswith("POST /revoke ")
    assert "token=left-behind&" in endpoint.request
    assert await count_rows(auth, upstream_revocations) == 0
