"""What is stored, said and logged is worth nothing without the keys (property 2)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
from auth_canaries import Canaries, dump_of_postgresql
from browser_cookies import secret_in
from login_steps import VERIFIER, answer_of
from redis.asyncio import Redis

from auth_server.storage.encrypted_values import COLUMNS
from auth_server.storage.encryption import Encryption, KeyRing
from local_stack.pages import read_page

KINDS = {
    "access handle",
    "refresh handle",
    "access token of PingOne",
    "refresh token of PingOne",
    "code",
    "code of PingOne",
    "code verifier at PingOne",
    "code verifier of the client",
    "state at PingOne",
    "state of the client",
    "nonce",
    "form token",
    "browser cookie",
    "MCP_SERVER_CLIENT_SECRET",
    "INTROSPECTION_CLIENT_SECRET",
    "AUTH_ENCRYPTION_KEYS",
    "COOKIE_ENCRYPTION_KEY",
}
# What only the ring of keys reveals; token sets are JSON.
ENCRYPTED = {
    "authorizations.client_state_encrypted": "state of the client",
    "authorizations.code_verifier_encrypted": "code verifier at PingOne",
    "authorizations.nonce_encrypted": "nonce",
}
TOKENS = {
    "access_token": "access token of PingOne",
    "refresh_token": "refresh token of PingOne",
}


async def test_a_dump_of_postgresql_and_redis_and_the_logs_hold_no_secret(
    cluster: Any,
    signed_in_with: Any,
    new_login: Any,
    call_tool: Any,
    introspect: Any,
    database: Any,
    note: Any,
) -> None:
    canaries = Canaries()
    async with _listening(cluster.valkey.url) as published:
        person = await signed_in_with(5)  # so that its tokens are refreshed
        other = await signed_in_with(3600, username="bob")
        await _plant_encrypted(cluster, database, canaries)
        for each in (person, other):
            assert (await introspect(cluster.auth[0], each.access)).json()["active"]
            renewed = (await each.login.refresh(each.refresh)).json()
            called = await call_tool(cluster.mcp[0].url, renewed["access_token"])
            assert called.status_code == 200
            for access, refresh in ((each.access, each.refresh), _handles(renewed)):
                canaries.plant("access handle", access)
                canaries.plant("refresh handle", refresh)
            _plant_cookies(each.login, canaries)
        for login in (await new_login(), await new_login()):
            await _plant_login_in_progress(login, canaries)
        await _plant_encrypted(cluster, database, canaries)
        # One of them is revoked, and with it something is said in Redis.
        assert (await other.login.revoke(other.refresh)).status_code == 200
        await published.until_somebody_spoke()
    _plant_configured(cluster, canaries)
    assert set(canaries.kinds.values()) == KINDS

    stored = await dump_of_postgresql(database)
    logs = [file.read_bytes() for file in cluster.log_files()]
    for part in (*stored, *published.heard, *logs):
        assert canaries.found_in(part) == set()
    assert canaries.found_in(person.access.encode()) == {"access handle"}  # it is recognised
    note(
        23,
        "A dump of every table of PostgreSQL, all that Redis holds or was told, and the logs of"
        " all processes, taken while logins are in progress, hold no handle, no code, no token of"
        " PingOne, no cookie, state, nonce or verifier, and no configured secret or key.",
        f"{len(canaries.kinds)} secrets of {len(KINDS)} kinds looked for in {_kib(stored)} of"
        f" tables, {len(published.heard)} messages and keys of Redis, {_kib(logs)} of logs",
    )


async def _plant_login_in_progress(login: Any, canaries: Canaries) -> None:
    """One that PingOne has just sent back, and then one whose code nobody has redeemed."""
    page = await login.authorize(state="a-state-that-the-client-made")
    [form] = read_page(str(page.url), page.text).forms
    canaries.plant("form token", form.values["sealed"])
    to_pingone = await login.submit(page, decision="allow")
    sent = parse_qs(urlsplit(to_pingone.headers["location"]).query)
    canaries.plant("state at PingOne", sent["state"][0])
    canaries.plant("nonce", sent["nonce"][0])
    callback = await login.sign_on(to_pingone)
    canaries.plant("code of PingOne", parse_qs(urlsplit(callback).query)["code"][0])
    code = answer_of(await login.http.get(await login.come_back()))["code"]
    canaries.plant("code", code)
    canaries.plant("code verifier of the client", VERIFIER)
    _plant_cookies(login, canaries)


def _plant_cookies(login: Any, canaries: Canaries) -> None:
    for cookie in login.http.cookies.jar:
        if cookie.name.removeprefix("__Host-").startswith("mcp_pingone_"):
            canaries.plant("browser cookie", secret_in(cookie.value))


async def _plant_encrypted(cluster: Any, database: asyncpg.Connection, canaries: Canaries) -> None:
    ring = KeyRing.parse(cluster.auth[0].service.environment["AUTH_ENCRYPTION_KEYS"])
    for of in COLUMNS:
        for row_id, value in await database.fetch(
            f"SELECT {of.row_id.name}, {of.column.name} FROM {of.table.name}"  # noqa: S608  (names)
            f" WHERE {of.column.name} IS NOT NULL"
        ):
            plain = Encryption(ring).decrypt(value, row_id=row_id, purpose=of.purpose).decode()
            if str(of) in ENCRYPTED:
                canaries.plant(ENCRYPTED[str(of)], plain)
            elif str(of).endswith(".tokens_encrypted"):
                for name, kind in TOKENS.items():
                    canaries.plant(kind, json.loads(plain)[name])


@dataclass
class _Published:
    heard: list[bytes] = field(default_factory=list)
    _spoken: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self, subscriber: Any) -> None:
        async for message in subscriber.listen():
            self.heard.append(repr(message).encode())
            if message["type"] == "pmessage":
                self._spoken.set()

    async def until_somebody_spoke(self) -> None:
        await asyncio.wait_for(self._spoken.wait(), 10)


@asynccontextmanager
async def _listening(url: str) -> AsyncIterator[_Published]:
    """Hear all that is published, and look at all that is stored in the end."""
    published = _Published()
    redis: Any = Redis.from_url(url)
    subscriber = redis.pubsub()
    await subscriber.psubscribe("*")
    listening = asyncio.create_task(published.listen(subscriber))
    try:
        yield published
        published.heard += [key + (await redis.dump(key) or b"") for key in await redis.keys()]
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await subscriber.aclose()
        await redis.aclose()


def _plant_configured(cluster: Any, canaries: Canaries) -> None:
    environment = cluster.auth[0].service.environment
    for name in ("MCP_SERVER_CLIENT_SECRET", "INTROSPECTION_CLIENT_SECRET"):
        canaries.plant(name, environment[name])
    for name in ("AUTH_ENCRYPTION_KEYS", "COOKIE_ENCRYPTION_KEY"):
        for key in environment[name].split(","):
            canaries.plant(name, key.rpartition(":")[2])


def _handles(answer: dict[str, Any]) -> tuple[str, str]:
    return answer["access_token"], answer["refresh_token"]


def _kib(parts: list[bytes]) -> str:
    return f"{sum(map(len, parts)) // 1024} KiB"
