"""Client authentication (RFC 6749 2.3): exactly the one method that the client registered."""

import base64
import json
from typing import Any
from urllib.parse import quote_plus

import httpx
import pytest
from auth_back_channel import refusal
from auth_harness import CODE_VERIFIER, REDIRECT_URI, AuthUnderTest, auth_under_test
from sqlalchemy import update
from sqlalchemy.ext.asyncio import create_async_engine
from structlog.testing import capture_logs

from auth_server.storage.tables import clients

METHODS = ("none", "client_secret_basic", "client_secret_post")
CHALLENGE = 'Basic realm="mcp-pingone", charset="UTF-8"'
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def basic(client_id: str, client_secret: str) -> dict[str, str]:
    """An Authorization header whose halves are form-encoded first (RFC 6749 2.3.1)."""
    pair = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"
    return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def presented(method: str, client_id: str, client_secret: str) -> dict[str, Any]:
    """What a request has to carry for this method."""
    if method == "client_secret_basic":
        return {"data": {}, "headers": basic(client_id, client_secret)}
    secret = {"client_secret": client_secret} if method == "client_secret_post" else {}
    return {"data": {"client_id": client_id, **secret}, "headers": {}}


async def ask(
    auth: AuthUnderTest, data: dict[str, str], headers: dict[str, str] | None = None
) -> httpx.Response:
    """A request that succeeds for every proven client: the revocation of nothing."""
    return await auth.anyone.post("/revoke", data={"token": "nothing", **data}, headers=headers)


def unproven(response: httpx.Response) -> str:
    """The refusal of a client that could not prove itself, with the challenge that it needs."""
    assert response.headers["www-authenticate"] == CHALLENGE
    return refusal(response, 401)


@pytest.mark.standard("RFC 6749 2.1", "RFC 6749 2.3.1 basic", "RFC 6749 3.2.1", "RFC 8252 8.5")
async def test_a_client_redeems_its_code_with_the_method_that_it_registered(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    for method in METHODS:
        registered = await auth.register(token_endpoint_auth_method=method)
        client_id = registered["client_id"]
        code = await auth.obtain_code(browser, client_id=client_id)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": CODE_VERIFIER,
        }
        unauthenticated = await auth.anyone.post("/token", data=form)
        assert unproven(unauthenticated) == "invalid_client"
        credentials = presented(method, client_id, registered.get("client_secret", ""))
        response = await auth.anyone.post(
            "/token", data=form | credentials["data"], headers=credentials["headers"]
        )
        assert response.status_code == 200, f"{method}: {response.text}"


@ON_SQLITE
async def test_the_log_names_whom_a_refused_request_claimed_to_be(auth: AuthUnderTest) -> None:
    registered = await auth.register(token_endpoint_auth_method="client_secret_basic")
    client_id = registered["client_id"]
    for claimed, logged in (
        (client_id, client_id),
        ("c" * 400, "c" * 300),
        ("forged\x1b[2K line", None),  # anybody's text, in a line that an operator reads
    ):
        with capture_logs() as logs:
            response = await ask(auth, {}, basic(claimed, "a wrong secret"))
        assert unproven(response) == "invalid_client"
        (refused,) = [entry for entry in logs if entry["event"] == "oauth.refused"]
        assert refused["claimed_client_id"] == logged
        assert "a wrong secret" not in str(logs)
    with capture_logs() as logs:
        response = await auth.introspect("anything", auth=("a-resource-server", "a wrong secret"))
    assert unproven(response) == "invalid_client"
    assert "a-resource-server" in {entry.get("claimed_client_id") for entry in logs}


@pytest.mark.standard("OAuth 2.1 2.4")
@ON_SQLITE
async def test_every_other_method_is_refused_even_with_the_right_secret(
    auth: AuthUnderTest,
) -> None:
    for registered_method in METHODS:
        registered = await auth.register(token_endpoint_auth_method=registered_method)
        client_id, client_secret = registered["client_id"], registered.get("client_secret", "")
        for method in METHODS:
            # A public client has no secret to send, so it sends one that is made up.
            response = await ask(auth, **presented(method, client_id, client_secret or "made-up"))
            if method == registered_method:
                assert response.status_code == 200, method
            else:
                assert unproven(response) == "invalid_client", (registered_method, method)


@pytest.mark.standard("RFC 6749 5.2 invalid_client")
@ON_SQLITE
async def test_a_wrong_secret_is_refused(auth: AuthUnderTest) -> None:
    for method in ("client_secret_basic", "client_secret_post"):
        one = await auth.register(token_endpoint_auth_method=method)
        other = await auth.register(token_endpoint_auth_method=method)
        right = one["client_secret"]
        for wrong in ("x", right[:-1], right + "x", right.swapcase(), other["client_secret"], "é"):
            response = await ask(auth, **presented(method, one["client_id"], wrong))
            assert unproven(response) == "invalid_client", (method, wrong)
        empty = await ask(auth, **presented(method, one["client_id"], ""))
        assert unproven(empty) == "invalid_client", method


