"""A client that publishes itself, over TLS: the fetcher of production and the flow, together."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from auth_answers import problem_page
from auth_back_channel import refusal
from auth_harness import REDIRECT_URI, AuthUnderTest, auth_under_test
from client_assertions import EC, OTHER_EC, key_set, proof
from tls_document_host import (
    HOST,
    LOCAL,
    URL,
    AtPort,
    DocumentHost,
    Names,
    Respond,
    answer,
    document_host,
)

from auth_server.app import utc_now
from auth_server.client_documents.fetcher import HttpDocuments
from auth_server.client_documents.public_addresses import is_public
from auth_server.domain.document_hosts import DocumentHosts

DOCUMENT = {
    "client_id": URL,
    "client_name": "A client with keys",
    "redirect_uris": [REDIRECT_URI],
    "grant_types": ["authorization_code", "refresh_token"],
    "token_endpoint_auth_method": "private_key_jwt",
    "jwks_uri": f"https://{HOST}/oauth/jwks.json",
}

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@dataclass
class Website:
    """The client's host, what it has by path, and the paths that were asked for."""

    host: DocumentHost
    pages: dict[str, Respond] = field(default_factory=dict)

    async def respond(self, writer: asyncio.StreamWriter) -> None:
        await self.pages[self.asked[-1]](writer)

    @property
    def asked(self) -> list[str]:
        return [request.split()[1].decode() for request in self.host.requests]


@pytest.fixture
async def website(tmp_path: Path) -> AsyncIterator[Website]:
    async with document_host(tmp_path) as host:
        website = Website(host)
        host.respond = website.respond
        website.pages = {
            "/oauth/client.json": answer(json.dumps(DOCUMENT).encode()),
            "/oauth/jwks.json": answer(json.dumps(key_set(EC)).encode()),
        }
        yield website


@pytest.fixture
async def fetch(website: Website) -> AsyncIterator[HttpDocuments]:
    """The fetcher of production, but for the address rule, the authority and the port."""
    resolver = AtPort(Names([LOCAL]), lambda address: address == LOCAL)
    resolver.port = website.host.port
    fetch = HttpDocuments(resolver, DocumentHosts(), utc_now, context=website.host.client_context)
    yield fetch
    await fetch.close()


@pytest.fixture
async def auth(database_url: str, fetch: HttpDocuments) -> AsyncIterator[AuthUnderTest]:
    async with auth_under_test(database_url, fetch_document=fetch) as auth:
        auth.client_id = URL
        yield auth


async def test_a_client_signs_in_refreshes_and_leaves_with_what_its_host_publishes(
    auth: AuthUnderTest, website: Website
) -> None:
    page = await auth.authorize(auth.new_browser())
    assert "A client with keys" in page.text
    assert HOST in page.text
    wrong = await auth.exchange(await auth.obtain_code(), **proof(auth, URL, OTHER_EC, kid="ec-1"))
    assert refusal(wrong, 401) == "invalid_client"
    answer = await auth.exchange(await auth.obtain_code(), **proof(auth, URL))
    assert answer.status_code == 200, answer.text
    refreshed = await auth.refresh(answer.json()["refresh_token"], **proof(auth, URL))
    assert refreshed.status_code == 200, refreshed.text
    handles = refreshed.json()
    assert await auth.is_active(handles["access_token"])
    form = {"token": handles["refresh_token"], **proof(auth, URL)}
    assert (await auth.anyone.post("/revoke", data=form)).status_code == 200
    assert not await auth.is_active(handles["access_token"])
    assert website.asked == ["/oauth/client.json", "/oauth/jwks.json"]


@pytest.mark.parametrize(
    "instead",
    [
        answer(b"", status="302 Found", Location=f"https://{LOCAL}/"),
        answer(b"[" * 4000),
        answer(b"{}", content_type="text/html"),
        # Dates that are no dates are no reason to fail, either.
        answer(json.dumps(DOCUMENT).encode(), Expires="Mon, 02 Nov 99999999999 10:30:00 GMT"),
    ],
    ids=["redirect", "nonsense", "html", "date"],
)
async def test_whatever_its_host_answers_later_a_client_that_is_known_goes_on(
    auth: AuthUnderTest, website: Website, instead: Respond
) -> None:
    answer = await auth.exchange(await auth.obtain_code(), **proof(auth, URL))
    auth.clock.advance(hours=2)
    website.pages = dict.fromkeys(website.pages, instead)
    refreshed = await auth.refresh(answer.json()["refresh_token"], **proof(auth, URL))
    assert refreshed.status_code == 200, refreshed.text
    assert website.asked[2:] == ["/oauth/client.json", "/oauth/jwks.json"]


async def test_the_rule_of_production_connects_to_no_host_on_this_machine(
    database_url: str, website: Website, fetch: HttpDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch._resolver, "is_allowed", is_public)
    async with auth_under_test(database_url, fetch_document=fetch) as auth:
        page = problem_page(await auth.authorize(auth.new_browser(), client_id=URL), 401)
        assert "could not be fetched" in page
        assert "public" not in page
        assert LOCAL not in page
    assert website.host.connections == 0
