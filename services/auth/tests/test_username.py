"""The name that a grant carries for people: from the ID token, else from userinfo, else the sub."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from auth_answers import code_at_client
from auth_harness import AuthUnderTest, PassOn, auth_under_test
from joserfc import jws

from pingone_simulator.people import PEOPLE

ALICE, BOB = PEOPLE
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def nameless(database_url: str) -> AsyncIterator[AuthUnderTest]:
    """A server that asks for no profile: the ID token carries no name."""
    async with auth_under_test(database_url, pingone_scopes="openid") as auth:
        yield auth


def answer_userinfo(auth: AuthUnderTest, answer: httpx2.Response | Exception) -> None:
    async def intercept(request: httpx2.Request, pass_on: PassOn) -> httpx2.Response:
        if not request.url.path.endswith("/userinfo"):
            return await pass_on(request)
        assert request.headers["authorization"].startswith("Bearer ey")
        if isinstance(answer, Exception):
            raise answer
        return answer

    auth.pingone.intercept = intercept


async def username(auth: AuthUnderTest) -> str:
    handles = await auth.obtain_handles()
    name: str = (await auth.introspect(handles["access_token"])).json()["username"]
    return name


@pytest.mark.standard("OIDC Core 5.1")
async def test_the_id_token_names_the_person(auth: AuthUnderTest) -> None:
    assert await username(auth) == "Alice Archer"
    assert not [request for request in auth.pingone.requests if "userinfo" in request.url.path]


@pytest.mark.standard("OIDC Core 5.1")
@ON_SQLITE
@pytest.mark.parametrize(
    ("profile", "name"),
    [
        ({"name": "Alice from userinfo"}, "Alice from userinfo"),
        ({"name": " ", "preferred_username": "alice"}, "alice"),
        ({"name": 17, "email": "alice@example.com"}, "alice@example.com"),
        ({"name": "A" * 1000}, "A" * 200),
        ({}, ALICE.sub),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_userinfo_names_the_person_whom_the_id_token_does_not(
    nameless: AuthUnderTest, profile: dict[str, Any], name: str
) -> None:
    answer_userinfo(nameless, httpx2.Response(200, json={"sub": ALICE.sub, **profile}))
    assert await username(nameless) == name


@pytest.mark.standard("OIDC Core 5.3.2")
@ON_SQLITE
@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(200, json={"sub": BOB.sub, "name": "Bob Baker"}),
        httpx2.Response(200, json={"name": "Bob Baker"}),
        httpx2.Response(200, json=["Bob Baker"]),
        httpx2.Response(200, content=b"\xff not JSON"),
        httpx2.Response(403, json={"sub": ALICE.sub, "name": "Not allowed"}),
        httpx2.Response(302, headers={"location": "https://evil.example"}),
        httpx2.Response(503),
        httpx2.ReadTimeout("too slow"),
        httpx2.ConnectError("no route"),
    ],
    ids=str,
)
async def test_a_profile_that_is_not_this_persons_is_not_used_and_no_obstacle(
    nameless: AuthUnderTest, answer: httpx2.Response | Exception
) -> None:
    answer_userinfo(nameless, answer)
    assert await username(nameless) == ALICE.sub


@pytest.mark.parametrize("name", ["Al\x00ice", "Al\ud800ice"], ids=["NUL", "lone surrogate"])
async def test_a_name_that_no_database_can_store_is_no_obstacle(
    auth: AuthUnderTest, name: str
) -> None:
    async def intercept(request: httpx2.Request, pass_on: PassOn) -> httpx2.Response:
        response = await pass_on(request)
        if not request.url.path.endswith("/token"):
            return response
        answer = json.loads(await response.aread())
        key = auth.simulator.tokens._key
        claims = json.loads(jws.extract_compact(answer["id_token"].encode()).payload)
        payload = json.dumps(claims | {"name": name}).encode()
        header = {"alg": "RS256", "kid": key.kid}
        answer["id_token"] = jws.serialize_compact(header, payload, key)
        return httpx2.Response(200, json=answer)

    auth.pingone.intercept = intercept
    browser = auth.new_browser()
    to_pingone = await auth.decide(browser, await auth.authorize(browser))
    answer = await auth.back(browser, await auth.sign_on(browser, to_pingone))
    handles = (await auth.exchange(code_at_client(answer))).json()
    introspected = (await auth.introspect(handles["access_token"])).json()
    assert introspected["sub"] == ALICE.sub
    assert introspected["username"].isprintable()
