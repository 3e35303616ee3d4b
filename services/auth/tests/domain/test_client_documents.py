"""Client ID Metadata Documents: which client_ids name one, and what it must say."""

from datetime import timedelta
from typing import Any

import pytest

from auth_server.domain.client_documents import (
    bounded_freshness,
    changed_members,
    document_host,
    is_document_url,
    parse_client_document,
)
from auth_server.domain.clients import GrantType, TokenEndpointAuthMethod
from auth_server.domain.errors import OAuthError

URL = "https://client.example/oauth/client.json"
DOCUMENT: dict[str, Any] = {
    "client_id": URL,
    "client_name": "A client",
    "redirect_uris": ["https://client.example/callback"],
}
SCHEMES = frozenset({"cursor"})


def parsed(**changes: Any) -> Any:
    return parse_client_document(URL, DOCUMENT | changes, SCHEMES)


@pytest.mark.parametrize(
    "client_id",
    [
        URL,
        "https://claude.ai/oauth/mcp-oauth-client-metadata",
        "https://client.example/",
        "https://client.example:443/doc",
        "https://client.example/doc?version=2",
        "https://Client.Example/~doc/.well-known/x..y",
    ],
)
def test_an_https_url_with_a_path_is_a_documents(client_id: str) -> None:
    assert is_document_url(client_id)
    assert document_host(client_id) in {"client.example", "claude.ai"}


@pytest.mark.standard("CIMD draft 3")
@pytest.mark.parametrize(
    "client_id",
    [
        "",
        "5d6b1f0a-7c3e-4b7f-9d55-0f4d2f6f8a11",
        "http://client.example/doc",
        "HTTPS://client.example/doc",
        "https://client.example",
        "https://client.example?doc",
        "https:///doc",
        "https://user@client.example/doc",
        "https://user:password@client.example/doc",
        "https://client.example/doc#fragment",
        "https://client.example/doc#",
        "https://client.example/./doc",
        "https://client.example/../doc",
        "https://client.example/doc/..",
        "https://client.example/%2e%2E/doc",
        "https://client.example/.%2e/doc",
        "https://client.example\\doc/",
        "https://client.example/do c",
        "https://client.example/doc\n",
        "https://cliént.example/doc",
        "https://client.example/" + "a" * 300,
    ],
)
def test_what_the_draft_forbids_is_no_documents_url(client_id: str) -> None:
    assert not is_document_url(client_id)
    assert document_host(client_id) is None


@pytest.mark.parametrize("changes", [{}, {"token_endpoint_auth_method": None, "scope": None}])
def test_what_a_document_does_not_say_has_the_meaning_of_a_public_client(
    changes: dict[str, Any],
) -> None:
    metadata = parsed(**changes)
    assert metadata.token_endpoint_auth_method is TokenEndpointAuthMethod.NONE
    assert metadata.grant_types == {GrantType.AUTHORIZATION_CODE}


@pytest.mark.standard("CIMD draft 4", "CIMD draft 4.1")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"client_id": "https://client.example/oauth/other.json"}, "client_id"),
        ({"client_id": URL + "/"}, "client_id"),
        ({"client_id": "https://CLIENT.example/oauth/client.json"}, "client_id"),
        ({"client_id": None}, "client_id"),
        ({"client_id": [URL]}, "client_id"),
        ({"client_name": ""}, "client_name"),
        ({"client_name": "   "}, "client_name"),
        ({"client_name": None}, "client_name"),
        ({"client_name": 1}, "client_name"),
        ({"redirect_uris": None}, "redirect_uris"),
        ({"redirect_uris": []}, "redirect_uris"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "redirect URI"),
        ({"redirect_uris": ["http://client.example/callback"]}, "redirect URI"),
        ({"redirect_uris": ["https://client.example/callback#x"]}, "redirect URI"),
        ({"redirect_uris": ["unknown:/callback"]}, "redirect URI"),
        ({"client_secret": "s"}, "client_secret"),
        ({"client_secret": None}, "client_secret"),
        ({"client_secret_expires_at": 0}, "client_secret_expires_at"),
        ({"token_endpoint_auth_method": "client_secret_basic"}, "token_endpoint_auth_method"),
        ({"token_endpoint_auth_method": "client_secret_post"}, "token_endpoint_auth_method"),
        ({"token_endpoint_auth_method": "client_secret_jwt"}, "token_endpoint_auth_method"),
        ({"token_endpoint_auth_method": "tls_client_auth"}, "token_endpoint_auth_method"),
        ({"grant_types": ["client_credentials"]}, "grant_types"),
    ],
)
def test_a_document_that_says_what_it_must_not_is_refused(
    changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(OAuthError, match=reason):
        parsed(**changes)


def test_members_and_grants_that_mean_nothing_here_are_ignored() -> None:
    metadata = parsed(
        grant_types=[
            "authorization_code",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "urn:ietf:params:oauth:grant-type:device_code",
        ],
        logo_uri="https://client.example/logo.png",
        software_statement="e30.e30.",
        extension={"deep": [1, 2]},
    )
    assert metadata.grant_types == frozenset(GrantType)


@pytest.mark.parametrize(
    "uris",
    [
        ["http://localhost/callback", "http://127.0.0.1/callback"],
        ["cursor://anysphere.cursor-mcp/oauth/callback", "https://client.example/callback"],
    ],
)
def test_a_document_that_says_nothing_of_its_type_may_list_a_native_apps_addresses(
    uris: list[str],
) -> None:
    assert parsed(redirect_uris=uris).redirect_uris == tuple(uris)


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (None, timedelta(hours=1)),
        (timedelta(0), timedelta(minutes=5)),
        (timedelta(minutes=7), timedelta(minutes=7)),
        (timedelta(days=365), timedelta(hours=24)),
    ],
)
def test_a_copy_is_kept_between_five_minutes_and_a_day(
    told: timedelta | None, kept: timedelta
) -> None:
    assert bounded_freshness(told) == kept


def test_what_has_changed_is_named() -> None:
    assert changed_members(parsed(), parsed()) == []
    changed = parsed(client_name="B", redirect_uris=["https://b.example/"])
    assert changed_members(parsed(), changed) == ["redirect_uris", "client_name"]
