"""`auth audit` and `auth sweep`: the trail on the screen and for other systems, and its end."""

import json

import pytest
from auth_commands import Commands
from auth_harness import AuthUnderTest

from auth_server.domain.audit import AuditAction, AuditActor, AuditEvent
from auth_server.flows.read_audit import PAGE, SETTLED_SECONDS, FollowAudit
from auth_server.storage.audit_events import AuditFilter
from auth_server.storage.database import Database, Transaction

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
MEMBERS = [
    "id",
    "occurred_at",
    "event",
    "outcome",
    "reason",
    "actor",
    "subject",
    "client_id",
    "grant_id",
    "address",
    "note",
]


@pytest.fixture
def run(auth: AuthUnderTest, monkeypatch: pytest.MonkeyPatch) -> Commands:
    return Commands(auth, monkeypatch)


async def record(auth: AuthUnderTest, *notes: str) -> None:
    async with auth.resources.database.transaction() as tx:
        for note in notes:
            await append(auth, tx, note)


async def append(auth: AuthUnderTest, tx: Transaction, note: str) -> None:
    event = AuditEvent(AuditAction.CLIENT_ENABLED, AuditActor.OPERATOR, note=note)
    await tx.audit_events.append(event, now=auth.clock())


def following(auth: AuthUnderTest, database: Database | None = None) -> FollowAudit:
    database = database or auth.resources.database
    return FollowAudit(database, AuditFilter(event="client_enabled"), auth.clock.monotonic)


async def notes_of(follow: FollowAudit) -> list[str | None]:
    return [event.note for event in await follow.new()]


async def test_an_exported_line_has_every_member_always(auth: AuthUnderTest, run: Commands) -> None:
    await auth.obtain_handles()
    lines = (await run.text("audit", "export", "--format", "jsonl")).splitlines()
    documents = [json.loads(line) for line in lines]
    assert [list(document) for document in documents] == [MEMBERS] * len(documents)
    assert [document["event"] for document in documents] == [
        "client_registered",
        "consent_allowed",
        "grant_created",
        "handles_issued",
    ]
    assert documents[0]["occurred_at"] == "2026-11-02T09:30:00.000000Z"


async def test_an_export_is_a_span_of_time_from_inside_to_outside(
    auth: AuthUnderTest, run: Commands
) -> None:
    for note in ("09:30", "10:30", "11:30"):
        await record(auth, note)
        auth.clock.advance(hours=1)
    span = ("--since", "2026-11-02T10:30", "--until", "2026-11-02T12:30+01:00")
    assert [line["note"] for line in await run.json("audit", "export", *span)] == ["10:30"]
    assert await run.json("audit", "export", "--since", "2026-11-03") == []
    since = await run.json("audit", "export", "--since", "2026-11-02T10:30:00Z")
    assert [line["note"] for line in since] == ["10:30", "11:30"]


async def test_an_export_longer_than_a_page_is_complete_and_in_order(
    auth: AuthUnderTest, run: Commands
) -> None:
    await record(auth, *map(str, range(2 * PAGE + 1)))
    lines = await run.json("audit", "export")
    assert [line["note"] for line in lines[1:]] == [str(one) for one in range(2 * PAGE + 1)]


@ON_SQLITE
async def test_a_time_that_is_none_is_wrong_usage(auth: AuthUnderTest, run: Commands) -> None:
    assert auth.client_id
    refused = await run("audit", "export", "--since", "yesterday")
    assert refused.exit_code == 2
    assert "for --since: must be like 2026-11-02" in refused.stderr


@ON_SQLITE
async def test_a_span_that_ends_before_it_begins_is_wrong_usage(
    auth: AuthUnderTest, run: Commands
) -> None:
    assert auth.client_id
    span = ("--since", "2026-12-01", "--until", "2026-11-01")
    refused = await run("audit", "export", *span)
    assert refused.exit_code == 2
    assert "for --until: must be later than --since" in refused.stderr


async def test_the_tail_is_the_last_lines_as_text_for_people(
    auth: AuthUnderTest, run: Commands
) -> None:
    await auth.obtain_handles()
    [line] = (await run.text("audit", "tail", "-n", "1")).splitlines()
    assert line.startswith("2026-11-02 09:30:00Z handles_issued success by client subject=")
    assert f"client_id={auth.client_id}" in line
    assert "address=127.0.0.1" in line
    assert len(await run.json("audit", "tail")) == 4


