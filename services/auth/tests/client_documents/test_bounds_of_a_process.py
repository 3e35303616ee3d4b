"""The bounds that a process gives its fetcher: how much it reads, and from where it never does.

Most tests bring a web of their own; these have the real fetcher, and the one that a process opens.
"""

import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import pytest
from auth_answers import problem_page
from auth_back_channel import refusal
from auth_harness import ISSUER, REDIRECT_URI, AuthUnderTest, auth_under_test
from client_assertions import proof, register_with_keys
from structlog.testing import capture_logs
from tls_document_host import HOST, URL, DocumentHost, answer

from auth_server.app.public import create_public_app
from auth_server.app.resources import open_resources
from auth_server.client_documents.fetcher import HttpDocuments
from auth_server.settings import AuthSettings

Open = Callable[..., HttpDocuments]
Production = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

JWKS_URI = f"https://{HOST}/oauth/jwks.json"
NOT_PUBLIC = "the name leads to an address that is not public"
NOT_ALLOWED = "the host is not allowed here"


def document(size: int) -> bytes:
    """A client's document, as many bytes long as told."""
    members = {"client_id": URL, "client_name": "A client", "redirect_uris": [REDIRECT_URI]}
    return json.dumps(members).encode().ljust(size)


@pytest.mark.standard("CIMD draft 8.7")
async def test_a_document_of_five_kilobytes_is_a_client_and_with_a_byte_more_it_is_none(
    database_url: str, open_fetcher: Open, host: DocumentHost
) -> None:
    async with auth_under_test(database_url, fetch_document=open_fetcher()) as auth:
        host.respond = answer(document(5 * 1024 + 1))
        page = problem_page(await auth.authorize(auth.new_browser(), client_id=URL), 401)
        assert "could not be fetched" in page
        auth.clock.advance(minutes=2)
        host.respond = answer(document(5 * 1024))
        response = await auth.authorize(auth.new_browser(), client_id=URL)
        assert response.status_code == 200, response.text


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that the system's resolver is asked for; all of them lead into this network."""
    names: list[str] = []

    def getaddrinfo(host: str, *_: Any, **__: Any) -> list[tuple[Any, ...]]:
        names.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("10.0.0.7", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return names


@pytest.fixture
def production(auth: AuthUnderTest) -> Production:
    """The public port of another replica, to which the tests give no web of their own."""

    @asynccontextmanager
    async def start(**settings: Any) -> AsyncIterator[httpx.AsyncClient]:
        async with open_resources(
            AuthSettings(**(auth.resources.settings.model_dump() | settings)),
            now=auth.clock,
            monotonic=auth.clock.monotonic,
            fetch=auth.pingone.fetch,
            transport=auth.pingone,
        ) as resources:
            transport = httpx.ASGITransport(create_public_app(resources))
            async with httpx.AsyncClient(transport=transport, base_url=ISSUER) as client:
                yield client

    return start


@pytest.mark.standard("CIMD draft 8.6", "CIMD draft 8.9")
@pytest.mark.parametrize(
    ("settings", "looked_up", "reason"),
    [
        ({}, [f"{HOST}."], NOT_PUBLIC),
        ({"auth_client_document_denied_hosts": HOST}, [], NOT_ALLOWED),
        ({"auth_client_document_hosts": "claude.ai"}, [], NOT_ALLOWED),
    ],
)
async def test_in_production_keys_are_fetched_from_allowed_hosts_at_public_addresses_only(
    auth: AuthUnderTest,
    production: Production,
    asked: list[str],
    settings: dict[str, str],
    looked_up: list[str],
    reason: str,
) -> None:
    client_id = await register_with_keys(auth, jwks=None, jwks_uri=JWKS_URI)
    await auth.obtain_code(client_id=client_id)
    form = {"token": "nothing", **proof(auth, client_id)}
    with capture_logs() as logs:
        async with production(**settings) as client:
            response = await client.post("/revoke", data=form)
    assert refusal(response, 503) == "temporarily_unavailable"
    assert asked == looked_up
    reasons = [entry["reason"] for entry in logs if entry["event"] == "jwks.fetch_failed"]
    assert [reason in one for one in reasons] == [True]
    assert "public" not in response.text


@pytest.mark.standard("CIMD draft 8.6")
async def test_in_production_a_document_is_fetched_from_public_addresses_only(
    auth: AuthUnderTest, production: Production, asked: list[str]
) -> None:
    with capture_logs() as logs:
        async with production() as client:
            page = problem_page(await auth.authorize(client, client_id=URL), 401)
    assert asked == [f"{HOST}."]
    reasons = [entry["reason"] for entry in logs if entry["event"] == "client_document.unusable"]
    assert [NOT_PUBLIC in one for one in reasons] == [True]
    assert "public" not in page
