"""Keys are replaced under load, and what is stored is worth nothing without them (property 2)."""

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest
from auth_canaries import Canaries, dump_of_postgresql
from proof_load import Load
from redis.asyncio import Redis

PEOPLE = 6


@pytest.mark.long_proof
async def test_keys_are_rotated_and_everything_rewrapped_under_load_without_one_failure(
    cluster: Any, sign_in: Any, call_tool: Any, database: Any, report: Any
) -> None:
    people = [await sign_in() for _ in range(PEOPLE)]
    at_rest = [await sign_in() for _ in range(PEOPLE)]
    old = cluster.auth[0].service.environment["AUTH_ENCRYPTION_KEYS"]
    new = f"proof-2:{base64.b64encode(secrets.token_bytes(32)).decode()}"
    old_cookie = cluster.auth[0].service.environment["COOKIE_ENCRYPTION_KEY"]
    new_cookie = secrets.token_urlsafe(32)
    async with Load(people, cluster.mcp_address, call_tool) as load:
        for first, second in ((old, new), (new, old)):
            cookies = (old_cookie, new_cookie) if first == old else (new_cookie, old_cookie)
            for replica in cluster.auth:
                await replica.roll(
                    AUTH_ENCRYPTION_KEYS=f"{first},{second}",
                    COOKIE_ENCRYPTION_KEY=",".join(cookies),
                )
                await load.go_on(PEOPLE)
        await cluster.auth_command("keys", "rewrap", "--batch", "3")
        await load.go_on(PEOPLE)
        for replica in cluster.auth:
            await replica.roll(AUTH_ENCRYPTION_KEYS=new, COOKIE_ENCRYPTION_KEY=new_cookie)
            await load.go_on(PEOPLE)
    assert load.problems == []
    assert set(load.answers) == {200}
    # Those who were away meanwhile find their grants as they left them.
    for person in at_rest:
        renewed = (await person.login.refresh(person.refresh)).raise_for_status().json()
        assert (await call_tool(cluster.mcp[0].url, renewed["access_token"])).status_code == 200
    assert await database.fetchval("SELECT array_agg(key_id) FROM encryption_keys") == ["proof-2"]
    report.note(
        16,
        "The encryption key and the cookie key are replaced in three rollouts and one `auth keys"
        " rewrap` under load: nothing fails, nobody is signed out, the old key is needed by"
        " nothing.",
        f"9 restarts; {load.summary()}",
    )


async def test_a_dump_of_postgresql_and_redis_and_the_logs_hold_no_secret(
    cluster: Any, sign_in: Any, call_tool: Any, introspect: Any, pingone: Any, report: Any
) -> None:
    canaries = Canaries()
    async with _listening(cluster.valkey.url) as published:
        await pingone.policy(access_token_seconds=5)  # so that it is refreshed
        person = await sign_in()
        await pingone.policy(access_token_seconds=3600)
        other = await sign_in(username="bob")
        for each in (person, other):
            answer = (await introspect(cluster.auth[0], each.access)).json()
            canaries.plant("access token of PingOne", answer["downstream_token"]["access_token"])
            renewed = (await each.login.refresh(each.refresh)).json()
            called = await call_tool(cluster.mcp[0].url, renewed["access_token"])
            assert called.status_code == 200
            for handle in (each.access, each.refresh, *_handles(renewed)):
                canaries.plant("handle", handle)
        # One of them is revoked, and with it something is said in Redis.
        assert (await other.login.revoke(other.refresh)).status_code == 200
        await published.until_somebody_spoke()
    _plant_configured(cluster, canaries)

    connection = await asyncpg.connect(cluster.asyncpg_dsn)
    stored = await dump_of_postgresql(connection)
    await connection.close()
    logs = [file.read_bytes() for file in cluster.log_files()]
    for part in (*stored, *published.heard, *logs):
        assert canaries.found_in(part) == set()
    assert canaries.found_in(person.access.encode()) == {"handle"}  # it would be recognised
    report.note(
        17,
        "A dump of every table of PostgreSQL, all that Redis holds or was told, and the logs of"
        " all processes hold no handle, no PingOne token and no configured secret.",
        f"{len(canaries.kinds)} secrets looked for in {_kib(stored)} of tables,"
        f" {len(published.heard)} messages and keys of Redis, {_kib(logs)} of logs",
    )


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
        canaries.plant("configured secret", environment[name])
    for name in ("AUTH_ENCRYPTION_KEYS", "COOKIE_ENCRYPTION_KEY"):
        for key in environment[name].split(","):
            canaries.plant("configured secret", key.rpartition(":")[2])


def _handles(answer: dict[str, Any]) -> tuple[str, str]:
    return answer["access_token"], answer["refresh_token"]


def _kib(parts: list[bytes]) -> str:
    return f"{sum(map(len, parts)) // 1024} KiB"
