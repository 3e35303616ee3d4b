"""`auth grants`: an operator finds who has allowed what, and ends it at once."""

import pytest
from auth_answers import count_rows
from auth_back_channel import refusal, replica_of
from auth_commands import Commands
from auth_harness import RESOURCE, AuthUnderTest

from auth_server.storage.tables import upstream_revocations, upstream_tokens

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ALICE, BOB = "Alice Archer", "Bob Baker"
HOSTILE_NAME = "\x1b[2J\x1b]0;owned\x07Nice \u202eclient\r\n"


@pytest.fixture
def run(auth: AuthUnderTest, monkeypatch: pytest.MonkeyPatch) -> Commands:
    return Commands(auth, monkeypatch)


async def test_a_grant_is_listed_with_who_what_and_when(auth: AuthUnderTest, run: Commands) -> None:
    await auth.obtain_handles()
    auth.clock.advance(minutes=10)
    [grant] = await run.json("grants", "list")
    assert grant["state"] == "active"
    assert grant["username"] == ALICE
    assert grant["client_id"] == auth.client_id
    assert grant["client_name"] == "A test client"
    assert grant["resource"] == RESOURCE
    assert grant["scope"] == "todo_api:read todo_api:write"
    assert grant["created_at"] == "2026-11-02T09:30:00.000000Z"
    line = await run.text("grants", "list")
    assert line.split("\t")[:3] == [grant["id"], "active", ALICE]


async def test_grants_are_found_by_person_and_by_client(auth: AuthUnderTest, run: Commands) -> None:
    other = (await auth.register())["client_id"]
    await auth.obtain_handles()
    await auth.obtain_code(username="bob")
    await auth.obtain_code(username="bob", client_id=other)
    everything = await run.json("grants", "list")
    assert len(everything) == 3
    bob = next(grant["subject"] for grant in everything if grant["username"] == BOB)
    by_person = await run.json("grants", "list", "--subject", bob)
    assert [grant["username"] for grant in by_person] == [BOB, BOB]
    by_both = await run.json("grants", "list", "--subject", bob, "--client", other)
    assert [grant["client_id"] for grant in by_both] == [other]
    assert len(await run.json("grants", "list", "--limit", "2")) == 2
    assert await run.json("grants", "list", "--client", "nobody") == []


async def test_the_newest_grant_comes_first_and_ended_ones_when_asked_for(
    auth: AuthUnderTest, run: Commands
) -> None:
    await auth.obtain_handles()
    auth.clock.advance(seconds=1)
    await auth.obtain_handles(username="bob")
    bob, alice = await run.json("grants", "list")
    assert (bob["username"], alice["username"]) == (BOB, ALICE)
    await run.text("grants", "revoke", bob["id"], "--yes")
    assert [grant["id"] for grant in await run.json("grants", "list")] == [alice["id"]]
    ended, _ = await run.json("grants", "list", "--ended")
    assert (ended["state"], ended["reason"]) == ("ended", "revoked_by_operator")
    auth.clock.advance(days=180)
    assert await run.json("grants", "list") == []
    assert (await run.json("grants", "list", "--ended"))[1]["state"] == "expired"


async def test_a_grant_is_shown_with_what_hangs_on_it_and_without_any_secret(
    auth: AuthUnderTest, run: Commands
) -> None:
    handles = await auth.obtain_handles()
    token = (await auth.introspect(handles["access_token"])).json()["downstream_token"]
    [listed] = await run.json("grants", "list")
    [shown] = await run.json("grants", "show", listed["id"])
    assert shown["live_access_handles"] == shown["live_refresh_handles"] == 1
    assert shown["upstream_version"] == 1
    assert shown["upstream_expires_at"] == "2026-11-02T10:30:00.000000Z"
    assert shown["upstream_lease_owner"] is None
    text = await run.text("grants", "show", listed["id"])
    assert f"client_id\t{auth.client_id}" in text
    for secret in (handles["access_token"], handles["refresh_token"], token["access_token"]):
        assert secret not in text
    auth.clock.advance(hours=1)
    [later] = await run.json("grants", "show", listed["id"])
    assert (later["live_access_handles"], later["live_refresh_handles"]) == (0, 1)


@ON_SQLITE
async def test_a_grant_whose_key_is_gone_is_shown_all_the_same(
    auth: AuthUnderTest, run: Commands
) -> None:
    await auth.obtain_handles()
    [listed] = await run.json("grants", "list")
    other_key = "k2:" + "B" * 43 + "="
    [shown] = await run.json("grants", "show", listed["id"], AUTH_ENCRYPTION_KEYS=other_key)
    assert shown["upstream_version"] == 1
    assert shown["upstream_expires_at"].startswith("unreadable")


