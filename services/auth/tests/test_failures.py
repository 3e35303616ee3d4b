"""What goes wrong here is told in the caller's own form, and never with its details."""

import json

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
from sqlalchemy import update
from sqlalchemy.ext.asyncio import create_async_engine
from structlog.testing import capture_logs

from auth_server.storage.tables import clients

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

# A replica that has a new key already, beside one that was started before and lacks it.
OLD_KEY, NEW_KEY = "k1:" + "A" * 43 + "=", "k2:" + "B" * 43 + "="
DETAILS = ("Traceback", "Encryption", "encryption", "k1", "k2", ".py", "auth_server", "nonsense")


async def spoil_all_clients(database_url: str) -> None:
    """Store what nothing in the service expects."""
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.execute(update(clients).values(token_endpoint_auth_method="nonsense"))
    await engine.dispose()


@ON_SQLITE
async def test_an_unexpected_failure_is_a_server_error_without_details(
    auth: AuthUnderTest, database_url: str
) -> None:
    code = await auth.obtain_code()
    await spoil_all_clients(database_url)
    response = await auth.exchange(code)
    assert refusal(response, 500) == "server_error"
    assert response.json()["error_description"] == "something went wrong here"


@ON_SQLITE
async def test_an_unexpected_failure_on_the_way_of_a_person_is_a_page_without_details(
    auth: AuthUnderTest, database_url: str
) -> None:
    await spoil_all_clients(database_url)
    page = problem_page(await auth.authorize(auth.new_browser()), 500)
    assert not [detail for detail in DETAILS if detail in page]


async def test_a_key_that_a_replica_lacks_is_an_outage_and_its_log_names_the_key(
    auth: AuthUnderTest,
) -> None:
    async with replica_of(auth, auth_encryption_keys=f"{NEW_KEY},{OLD_KEY}") as newer:
        access = (await newer.obtain_handles())["access_token"]
        with capture_logs() as logs:
            response = await auth.introspect(access)
        assert refusal(response, 503) == "temporarily_unavailable"
        assert int(response.headers["retry-after"]) > 0
        assert not [detail for detail in DETAILS if detail in response.text]
        [line] = [line for line in logs if line["event"] == "storage.unreadable"]
        assert (line["log_level"], line["key_id"]) == ("error", "k2")
        assert await newer.is_active(access)


@ON_SQLITE
async def test_a_key_that_a_replica_lacks_is_an_outage_on_the_way_of_a_person_too(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    async with replica_of(auth, auth_encryption_keys=f"{NEW_KEY},{OLD_KEY}") as newer:
        same_browser = newer.new_browser()
        to_pingone = await newer.decide(same_browser, await newer.authorize(same_browser))
        redirect = await newer.sign_on(same_browser, to_pingone)
        browser.cookies = same_browser.cookies
        page = problem_page(await auth.back(browser, redirect), 503)
    assert not [detail for detail in DETAILS if detail in page]


@ON_SQLITE
async def test_a_key_that_is_gone_does_not_keep_a_grant_alive(auth: AuthUnderTest) -> None:
    async with replica_of(auth, auth_encryption_keys=f"{NEW_KEY},{OLD_KEY}") as newer:
        access = (await newer.obtain_handles())["access_token"]
        form = {"client_id": auth.client_id, "token": access}
        response = await auth.anyone.post("/revoke", data=form)
        assert response.status_code == 200
        assert not await newer.is_active(access)


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
    await auth.decide(browser, consent)
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
