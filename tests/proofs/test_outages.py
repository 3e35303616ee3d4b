"""Redis and PostgreSQL go away and come back under load; nobody is signed out (property 9)."""

import asyncio
import time
from typing import Any

from proof_load import Load
from proof_report import latencies

PEOPLE = 6
WITHIN_SECONDS = 1.0


async def test_a_redis_that_dies_and_comes_back_is_noticed_by_nobody(
    cluster: Any,
    sign_in: Any,
    call_tool: Any,
    until_refused: Any,
    times: Any,
    note: Any,
) -> None:
    people = [await sign_in() for _ in range(PEOPLE)]
    pids = _pids(cluster)
    seen: list[float] = []

    async def revoke_and_see() -> None:
        person = await sign_in()
        for replica in cluster.mcp:
            assert (await call_tool(replica.url, person.access)).status_code == 200
        assert (await person.login.revoke(person.access)).status_code == 200
        revoked = time.monotonic()
        refused = [until_refused(replica.url, person.access) for replica in cluster.mcp]
        seen.extend(at - revoked for at in await asyncio.gather(*refused))

    restarts = times(1, 5)
    async with Load(people, cluster.mcp_address, call_tool) as load:
        for _ in range(restarts):
            cluster.valkey.kill()
            await revoke_and_see()
            await load.go_on(5 * PEOPLE)
            cluster.valkey.start()
            await revoke_and_see()
            await load.go_on(5 * PEOPLE)
    assert load.problems == []
    assert set(load.answers) == {200}
    assert max(seen) < WITHIN_SECONDS
    assert _pids(cluster) == pids
    note(
        14,
        "Redis is killed and started again under load: no answer but 200, nobody is signed out, and"
        " revocations are seen as fast as before, with it and without it.",
        f"{restarts} times; {load.summary()}; acknowledged → refused: {latencies(seen)}",
    )


async def test_a_postgresql_that_restarts_is_503_while_it_is_away_and_nobody_is_signed_out(
    cluster: Any, sign_in: Any, call_tool: Any, times: Any, note: Any
) -> None:
    people = [await sign_in() for _ in range(PEOPLE)]
    pids = _pids(cluster)
    restarts = times(1, 5)
    async with Load(people, cluster.mcp_address, call_tool) as load:
        for _ in range(restarts):
            await asyncio.to_thread(cluster.postgresql.stop)
            await load.until_answered(503)
            await asyncio.to_thread(cluster.postgresql.start)
            await load.go_on(5 * PEOPLE)
    assert load.problems == []
    assert set(load.answers) == {200, 503}
    assert _pids(cluster) == pids
    note(
        15,
        "PostgreSQL is stopped at once and started again under load: only 503 with Retry-After"
        " while it is away, then everybody goes on with the handles they have; no replica is"
        " restarted.",
        f"{restarts} times; {load.summary()}",
    )


async def test_a_revocation_is_seen_within_a_second_again_after_postgresql_was_away(
    cluster: Any, sign_in: Any, call_tool: Any, until_refused: Any
) -> None:
    person = await sign_in()
    await asyncio.to_thread(cluster.postgresql.stop)
    await asyncio.to_thread(cluster.postgresql.start)
    async with asyncio.timeout(30):
        for replica in cluster.mcp:
            while (await call_tool(replica.url, person.access)).status_code == 503:
                pass
            assert (await call_tool(replica.url, person.access)).status_code == 200
    async with asyncio.timeout(30):
        while (await person.login.revoke(person.access)).status_code == 503:
            pass
    revoked = time.monotonic()
    refused = [until_refused(replica.url, person.access) for replica in cluster.mcp]
    assert max(await asyncio.gather(*refused)) - revoked < WITHIN_SECONDS


def _pids(cluster: Any) -> list[int]:
    return [replica.process.pid for replica in cluster.replicas]
