"""`POST /introspect` (RFC 7662): one positive and one negative answer, and neither in an outage."""

import base64
import json

import httpx
import pytest
from auth_back_channel import database_outage, refusal, replica_of
from auth_harness import (
    API,
    INTERNAL,
    INTROSPECTION_CLIENT,
    ISSUER,
    RESOURCE,
    AuthUnderTest,
)

from auth_server.domain.handles import ACCESS_PREFIX, REFRESH_PREFIX, new_handle
from pingone_simulator.people import PEOPLE

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
INACTIVE = b'{"active":false}'


async def assert_inactive(auth: AuthUnderTest, handle: str) -> None:
    """The one negative answer, to the byte."""
    response = await auth.introspect(handle)
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    assert response.content == INACTIVE, response.text


@pytest.mark.standard("RFC 7662 2.2 active", "RFC 7662 5", "RFC 8707 2.1")
async def test_an_active_handle_is_described_exactly(auth: AuthUnderTest) -> None:
    auth.clock.advance(seconds=5)
    handles = await auth.obtain_handles()
    issued_at = int(auth.clock().timestamp())
    auth.clock.advance(minutes=10)
    response = await auth.introspect(handles["access_token"])
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    answer = response.json()
    grant_id = answer.pop("grant_id")
    assert isinstance(grant_id, str)
    assert len(grant_id) == 36
    token = answer["downstream_token"].pop("access_token")
    assert auth.simulator.is_access_token_live(token)
    assert answer == {
        "active": True,
        "scope": "todo_api:read todo_api:write",
        "client_id": auth.client_id,
        "username": "Alice Archer",
        "token_type": "Bearer",
        "exp": issued_at + 3600,
        "iat": issued_at,
        "sub": PEOPLE[0].sub,
        "aud": RESOURCE,
        "iss": ISSUER,
        "downstream_token": {
            "token_type": "Bearer",
            "expires_at": issued_at + 3600,
            "audience": API,
            "scope": "openid profile todo_api:read todo_api:write",
        },
    }
    assert handles["access_token"] not in response.text
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["aud"] in (API, [API])
    assert claims["sub"] == PEOPLE[0].sub


@ON_SQLITE
async def test_every_grant_has_an_id_and_a_downstream_token_of_its_own(
    auth: AuthUnderTest,
) -> None:
    alice, bob = await auth.obtain_handles(), await auth.obtain_handles(username="bob")
    answers = [(await auth.introspect(one["access_token"])).json() for one in (alice, bob)]
    assert [answer["sub"] for answer in answers] == [person.sub for person in PEOPLE]
    assert answers[0]["grant_id"] != answers[1]["grant_id"]
    tokens = [answer["downstream_token"]["access_token"] for answer in answers]
    assert tokens[0] != tokens[1]


@pytest.mark.standard("RFC 7662 2.2 inactive")
@ON_SQLITE
async def test_whatever_is_not_an_active_access_handle_gets_the_one_negative_answer(
    auth: AuthUnderTest,
) -> None:
    handles = await auth.obtain_handles()
    access = handles["access_token"]
    for handle in (
        new_handle(ACCESS_PREFIX),
        new_handle(REFRESH_PREFIX),
        handles["refresh_token"],
        access[:-1],
        access + "0",
        access[:-1] + ("0" if access[-1] != "0" else "1"),
        access.replace("mcpat_", "mcprt_"),
        access.upper(),
        f" {access}",
        "x",
        "é",
        "eyJhbGciOiJub25lIn0.e30.",
        "a" * 60_000,
    ):
        await assert_inactive(auth, handle)
    assert await auth.is_active(access)


@pytest.mark.standard("RFC 6750 5.2 lifetime", "RFC 7662 4 checks")
async def test_a_handle_is_inactive_from_the_second_it_expires(auth: AuthUnderTest) -> None:
    access = (await auth.obtain_handles())["access_token"]
    auth.clock.advance(seconds=3599)
    assert await auth.is_active(access)
    auth.clock.advance(seconds=1)
    await assert_inactive(auth, access)


@pytest.mark.standard("RFC 7009 2.1 at once", "RFC 7662 4 checks")
@ON_SQLITE
async def test_a_handle_of_a_revoked_grant_is_inactive(auth: AuthUnderTest) -> None:
    handles = await auth.obtain_handles()
    form = {"client_id": auth.client_id, "token": handles["refresh_token"]}
    await auth.anyone.post("/revoke", data=form)
    await assert_inactive(auth, handles["access_token"])


