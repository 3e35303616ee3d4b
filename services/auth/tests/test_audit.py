"""The audit trail: what an auditor finds of everything that matters, and of nothing else."""

from enum import StrEnum
from pathlib import Path
from typing import Any

import httpx
import pytest
from auth_back_channel import refusal, replica_of
from auth_commands import Commands
from auth_harness import ISSUER, AuthUnderTest

from auth_server.domain.audit import AuditAction, AuditActor, AuditOutcome
from auth_server.domain.grants import RevocationReason
from auth_server.flows.sweep_expired import SweepExpired

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PROXY, STRANGER = "10.0.0.7", "198.51.100.9"


@pytest.fixture
def run(auth: AuthUnderTest, monkeypatch: pytest.MonkeyPatch) -> Commands:
    return Commands(auth, monkeypatch)


async def trail(run: Commands, *members: str) -> list[Any]:
    """The trail after the registration of the harness: some members of each event."""
    members = members or ("event", "outcome", "actor")
    events = (await run.json("audit", "export"))[1:]
    return [tuple(event[member] for member in members) for event in events]


async def test_a_login_is_recorded_from_consent_to_handles(
    auth: AuthUnderTest, run: Commands
) -> None:
    handles = await auth.obtain_handles()
    assert await trail(run) == [
        ("consent_allowed", "success", "person"),
        ("grant_created", "success", "person"),
        ("handles_issued", "success", "client"),
    ]
    [grant] = await run.json("grants", "list")
    ids = (grant["subject"], auth.client_id, grant["id"])
    found = await trail(run, "subject", "client_id", "grant_id")
    # Who decides about a consent is not known before the sign-on.
    assert found == [(None, auth.client_id, None), ids, ids]
    assert handles["access_token"] not in await run.text("audit", "export")


async def test_a_registration_is_recorded(auth: AuthUnderTest, run: Commands) -> None:
    registered = (await auth.register())["client_id"]
    [event] = await trail(run, "event", "outcome", "actor", "client_id", "address")
    assert event == ("client_registered", "success", "client", registered, "127.0.0.1")


async def test_a_denied_consent_is_recorded(auth: AuthUnderTest, run: Commands) -> None:
    browser = auth.new_browser()
    await auth.decide(browser, await auth.authorize(browser), "deny")
    assert await trail(run) == [("consent_denied", "refused", "person")]


async def test_the_second_consent_is_recorded_with_the_account(
    auth: AuthUnderTest, run: Commands
) -> None:
    for decision in ("deny", "allow"):
        browser = auth.new_browser()
        await auth.obtain_code(browser)
        auth.simulator.end_sessions_of("alice")
        answer = await auth.sign_on(browser, await auth.authorize(browser), "bob")
        await auth.decide(browser, await auth.back(browser, answer), decision)
    found = await trail(run, "event", "outcome", "subject")
    bob = found[-1][2]
    assert found[-1] == ("grant_created", "success", bob)
    assert [one for one in found if one[0].startswith("consent_") and one[2] == bob] == [
        ("consent_denied", "refused", bob),
        ("consent_allowed", "success", bob),
    ]


async def test_a_refresh_and_its_repetition_in_the_grace_are_recorded(
    auth: AuthUnderTest, run: Commands
) -> None:
    handles = await auth.obtain_handles()
    for _ in range(2):
        assert (await auth.refresh(handles["refresh_token"])).status_code == 200
    assert (await trail(run))[3:] == [
        ("handles_refreshed", "success", "client"),
        ("refresh_replayed", "success", "client"),
    ]


async def test_the_reuse_of_a_refresh_handle_is_recorded_once_with_the_end_it_causes(
    auth: AuthUnderTest, run: Commands
) -> None:
    handles = await auth.obtain_handles()
    await auth.refresh(handles["refresh_token"])
    auth.clock.advance(minutes=2)
    for _ in range(3):
        assert refusal(await auth.refresh(handles["refresh_token"])) == "invalid_grant"
    assert (await trail(run, "event", "outcome", "actor", "reason"))[4:] == [
        ("refresh_reused", "refused", "client", None),
        ("grant_ended", "success", "client", "refresh_reuse"),
    ]


async def test_a_replayed_code_is_recorded_once_with_the_end_it_causes(
    auth: AuthUnderTest, run: Commands
) -> None:
    code = await auth.obtain_code()
    await auth.exchange(code)
    for _ in range(3):
        assert refusal(await auth.exchange(code)) == "invalid_grant"
    assert (await trail(run, "event", "outcome", "reason"))[3:] == [
        ("code_replayed", "refused", None),
        ("grant_ended", "success", "code_replay"),
    ]


async def test_a_code_with_the_wrong_proof_is_recorded_with_the_end_it_causes(
    auth: AuthUnderTest, run: Commands
) -> None:
    await auth.exchange(await auth.obtain_code(), code_verifier="w" * 43)
    assert (await trail(run, "event", "outcome", "reason"))[2:] == [
        ("code_misused", "refused", None),
        ("grant_ended", "success", "code_mismatch"),
    ]


