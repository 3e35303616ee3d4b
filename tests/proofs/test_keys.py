"""Keys are replaced under load, and nobody notices (property 2)."""

import base64
import secrets
from typing import Any

import pytest
from login_steps import LoginSteps, answer_of
from proof_load import Load

PEOPLE = 6
# PingOne's tokens live so briefly that each of them is due for a refresh from its first day on.
ALWAYS_DUE_SECONDS = 120


@pytest.mark.long_proof
async def test_keys_are_rotated_and_everything_rewrapped_under_load_without_one_failure(
    cluster: Any,
    sign_in: Any,
    new_login: Any,
    call_tool: Any,
    pingone: Any,
    database: Any,
    note: Any,
) -> None:
    at_rest = [await sign_in() for _ in range(PEOPLE)]
    await pingone.policy(access_token_seconds=ALWAYS_DUE_SECONDS)
    people = [await sign_in() for _ in range(PEOPLE)]
    old = cluster.auth[0].service.environment["AUTH_ENCRYPTION_KEYS"]
    new = f"proof-2:{base64.b64encode(secrets.token_bytes(32)).decode()}"
    old_cookie = cluster.auth[0].service.environment["COOKIE_ENCRYPTION_KEY"]
    new_cookie = secrets.token_urlsafe(32)
    rollouts = [
        ((old, new), (old_cookie, new_cookie)),
        ((new, old), (new_cookie, old_cookie)),
        ((new,), (new_cookie,)),
    ]
    refreshes = []
    async with Load(people, cluster.mcp_address, call_tool) as load:
        for keys, cookies in rollouts:
            if len(keys) == 1:
                await cluster.auth_command("keys", "rewrap", "--batch", "3")
                await load.go_on(PEOPLE)
            logins = await _Begun.by(new_login)
            for replica in cluster.auth:
                await replica.roll(
                    AUTH_ENCRYPTION_KEYS=",".join(keys), COOKIE_ENCRYPTION_KEY=",".join(cookies)
                )
                await load.go_on(PEOPLE)
            await logins.finish()
            refreshes.append(await _refreshes(pingone, people))
    assert load.problems == []
    assert set(load.answers) == {200}
    # In each rollout PingOne's tokens were refreshed as well, and none was ever presented twice.
    assert 0 < refreshes[0] < refreshes[1] < refreshes[2]
    # Those who were away meanwhile find their grants as they left them.
    for person in at_rest:
        renewed = (await person.login.refresh(person.refresh)).raise_for_status().json()
        assert (await call_tool(cluster.mcp[0].url, renewed["access_token"])).status_code == 200
    assert await database.fetchval("SELECT array_agg(key_id) FROM encryption_keys") == ["proof-2"]
    note(
        22,
        "The encryption key and the cookie key are replaced in three rollouts and one `auth keys"
        " rewrap` under load, which refreshes PingOne's tokens too: no answer but 200, nobody is"
        " signed out, a login that began before each rollout ends after it, the old key is needed"
        " by nothing. A request whose connection a stopping replica closes is sent again.",
        f"9 restarts, {2 * len(rollouts)} logins across them, {refreshes[-1]} refreshes at PingOne,"
        f" no replay; {load.summary()}",
    )


class _Begun:
    """Two logins that are on their way: one person reads the consent page, one is at PingOne."""

    def __init__(self, reading: LoginSteps, page: Any, away: LoginSteps, callback: str) -> None:
        self._reading, self._page = reading, page
        self._away, self._callback = away, callback

    @classmethod
    async def by(cls, new_login: Any) -> "_Begun":
        reading, away = await new_login(), await new_login()
        return cls(reading, await reading.authorize(), away, await away.come_back())

    async def finish(self) -> None:
        to_pingone = await self._reading.submit(self._page, decision="allow")
        callback = await self._reading.sign_on(to_pingone)
        for login, back in ((self._reading, callback), (self._away, self._callback)):
            code = answer_of(await login.http.get(back))["code"]
            handles = (await login.exchange(code)).raise_for_status().json()
            assert await login.is_active(handles["access_token"])


async def _refreshes(pingone: Any, people: list[Any]) -> int:
    families = [await pingone.family(person.sid) for person in people]
    assert all(family["is_live"] for family in families)
    assert not any(family["replays"] for family in families)
    return sum(family["refreshes"] for family in families)
