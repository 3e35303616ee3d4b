"""A step that a browser takes in advance, or that is no person's, has no effect."""

from collections.abc import Mapping

import httpx
import pytest
from auth_answers import code_at_client, count_rows, host_of
from auth_harness import AuthUnderTest
from fetch_headers import navigation, said

from auth_server.storage.tables import authorizations

EVERY_WAY = pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {**navigation("cross-site"), "Sec-Purpose": "prefetch"}, 403),
        ("GET", {**navigation("none"), "Sec-Purpose": "prefetch;prerender"}, 403),
        ("GET", {"Purpose": "prefetch"}, 403),
        ("GET", said("cross-site", "navigate", "iframe"), 403),
        ("GET", said("cross-site", "no-cors", "image"), 403),
        ("HEAD", navigation("cross-site"), 405),
        ("HEAD", {}, 405),
    ],
    ids=str,
)


def assert_no_effect(response: httpx.Response, status: int) -> None:
    assert response.status_code == status
    assert "location" not in response.headers
    assert "set-cookie" not in response.headers
    if response.request.method == "GET":
        # A browser must ask again when the person really goes there.
        assert response.headers["cache-control"] == "no-store"


@EVERY_WAY
async def test_a_callback_that_no_person_opens_spends_nothing(
    auth: AuthUnderTest, method: str, headers: Mapping[str, str], status: int
) -> None:
    browser = auth.new_browser()
    answer = await auth.sign_on(browser, await auth.decide(browser, await auth.authorize(browser)))
    location = answer.headers["location"]
    assert_no_effect(await browser.request(method, location, headers=headers), status)
    assert not auth.simulator.token_requests["authorization_code"]
    code_at_client(await auth.back(browser, answer))


@EVERY_WAY
async def test_a_remembered_consent_is_used_by_no_request_that_no_person_makes(
    auth: AuthUnderTest, method: str, headers: Mapping[str, str], status: int
) -> None:
    browser = auth.new_browser()
    await auth.obtain_code(browser)
    before = await count_rows(auth, authorizations)
    to_pingone = await auth.authorize(browser)
    assert host_of(to_pingone) == "localhost:9080"
    url = to_pingone.request.url
    assert_no_effect(await browser.request(method, url, headers=headers), status)
    assert await count_rows(auth, authorizations) == before + 1