async def test_a_grant_that_its_client_gives_back_is_recorded_once(
    auth: AuthUnderTest, run: Commands
) -> None:
    handles = await auth.obtain_handles()
    form = {"token": handles["access_token"], "client_id": auth.client_id}
    for _ in range(2):
        await auth.anyone.post("/revoke", data=form)
    assert (await trail(run, "event", "actor", "reason"))[3:] == [
        ("grant_ended", "client", "revoked_by_client")
    ]


async def test_what_pingone_and_the_sweep_end_is_theirs_and_has_no_address(
    auth: AuthUnderTest, run: Commands
) -> None:
    handles = await auth.obtain_handles()
    auth.clock.advance(hours=1)
    handles = (await auth.refresh(handles["refresh_token"])).json()
    auth.simulator.end_sessions_of("alice")
    assert not await auth.is_active(handles["access_token"])
    await auth.obtain_code()
    auth.clock.advance(minutes=5)
    resources = auth.resources
    await SweepExpired(
        resources.database, resources.revoke_grant, resources.lifetimes, resources.now
    )()
    ends = [event for event in await run.json("audit", "export") if event["event"] == "grant_ended"]
    assert [(event["actor"], event["reason"], event["address"]) for event in ends] == [
        ("pingone", "upstream_dead", None),
        ("system", "unreachable", None),
    ]


async def test_what_an_operator_does_is_recorded_with_the_operators_words(
    auth: AuthUnderTest, run: Commands
) -> None:
    await auth.obtain_handles()
    [grant] = await run.json("grants", "list")
    why = ("--reason", "left the company")
    await run.text("grants", "revoke", grant["id"], "--yes", *why)
    added = (
        await run.json(
            "clients", "add", "--name", "x", "--redirect-uri", "https://app.example/callback"
        )
    )[0]["client_id"]
    for command in ("disable", "disable", "enable", "enable", "delete"):
        options = why if command == "enable" else (*why, "--yes")
        await run.text("clients", command, added, *options)
    found = (await trail(run, "event", "actor", "client_id", "note", "address"))[3:]
    words = "left the company"
    assert found == [
        ("grant_ended", "operator", auth.client_id, words, None),
        ("client_added", "operator", added, None, None),
        ("client_disabled", "operator", added, words, None),
        ("client_enabled", "operator", added, words, None),
        ("client_disabled", "operator", added, words, None),
        ("client_deleted", "operator", added, words, None),
    ]


@ON_SQLITE
@pytest.mark.parametrize("words", ["x" * 201, "two\nlines", "\x1b[31m"])
async def test_an_operators_words_are_a_line_of_text(
    auth: AuthUnderTest, run: Commands, words: str
) -> None:
    refused = await run("clients", "disable", auth.client_id, "--yes", "--reason", words)
    assert refused.exit_code == 2
    assert await trail(run) == []


async def test_what_a_stranger_can_repeat_for_ever_is_not_recorded(
    auth: AuthUnderTest, run: Commands
) -> None:
    await auth.token(grant_type="authorization_code", code="guessed", code_verifier="v" * 43)
    await auth.refresh("mcprt_guessed")
    await auth.token(grant_type="refresh_token", refresh_token="x", client_id="nobody")
    await auth.anyone.post("/revoke", data={"token": "x", "client_id": auth.client_id})
    await auth.anyone.post("/register", json={"redirect_uris": ["javascript:alert(1)"]})
    await auth.anyone.get("/callback", params={"state": "guessed", "code": "guessed"})
    await auth.authorize(auth.new_browser())
    await auth.introspect("mcpat_guessed")
    assert await trail(run) == []


async def test_the_address_is_the_peers_unless_a_trusted_proxy_vouches_for_another(
    auth: AuthUnderTest, run: Commands
) -> None:
    async with replica_of(auth, auth_trusted_proxies="10.0.0.0/8") as behind_proxy:
        for peer, claimed in ((PROXY, STRANGER), (STRANGER, "203.0.113.5")):
            transport = httpx.ASGITransport(behind_proxy.apps[ISSUER], client=(peer, 4711))
            async with httpx.AsyncClient(transport=transport, base_url=ISSUER) as caller:
                await caller.post(
                    "/register",
                    json={"redirect_uris": ["https://app.example/callback"]},
                    headers={"X-Forwarded-For": claimed},
                )
    assert await trail(run, "address") == [(STRANGER,), (STRANGER,)]


@ON_SQLITE
async def test_without_trusted_proxies_no_forwarded_address_counts(
    auth: AuthUnderTest, run: Commands
) -> None:
    auth.anyone.headers["X-Forwarded-For"] = STRANGER
    await auth.register()
    assert await trail(run, "address") == [("127.0.0.1",)]


@pytest.mark.parametrize("words", [AuditAction, AuditActor, AuditOutcome, RevocationReason])
def test_every_word_of_the_trail_is_documented(words: type[StrEnum]) -> None:
    operations = Path(__file__).parents[3] / "docs" / "operations.md"
    text = operations.read_text(encoding="utf-8")
    assert [word for word in words if f"`{word}`" not in text] == []
