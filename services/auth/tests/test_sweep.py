"""The sweep: what is due goes, what is not stays, and nobody is logged out by it."""

from typing import Any

import pytest
from auth_answers import count_rows
from auth_back_channel import downstream, refusal, replica_of
from auth_harness import REDIRECT_URI, RESOURCE, AuthUnderTest, auth_under_test
from sqlalchemy import Column, Table, select

from auth_server.domain.consent import ConsentKey, RememberedConsent
from auth_server.domain.handles import digest
from auth_server.flows.sweep_expired import BATCH, SweepExpired
from auth_server.storage.tables import (
    access_handles,
    authorizations,
    clients,
    codes,
    consent_decisions,
    consents,
    grants,
    refresh_handles,
    upstream_tokens,
)

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def sweep(auth: AuthUnderTest) -> int:
    """Sweep once, as the process does every few minutes."""
    resources = auth.resources
    swept = await SweepExpired(
        resources.database, resources.revoke_grant, resources.lifetimes, resources.now
    )()
    return swept.total()


async def assert_swept_in_time(auth: AuthUnderTest, table: Table, **lifetime: float) -> None:
    """The table's one row stays until the last second of its life, and then goes."""
    assert await count_rows(auth, table) == 1
    auth.clock.advance(**lifetime)
    auth.clock.advance(seconds=-1)
    await sweep(auth)
    assert await count_rows(auth, table) == 1
    auth.clock.advance(seconds=1)
    await sweep(auth)
    assert await count_rows(auth, table) == 0


