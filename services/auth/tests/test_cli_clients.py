"""`auth clients`: an operator adds clients, and puts any out of use for good or for a while."""

import pytest
from auth_answers import count_rows
from auth_back_channel import refusal, replica_of
from auth_commands import Commands
from auth_harness import REDIRECT_URI, AuthUnderTest

from auth_server.domain.handles import digest
from auth_server.flows.sweep_expired import SweepExpired
from auth_server.storage.tables import clients

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ADD = ("clients", "add", "--name", "Build agent", "--redirect-uri", REDIRECT_URI)


@pytest.fixture
def run(auth: AuthUnderTest, monkeypatch: pytest.MonkeyPatch) -> Commands:
    return Commands(auth, monkeypatch)


async def sweep(auth: AuthUnderTest) -> None:
    resources = auth.resources
    await SweepExpired(
        resources.database, resources.revoke_grant, resources.lifetimes, resources.now
    )()


async def test_an_added_public_client_signs_in(auth: AuthUnderTest, run: Commands) -> None:
    [added] = await run.json(*ADD)
    assert set(added) == {"client_id"}
    auth.client_id = added["client_id"]
    handles = await auth.obtain_handles()
    assert await auth.is_active(handles["access_token"])
    [shown] = await run.json("clients", "show", auth.client_id)
    assert (shown["origin"], shown["active_grants"]) == ("operator", 1)
    assert shown["expires_at"] is None


async def test_an_added_confidential_client_signs_in_with_its_secret_only(
    auth: AuthUnderTest, run: Commands
) -> None:
    [added] = await run.json(*ADD, "--confidential")
    code = await auth.obtain_code(client_id=added["client_id"])
    wrong = await auth.exchange(code, client_id=added["client_id"])
    assert refusal(wrong, 401) == "invalid_client"
    credential = (added["client_id"], added["client_secret"])
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": "v" * 43}
    answer = await auth.anyone.post("/token", data=form, auth=credential)
    assert answer.status_code == 200, answer.text


async def test_the_secret_is_printed_once_and_stored_as_a_digest(
    auth: AuthUnderTest, run: Commands
) -> None:
    result = await run(*ADD, "--confidential")
    lines = dict(line.split("\t") for line in result.stdout.splitlines())
    assert set(lines) == {"client_id", "client_secret"}
    assert lines["client_secret"] not in result.stderr
    assert "nobody can show it again" in result.stderr
    for again in (("list",), ("show", lines["client_id"]), ("list", "--format", "jsonl")):
        assert lines["client_secret"] not in await run.text("clients", *again)
    async with auth.resources.database.reading() as read:
        record = await read.clients.record(lines["client_id"])
    assert record is not None
    assert record.client.secret_digest == digest(lines["client_secret"])


async def test_an_added_client_is_neither_swept_nor_pushed_out_nor_made_mortal_by_its_use(
    auth: AuthUnderTest, run: Commands
) -> None:
    unused = (await run.json(*ADD))[0]["client_id"]
    used = (await run.json(*ADD))[0]["client_id"]
    code = await auth.obtain_code(client_id=used)
    assert (await auth.exchange(code, client_id=used)).status_code == 200
    async with replica_of(auth, auth_client_ceiling=1) as full:
        await full.register()
        await full.register()
    auth.clock.advance(days=3000)
    await sweep(auth)
    left = await run.json("clients", "list")
    assert {client["client_id"] for client in left} == {unused, used}
    assert all((client["state"], client["expires_at"]) == ("active", None) for client in left)
    code = await auth.obtain_code(client_id=unused)
    assert (await auth.exchange(code, client_id=unused)).status_code == 200


async def test_added_clients_take_no_room_from_those_that_register(
    auth: AuthUnderTest, run: Commands
) -> None:
    for _ in range(3):
        await run.text(*ADD)
    async with replica_of(auth, auth_client_ceiling=2) as full:
        newcomer = (await full.register())["client_id"]
    listed = [client["client_id"] for client in await run.json("clients", "list")]
    assert {auth.client_id, newcomer} <= set(listed)
    assert len(listed) == 5


@ON_SQLITE
@pytest.mark.parametrize(
    "uri", ["http://app.example/callback", "javascript:alert(1)", "https://a.example/#f", "x"]
)
async def test_an_added_client_passes_the_checks_of_a_registration(
    auth: AuthUnderTest, run: Commands, uri: str
) -> None:
    refused = await run("clients", "add", "--name", "Agent", "--redirect-uri", uri)
    assert refused.exit_code == 1
    assert len(refused.stderr.splitlines()) == 1
    assert await count_rows(auth, clients) == 1


@ON_SQLITE
@pytest.mark.parametrize("name", ["", "  ", "two\nlines", "\x1b[31mred"])
async def test_a_client_is_added_with_a_line_of_text_as_its_name(
    auth: AuthUnderTest, run: Commands, name: str
) -> None:
    refused = await run("clients", "add", "--name", name, "--redirect-uri", REDIRECT_URI)
    assert refused.exit_code == 2
    assert "--name" in refused.stderr
    assert await count_rows(auth, clients) == 1