async def test_the_tail_shows_one_grant_client_person_or_kind(
    auth: AuthUnderTest, run: Commands
) -> None:
    await auth.obtain_handles()
    await auth.obtain_handles(username="bob")
    [created, _] = await run.json("audit", "tail", "--event", "grant_created")
    for option, member in (("--grant", "grant_id"), ("--subject", "subject")):
        found = await run.json("audit", "tail", option, created[member])
        assert [line["event"] for line in found] == ["grant_created", "handles_issued"]
    assert len(await run.json("audit", "tail", "--client", auth.client_id)) == 7
    assert await run.json("audit", "tail", "--client", "nobody") == []


@ON_SQLITE
async def test_a_note_cannot_steer_the_terminal(auth: AuthUnderTest, run: Commands) -> None:
    await record(auth, "\x1b[2Jcleared\r\nforged line")
    for output in ("text", "jsonl"):
        text = await run.text("audit", "tail", "-n", "1", "--format", output)
        assert len(text.splitlines()) == 1
        assert text.strip().isprintable()


async def test_who_follows_gets_each_event_once(auth: AuthUnderTest) -> None:
    await record(auth, "a", "b", "c")
    follow = following(auth)
    assert [event.note for event in await follow.start(last=2)] == ["b", "c"]
    assert await notes_of(follow) == []
    await record(auth, "d")
    assert await notes_of(follow) == ["d"]
    for _ in range(10):
        auth.clock.advance(seconds=SETTLED_SECONDS / 4)
        await record(auth, "e")
        assert await notes_of(follow) == ["e"]
    assert await notes_of(follow) == []


async def test_who_follows_gets_a_flood_page_by_page(auth: AuthUnderTest) -> None:
    follow = following(auth)
    await follow.start(last=1)
    flood = [str(one) for one in range(PAGE * 2 + 10)]
    await record(auth, *flood)
    got: list[str | None] = []
    while page := await notes_of(follow):
        got += page
        auth.clock.advance(seconds=2 * SETTLED_SECONDS)
    assert got == flood


@ON_POSTGRESQL
async def test_who_follows_misses_no_event_that_is_committed_after_a_later_one(
    auth: AuthUnderTest,
) -> None:
    follow = following(auth)
    await follow.start(last=1)
    async with auth.resources.database.transaction() as slow:
        await append(auth, slow, "first, committed last")
        await record(auth, "second")
        assert await notes_of(follow) == ["second"]
        auth.clock.advance(seconds=SETTLED_SECONDS - 1)
        assert await notes_of(follow) == []
    assert await notes_of(follow) == ["first, committed last"]
    assert await notes_of(follow) == []


async def test_the_sweep_prints_how_many_rows_of_each_kind_went_and_audits_nothing_away(
    auth: AuthUnderTest, run: Commands
) -> None:
    await auth.obtain_handles()
    await auth.authorize(auth.new_browser())
    auth.clock.advance(days=181)
    [swept] = await run.json("sweep")
    assert swept == {
        "unreachable_grants": 1,
        # What the sign-on had answered is erased before its row goes.
        "late_sign_ons": 1,
        "authorizations": 1,
        "consent_decisions": 1,
        "codes": 1,
        "handles": 2,
        "grants": 1,
        "consents": 2,
        "clients": 1,
    }
    assert (await run.text("sweep")).splitlines() == ["0 in all."]
    [ended] = await run.json("audit", "tail", "--event", "grant_ended")
    assert (ended["actor"], ended["reason"]) == ("system", "unreachable")


async def test_the_trail_is_kept_as_long_as_is_set(auth: AuthUnderTest, run: Commands) -> None:
    await record(auth, "old")
    auth.clock.advance(days=30)
    await record(auth, "young")
    auth.clock.advance(seconds=1)
    [swept] = await run.json("sweep", AUTH_AUDIT_DAYS="30")
    assert swept["audit_events"] == 2
    assert [line["note"] for line in await run.json("audit", "export")] == ["young"]


async def test_what_is_done_to_keys_is_recorded(auth: AuthUnderTest, run: Commands) -> None:
    await auth.obtain_handles()
    [old, new] = ["k1:" + "A" * 43 + "=", "k2:" + "B" * 42 + "A="]
    await run.text("keys", "rewrap", AUTH_ENCRYPTION_KEYS=f"{new},{old}")
    await run.text("keys", "abandon", "k2", "--yes", AUTH_ENCRYPTION_KEYS=old)
    events = (await run.json("audit", "export"))[4:]
    assert [(event["event"], event["actor"], event["note"]) for event in events] == [
        ("keys_rewrapped", "operator", "forgotten: k1"),
        ("grant_ended", "operator", "the key k2 is lost"),
        ("key_abandoned", "operator", "k2"),
    ]
