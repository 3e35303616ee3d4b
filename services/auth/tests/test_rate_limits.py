"""Budgets of pages, of registration and of the internal port; when addresses tell nobody apart."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest
from auth_answers import count_rows, problem_page
from auth_back_channel import refusal, replica_of
from auth_harness import INTERNAL, INTROSPECTION_CLIENT, AuthUnderTest, auth_under_test
from auth_rate_limits import OURS, PROXY, THEIRS, refresh_from, refused, seen_at, too_many
from rate_limit_clock import RateLimitClock
from structlog.testing import capture_logs
from valkey_servers import ValkeyProcess

from auth_server.settings.rate_limits import RateLimitSettings
from auth_server.storage.tables import audit_events

Start = Callable[..., AbstractAsyncContextManager[AuthUnderTest]]

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
KEY = "k1:3q2+7wAAAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBk="
REGISTRATION = {
    "redirect_uris": ["http://127.0.0.1:33418/callback"],
    "token_endpoint_auth_method": "none",
}


@pytest.fixture
def start(database_url: str, rate_limit_clock: RateLimitClock) -> Start:
    """Starts auth behind a proxy, with some budgets made small; time stands still."""
    rate_limit_clock.advance(1)

    def start(**settings: Any) -> AbstractAsyncContextManager[AuthUnderTest]:
        return auth_under_test(database_url, **({"auth_trusted_proxies": PROXY} | settings))

    return start


async def register_from(auth: AuthUnderTest, address: str) -> httpx.Response:
    return await auth.anyone.post("/register", json=REGISTRATION, headers=seen_at(address))


async def introspect(auth: AuthUnderTest, secret: str, client_id: str = "mcp") -> httpx.Response:
    return await auth.introspect("nothing", auth=(client_id, secret))


@ON_SQLITE
async def test_too_many_sign_ins_from_an_address_end_on_a_page_that_says_what_to_do(
    start: Start, rate_limit_clock: RateLimitClock
) -> None:
    async with start(auth_limit_authorize="2/minute") as auth:
        browser = auth.new_browser()
        browser.headers.update(seen_at(THEIRS))
        for _ in range(2):
            assert (await auth.authorize(browser)).status_code == 200
        response = await auth.authorize(browser, redirect_uri="https://unproven.example.com/")
        page = problem_page(response, 429)
        assert "Too many requests" in page
        assert "Wait a minute, then go back to your application" in page
        wait = int(response.headers["retry-after"])
        assert "location" not in response.headers, "nobody has proven the redirect URI"
        assert refused(auth, "authorize") == 1

        elsewhere = auth.new_browser()
        elsewhere.headers.update(seen_at(OURS))
        assert (await auth.authorize(elsewhere)).status_code == 200
        rate_limit_clock.advance(wait)
        assert (await auth.authorize(browser)).status_code == 200


@ON_SQLITE
@pytest.mark.parametrize("path", ["/callback?state=guessed", "/account"])
async def test_the_other_pages_have_a_budget_of_their_own(start: Start, path: str) -> None:
    async with start(auth_limit_pages="2/minute") as auth:
        browser = auth.new_browser()
        browser.headers.update(seen_at(THEIRS))
        for _ in range(2):
            assert (await browser.get(path)).status_code in {200, 400}
        problem_page(await browser.get(path), 429)
        assert (await auth.authorize(browser)).status_code == 200
        assert (await browser.get(path, headers=seen_at(OURS))).status_code in {200, 400}


@ON_SQLITE
async def test_a_sign_in_to_the_account_page_counts_as_a_sign_in(start: Start) -> None:
    async with start(auth_limit_authorize="1/minute") as auth:
        browser = auth.new_browser()
        browser.headers.update(seen_at(OURS))
        await auth.authorize(browser)
        problem_page(await browser.post("/account/sign-in", data={}), 429)


@ON_SQLITE
async def test_a_login_with_its_pages_fits_the_defaults_for_a_hundred_people_at_one_address(
    start: Start,
) -> None:
    # A fifth of the people, with a fifth of what there is by default.
    amounts = {
        name: int(str(RateLimitSettings.model_fields[name].default).removesuffix("/minute"))
        for name in ("auth_limit_authorize", "auth_limit_pages")
    }
    async with start(**{name: f"{amounts[name] // 5}/minute" for name in amounts}) as auth:
        for _ in range(20):
            browser = auth.new_browser()
            browser.headers.update(seen_at(OURS))
            await auth.obtain_code(browser)
        assert not any(
            sample.value
            for metric in auth.resources.registry.collect()
            if metric.name == "rate_limited"
            for sample in metric.samples
        )


@ON_SQLITE
@pytest.mark.standard("RFC 7591 3 rate")
async def test_registrations_of_one_address_are_limited_and_nobody_elses_are(
    start: Start, rate_limit_clock: RateLimitClock
) -> None:
    async with start(auth_limit_register="2/minute") as auth:
        for _ in range(2):
            assert (await register_from(auth, THEIRS)).status_code == 201
        wait = too_many(await register_from(auth, THEIRS))
        assert (await register_from(auth, OURS)).status_code == 201
        rate_limit_clock.advance(wait)
        assert (await register_from(auth, THEIRS)).status_code == 201


@ON_SQLITE
async def test_what_is_refused_leaves_no_line_in_the_audit_trail(start: Start) -> None:
    async with start(auth_limit_register="1/minute") as auth:
        await register_from(auth, THEIRS)
        before = await count_rows(auth, audit_events)
        for _ in range(10):
            too_many(await register_from(auth, THEIRS))
        assert await count_rows(auth, audit_events) == before


@ON_SQLITE
async def test_metadata_and_styles_are_not_limited(start: Start) -> None:
    async with start(auth_limit_pages="1/minute", auth_limit_authorize="1/minute") as auth:
        for _ in range(5):
            for path in ("/.well-known/oauth-authorization-server", "/static/pages.css"):
                response = await auth.anyone.get(path, headers=seen_at(OURS))
                assert response.status_code == 200


@ON_SQLITE
async def test_a_guessed_credential_of_a_resource_server_is_counted_and_a_right_one_never(
    start: Start, rate_limit_clock: RateLimitClock
) -> None:
    client_id, secret = INTROSPECTION_CLIENT
    async with start(auth_limit_introspection_failures="2/minute") as auth:
        for _ in range(2):
            assert refusal(await introspect(auth, "wrong"), 401) == "invalid_client"
        wait = too_many(await introspect(auth, "wrong"))
        for _ in range(20):
            assert (await introspect(auth, secret, client_id)).json() == {"active": False}
        other = await introspect(auth, "wrong", "another-client")
        assert refusal(other, 401) == "invalid_client"
        for _ in range(5):
            nothing = await auth.introspect("nothing", auth=None)
            assert refusal(nothing, 401) == "invalid_client"
        feed = await auth.anyone.get(f"{INTERNAL}/revocations", auth=(client_id, "wrong"))
        too_many(feed)
        rate_limit_clock.advance(wait)
        assert refusal(await introspect(auth, "wrong"), 401) == "invalid_client"


@ON_SQLITE
async def test_probes_and_metrics_are_never_limited(start: Start) -> None:
    async with start(auth_limit_introspection_failures="1/minute") as auth:
        for _ in range(3):
            await introspect(auth, "wrong")
        for path in ("/livez", "/metrics"):
            for _ in range(5):
                assert (await auth.anyone.get(f"{INTERNAL}{path}")).status_code == 200


@ON_SQLITE
async def test_behind_a_proxy_that_nobody_named_nobody_is_limited_by_address(
    start: Start,
) -> None:
    budgets = {"auth_limit_register": "1/minute", "auth_limit_refresh": "1/minute"}
    with capture_logs() as logs:
        async with (
            start(auth_encryption_keys=KEY, **budgets) as development,
            replica_of(
                development,
                auth_trusted_proxies="",
                auth_public_url="https://auth.example.com",
                mcp_server_client_secret="Zq3vN8xKw1Lr5TyB",
                introspection_client_secret="kZ8vQ2mN5xW7rT1yB4cD6fG",
                cookie_encryption_key="wP4tR8yU2iO6pA0sD3fG7hJ",
            ) as production,
        ):
            for _ in range(5):
                assert (await register_from(production, OURS)).status_code == 201
            handles = await development.obtain_handles()
            # A grant is who it is, wherever the request comes from.
            refreshed = (await refresh_from(production, OURS, handles["refresh_token"])).json()
            too_many(await refresh_from(production, OURS, refreshed["refresh_token"]))
    [warning] = [entry for entry in logs if entry["event"] == "rate_limits.addresses_unknown"]
    assert "AUTH_TRUSTED_PROXIES" in warning["hint"]


@pytest.mark.usefixtures("patient_rate_limits")
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_replicas_share_budgets_through_redis_and_go_on_without_it(
    start: Start, new_valkey: Callable[[], ValkeyProcess]
) -> None:
    valkey = new_valkey()
    settings = {"auth_limit_register": "4/minute", "auth_redis_url": valkey.url}
    async with start(**settings) as auth, replica_of(auth) as other:
        replicas = (auth, other, auth, other, auth)
        statuses = [(await register_from(replica, OURS)).status_code for replica in replicas]
        assert statuses == [201, 201, 201, 201, 429]
        too_many(await register_from(other, OURS))
        valkey.kill()
        for replica in (auth, other) * 5:
            assert (await register_from(replica, OURS)).status_code == 201
        unlimited = [
            replica.resources.registry.get_sample_value("rate_limiter_unavailable_total")
            for replica in (auth, other)
        ]
        assert all(number and number >= 5 for number in unlimited)


@ON_SQLITE
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("auth_limit_token", "many"),
        ("auth_limit_register", "0/minute"),
        ("auth_limit_refresh", "5/fortnight"),
        ("auth_trusted_proxies", "none, 10.0.0.0/8"),
    ],
)
async def test_what_cannot_be_read_is_refused_at_the_start(
    start: Start, variable: str, value: str
) -> None:
    with pytest.raises(ValueError, match=variable):
        async with start(**{variable: value}):
            pass
