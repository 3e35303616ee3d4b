"""Registration metadata: read strictly, and never more registered than was understood."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth_server.domain.clients import ClientMetadata, GrantType, TokenEndpointAuthMethod
from auth_server.domain.errors import InvalidClientMetadata, InvalidRedirectUri
from auth_server.domain.registration import parse_client_metadata

CALLBACK = "https://client.example/callback"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
MEMBERS = [
    *["redirect_uris", "client_name", "client_uri", "token_endpoint_auth_method"],
    *["grant_types", "response_types", "application_type", "scope"],
    *["jwks", "jwks_uri", "token_endpoint_auth_signing_alg"],
]


def parse(**document: Any) -> ClientMetadata:
    return parse_client_metadata({"redirect_uris": [CALLBACK], **document}, frozenset({"cursor"}))


@pytest.mark.standard("RFC 7591 2 defaults")
def test_what_is_left_out_has_the_defaults_of_the_rfc() -> None:
    assert parse() == ClientMetadata(
        redirect_uris=(CALLBACK,),
        client_name="",
        client_uri=None,
        token_endpoint_auth_method=TokenEndpointAuthMethod.CLIENT_SECRET_BASIC,
        grant_types=frozenset({GrantType.AUTHORIZATION_CODE}),
        application_type="web",
        scope=None,
    )


@pytest.mark.standard("RFC 7591 2 defaults")
def test_a_member_that_is_null_is_one_that_is_left_out() -> None:
    assert parse(**dict.fromkeys(MEMBERS[1:])) == parse()
    for left_out in ({}, {"redirect_uris": None}):
        with pytest.raises(InvalidRedirectUri):
            parse_client_metadata(left_out, frozenset())


def test_what_is_understood_is_registered() -> None:
    metadata = parse(
        redirect_uris=[CALLBACK, "cursor://host/callback", CALLBACK],
        client_name="A client",
        client_uri="https://client.example",
        token_endpoint_auth_method="none",
        grant_types=["authorization_code", "refresh_token", "client_credentials"],
        response_types=["code", "token"],
        application_type="native",
        scope="todo_api:read",
        software_statement="ignored",
        client_id="ignored",
    )
    assert metadata.redirect_uris == (CALLBACK, "cursor://host/callback")
    assert metadata.client_name == "A client"
    assert metadata.client_uri == "https://client.example"
    assert metadata.token_endpoint_auth_method is TokenEndpointAuthMethod.NONE
    assert metadata.grant_types == frozenset(GrantType)
    assert metadata.application_type == "native"
    assert metadata.scope == "todo_api:read"


@pytest.mark.parametrize(
    "value",
    [None, [], CALLBACK, [CALLBACK, 17], [None], {"any": CALLBACK}, [CALLBACK] * 21],
    ids=lambda value: str(value)[:40],
)
def test_redirect_uris_must_be_a_list_of_1_to_20_uris(value: object) -> None:
    with pytest.raises(InvalidRedirectUri):
        parse(redirect_uris=value)


def test_one_dangerous_redirect_uri_spoils_the_registration() -> None:
    with pytest.raises(InvalidRedirectUri):
        parse(redirect_uris=[CALLBACK, "javascript:alert(1)"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_name": 17},
        {"client_name": "n" * 201},
        {"client_name": "NUL\x00"},
        {"client_name": "surrogate\ud800"},
        {"client_uri": "javascript:alert(1)"},
        {"client_uri": "client.example"},
        {"client_uri": "https://"},
        {"client_uri": "https://[client.example"},
        {"client_uri": "https://claude.example@evil.example/"},
        {"client_uri": "https://evil.example[::1]/"},
        {"client_uri": "https://2130706433/"},
        {"client_uri": "https://b\u00fccher.example/"},
        {"client_uri": "https://client.example./"},
        {"client_uri": "https://client.example\\.evil.example/"},
        {"client_uri": "https://client.example/" + "c" * 2000},
        {"client_uri": ["https://client.example"]},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"jwks": {"keys": []}, "jwks_uri": "https://client.example/jwks"},
        {"token_endpoint_auth_method": "tls_client_auth"},
        {"token_endpoint_auth_method": ["none"]},
        {"token_endpoint_auth_method": {}},
        {"grant_types": []},
        {"grant_types": ["refresh_token"]},
        {"grant_types": ["implicit"]},
        {"grant_types": "authorization_code"},
        {"grant_types": ["authorization_code", 17]},
        {"grant_types": ["authorization_code", []]},
        {"response_types": ["token"]},
        {"response_types": []},
        {"response_types": "code"},
        {"application_type": "desktop"},
        {"application_type": []},
        {"scope": 17},
        {"scope": ["todo_api:read"]},
        {"scope": "a  b"},
        {"scope": "s" * 2001},
    ],
    ids=lambda wrong: ascii(wrong)[:60],
)
def test_what_cannot_be_registered_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidClientMetadata):
        parse(**wrong)


@given(st.dictionaries(st.sampled_from(MEMBERS), JSON))
def test_any_document_is_either_registered_or_refused(document: dict[str, Any]) -> None:
    try:
        metadata = parse_client_metadata(document, frozenset())
    except (InvalidRedirectUri, InvalidClientMetadata):
        return
    assert metadata.redirect_uris


@given(st.sampled_from(MEMBERS[1:]), JSON)
def test_any_single_member_is_either_registered_or_refused(member: str, value: object) -> None:
    try:
        metadata = parse(**{member: value})
    except InvalidClientMetadata:
        return
    assert metadata.redirect_uris == (CALLBACK,)
