"""What goes wrong here is told in the caller's own form, and never with its details."""

import json

import httpx
import pytest
from auth_answers import problem_page
from auth_back_channel import database_outage, refusal, replica_of
from auth_harness import (
    INTERNAL,
    INTROSPECTION_CLIENT,
    REDIRECT_URI,
    AuthUnderTest,
    auth_under_test,
)

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

# A ring without the key that the database was written with: no row can be decrypted any more,
# which nothing in the service expects.
OTHER_KEYS = "k2:" + "B" * 43 + "="
DETAILS = ("Traceback", "Encryption", "encryption", "k1", "k2", ".py", "auth_server")


def assert_server_error(response: httpx.Response) -> None:
    """The one answer to everything unexpected."""
    assert refusal(response, 500) == "server_error"
    assert response.json()["error_description"] == "something went wrong here"


@ON_SQLITE
async def test_an_unexpected_failure_is_a_server_error_without_details(
    auth: AuthUnderTest,
) -> None:
    access = (await auth.obtain_handles())["access_token"]
    async with replica_of(auth, auth_encryption_keys=OTHER_KEYS) as broken:
        assert_server_error(await broken.introspect(access))


@ON_SQLITE
async def test_a_key_that_is_gone_does_not_keep_a_grant_alive(auth: AuthUnderTest) -> None:
    access = (await auth.obtain_handles())["access_token"]
    async with replica_of(auth, auth_encryption_keys=OTHER_KEYS) as broken:
        form = {"client_id": auth.client_id, "token": access}
        response = await broken.anyone.post("/revoke", data=form)
        assert response.status_code == 200
    assert not await auth.is_active(access)


@ON_SQLITE
async def test_an_unexpected_failure_on_the_way_of_a_person_is_a_page_without_details(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    to_pingone = await auth.decide(browser, await auth.authorize(browser))
    redirect = await auth.sign_on(browser, to_pingone)
    async with replica_of(auth, auth_encryption_keys=OTHER_KEYS) as broken:
        same_browser = broken.new_browser()
        same_browser.cookies = browser.cookies
        response = await broken.back(same_browser, redirect)
    page = problem_page(response, 500)
    assert not [detail for detail in DETAILS if detail in page]


@pytest.mark.standard("RFC 7009 2.2.1")
async def test_without_the_database_clients_are_told_to_try_again(database_url: str) -> None:
    configured = {"client_id": "configured", "redirect_uris": [REDIRECT_URI]}
    async with auth_under_test(database_url, auth_clients=json.dumps([configured])) as auth:
        handles = await auth.obtain_handles()
        code = await auth.obtain_code()
        form = {"client_id": "configured", "token": handles["access_token"]}
        async with database_outage(auth):
            answers = {
                "a code": await auth.exchange(code),
                "a refresh": await auth.refresh(handles["refresh_token"]),
                "a registration": await auth.anyone.post(
                    "/register", json={"redirect_uris": [REDIRECT_URI]}
                ),
                "a revocation": await auth.anyone.post("/revoke", data=form),
                "an introspection": await auth.introspect(handles["access_token"]),
            }
        for name, response in answers.items():
            assert refusal(response, 503) == "temporarily_unavailable", name
            assert int(response.headers["retry-after"]) > 0, name
        # Nothing was lost, and nothing was spent.
        assert (await auth.exchange(code)).status_code == 200
        assert (await auth.refresh(handles["refresh_token"])).status_code == 200


async def test_without_the_database_people_see_a_page(auth: AuthUnderTest) -> None:
    browser = auth.new_browser()
    consent = await auth.authorize(browser)
    async with database_outage(auth):
        answers = (
            await auth.authorize(browser),
            await auth.decide(browser, consent),
            await browser.get("/callback", params={"state": "s", "code": "c"}),
        )
    for response in answers:
        problem_page(response, 503)
        assert int(response.headers["retry-after"]) > 0
    to_pingone = await auth.decide(browser, consent)
    assert to_pingone.has_redirect_location


@pytest.mark.standard(
    "RFC 6749 3.2", "RFC 7009 2", "RFC 7662 2.1 request", "RFC 9457 3", "RFC 9457 3.1.2"
)
@ON_SQLITE
async def test_unknown_paths_and_methods_are_problem_documents(auth: AuthUnderTest) -> None:
    asked = {
        ("GET", "/nothing"): 404,
        ("GET", "/"): 404,
        ("GET", "/docs"): 404,
        ("GET", "/openapi.json"): 404,
        ("GET", "/token"): 405,
        ("GET", "/register"): 405,
        ("GET", "/revoke"): 405,
        ("PUT", "/token"): 405,
        ("DELETE", "/consent"): 405,
        ("POST", "/authorize"): 405,
        ("GET", f"{INTERNAL}/introspect"): 405,
        ("POST", f"{INTERNAL}/token"): 404,
    }
    for (method, url), status in asked.items():
        response = await auth.anyone.request(method, url)
        assert response.status_code == status, (method, url)
        assert response.headers["content-type"] == "application/problem+json", (method, url)
        problem = response.json()
        assert problem["status"] == status
        assert set(problem) == {"type", "title", "status", "detail"}
    assert (await auth.anyone.get("/token")).headers["allow"] == "POST"


@pytest.mark.standard("RFC 6749 10.14")
@ON_SQLITE
async def test_no_answer_repeats_what_it_was_asked(auth: AuthUnderTest) -> None:
    canary = "canary-8f3a"
    form = {"client_id": canary, "client_secret": canary, "code": canary, "grant_type": canary}
    # Each is refused at another place.
    answers = (
        await auth.anyone.post("/token", data=form),
        await auth.anyone.post("/token", data=form, auth=(canary, canary)),
        await auth.token(grant_type=canary),
        await auth.exchange(canary, code_verifier=canary),
        await auth.exchange(canary),
        await auth.refresh(canary, scope=canary, resource=canary),
        await auth.anyone.post("/register", json={"redirect_uris": [f"{canary}://x"]}),
        await auth.anyone.post(
            "/register", json={"redirect_uris": [REDIRECT_URI], "scope": [canary]}
        ),
        await auth.anyone.post(f"/{canary}"),
        await auth.introspect(canary, auth=(canary, canary)),
        await auth.introspect(canary, auth=INTROSPECTION_CLIENT),
    )
    for response in answers:
        assert canary not in response.text
        assert canary not in str(response.headers)
