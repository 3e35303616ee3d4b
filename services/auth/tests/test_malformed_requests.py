"""Whatever is sent to auth, the answer is a page, a redirect or an OAuth error, never a failure."""

import base64

import pytest
from auth_harness import (
    CODE_CHALLENGE,
    CODE_VERIFIER,
    INTERNAL,
    INTROSPECTION_CLIENT,
    ISSUER,
    REDIRECT_URI,
    RESOURCE,
    AuthUnderTest,
)
from hypothesis import given, settings
from malformed_requests import RawRequest, answer, assert_told_in_form, malformed_requests

from auth_server.domain.handles import ACCESS_PREFIX, REFRESH_PREFIX, new_handle

ON_ONE_SERVER = pytest.mark.asyncio(loop_scope="module")

FORM = "application/x-www-form-urlencoded"
CREDENTIAL = base64.b64encode(":".join(INTROSPECTION_CLIENT).encode()).decode()
# Stands for the client that the server knows; it has as many characters as a real one.
CLIENT_ID = "00000000-0000-4000-8000-000000000000"

REQUESTS = malformed_requests(
    [
        ("GET", "/authorize"),
        ("POST", "/consent"),
        ("GET", "/callback"),
        ("POST", "/token"),
        ("POST", "/token"),
        ("POST", "/register"),
        ("POST", "/register"),
        ("POST", "/revoke"),
        ("POST", "/introspect"),
        ("GET", "/account"),
        ("POST", "/account/sign-in"),
        ("POST", "/account/disconnect"),
        ("POST", "/account/sign-out"),
        ("GET", "/.well-known/oauth-authorization-server"),
        ("POST", "/\ud7ff%00/../token"),
    ],
    names=[
        *("response_type", "client_id", "redirect_uri", "state", "scope", "resource", "prompt"),
        *("code_challenge", "code_challenge_method", "request", "response_mode", "error", "code"),
        *("grant_type", "code_verifier", "client_secret", "refresh_token", "token", "csrf_token"),
        *(
            "grant_id",
            "notice",
            "decision",
            "authorization_id",
            "redirect_uris",
            "client_name",
            "client_uri",
        ),
        *("token_endpoint_auth_method", "grant_types", "response_types", "application_type", "é"),
    ],
    values=[
        *(CLIENT_ID, REDIRECT_URI, RESOURCE, CODE_CHALLENGE, CODE_VERIFIER, "S256", "code", "none"),
        *("authorization_code", "refresh_token", "todo_api:read", "login", "allow", "https://a/b"),
        *(
            new_handle(ACCESS_PREFIX),
            new_handle(REFRESH_PREFIX),
            "http://[::1",
            "client_secret_post",
        ),
    ],
    usual=[("content-type", FORM)],
    headers=[
        ("content-type", f"{FORM}; charset=latin-1"),
        ("content-type", "application/json"),
        ("content-length", "7"),
        ("authorization", f"Basic {CREDENTIAL}"),
        ("authorization", "Basic Og=="),
        ("authorization", "Bearer x"),
        ("cookie", "mcp_pingone_browser=" + "b" * 43),
        ("cookie", "mcp_pingone_account=" + "a" * 43),
        ("origin", ISSUER),
        ("origin", "null"),
        ("sec-fetch-site", "same-origin"),
        ("host", "["),
    ],
)


def known(request: RawRequest, client_id: str) -> RawRequest:
    """The request with the placeholder replaced by the client that the server knows."""
    old, new = CLIENT_ID.encode(), client_id.encode()
    return RawRequest(
        request.method,
        request.path,
        request.query.replace(old, new),
        request.headers,
        tuple(chunk.replace(old, new) for chunk in request.body),
    )


# Beside the tables of refusals, which only hold what somebody thought of: parsers, converters and
# columns meet what nobody did. Derandomized, so that it cannot fail in somebody else's change.
@ON_ONE_SERVER
@settings(max_examples=400, derandomize=True, deadline=None)
@given(REQUESTS)
async def test_no_request_makes_the_server_fail(shared: AuthUnderTest, request: RawRequest) -> None:
    app = shared.apps[INTERNAL if request.path == "/introspect" else ISSUER]
    assert_told_in_form(*await answer(app, known(request, shared.client_id)))