async def test_a_revoked_grants_handles_are_refused_at_once_on_every_replica(
    auth: AuthUnderTest, run: Commands
) -> None:
    handles = await auth.obtain_handles()
    [grant] = await run.json("grants", "list")
    async with replica_of(auth) as other:
        assert await other.is_active(handles["access_token"])
        assert "1 grant ended" in await run.text("grants", "revoke", grant["id"], "--yes")
        for replica in (auth, other):
            assert not await replica.is_active(handles["access_token"])
            assert refusal(await replica.refresh(handles["refresh_token"])) == "invalid_grant"
    [shown] = await run.json("grants", "show", grant["id"])
    assert shown["reason"] == "revoked_by_operator"
    assert shown["live_access_handles"] == shown["live_refresh_handles"] == 0


async def test_the_tokens_of_a_revoked_grant_are_left_to_the_replicas_to_revoke_at_pingone(
    auth: AuthUnderTest, run: Commands
) -> None:
    handles = await auth.obtain_handles()
    token = (await auth.introspect(handles["access_token"])).json()["downstream_token"]
    [grant] = await run.json("grants", "list")
    await run.text("grants", "revoke", grant["id"], "--yes")
    assert await count_rows(auth, upstream_tokens) == 0
    assert await count_rows(auth, upstream_revocations) == 1
    auth.resources.send_revocations.wake()
    await auth.settle()
    assert await count_rows(auth, upstream_revocations) == 0
    assert not auth.simulator.is_access_token_live(token["access_token"])


async def test_all_grants_of_a_person_end_and_nobody_elses(
    auth: AuthUnderTest, run: Commands
) -> None:
    other = (await auth.register())["client_id"]
    alice = await auth.obtain_handles()
    bob = await auth.obtain_handles(username="bob")
    await auth.obtain_code(username="bob", client_id=other)
    everything = await run.json("grants", "list")
    subject = next(grant["subject"] for grant in everything if grant["username"] == BOB)
    assert "2 grants ended" in await run.text("grants", "revoke", "--subject", subject, "--yes")
    assert not await auth.is_active(bob["access_token"])
    assert await auth.is_active(alice["access_token"])
    assert "0 grants ended" in await run.text("grants", "revoke", "--subject", subject, "--yes")


async def test_all_grants_of_a_client_end_and_no_others(auth: AuthUnderTest, run: Commands) -> None:
    other = (await auth.register())["client_id"]
    ended = [await auth.obtain_handles(), await auth.obtain_handles(username="bob")]
    code = await auth.obtain_code(client_id=other)
    kept = (await auth.exchange(code, client_id=other)).json()
    assert "2 grants" in await run.text("grants", "revoke", "--client", auth.client_id, "--yes")
    assert not any([await auth.is_active(handles["access_token"]) for handles in ended])
    assert await auth.is_active(kept["access_token"])


@ON_SQLITE
async def test_a_revocation_asks_first_and_only_yes_is_yes(
    auth: AuthUnderTest, run: Commands
) -> None:
    handles = await auth.obtain_handles()
    by_client = ("grants", "revoke", "--client", auth.client_id)
    for answer in ("", "\n", "n\n"):
        refused = await run(*by_client, answer=answer)
        assert refused.exit_code == 1
        assert "End 1 grant?" in refused.stderr
        assert await auth.is_active(handles["access_token"])
    assert "1 grant ended" in await run.text(*by_client, answer="y\n")
    assert not await auth.is_active(handles["access_token"])


@ON_SQLITE
async def test_what_names_no_grant_or_too_many_ends_nothing(
    auth: AuthUnderTest, run: Commands
) -> None:
    handles = await auth.obtain_handles()
    for wrong in ((), ("an-id", "--subject", "somebody"), ("--yes",)):
        assert (await run("grants", "revoke", *wrong)).exit_code == 2
    for command in ("show", "revoke"):
        unknown = await run("grants", command, "no-such-id")
        assert unknown.exit_code == 1
        assert unknown.stderr == "no such grant (one that ended is kept for a day)\n"
    assert await auth.is_active(handles["access_token"])


@ON_SQLITE
async def test_a_second_revocation_changes_nothing(auth: AuthUnderTest, run: Commands) -> None:
    handles = await auth.obtain_handles()
    [grant] = await run.json("grants", "list")
    await auth.anyone.post(
        "/revoke", data={"token": handles["access_token"], "client_id": auth.client_id}
    )
    assert "0 grants ended" in await run.text("grants", "revoke", grant["id"])
    [shown] = await run.json("grants", "show", grant["id"])
    assert shown["reason"] == "revoked_by_client"


@ON_SQLITE
async def test_a_clients_name_cannot_steer_the_terminal(auth: AuthUnderTest, run: Commands) -> None:
    hostile = (await auth.register(client_name=HOSTILE_NAME))["client_id"]
    await auth.obtain_code(client_id=hostile)
    [grant] = await run.json("grants", "list")
    assert grant["client_name"] == HOSTILE_NAME
    shown = [
        await run.text("grants", "list"),
        await run.text("grants", "list", "--format", "jsonl"),
        await run.text("grants", "show", grant["id"]),
        await run.text("clients", "list"),
        await run.text("clients", "show", hostile),
    ]
    for text in shown:
        assert "Nice" in text
        assert all(one.isprintable() or one in "\t\n" for one in text), text
        assert "\u202e" not in text
