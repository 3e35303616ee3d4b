"""A refresh that is repeated: a retry within the grace, theft after it (RFC 9700 4.14.2)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from auth_answers import count_rows
from auth_back_channel import refusal, replica_of
from auth_harness import AuthUnderTest, auth_under_test
from sqlalchemy import Update, select, update
from sqlalchemy.ext.asyncio import create_async_engine
from structlog.testing import capture_logs

from auth_server.domain.handles import digest
from auth_server.flows.sweep_expired import SweepExpired
from auth_server.storage.tables import access_handles, clients, grants, refresh_handles

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
Replicas = tuple[AuthUnderTest, AuthUnderTest]


@pytest.fixture
async def replicas(auth: AuthUnderTest) -> AsyncIterator[Replicas]:
    async with replica_of(auth) as other:
        yield auth, other


async def renewed(auth: AuthUnderTest, refresh_token: str, **changes: Any) -> dict[str, Any]:
    """The token response to a refresh that must succeed."""
    response = await auth.refresh(refresh_token, **changes)
    assert response.status_code == 200, response.text
    handles: dict[str, Any] = response.json()
    return handles


async def reasons(auth: AuthUnderTest) -> list[str | None]:
    """Why each grant was revoked; None for one that lives."""
    async with auth.resources.database.reading_connection() as connection:
        return list((await connection.execute(select(grants.c.revocation_reason))).scalars())


async def sealed_answers(auth: AuthUnderTest) -> list[bytes]:
    """What is stored of answers to rotations."""
    column = refresh_handles.c.answer_encrypted
    async with auth.resources.database.reading_connection() as connection:
        return list((await connection.execute(select(column).where(column.is_not(None)))).scalars())


async def change(database_url: str, statement: Update) -> None:
    """Change rows behind the back of the service."""
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.execute(statement)
    await engine.dispose()


@pytest.mark.standard("RFC 9700 4.14.2 lost answers")
async def test_refreshes_at_once_over_two_replicas_all_get_the_same_handles(
    replicas: Replicas,
) -> None:
    auth, other = replicas
    first = await auth.obtain_handles()
    answers = await asyncio.gather(
        *(renewed(replica, first["refresh_token"]) for replica in replicas * 10)
    )
    assert answers == [answers[0]] * 20
    # One lineage: whoever goes on with it, nobody has another.
    assert await count_rows(auth, access_handles) == 2
    assert await count_rows(auth, refresh_handles) == 2
    assert await other.is_active(answers[0]["access_token"])
    assert await reasons(auth) == [None]


@pytest.mark.standard("RFC 9700 4.14.2 lost answers")
async def test_a_repeated_refresh_gets_the_same_handles_until_the_grace_ends(
    replicas: Replicas,
) -> None:
    auth, other = replicas
    spent = (await auth.obtain_handles())["refresh_token"]
    first = await renewed(auth, spent)
    auth.clock.advance(seconds=40)
    assert await renewed(other, spent) == first | {"expires_in": 3560}
    auth.clock.advance(seconds=19)
    # The grace counts from the first use: a retry does not prolong it.
    assert await renewed(auth, spent) == first | {"expires_in": 3541}
    auth.clock.advance(seconds=1)
    assert refusal(await other.refresh(spent)) == "invalid_grant"
    assert await reasons(auth) == ["refresh_reuse"]
    assert not await auth.is_active(first["access_token"])


async def test_once_the_answer_is_used_a_replay_is_refused_and_ends_nothing(
    auth: AuthUnderTest,
) -> None:
    spent = (await auth.obtain_handles())["refresh_token"]
    first = await renewed(auth, spent)
    auth.clock.advance(seconds=30)
    second = await renewed(auth, first["refresh_token"])
    assert refusal(await auth.refresh(spent)) == "invalid_grant"
    assert await reasons(auth) == [None]
    # The one after it has a grace of its own.
    auth.clock.advance(seconds=29)
    assert refusal(await auth.refresh(spent)) == "invalid_grant"
    assert await renewed(auth, first["refresh_token"]) == second | {"expires_in": 3571}
    assert await auth.is_active(second["access_token"])
    auth.clock.advance(seconds=1)
    assert refusal(await auth.refresh(spent)) == "invalid_grant"
    assert await reasons(auth) == ["refresh_reuse"]


async def test_a_handle_of_many_rotations_ago_ends_the_grant(auth: AuthUnderTest) -> None:
    handles = await auth.obtain_handles()
    oldest = handles["refresh_token"]
    for _ in range(4):
        auth.clock.advance(days=5)
        handles = await renewed(auth, handles["refresh_token"])
    assert refusal(await auth.refresh(oldest)) == "invalid_grant"
    assert await reasons(auth) == ["refresh_reuse"]
    assert refusal(await auth.refresh(handles["refresh_token"])) == "invalid_grant"


async def test_reuse_is_noticed_whatever_else_is_wrong_with_it(auth: AuthUnderTest) -> None:
    wrongs = ({"scope": "admin"}, {"scope": "a  b"}, {"resource": "https://other.example/mcp"})
    for wrong in wrongs:
        spent = (await auth.obtain_handles())["refresh_token"]
        first = await renewed(auth, spent)
        auth.clock.advance(seconds=60)
        assert refusal(await auth.refresh(spent, **wrong)) == "invalid_grant", wrong
        assert not await auth.is_active(first["access_token"]), wrong
    assert await reasons(auth) == ["refresh_reuse"] * len(wrongs)


async def test_another_clients_replay_changes_nothing_at_any_time(auth: AuthUnderTest) -> None:
    thief = (await auth.register(client_name="A thief"))["client_id"]
    spent = (await auth.obtain_handles())["refresh_token"]
    first = await renewed(auth, spent)
    for seconds in (1, 60):
        auth.clock.advance(seconds=seconds)
        assert refusal(await auth.refresh(spent, client_id=thief)) == "invalid_grant"
        assert await auth.is_active(first["access_token"])


async def test_a_client_that_was_disabled_meanwhile_gets_no_answer(
    auth: AuthUnderTest, database_url: str
) -> None:
    spent = (await auth.obtain_handles())["refresh_token"]
    await renewed(auth, spent)
    await change(database_url, update(clients).values(disabled_at=auth.clock()))
    assert refusal(await auth.refresh(spent), 401) == "invalid_client"


async def test_no_answer_is_repeated_of_a_grant_that_has_ended(auth: AuthUnderTest) -> None:
    spent = (await auth.obtain_handles())["refresh_token"]
    first = await renewed(auth, spent)
    form = {"client_id": auth.client_id, "token": first["access_token"]}
    await auth.anyone.post("/revoke", data=form)
    assert refusal(await auth.refresh(spent)) == "invalid_grant"
    assert await reasons(auth) == ["revoked_by_client"]


async def test_whatever_a_refresh_got_while_its_grant_was_revoked_is_dead(
    replicas: Replicas,
) -> None:
    auth, other = replicas
    first = await auth.obtain_handles()
    form = {"client_id": auth.client_id, "token": first["access_token"]}
    *responses, _ = await asyncio.gather(
        *(replica.refresh(first["refresh_token"]) for replica in replicas * 5),
        other.anyone.post("/revoke", data=form),
    )
    for response in responses:
        if response.status_code == 200:
            assert not await auth.is_active(response.json()["access_token"])
        else:
            assert refusal(response) == "invalid_grant"
    assert await reasons(auth) == ["revoked_by_client"]


@ON_SQLITE
async def test_a_replay_gets_no_more_than_it_asks_for(auth: AuthUnderTest) -> None:
    spent = (await auth.obtain_handles())["refresh_token"]
    first = await renewed(auth, spent)
    narrower = await auth.refresh(spent, scope="todo_api:read")
    assert refusal(narrower) == "invalid_scope"
    elsewhere = await auth.refresh(spent, resource="https://other.example/mcp")
    assert refusal(elsewhere) == "invalid_target"
    assert await renewed(auth, spent, scope="todo_api:write todo_api:read") == first
    assert await count_rows(auth, access_handles) == 2


@ON_SQLITE
async def test_a_replay_that_asks_for_more_gets_the_narrower_first_answer(
    auth: AuthUnderTest,
) -> None:
    spent = (await auth.obtain_handles())["refresh_token"]
    first = await renewed(auth, spent, scope="todo_api:read")
    assert first["scope"] == "todo_api:read"
    assert await renewed(auth, spent) == first


async def test_without_a_grace_a_second_use_is_theft_whatever_the_clocks_say(
    database_url: str,
) -> None:
    async with auth_under_test(database_url, auth_refresh_grace_seconds=0) as auth:
        for step in (0, -5):
            spent = (await auth.obtain_handles())["refresh_token"]
            first = await renewed(auth, spent)
            assert await sealed_answers(auth) == []
            auth.clock.advance(seconds=step)
            assert refusal(await auth.refresh(spent)) == "invalid_grant"
            assert not await auth.is_active(first["access_token"])
        assert await reasons(auth) == ["refresh_reuse", "refresh_reuse"]


@ON_SQLITE
async def test_a_replica_whose_clock_is_behind_repeats_the_answer(auth: AuthUnderTest) -> None:
    spent = (await auth.obtain_handles())["refresh_token"]
    first = await renewed(auth, spent)
    auth.clock.advance(seconds=-90)
    assert (await renewed(auth, spent))["refresh_token"] == first["refresh_token"]


@ON_SQLITE
async def test_an_answer_whose_access_handle_has_ended_still_leads_on(database_url: str) -> None:
    async with auth_under_test(database_url, auth_access_handle_seconds=10) as auth:
        spent = (await auth.obtain_handles())["refresh_token"]
        await renewed(auth, spent)
        auth.clock.advance(seconds=30)
        repeated = await renewed(auth, spent)
        assert repeated["expires_in"] == 0
        await renewed(auth, repeated["refresh_token"])


@pytest.mark.parametrize("damage", ["flipped", "truncated", "empty", "of another handle"])
@ON_SQLITE
async def test_an_answer_that_was_tampered_with_is_refused_and_reported(
    auth: AuthUnderTest, database_url: str, damage: str
) -> None:
    others = (await auth.obtain_handles())["refresh_token"]
    await renewed(auth, others)
    [answer] = await sealed_answers(auth)
    damaged = {
        "flipped": answer[:-1] + bytes([answer[-1] ^ 1]),
        "truncated": answer[:10],
        "empty": b"",
        "of another handle": answer,
    }[damage]
    spent = (await auth.obtain_handles())["refresh_token"]
    first = await renewed(auth, spent)
    await change(
        database_url,
        update(refresh_handles)
        .where(refresh_handles.c.refresh_digest == digest(spent))
        .values(answer_encrypted=damaged),
    )
    with capture_logs() as logs:
        assert refusal(await auth.refresh(spent)) == "invalid_grant"
    assert ("error", "refresh.answer_unreadable") in {
        (line["log_level"], line["event"]) for line in logs
    }
    assert await auth.is_active(first["access_token"])


async def test_the_sweep_erases_answers_when_their_grace_has_ended(auth: AuthUnderTest) -> None:
    resources = auth.resources
    sweep = SweepExpired(
        resources.database, resources.revoke_grant, resources.lifetimes, resources.now
    )
    spent = (await auth.obtain_handles())["refresh_token"]
    await renewed(auth, spent)
    auth.clock.advance(seconds=59)
    await sweep()
    assert len(await sealed_answers(auth)) == 1
    auth.clock.advance(seconds=1)
    assert (await sweep())["sealed_answers"] == 1
    assert await sealed_answers(auth) == []
    # A replica whose clock is behind finds nothing to repeat, and accuses nobody.
    auth.clock.advance(seconds=-10)
    assert refusal(await auth.refresh(spent)) == "invalid_grant"
    assert await reasons(auth) == [None]


async def test_a_rotation_is_noted_as_the_last_use_of_its_grant(auth: AuthUnderTest) -> None:
    handles = await auth.obtain_handles()
    auth.clock.advance(days=2)
    await renewed(auth, handles["refresh_token"])
    async with auth.resources.database.reading_connection() as connection:
        last_used_at = await connection.execute(select(grants.c.last_used_at))
    assert last_used_at.scalar_one() == auth.clock()
