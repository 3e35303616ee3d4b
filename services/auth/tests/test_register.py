"""`POST /register` (RFC 7591): what is registered, what is refused, and how long it stays."""

import json
from typing import Any
from uuid import UUID

import httpx
import pytest
from auth_back_channel import refusal
from auth_harness import REDIRECT_URI, AuthUnderTest, auth_under_test

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

DEFAULTED = ("token_endpoint_auth_method", "grant_types", "response_types", "application_type")
CURSOR = [
    "cursor://anysphere.cursor-mcp/oauth/callback",
    "https://www.cursor.com/agents/mcp/oauth/callback",
    "http://localhost:8787/callback",
]


async def post(auth: AuthUnderTest, **document: Any) -> httpx.Response:
    """Register a document that is right except for what is said here; None leaves a member out."""
    members = {"redirect_uris": [REDIRECT_URI], **document}
    return await auth.anyone.post(
        "/register", json={name: value for name, value in members.items() if value is not None}
    )


async def is_known(auth: AuthUnderTest, client_id: str) -> bool:
    """Whether the client may still take part."""
    response = await auth.anyone.post("/revoke", data={"token": "nothing", "client_id": client_id})
    return response.status_code == 200


@pytest.mark.standard(
    "RFC 7591 3 open", "RFC 7591 3.2.1", "MCP 2026-07-28 authorization: registration"
)
async def test_a_public_client_gets_an_id_and_no_secret(auth: AuthUnderTest) -> None:
    auth.anyone.headers["origin"] = "https://inspector.example"
    response = await post(
        auth,
        client_name="A client",
        client_uri="https://client.example/",
        token_endpoint_auth_method="none",
        grant_types=["refresh_token", "authorization_code"],
        response_types=["code"],
        application_type="native",
        scope="todo_api:read",
        software_id="ignored",
    )
    assert response.status_code == 201, response.text
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["access-control-allow-origin"] == "*"
    registered = response.json()
    assert str(UUID(registered.pop("client_id")))
    assert registered == {
        "client_id_issued_at": int(auth.clock().timestamp()),
        "client_name": "A client",
        "client_uri": "https://client.example/",
        "redirect_uris": [REDIRECT_URI],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "application_type": "native",
        "scope": "todo_api:read",
    }


@pytest.mark.standard("RFC 7591 2 token_endpoint_auth_method", "RFC 7591 3.2.1 client_secret")
@ON_SQLITE
async def test_a_confidential_client_gets_a_secret_that_is_told_once(auth: AuthUnderTest) -> None:
    for method in ("client_secret_basic", "client_secret_post"):
        registered = (await post(auth, token_endpoint_auth_method=method)).json()
        assert registered["token_endpoint_auth_method"] == method
        assert len(registered["client_secret"]) == 43
        assert registered["client_secret_expires_at"] == 0


@pytest.mark.standard("RFC 7591 2 defaults")
@ON_SQLITE
@pytest.mark.parametrize("nothing", [{}, dict.fromkeys(DEFAULTED)], ids=["left out", "null"])
async def test_what_is_left_out_or_null_gets_the_standards_defaults(
    auth: AuthUnderTest, nothing: dict[str, None]
) -> None:
    document = {"redirect_uris": [REDIRECT_URI], **nothing}
    registered = (await auth.anyone.post("/register", json=document)).json()
    del registered["client_id"], registered["client_secret"]
    assert registered == {
        "client_id_issued_at": int(auth.clock().timestamp()),
        "client_secret_expires_at": 0,
        "redirect_uris": [REDIRECT_URI],
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        "application_type": "native",  # its redirect URI is on loopback
    }


@pytest.mark.standard("RFC 6749 2.2")
@ON_SQLITE
async def test_every_registration_is_a_new_client(auth: AuthUnderTest) -> None:
    answers = [(await post(auth, client_name="The same")).json() for _ in range(3)]
    assert len({answer["client_id"] for answer in answers}) == 3
    assert len({answer["client_secret"] for answer in answers}) == 3