async def test_a_sign_on_that_nobody_finished_goes_an_hour_after_its_half_hour(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    await auth.decide(browser, await auth.authorize(browser))
    await assert_swept_in_time(auth, authorizations, hours=1, minutes=30)


async def test_a_denial_is_remembered_for_as_long_as_its_form_may_come_back(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    await auth.decide(browser, await auth.authorize(browser), "deny")
    await assert_swept_in_time(auth, consent_decisions, hours=2)


async def test_what_expired_loses_its_verifier_and_nonce_with_the_next_sweep(
    auth: AuthUnderTest,
) -> None:
    browser = auth.new_browser()
    await auth.decide(browser, await auth.authorize(browser))
    columns = authorizations.c
    auth.clock.advance(minutes=30, seconds=-1)
    await sweep(auth)
    stored = await only_row(auth, columns.code_verifier_encrypted, columns.nonce_encrypted)
    assert None not in stored
    auth.clock.advance(seconds=1)
    await sweep(auth)
    stored = await only_row(auth, columns.code_verifier_encrypted, columns.nonce_encrypted)
    assert stored == (None, None)


async def test_a_sealed_answer_goes_after_a_minute_and_secrets_with_the_end(
    auth: AuthUnderTest,
) -> None:
    await auth.obtain_code()
    columns = authorizations.c
    assert await only_row(
        auth,
        columns.code_verifier_encrypted,
        columns.nonce_encrypted,
        columns.account_tokens_encrypted,
    ) == (None, None, None)
    auth.clock.advance(seconds=59)
    await sweep(auth)
    assert await only_row(auth, columns.answer_encrypted) != (None,)
    auth.clock.advance(seconds=1)
    await sweep(auth)
    assert await only_row(auth, columns.answer_encrypted) == (None,)


async def only_row(auth: AuthUnderTest, *columns: Column[Any]) -> tuple[object, ...]:
    """What the table's one row has in these columns."""
    async with auth.resources.database.reading_connection() as connection:
        return tuple((await connection.execute(select(*columns))).one())


async def test_a_client_that_nobody_used_goes_after_an_hour(auth: AuthUnderTest) -> None:
    await assert_swept_in_time(auth, clients, hours=1)


async def test_an_access_handle_goes_a_minute_after_it_expired(auth: AuthUnderTest) -> None:
    # Not before another replica, whose clock is a little behind, sees it expired, too.
    await auth.obtain_handles()
    await assert_swept_in_time(auth, access_handles, hours=1, minutes=1)


async def test_a_refresh_handle_goes_a_minute_after_it_expired(auth: AuthUnderTest) -> None:
    await auth.obtain_handles()
    await assert_swept_in_time(auth, refresh_handles, days=30, minutes=1)


async def test_a_consent_is_forgotten_after_thirty_days(auth: AuthUnderTest) -> None:
    await auth.obtain_handles(scope="todo_api:read")
    await assert_swept_in_time(auth, consents, days=30)


async def test_a_code_goes_a_day_after_it_expired(auth: AuthUnderTest) -> None:
    await auth.obtain_code()
    await assert_swept_in_time(auth, codes, days=1, seconds=60)


async def test_a_revoked_grant_goes_a_day_later_with_all_that_hangs_on_it(
    auth: AuthUnderTest,
) -> None:
    handles = await auth.obtain_handles()
    form = {"client_id": auth.client_id, "token": handles["access_token"]}
    await auth.anyone.post("/revoke", data=form)
    assert await count_rows(auth, upstream_tokens) == 0
    await assert_swept_in_time(auth, grants, days=1)
    for table in (codes, access_handles, refresh_handles):
        assert await count_rows(auth, table) == 0, table.name


async def test_an_expired_grant_goes_a_day_later_with_its_pingone_tokens(
    auth: AuthUnderTest,
) -> None:
    await auth.obtain_handles()
    await assert_swept_in_time(auth, grants, days=181)
    assert await count_rows(auth, upstream_tokens) == 0


async def test_a_used_client_goes_when_its_last_grant_has_ended(auth: AuthUnderTest) -> None:
    await auth.obtain_handles()
    await assert_swept_in_time(auth, clients, days=180)


async def test_a_client_with_an_active_grant_is_never_swept(database_url: str) -> None:
    async with auth_under_test(
        database_url, auth_grant_days=365, auth_refresh_handle_days=365
    ) as auth:
        await auth.obtain_handles()
        auth.clock.advance(days=200)
        await sweep(auth)
        assert await count_rows(auth, clients) == 1


async def test_an_active_grant_is_untouched_by_any_number_of_sweeps(auth: AuthUnderTest) -> None:
    handles = await auth.obtain_handles()
    for _ in range(5):
        auth.clock.advance(days=29)
        await sweep(auth)
        response = await auth.refresh(handles["refresh_token"])
        assert response.status_code == 200, response.text
        handles = response.json()
        await downstream(auth, handles["access_token"])


@ON_SQLITE
async def test_a_spent_refresh_handle_is_remembered_so_that_its_theft_is_noticed(
    auth: AuthUnderTest,
) -> None:
    first = await auth.obtain_handles()
    second = (await auth.refresh(first["refresh_token"])).json()
    auth.clock.advance(days=29)
    await sweep(auth)
    assert refusal(await auth.refresh(first["refresh_token"])) == "invalid_grant"
    assert refusal(await auth.refresh(second["refresh_token"])) == "invalid_grant"


@ON_SQLITE
async def test_a_redeemed_code_is_remembered_for_a_day_so_that_its_replay_is_noticed(
    auth: AuthUnderTest,
) -> None:
    code = await auth.obtain_code()
    handles = (await auth.exchange(code)).json()
    auth.clock.advance(days=1)
    await sweep(auth)
    assert refusal(await auth.exchange(code)) == "invalid_grant"
    assert refusal(await auth.refresh(handles["refresh_token"])) == "invalid_grant"


@ON_SQLITE
async def test_a_sweep_tells_how_many_rows_went_and_a_second_one_finds_none(
    auth: AuthUnderTest,
) -> None:
    for _ in range(3):
        browser = auth.new_browser()
        await auth.decide(browser, await auth.authorize(browser), "deny")
    auth.clock.advance(hours=2)
    async with replica_of(auth) as other:
        # The client, which nobody used, goes too.
        assert await sweep(auth) == 4
        assert await sweep(other) == 0


@ON_SQLITE
async def test_a_sweep_takes_a_bounded_bite_and_as_many_as_are_needed(auth: AuthUnderTest) -> None:
    flood = RememberedConsent(
        key=ConsentKey(digest("a browser"), auth.client_id, REDIRECT_URI, RESOURCE),
        subject="a subject",
        scopes=frozenset(f"scope-{number}" for number in range(2 * BATCH + 1)),
        expires_at=auth.clock(),
    )
    async with auth.resources.database.transaction() as tx:
        await tx.consents.remember(flood)
    assert await sweep(auth) == BATCH
    resources = auth.resources
    await SweepExpired(
        resources.database, resources.revoke_grant, resources.lifetimes, resources.now
    ).until_clean()
    assert await count_rows(auth, consents) == 0


@ON_SQLITE
async def test_a_flood_of_more_than_a_hundred_batches_goes_in_one_sweep(
    auth: AuthUnderTest,
) -> None:
    flood = RememberedConsent(
        key=ConsentKey(digest("a browser"), auth.client_id, REDIRECT_URI, RESOURCE),
        subject="a subject",
        scopes=frozenset(f"scope-{number}" for number in range(250)),
        expires_at=auth.clock(),
    )
    async with auth.resources.database.transaction() as tx:
        await tx.consents.remember(flood)
    resources = auth.resources
    sweep = SweepExpired(
        resources.database, resources.revoke_grant, resources.lifetimes, resources.now, batch=2
    )
    assert await sweep.until_clean() == {"consents": 250}
    assert await count_rows(auth, consents) == 0


async def test_a_grant_whose_code_nobody_redeemed_ends_here_and_at_pingone(
    auth: AuthUnderTest,
) -> None:
    await auth.obtain_code()
    assert await count_rows(auth, upstream_tokens) == 1
    auth.clock.advance(seconds=119)
    await sweep(auth)
    assert await count_rows(auth, upstream_tokens) == 1
    auth.clock.advance(seconds=1)
    await sweep(auth)
    await auth.settle()
    assert await count_rows(auth, upstream_tokens) == 0
    assert [r.url.path.rpartition("/")[2] for r in auth.pingone.requests][-1] == "revoke"


async def test_the_sweep_leaves_a_grant_alone_whose_code_was_redeemed(auth: AuthUnderTest) -> None:
    handles = await auth.obtain_handles()
    auth.clock.advance(minutes=10)
    await sweep(auth)
    assert await auth.is_active(handles["access_token"])