@pytest.mark.standard("RFC 6749 2.3", "OAuth 2.1 2.4")
@ON_SQLITE
async def test_two_methods_at_once_are_an_invalid_request(auth: AuthUnderTest) -> None:
    registered = await auth.register(token_endpoint_auth_method="client_secret_basic")
    client_id, client_secret = registered["client_id"], registered["client_secret"]
    both = await ask(auth, {"client_secret": client_secret}, basic(client_id, client_secret))
    assert refusal(both) == "invalid_request"


@pytest.mark.standard("RFC 6749 2.3")
@ON_SQLITE
async def test_a_client_id_beside_basic_must_be_the_same(auth: AuthUnderTest) -> None:
    registered = await auth.register(token_endpoint_auth_method="client_secret_basic")
    headers = basic(registered["client_id"], registered["client_secret"])
    same = await ask(auth, {"client_id": registered["client_id"]}, headers)
    assert same.status_code == 200, same.text
    assert refusal(await ask(auth, {"client_id": auth.client_id}, headers)) == "invalid_request"


@pytest.mark.standard("RFC 6749 5.2 invalid_client", "RFC 7591 5 deprovisioning")
@ON_SQLITE
async def test_an_unknown_client_is_told_so_that_it_registers_anew(auth: AuthUnderTest) -> None:
    for client_id in ("unknown", "é", "x" * 50_000, "00000000-0000-0000-0000-000000000000"):
        for method in METHODS if len(client_id) < 100 else ("none",):
            response = await ask(auth, **presented(method, client_id, "secret"))
            assert unproven(response) == "invalid_client", (method, client_id[:50])
    assert unproven(await ask(auth, {})) == "invalid_client"
    assert unproven(await ask(auth, {"client_id": ""})) == "invalid_client"


@pytest.mark.standard("RFC 7591 5 deprovisioning")
async def test_a_client_that_nobody_signed_in_with_is_unknown_after_an_hour(
    auth: AuthUnderTest,
) -> None:
    auth.clock.advance(minutes=59, seconds=59)
    assert (await ask(auth, {"client_id": auth.client_id})).status_code == 200
    auth.clock.advance(seconds=1)
    assert unproven(await ask(auth, {"client_id": auth.client_id})) == "invalid_client"


@pytest.mark.standard("RFC 6749 6 binding")
async def test_a_disabled_client_can_neither_redeem_nor_refresh(
    auth: AuthUnderTest, database_url: str
) -> None:
    handles = await auth.obtain_handles()
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.execute(update(clients).values(disabled_at=auth.clock()))
    await engine.dispose()
    assert unproven(await auth.refresh(handles["refresh_token"])) == "invalid_client"
    assert unproven(await auth.exchange("a-code")) == "invalid_client"


@pytest.mark.standard("RFC 6749 2.3.1 basic")
@ON_SQLITE
async def test_a_malformed_authorization_header_is_refused(auth: AuthUnderTest) -> None:
    def encoded(value: bytes) -> str:
        return f"Basic {base64.b64encode(value).decode()}"

    headers = (
        "",
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic Y2xpZW50",
        "Basic Y2xpZW50OnNlY3JldA",
        encoded(b"no separator"),
        encoded(b":secret"),
        encoded(b"\xff\xfe:secret"),
        encoded(b"client%ff:secret"),
        encoded(b"client:%ff"),
        encoded(b"client\x00:secret"),
        encoded(b"client%00:secret"),
        "Bearer mcpat_x",
        "Digest username=x",
        "Basic \xe9",
    )
    for header in headers:
        response = await auth.anyone.post(
            "/revoke",
            data={"token": "nothing"},
            headers=[(b"authorization", header.encode("latin-1"))],
        )
        assert unproven(response) == "invalid_client", header


@ON_SQLITE
async def test_a_repeated_authorization_header_is_an_invalid_request(auth: AuthUnderTest) -> None:
    registered = await auth.register(token_endpoint_auth_method="client_secret_basic")
    header = basic(registered["client_id"], registered["client_secret"])["authorization"]
    response = await auth.anyone.post(
        "/revoke",
        data={"token": "nothing"},
        headers=[("authorization", header), ("authorization", header)],
    )
    assert refusal(response) == "invalid_request"


@ON_SQLITE
async def test_a_configured_client_needs_no_registration_and_never_expires(
    database_url: str,
) -> None:
    # Each character here is one that Basic has to encode (RFC 6749 2.3.1).
    client_id, client_secret = "client://example/a+b", "p:ä ß+%3A&=é"
    configured = {
        "client_id": client_id,
        "client_secret": client_secret,
        "redirect_uris": [REDIRECT_URI],
        "grant_types": ["authorization_code", "refresh_token"],
    }
    async with auth_under_test(database_url, auth_clients=json.dumps([configured])) as auth:
        auth.clock.advance(days=400)
        form = {
            "grant_type": "authorization_code",
            "code": await auth.obtain_code(client_id=client_id),
            "code_verifier": CODE_VERIFIER,
        }
        headers = basic(client_id, client_secret)
        headers["authorization"] = headers["authorization"].replace("Basic", "bAsIc")
        response = await auth.anyone.post("/token", data=form, headers=headers)
        assert response.status_code == 200, response.text
        assert await auth.is_active(response.json()["access_token"])
        wrong = await auth.anyone.post("/token", data=form, headers=basic(client_id, "wrong"))
        assert unproven(wrong) == "invalid_client"
