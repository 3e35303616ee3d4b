"""Authorizations on their way: each step is left once, by the browser that began, in time."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Executable, func, select, update

from auth_server.domain.authorizations import (
    AuthorizationStep,
    Finish,
    PendingAuthorization,
    UpstreamAccount,
)
from auth_server.domain.handles import digest
from auth_server.storage.authorizations import MAX_AT_PINGONE
from auth_server.storage.database import Database, Transaction
from auth_server.storage.encryption import DecryptionFailed
from auth_server.storage.tables import authorizations

NewPending = Callable[..., PendingAuthorization]
Store = Callable[..., Awaitable[PendingAuthorization]]
Race = Callable[..., Awaitable[list[Any]]]
STARTED = [digest("another sign-on of this browser"), digest("the cookie of this sign-on")]
OTHER_BROWSER = [digest("the cookie of another browser")]
A_MOMENT = timedelta(microseconds=1)
SECRETS = ("code_verifier_encrypted", "nonce_encrypted", "account_tokens_encrypted")


async def start(database: Database, pending: PendingAuthorization) -> PendingAuthorization:
    async with database.transaction() as tx:
        await tx.authorizations.start(pending)
    return pending


async def spent(
    database: Database, pending: PendingAuthorization, now: datetime
) -> PendingAuthorization:
    """Start it, and spend its state."""
    await start(database, pending)
    async with database.transaction() as tx:
        taken = await tx.authorizations.spend_state(state_of(pending), STARTED, now=now)
    assert taken is not None
    return taken


def state_of(pending: PendingAuthorization) -> Any:
    assert pending.login is not None
    return pending.login.state_digest


async def stored(database: Database, pending: PendingAuthorization) -> dict[str, Any] | None:
    """The row as it is, or None."""
    query = select(authorizations).where(authorizations.c.id == pending.id)
    async with database.reading_connection() as connection:
        row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else dict(row)


async def at_pingone(database: Database) -> int:
    query = select(func.count()).where(authorizations.c.step == AuthorizationStep.AT_PINGONE.value)
    async with database.reading_connection() as connection:
        return int((await connection.execute(query)).scalar_one())


async def test_a_state_is_spent_once_by_this_browser_in_time(
    database: Database, new_pending: NewPending, now: datetime
) -> None:
    pending = await start(database, new_pending())
    state = state_of(pending)
    last_moment = pending.expires_at - A_MOMENT
    async with database.transaction() as tx:
        spend = tx.authorizations.spend_state
        assert await spend(digest("another state"), STARTED, now=now) is None
        assert await spend(state, OTHER_BROWSER, now=now) is None
        assert await spend(state, [], now=now) is None
        # The long-lived cookie finishes nothing.
        assert await spend(state, [pending.browser_digest], now=now) is None
        assert await spend(state, STARTED, now=pending.expires_at) is None
        assert await spend(state, STARTED, now=last_moment) == replace(
            pending, step=AuthorizationStep.FINISHING, finish=Finish(last_moment)
        )
        assert await spend(state, STARTED, now=now) is None


async def test_of_twenty_callbacks_at_once_exactly_one_wins(
    race: Race, database: Database, new_pending: NewPending, now: datetime
) -> None:
    pending = await start(database, new_pending())
    results = await race(
        lambda tx: tx.authorizations.spend_state(state_of(pending), STARTED, now=now)
    )
    [won] = [result for result in results if result is not None]
    assert won.id == pending.id


async def test_an_authorization_is_found_at_any_step_by_its_browser_only(
    database: Database, new_pending: NewPending, now: datetime
) -> None:
    pending = await spent(database, new_pending(), now)
    state = state_of(pending)
    for step in (AuthorizationStep.FINISHING, AuthorizationStep.ENDED):
        async with database.reading() as read:
            found = await read.authorizations.find(state, STARTED)
            assert found is not None
            assert found.step is step
            assert await read.authorizations.find(state, OTHER_BROWSER) is None
            assert await read.authorizations.find(state, []) is None
            assert await read.authorizations.find(digest("another"), STARTED) is None
        async with database.transaction() as tx:
            await tx.authorizations.end(pending, sealed_answer=b"sealed", now=now)


@pytest.mark.parametrize("is_remembered", [False, True])
async def test_the_oldest_of_one_form_or_of_one_browser_and_client_makes_room(
    database: Database, new_pending: NewPending, now: datetime, is_remembered: bool
) -> None:
    def one(minutes: int) -> PendingAuthorization:
        until = now + timedelta(minutes=minutes)
        # A remembered consent has no form: each has an id of its own.
        form = {} if is_remembered else {"form_id": "the form"}
        return new_pending(expires_at=until, consent_is_remembered=is_remembered, **form)

    first = await spent(database, one(1), now)  # it is not at PingOne any more
    others = [await start(database, one(minutes)) for minutes in (3, 2, 4, 5, 6)]
    unrelated = await start(
        database, replace(one(1), form_id="another", browser_digest=digest("other"))
    )
    for pending in (first, unrelated, others[0], *others[2:]):
        assert await stored(database, pending) is not None
    assert await stored(database, others[1]) is None
    assert await at_pingone(database) == MAX_AT_PINGONE + 1


@pytest.mark.parametrize("is_remembered", [False, True])
async def test_fifty_that_start_at_once_leave_four(
    race: Race, database: Database, new_pending: NewPending, is_remembered: bool
) -> None:
    form = {} if is_remembered else {"form_id": "the form"}

    def begin(tx: Transaction) -> Awaitable[None]:
        return tx.authorizations.start(new_pending(consent_is_remembered=is_remembered, **form))

    await race(begin, times=50)
    assert await at_pingone(database) == MAX_AT_PINGONE


async def test_an_end_erases_the_secrets_and_is_the_last_step(
    database: Database, new_pending: NewPending, now: datetime
) -> None:
    pending = await spent(database, new_pending(), now)
    async with database.transaction() as tx:
        assert await tx.authorizations.end(pending, sealed_answer=b"sealed", now=now)
        assert not await tx.authorizations.end(pending, sealed_answer=b"another", now=now)
        assert await tx.authorizations.spend_state(state_of(pending), STARTED, now=now) is None
    row = await stored(database, pending)
    assert row is not None
    assert [row[column] for column in SECRETS] == [None] * 3
    assert row["answer_encrypted"] == b"sealed"
    assert row["ended_at"] == now


async def test_of_two_that_end_or_go_on_at_once_exactly_one_wins(
    race: Race,
    database: Database,
    new_pending: NewPending,
    new_account: Callable[[], UpstreamAccount],
    now: datetime,
) -> None:
    pending, account = await spent(database, new_pending(), now), new_account()
    results = await race(
        lambda tx: tx.authorizations.end(pending, sealed_answer=None, now=now),
        lambda tx: tx.authorizations.await_account_consent(
            pending, account, expires_at=pending.expires_at
        ),
    )
    assert results.count(True) == 1


async def test_a_second_consent_gives_its_account_once_in_time_and_keeps_no_token(
    database: Database, store_second_consent: Store, now: datetime
) -> None:
    async with database.transaction() as tx:
        pending = await store_second_consent(tx)
    async with database.transaction() as tx:
        take = tx.authorizations.take_account
        assert await take(pending, now=pending.expires_at) is None
        assert await take(pending, now=pending.expires_at - A_MOMENT) == pending.account
        assert await take(pending, now=now) is None
    row = await stored(database, pending)
    assert row is not None
    assert row["step"] == AuthorizationStep.ENDED.value
    assert [row[column] for column in SECRETS] == [None] * 3


async def test_of_twenty_second_consents_at_once_one_gets_the_account(
    race: Race, database: Database, store_second_consent: Store, now: datetime
) -> None:
    async with database.transaction() as tx:
        pending = await store_second_consent(tx)
    results = await race(lambda tx: tx.authorizations.take_account(pending, now=now))
    assert [result for result in results if result is not None] == [pending.account]


async def test_an_account_is_asked_about_only_while_the_answer_is_looked_at(
    database: Database,
    new_pending: NewPending,
    new_account: Callable[[], UpstreamAccount],
    now: datetime,
) -> None:
    pending, account = await start(database, new_pending()), new_account()
    async with database.transaction() as tx:
        assert await tx.authorizations.take_account(pending, now=now) is None
        assert not await tx.authorizations.await_account_consent(
            pending, account, expires_at=pending.expires_at
        )


async def test_what_expired_loses_its_secrets_first_and_goes_later(
    database: Database, new_pending: NewPending, now: datetime
) -> None:
    late = await start(database, new_pending(expires_at=now))
    live = await start(database, new_pending(expires_at=now + A_MOMENT))
    async with database.transaction() as tx:
        erase = tx.authorizations.erase_secrets
        assert await erase(expired_by=now, answered_before=now, limit=10) == 1
        assert await erase(expired_by=now, answered_before=now, limit=10) == 0
    row = await stored(database, late)
    assert row is not None
    assert [row[column] for column in SECRETS] == [None] * 3
    async with database.transaction() as tx:
        delete = tx.authorizations.delete_expired
        assert await delete(before=now - A_MOMENT, limit=10) == 0
        assert await delete(before=now, limit=10) == 1
        assert await tx.authorizations.spend_state(state_of(live), STARTED, now=now) is not None


async def test_an_answer_is_erased_in_its_time_and_as_many_as_are_asked_for(
    database: Database, new_pending: NewPending, now: datetime
) -> None:
    for _ in range(3):
        pending = await spent(database, new_pending(), now)
        async with database.transaction() as tx:
            await tx.authorizations.end(pending, sealed_answer=b"sealed", now=now)
    async with database.transaction() as tx:
        erase = tx.authorizations.erase_secrets
        assert await erase(expired_by=now, answered_before=now - A_MOMENT, limit=10) == 0
        assert await erase(expired_by=now, answered_before=now, limit=2) == 2
        assert await erase(expired_by=now, answered_before=now, limit=2) == 1


@pytest.mark.parametrize(
    ("column", "other_column"),
    [
        ("code_verifier_encrypted", "nonce_encrypted"),
        ("nonce_encrypted", "code_verifier_encrypted"),
    ],
)
async def test_a_ciphertext_moved_to_another_column_or_row_does_not_open(
    database: Database,
    tamper: Callable[[Executable], Awaitable[None]],
    new_pending: NewPending,
    now: datetime,
    column: str,
    other_column: str,
) -> None:
    victim = await start(database, new_pending())
    attacker = await start(database, new_pending())
    source = authorizations.alias()
    for source_id, source_column in ((victim.id, other_column), (attacker.id, column)):
        moved = select(source.c[source_column]).where(source.c.id == source_id).scalar_subquery()
        change = update(authorizations).values({column: moved})
        await tamper(change.where(authorizations.c.id == victim.id))
        with pytest.raises(DecryptionFailed):
            async with database.transaction() as tx:
                await tx.authorizations.spend_state(state_of(victim), STARTED, now=now)