@pytest.mark.standard(
    "RFC 6750 5.2 audience",
    "RFC 7662 4 checks",
    "RFC 7662 5",
    "RFC 8707 2.2 audience",
    "RFC 9700 2.3",
    "RFC 9700 4.9.1",
)
async def test_a_handle_for_another_resource_is_inactive_here(auth: AuthUnderTest) -> None:
    access = (await auth.obtain_handles())["access_token"]
    async with replica_of(auth, mcp_resource="https://other.example/mcp") as other:
        await assert_inactive(other, access)
    assert await auth.is_active(access)


@pytest.mark.standard("RFC 7662 2.1 authentication", "RFC 7662 2.3")
@ON_SQLITE
async def test_only_a_resource_server_with_its_credential_may_ask(auth: AuthUnderTest) -> None:
    access = (await auth.obtain_handles())["access_token"]
    client_id, client_secret = INTROSPECTION_CLIENT
    confidential = await auth.register(token_endpoint_auth_method="client_secret_basic")
    for credentials in (
        None,
        (client_id, "wrong"),
        (client_id, ""),
        (client_id, client_secret + "x"),
        ("unknown", client_secret),
        ("unknown", ""),
        (confidential["client_id"], confidential["client_secret"]),
    ):
        response = await auth.introspect(access, auth=credentials)
        assert refusal(response, 401) == "invalid_client", credentials
        assert response.headers["www-authenticate"].startswith("Basic ")
    in_the_body = await auth.anyone.post(
        f"{INTERNAL}/introspect",
        data={"token": access, "client_id": client_id, "client_secret": client_secret},
    )
    assert refusal(in_the_body, 401) == "invalid_client"
    with_itself = await auth.introspect(
        access, auth=None, headers={"authorization": f"Bearer {access}"}
    )
    assert refusal(with_itself, 401) == "invalid_client"


@pytest.mark.standard("RFC 7662 2.1 request")
@ON_SQLITE
async def test_a_malformed_question_is_an_error_and_not_inactive(auth: AuthUnderTest) -> None:
    access = (await auth.obtain_handles())["access_token"]
    bodies = (b"", b"token=", b"token=%ff", b"token=%00", f"token={access}&token={access}".encode())
    for body in bodies:
        response = await auth.anyone.post(
            f"{INTERNAL}/introspect",
            content=body,
            headers={"content-type": "application/x-www-form-urlencoded"},
            auth=INTROSPECTION_CLIENT,
        )
        assert refusal(response) == "invalid_request", body
    as_json = await auth.anyone.post(
        f"{INTERNAL}/introspect", json={"token": access}, auth=INTROSPECTION_CLIENT
    )
    assert refusal(as_json) == "invalid_request"
    credential = base64.b64encode(":".join(INTROSPECTION_CLIENT).encode()).decode()
    twice = await auth.introspect(
        access, auth=None, headers=[("authorization", f"Basic {credential}")] * 2
    )
    assert refusal(twice) == "invalid_request"


@pytest.mark.standard("RFC 7662 4 scanning")
@ON_SQLITE
async def test_introspection_is_not_on_the_public_port(auth: AuthUnderTest) -> None:
    access = (await auth.obtain_handles())["access_token"]
    response = await auth.anyone.post(
        "/introspect", data={"token": access}, auth=INTROSPECTION_CLIENT
    )
    assert response.status_code == 404
    metadata = await auth.anyone.get("/.well-known/oauth-authorization-server")
    assert "introspect" not in metadata.text
    for path in ("/metrics", "/livez", "/readyz"):
        assert (await auth.anyone.get(path)).status_code == 404, path


@pytest.mark.standard("RFC 7662 4 scanning")
@ON_SQLITE
async def test_no_page_of_any_origin_may_introspect(auth: AuthUnderTest) -> None:
    access = (await auth.obtain_handles())["access_token"]
    response = await auth.introspect(access, headers={"origin": ISSUER})
    assert not [name for name in response.headers if name.startswith("access-control-")]
    preflight = await auth.anyone.options(
        f"{INTERNAL}/introspect",
        headers={"origin": ISSUER, "access-control-request-method": "POST"},
    )
    assert preflight.status_code == httpx.codes.METHOD_NOT_ALLOWED


@pytest.mark.standard("RFC 7662 2.3")
async def test_without_the_database_nothing_is_called_inactive(auth: AuthUnderTest) -> None:
    access = (await auth.obtain_handles())["access_token"]
    async with database_outage(auth):
        response = await auth.introspect(access)
        assert refusal(response, 503) == "temporarily_unavailable"
        assert int(response.headers["retry-after"]) > 0
        # The control: what cannot be a handle of ours is refused without the database.
        await assert_inactive(auth, access[:-1])
    assert await auth.is_active(access)