@pytest.mark.standard("RFC 6749 3.1.2.2", "RFC 7591 2 redirect_uris", "RFC 7591 3.2.2")
@ON_SQLITE
async def test_uris_that_a_code_must_never_go_to_are_refused(auth: AuthUnderTest) -> None:
    uris: tuple[Any, ...] = (
        "javascript:alert(1)",
        "JavaScript:alert(1)//https://client.example/",
        "data:text/html,<script>",
        "file:///etc/passwd",
        "vbscript:x",
        "blob:https://client.example/1",
        "about:blank",
        "intent://x",
        "ftp://client.example/",
        "unknown-app://callback",
        "http://client.example/callback",
        "http://localhost.evil.example/",
        "http://127.0.0.1.evil.example/",
        "http://127.0.0.2/",
        "http://0.0.0.0/",
        "http://2130706433/",
        "http://localhost@evil.example/",
        "http://user@localhost/",
        "https://user:password@client.example/",
        "https://@client.example/",
        "https://client.example/#fragment",
        "https://client.example/#",
        "https://client.example/\r\nSet-Cookie: a=b",
        "https://client.example/\t",
        "https://client.example/\x00",
        "https://client.example\\@evil.example/",
        "https://client.example/ space",
        "https://clïent.example/",
        "https://client.example/\ud800",
        "https://[::1",
        "https://client.example:99999/",
        "https://client.example:port/",
        "cursor://callback",
        "https://",
        "https:///path",
        "https:client.example",
        "//client.example/",
        "/callback",
        "callback",
        "",
        " https://client.example/",
        "https://client.example/" + "a" * 2000,
        None,
        7,
        ["https://client.example/"],
    )
    for uri in uris:
        # One bad URI is enough: otherwise it would be registered beside the good one.
        body = json.dumps({"redirect_uris": [REDIRECT_URI, uri]})
        response = await auth.anyone.post(
            "/register", content=body, headers={"content-type": "application/json"}
        )
        assert refusal(response) == "invalid_redirect_uri", uri


@pytest.mark.standard("RFC 6749 3.1.2.2", "RFC 7591 2 redirect_uris")
@ON_SQLITE
async def test_redirect_uris_must_be_a_short_list(auth: AuthUnderTest) -> None:
    many = [f"https://client.example/{number}" for number in range(21)]
    for value in ([], None, REDIRECT_URI, {"0": REDIRECT_URI}, many):
        assert refusal(await post(auth, redirect_uris=value)) == "invalid_redirect_uri", value
    registered = (await post(auth, redirect_uris=[*many[:20], many[0]][:20])).json()
    assert registered["redirect_uris"] == many[:20]


@pytest.mark.standard("RFC 8252 7.1")
@ON_SQLITE
async def test_web_loopback_and_allowed_private_use_uris_are_registered_together(
    auth: AuthUnderTest,
) -> None:
    loopback = ["http://127.0.0.1/", "http://[::1]:1234/callback", "http://localhost/?a=b"]
    for uris in (CURSOR, loopback, ["vscode://vscode.example/did-authenticate"]):
        registered = (await post(auth, redirect_uris=uris)).json()
        assert registered["redirect_uris"] == uris
        assert registered["application_type"] == "native"


@pytest.mark.standard("RFC 7591 3.2.1")
@ON_SQLITE
async def test_grant_types_that_only_other_servers_have_are_ignored(auth: AuthUnderTest) -> None:
    registered = (
        await post(
            auth,
            grant_types=[
                "authorization_code",
                "urn:ietf:params:oauth:grant-type:device_code",
                "implicit",
            ],
        )
    ).json()
    assert registered["grant_types"] == ["authorization_code"]