@ON_SQLITE
async def test_a_private_use_scheme_is_allowed_by_the_services_own_setting(
    auth: AuthUnderTest, run: Commands
) -> None:
    add = ("clients", "add", "--name", "Agent", "--redirect-uri", "agent://callback/x")
    assert (await run(*add)).exit_code == 1
    assert (await run(*add, AUTH_PRIVATE_USE_SCHEMES="agent")).exit_code == 0
    assert await count_rows(auth, clients) == 2


async def test_a_disabled_client_is_unknown_everywhere_at_once_and_its_grants_end(
    auth: AuthUnderTest, run: Commands
) -> None:
    handles = await auth.obtain_handles()
    code = await auth.obtain_code()
    printed = await run.text("clients", "disable", auth.client_id, "--yes")
    assert "grants that ended: 2" in printed
    async with replica_of(auth) as other:
        for replica in (auth, other):
            assert not await replica.is_active(handles["access_token"])
            assert refusal(await replica.refresh(handles["refresh_token"]), 401) == "invalid_client"
            assert refusal(await replica.exchange(code), 401) == "invalid_client"
            page = await replica.authorize(replica.new_browser())
            assert page.status_code == 401
            assert "location" not in page.headers
            form = {"token": handles["access_token"], "client_id": auth.client_id}
            given_back = await replica.anyone.post("/revoke", data=form)
            assert refusal(given_back, 401) == "invalid_client"
    [shown] = await run.json("clients", "show", auth.client_id)
    assert (shown["state"], shown["active_grants"]) == ("disabled", 0)


async def test_an_enabled_client_signs_in_again_and_what_ended_stays_ended(
    auth: AuthUnderTest, run: Commands
) -> None:
    before = await auth.obtain_handles()
    await run.text("clients", "disable", auth.client_id, "--yes")
    assert "Enabled" in await run.text("clients", "enable", auth.client_id)
    assert refusal(await auth.refresh(before["refresh_token"])) == "invalid_grant"
    after = await auth.obtain_handles()
    assert await auth.is_active(after["access_token"])
    assert not await auth.is_active(before["access_token"])
    assert "was not disabled" in await run.text("clients", "enable", auth.client_id)


async def test_a_login_that_was_under_way_gives_a_disabled_client_nothing(
    auth: AuthUnderTest, run: Commands
) -> None:
    browser = auth.new_browser()
    to_pingone = await auth.decide(browser, await auth.authorize(browser))
    await run.text("clients", "disable", auth.client_id, "--yes")
    answer = await auth.back(browser, await auth.sign_on(browser, to_pingone))
    code = dict(answer.next_request.url.params)["code"] if answer.next_request else ""
    assert refusal(await auth.exchange(code), 401) == "invalid_client"
    auth.clock.advance(minutes=2)
    await sweep(auth)
    assert await run.json("grants", "list") == []


async def test_a_deleted_client_ends_with_its_grants_and_nothing_brings_it_back(
    auth: AuthUnderTest, run: Commands
) -> None:
    handles = await auth.obtain_handles()
    deleted = auth.client_id
    printed = await run.text("clients", "delete", deleted, "--yes")
    assert "grants that ended: 1" in printed
    assert not await auth.is_active(handles["access_token"])
    assert refusal(await auth.refresh(handles["refresh_token"]), 401) == "invalid_client"
    again = await auth.register(client_id=deleted)
    assert again["client_id"] != deleted
    for command in ("show", "enable", "disable", "delete"):
        unknown = await run("clients", command, deleted)
        assert unknown.exit_code == 1
        assert "no such client" in unknown.stderr
    assert refusal(await auth.refresh(handles["refresh_token"]), 401) == "invalid_client"
    assert (await auth.authorize(auth.new_browser())).status_code == 401


@ON_SQLITE
async def test_an_interrupted_deletion_is_finished_by_the_next(
    auth: AuthUnderTest, run: Commands
) -> None:
    handles = await auth.obtain_handles()
    async with auth.resources.database.transaction() as tx:
        assert await tx.clients.disable(auth.client_id, now=auth.clock())
    assert await auth.is_active(handles["access_token"])
    await run.text("clients", "delete", auth.client_id, "--yes")
    assert not await auth.is_active(handles["access_token"])


@ON_SQLITE
@pytest.mark.parametrize("command", ["disable", "delete"])
async def test_what_ends_grants_asks_first(
    auth: AuthUnderTest, run: Commands, command: str
) -> None:
    handles = await auth.obtain_handles()
    refused = await run("clients", command, auth.client_id, answer="n\n")
    assert refused.exit_code == 1
    assert "A test client? Its active grants end: 1" in refused.stderr
    assert await auth.is_active(handles["access_token"])
    assert (await run("clients", command, auth.client_id, answer="y\n")).exit_code == 0
    assert not await auth.is_active(handles["access_token"])


async def test_clients_are_listed_newest_first_with_their_state(
    auth: AuthUnderTest, run: Commands
) -> None:
    auth.clock.advance(minutes=59)
    newer = (await auth.register(client_name="The newer"))["client_id"]
    auth.clock.advance(minutes=1)
    listed = await run.json("clients", "list")
    assert [client["client_id"] for client in listed] == [newer, auth.client_id]
    assert [client["state"] for client in listed] == ["active", "expired"]
    assert len(await run.json("clients", "list", "--limit", "1")) == 1
    text = await run.text("clients", "show", newer)
    assert f"redirect_uri\t{REDIRECT_URI}" in text
    assert "client_name\tThe newer" in text
