"""`GET /authorize`: a request that may be answered at the client, and is refused there."""

from typing import Any

import pytest
from auth_answers import count_rows, error_at_client
from auth_harness import CODE_CHALLENGE, RESOURCE, AuthUnderTest

from auth_server.storage.tables import authorizations

ON_ONE_SERVER = pytest.mark.asyncio(loop_scope="module")

DUPLICABLE = {
    "response_type": "code",
    "code_challenge": CODE_CHALLENGE,
    "code_challenge_method": "S256",
    "scope": "todo_api:read",
    "prompt": "login",
    "an_extension": "unknown",
}


async def assert_refused_at_the_client(
    shared: AuthUnderTest, changes: dict[str, Any], error: str
) -> None:
    """The changed request is answered with the error, to the client, and leaves nothing behind."""
    before = await count_rows(shared, authorizations)
    state = changes.get("state", "the-clients-state")
    response = await shared.authorize(shared.new_browser(), **changes)
    assert error_at_client(response, state=state) == error
    assert await count_rows(shared, authorizations) == before


@pytest.mark.standard(
    "RFC 7636 4.3",
    "RFC 7636 4.4.1",
    "RFC 7636 7.2",
    "RFC 8252 8.1",
    "RFC 9700 2.1.1 PKCE",
    "RFC 9700 4.8.2",
    "OAuth 2.1 4.1.1",
    "MCP 2026-07-28 authorization: PKCE",
)
@ON_ONE_SERVER
@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge": None},
        {"code_challenge": ""},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},
        {"code_challenge_method": "s256"},
        {"code_challenge": CODE_CHALLENGE[:-1]},
        {"code_challenge": CODE_CHALLENGE + "A"},
        {"code_challenge": CODE_CHALLENGE[:-1] + "="},
        {"code_challenge": CODE_CHALLENGE[:-1] + "é"},
        {"code_challenge": CODE_CHALLENGE + "\n"},
    ],
)
async def test_a_request_without_a_s256_challenge_is_refused(
    shared: AuthUnderTest, changes: dict[str, Any]
) -> None:
    await assert_refused_at_the_client(shared, changes, "invalid_request")


@pytest.mark.standard("RFC 6749 3.3 grammar", "RFC 6749 4.1.1", "RFC 6749 4.1.2.1 codes")
@ON_ONE_SERVER
@pytest.mark.parametrize(
    "changes",
    [
        {"scope": "todo_api:admin"},
        {"scope": "todo_api:read todo_api:admin"},
        {"scope": "TODO_API:READ"},
        {"scope": "openid"},
        {"scope": "todo_api:read  todo_api:write"},
        {"scope": "todo_api:read\ttodo_api:write"},
        {"scope": '"todo_api:read"'},
        {"scope": "todo_api:read " * 200},
    ],
)
async def test_a_scope_that_does_not_exist_is_refused(
    shared: AuthUnderTest, changes: dict[str, Any]
) -> None:
    await assert_refused_at_the_client(shared, changes, "invalid_scope")


@pytest.mark.standard("RFC 6749 8.5", "RFC 8707 2", "MCP 2026-07-28 authorization: resource")
@ON_ONE_SERVER
@pytest.mark.parametrize(
    "changes",
    [
        {"resource": "https://other.example/mcp"},
        {"resource": f"{RESOURCE}/more"},
        {"resource": f"{RESOURCE}#fragment"},
        {"resource": "http://localhost:8081/MCP"},
        {"resource": "http://[localhost/mcp"},
        {"resource": "https://todo.api.com"},
        {"resource": [RESOURCE, "https://other.example/mcp"]},
    ],
)
async def test_any_other_resource_is_refused(
    shared: AuthUnderTest, changes: dict[str, Any]
) -> None:
    await assert_refused_at_the_client(shared, changes, "invalid_target")


@pytest.mark.standard(
    "RFC 6749 3.1 repeated parameters",
    "RFC 6749 3.1.1",
    "RFC 6749 4.1.1",
    "RFC 6749 4.1.2.1 codes",
    "RFC 9207 2 error",
    "OAuth 2.1 10.1",
)
@ON_ONE_SERVER
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": ""}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": "CODE"}, "unsupported_response_type"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "none consent"}, "invalid_request"),
        ({"prompt": "create"}, "invalid_request"),
        ({"prompt": "login create"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
        ({"request": "eyJhbGciOiJub25lIn0.e30."}, "invalid_request"),
        ({"request_uri": "https://client.example/request.jwt"}, "invalid_request"),
        ({"request_uri": "urn:ietf:params:oauth:request_uri:1"}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_mode": "form_post"}, "invalid_request"),
        ({"state": "s" * 8193}, "invalid_request"),
        *[({name: [value, value]}, "invalid_request") for name, value in DUPLICABLE.items()],
    ],
)
async def test_a_wrong_parameter_is_refused_at_the_client(
    shared: AuthUnderTest, changes: dict[str, Any], error: str
) -> None:
    await assert_refused_at_the_client(shared, changes, error)
