"""What other websites have a browser send: sorted before any budget, and counted as theirs."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from itertools import product
from typing import Any

import httpx
import pytest
from auth_answers import problem_page
from auth_back_channel import refusal
from auth_harness import (
    CODE_VERIFIER,
    ISSUER,
    RESOURCE,
    AuthUnderTest,
    auth_under_test,
    form_of,
    redirect_query,
)
from auth_rate_limits import OURS, PROXY, THEIRS, refused, seen_at, too_many
from fetch_headers import navigation, said, script
from rate_limit_clock import RateLimitClock
from starlette.types import Message

Start = Callable[..., AbstractAsyncContextManager[AuthUnderTest]]

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

APP = "https://app.example"
IMAGE = said("cross-site", "no-cors", "image")
FORM = said("cross-site", "navigate", "document")
PAGES = ["/authorize", "/consent", "/callback", "/account", "/account/sign-in", "/account/x"]
ENDPOINTS = ["/token", "/register", "/revoke"]
REGISTRATION = {
    "redirect_uris": [f"{APP}/callback"],
    "token_endpoint_auth_method": "none",
    "grant_types": ["authorization_code", "refresh_token"],
}


@pytest.fixture
def start(database_url: str, rate_limit_clock: RateLimitClock) -> Start:
    """Starts auth behind a proxy; time stands still."""
    rate_limit_clock.advance(1)

    def start(**settings: Any) -> AbstractAsyncContextManager[AuthUnderTest]:
        return auth_under_test(database_url, auth_trusted_proxies=PROXY, **settings)

    return start


async def token_by(
    auth: AuthUnderTest, headers: dict[str, str], address: str = OURS, **form: str
) -> httpx.Response:
    """Post to /token with what a browser says; by default a refresh that nobody could make."""
    data = {"client_id": auth.client_id, "grant_type": "refresh_token", "refresh_token": "none"}
    return await auth.anyone.post(
        "/token", data=data | form, headers={**seen_at(address), **headers}
    )


def is_isolated(response: httpx.Response) -> bool:
    """Whether it is the refusal, which sets no cookie and is not kept."""
    return (
        response.status_code == 403
        and response.json()["type"].startswith("urn:problem:not-a-")
        and "set-cookie" not in response.headers
        and response.headers["cache-control"] == "no-store"
    )


@pytest.mark.standard("Fetch Metadata isolation")
async def test_images_on_another_website_leave_the_sign_ins_of_the_office_alone(
    start: Start,
) -> None:
    async with start() as auth:
        for _ in range(320):  # more than there is for a minute
            response = await auth.anyone.get("/authorize?x", headers={**seen_at(OURS), **IMAGE})
            assert is_isolated(response)
        colleague = auth.new_browser()
        colleague.headers.update({**seen_at(OURS), **navigation()})
        assert (await auth.authorize(colleague)).status_code == 200
        assert refused(auth, "authorize") == 0


async def test_a_script_that_opens_pages_over_and_over_leaves_the_sign_ins_of_the_office_alone(
    start: Start,
) -> None:
    """It stops each navigation before the answer, so that its own page stays."""
    async with start() as auth:
        unasked = {**seen_at(OURS), **navigation("cross-site")}
        for path in ("/authorize?client_id=x", "/account") * 320:
            await auth.anyone.get(path, headers=unasked)
        assert refused(auth, "unasked") == 340
        for said_of_it in (
            {},
            navigation(),
            navigation("same-origin"),
            {**navigation("cross-site"), "Sec-Fetch-User": "?1"},
        ):
            colleague = auth.new_browser()
            colleague.headers.update({**seen_at(OURS), **said_of_it})
            assert (await auth.authorize(colleague)).status_code == 200
        assert refused(auth, "authorize") == 0
        # PingOne may lead back by a script, too.
        back = await auth.anyone.get("/callback?state=x&code=y", headers=unasked)
        problem_page(back)


async def test_posts_of_another_website_leave_the_budget_of_the_client_that_they_name_alone(
    start: Start,
) -> None:
    async with start() as auth:
        for headers in (said("cross-site", "no-cors", "empty"), FORM):
            for _ in range(650):
                assert is_isolated(await token_by(auth, headers))
        assert refusal(await token_by(auth, {})) == "invalid_grant"
        assert (refused(auth, "token"), refused(auth, "token_address")) == (0, 0)


async def test_a_page_that_asks_by_cors_spends_a_budget_of_its_own_and_no_other(
    start: Start,
) -> None:
    budgets = {"auth_limit_token": "2/minute", "auth_limit_token_address": "2/minute"}
    async with start(
        auth_limit_cross_origin="3/minute", auth_limit_register="1/minute", **budgets
    ) as auth:
        page = {**seen_at(OURS), "Origin": APP, **script("cross-site")}
        for _ in range(2):
            response = await auth.anyone.post("/register", json=REGISTRATION, headers=page)
            assert response.status_code == 201
        assert refusal(await token_by(auth, {"Origin": APP, **script("same-site")}))
        too_many(await auth.anyone.post("/register", json=REGISTRATION, headers=page))
        form = {"client_id": auth.client_id, "token": "none"}
        too_many(await auth.anyone.post("/revoke", data=form, headers=page))
        response = await token_by(auth, {"Origin": APP, **script("cross-site")})
        too_many(response)
        assert response.headers["access-control-allow-origin"] == "*"
        assert refused(auth, "cross_origin") == 3

        # Nothing of the office's is gone: what is no page of another origin has all there is.
        assert (
            await auth.anyone.post("/register", json=REGISTRATION, headers=seen_at(OURS))
        ).status_code == 201
        assert refusal(await token_by(auth, {})) == "invalid_grant"
        assert refusal(await token_by(auth, script("same-origin"))) == "invalid_grant"
        too_many(await token_by(auth, {}))
        # And elsewhere another page has its own.
        response = await token_by(auth, {"Origin": APP, **script("cross-site")}, THEIRS)
        assert refusal(response) == "invalid_grant"


async def test_a_page_that_asks_whether_it_may_spends_nothing(start: Start) -> None:
    async with start(auth_limit_cross_origin="1/minute", auth_limit_token="1/minute") as auth:
        question = {"Origin": APP, "Access-Control-Request-Method": "POST"}
        for _ in range(10):
            response = await auth.anyone.options(
                "/token", headers={**seen_at(OURS), **question, **script("cross-site")}
            )
            assert response.status_code == 200
        assert refusal(await token_by(auth, {"Origin": APP, **script("cross-site")}))
        assert refusal(await token_by(auth, {}))


async def test_guesses_that_a_page_sends_do_not_stop_the_client_with_the_right_secret(
    start: Start,
) -> None:
    async with start(auth_limit_client_failures="2/minute") as auth:
        client = await auth.register(token_endpoint_auth_method="client_secret_post")
        names = {"client_id": client["client_id"]}
        page = {"Origin": APP, **script("cross-site")}
        for status in (401, 401, 429):
            response = await token_by(auth, page, **names, client_secret="guess")
            assert response.status_code == status
        response = await token_by(auth, {}, **names, client_secret=client["client_secret"])
        assert refusal(response) == "invalid_grant"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_an_app_on_another_origin_registers_signs_in_and_refreshes_from_its_page(
    start: Start, site: str
) -> None:
    async with start() as auth:
        page = httpx.Headers({**seen_at(OURS), "Origin": APP, **script(site)})
        response = await auth.anyone.post("/register", json=REGISTRATION, headers=page)
        assert response.headers["access-control-allow-origin"] == "*"
        auth.client_id = response.json()["client_id"]

        browser = auth.new_browser()
        browser.headers.update({**seen_at(OURS), **navigation(site)})
        consent = await auth.authorize(browser, redirect_uri=f"{APP}/callback")
        assert consent.status_code == 200
        to_pingone = await browser.post(
            "/consent",
            data={**form_of(consent), "decision": "allow"},
            headers={"Origin": ISSUER, **navigation("same-origin")},
        )
        returned = await auth.sign_on(browser, to_pingone)
        browser.headers.update(navigation("cross-site"))
        code = redirect_query(await auth.back(browser, returned))["code"]

        form = {
            "client_id": auth.client_id,
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": f"{APP}/callback",
            "code_verifier": CODE_VERIFIER,
            "resource": RESOURCE,
        }
        for _ in range(3):
            response = await auth.anyone.post("/token", data=form, headers=page)
            assert response.status_code == 200
            assert response.headers["access-control-allow-origin"] == "*"
            form = {
                "client_id": auth.client_id,
                "grant_type": "refresh_token",
                "refresh_token": response.json()["refresh_token"],
            }
        response = await auth.anyone.post(
            "/revoke",
            data={"client_id": auth.client_id, "token": form["refresh_token"]},
            headers=page,
        )
        assert response.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        IMAGE,
        said("cross-site", "no-cors", "script"),
        said("same-site", "no-cors", "style"),
        said("cross-site", "navigate", "iframe"),
        said("same-origin", "navigate", "frame"),
        said("cross-site", "navigate", "object"),
        said("cross-site", "navigate", "embed"),
        said("cross-site", "navigate", "empty"),
        said("cross-site", "no-cors", "empty"),
        said("same-origin", "no-cors", "document"),
        script("cross-site"),
        script("same-origin"),
        said("none", "websocket", "empty"),
        # In advance, and so without anybody who wants it.
        {**navigation("cross-site"), "Sec-Purpose": "prefetch"},
        {**navigation("none"), "Sec-Purpose": "prefetch;prerender"},
        {**navigation("none"), "Purpose": "prefetch"},
        {"Purpose": "prefetch"},
        # What no browser of today says: a navigation must be certain.
        navigation("Cross-Site"),
        navigation("nowhere"),
        navigation(""),
        said("cross-site", "Navigate", "document"),
        said("cross-site", "navigate", "document;a=1"),
        said("cross-site", "navigate", '"document"'),
        said("cross-site", "navigate, navigate", "document"),
        said("cross-site", "navigate", "\xa0document"),
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Dest": "document"},
    ],
    ids=str,
)
async def test_what_is_no_navigation_of_a_window_gets_no_page_no_cookie_and_spends_nothing(
    start: Start, headers: dict[str, str]
) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    # Of two requests that count the second would be refused for it.
    async with start(auth_limit_authorize="1/minute", auth_limit_pages="1/minute") as auth:
        for method, path in product(("GET", "POST"), PAGES):
            response = await auth.anyone.request(
                method, path, headers=[(b"X-Forwarded-For", OURS.encode()), *raw]
            )
            assert is_isolated(response)
        assert (refused(auth, "authorize"), refused(auth, "pages")) == (0, 0)


@pytest.mark.parametrize("name", ["Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest"])
async def test_a_header_that_comes_twice_is_no_proof_of_a_navigation(
    start: Start, name: str
) -> None:
    async with start() as auth:
        once = navigation("same-origin")
        for path in ("/authorize", "/token"):
            headers = [*once.items(), (name, once[name])]
            assert is_isolated(await auth.anyone.post(path, headers=headers))


@pytest.mark.parametrize(
    "headers",
    [
        FORM,
        navigation("none"),
        navigation("same-origin"),
        said("cross-site", "navigate", "iframe"),
        said("cross-site", "no-cors", "empty"),
        said("same-site", "no-cors", "image"),
        said("same-origin", "no-cors", "empty"),
        said("none", "no-cors", "image"),
        said("cross-site", "websocket", "empty"),
        said("cross-site", "cors", "script"),
        said("cross-site", "cors", "image"),
        said("cross-site", "CORS", "empty"),
        said("cross-site", "cors, cors", "empty"),
        said("elsewhere", "cors", "empty"),
        {**script("cross-site"), "Sec-Purpose": "prefetch"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "empty"},
    ],
    ids=str,
)
async def test_what_no_script_may_read_is_no_request_of_an_application(
    start: Start, headers: dict[str, str]
) -> None:
    async with start() as auth:
        for path in ENDPOINTS:
            assert is_isolated(await auth.anyone.post(path, headers=headers))


async def test_what_is_refused_like_this_has_no_body_read(start: Start) -> None:
    async with start() as auth:
        for path, headers in (("/consent", IMAGE), ("/token", FORM), ("/register", FORM)):
            answers: list[Message] = []

            async def receive() -> Message:
                raise AssertionError("the body was asked for")

            async def send(message: Message, answers: list[Message] = answers) -> None:
                answers.append(message)

            scope = {
                "type": "http",
                "method": "POST",
                "path": path,
                "query_string": b"",
                "client": ("127.0.0.1", 1),
                "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
            }
            await auth.apps[ISSUER](scope, receive, send)
            assert answers[0]["status"] == 403


async def test_a_line_feed_behind_the_path_gets_past_neither_this_nor_the_budget_of_the_path(
    start: Start,
) -> None:
    async with start(auth_limit_register="1/minute") as auth:
        assert is_isolated(await auth.anyone.get("/authorize%0A?x", headers=IMAGE))
        assert is_isolated(await auth.anyone.post("/register%0A", headers=FORM))
        for status in (201, 429):
            response = await auth.anyone.post(
                "/register%0A", json=REGISTRATION, headers=seen_at(OURS)
            )
            assert response.status_code == status


@pytest.mark.parametrize("site", ["none", "same-origin"])
async def test_a_browser_that_names_the_site_alone_and_no_other_is_let_in(
    start: Start, site: str
) -> None:
    async with start() as auth:
        browser = auth.new_browser()
        browser.headers["Sec-Fetch-Site"] = site
        assert (await auth.authorize(browser)).status_code == 200
        assert refusal(await token_by(auth, {"Sec-Fetch-Site": site})) == "invalid_grant"


@pytest.mark.parametrize("site", ["none", "cross-site", "same-site", "same-origin"])
async def test_a_window_may_come_from_anywhere(start: Start, site: str) -> None:
    async with start() as auth:
        browser = auth.new_browser()
        browser.headers.update(navigation(site))
        assert (await auth.authorize(browser)).status_code == 200
        assert (await browser.get("/account")).status_code == 200
        problem_page(await browser.get("/callback?state=unknown"))


async def test_metadata_and_styles_are_for_everybody_however_they_ask(start: Start) -> None:
    async with start() as auth:
        for path in ("/.well-known/oauth-authorization-server", "/static/pages.css"):
            for headers in (IMAGE, FORM, script("cross-site"), {"Sec-Fetch-Mode": "odd"}):
                assert (await auth.anyone.get(path, headers=headers)).status_code == 200


@pytest.mark.standard("Fetch Metadata absent headers")
async def test_a_client_of_its_own_says_nothing_of_this_and_has_the_whole_budget(
    start: Start,
) -> None:
    async with start(auth_limit_cross_origin="1/minute") as auth:
        handles = await auth.obtain_handles()
        # The second is what fetch() of Node says, on which many clients are built.
        for said_of_itself in ({}, {"Sec-Fetch-Mode": "cors"}) * 3:
            response = await token_by(auth, said_of_itself, refresh_token=handles["refresh_token"])
            assert response.status_code == 200
            handles = response.json()
        assert refused(auth, "cross_origin") == 0


@pytest.mark.parametrize("mode", ["no-cors", "cors", "same-origin"])
async def test_what_no_page_is_behind_is_an_application_whatever_mode_it_names(
    start: Start, mode: str
) -> None:
    # Electron's own fetch says no-cors by default, and no site.
    async with start() as auth:
        headers = said("none", mode, "empty")
        response = await auth.anyone.post("/register", json=REGISTRATION, headers=headers)
        assert response.status_code == 201
        assert refusal(await token_by(auth, headers)) == "invalid_grant"