@pytest.mark.standard("RFC 7591 2 token_endpoint_auth_method", "RFC 7591 2.1", "RFC 7591 3.2.2")
@ON_SQLITE
async def test_metadata_that_cannot_be_honoured_is_refused(auth: AuthUnderTest) -> None:
    refused: dict[str, tuple[Any, ...]] = {
        "token_endpoint_auth_method": ("private_key_jwt", "tls_client_auth", "", 1, [], {}),
        "grant_types": (["implicit"], [], "authorization_code", [1], {}),
        "response_types": (["token"], [], "code", {"code": 1}),
        "application_type": ("desktop", "", 1, ["web"], {}),
        "scope": ("a  b", "a\nb", 'a"b', ["a"], 1, "é"),
        "client_name": ("a" * 201, 1, ["a"], "a\x00b", "\ud800"),
        "client_uri": ("javascript:x", "client.example", "https://[", 1, "https://a/" + "a" * 2000),
    }
    for member, value in ((member, one) for member, values in refused.items() for one in values):
        body = json.dumps({"redirect_uris": [REDIRECT_URI], member: value})
        response = await auth.anyone.post(
            "/register", content=body, headers={"content-type": "application/json"}
        )
        assert refusal(response) == "invalid_client_metadata", (member, value)


@pytest.mark.standard("RFC 7591 3.1")
@ON_SQLITE
async def test_a_body_that_is_not_one_json_object_is_refused(auth: AuthUnderTest) -> None:
    bodies = {
        "nothing": b"",
        "not JSON": b"redirect_uris=x",
        "cut short": b'{"redirect_uris": [',
        "a list": b"[]",
        "a string": b'"x"',
        "null": b"null",
        "not UTF-8": b'{"client_name": "\xff"}',
        "nested too deeply": b'{"x":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        "a number of 10,000 digits": b'{"x":' + b"1" * 10_000 + b"}",
        "too large": b'{"x":"' + b"a" * 65_536 + b'"}',
    }
    for name, body in bodies.items():
        response = await auth.anyone.post(
            "/register", content=body, headers={"content-type": "application/json"}
        )
        assert refusal(response) == "invalid_client_metadata", name
    for content_type in ("text/plain", "application/x-www-form-urlencoded", ""):
        response = await auth.anyone.post(
            "/register",
            content=json.dumps({"redirect_uris": [REDIRECT_URI]}).encode(),
            headers={"content-type": content_type},
        )
        assert refusal(response) == "invalid_client_metadata", content_type


@pytest.mark.standard("RFC 7591 3 bound")
async def test_at_the_ceiling_the_oldest_unused_clients_make_room(database_url: str) -> None:
    async with auth_under_test(database_url, auth_client_ceiling=4) as auth:
        await auth.obtain_handles()
        used = auth.client_id
        newcomers = []
        for _ in range(6):
            auth.clock.advance(seconds=1)
            newcomers.append((await auth.register())["client_id"])
        assert [await is_known(auth, one) for one in newcomers] == [False] * 2 + [True] * 4
        assert await is_known(auth, used)


async def test_used_clients_stay_even_above_the_ceiling(database_url: str) -> None:
    async with auth_under_test(database_url, auth_client_ceiling=1) as auth:
        browser = auth.new_browser()
        used = []
        for _ in range(3):
            auth.client_id = (await auth.register())["client_id"]
            await auth.obtain_handles(browser)
            used.append(auth.client_id)
        newcomer = (await auth.register())["client_id"]
        assert [await is_known(auth, one) for one in (*used, newcomer)] == [True] * 4


async def test_a_client_that_somebody_signed_in_with_survives_the_hour(
    auth: AuthUnderTest,
) -> None:
    await auth.obtain_handles()
    auth.clock.advance(days=179)
    assert await is_known(auth, auth.client_id)
    await auth.obtain_handles()
    auth.clock.advance(days=179)
    assert await is_known(auth, auth.client_id)
    auth.clock.advance(days=1)
    assert not await is_known(auth, auth.client_id)


@ON_SQLITE
async def test_a_client_is_known_for_as_long_as_it_refreshes_its_grants(database_url: str) -> None:
    async with auth_under_test(database_url, auth_grant_days=365) as auth:
        handles = await auth.obtain_handles()
        for _ in range(12):
            auth.clock.advance(days=29)
            response = await auth.refresh(handles["refresh_token"])
            assert response.status_code == 200, response.text
            handles = response.json()
