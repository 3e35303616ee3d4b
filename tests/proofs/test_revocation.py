"""A revocation is seen by every replica of mcp within a second (property 7)."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from proof_report import latencies

WITHIN_SECONDS = 1.0
# So short that PingOne's token is due for a refresh at once, and alive.
DUE_SECONDS = 90
REFRESH = {"endpoint": "token", "grant_type": "refresh_token"}


@pytest.fixture
def warm(cluster: Any, call_tool: Any) -> Any:
    """Lets both replicas of mcp remember a handle as active."""

    async def call(person: Any) -> Any:
        for replica in cluster.mcp:
            assert (await call_tool(replica.url, person.access)).status_code == 200
        return person

    return call


@pytest.fixture
def since_ended(cluster: Any, database: Any, until_refused: Any) -> Any:
    """Waits until both replicas of mcp refuse: how long after the grant's own moment of ending."""

    async def wait(person: Any) -> list[float]:
        refused = await asyncio.gather(
            *(until_refused(replica.url, person.access) for replica in cluster.mcp)
        )
        ended_at = await database.fetchval(
            "SELECT revoked_at FROM grants WHERE client_id = $1", person.login.client_id
        )
        ago, now = (datetime.now(UTC) - ended_at).total_seconds(), time.monotonic()
        return [moment - (now - ago) for moment in refused]

    return wait


async def test_a_revocation_is_seen_by_every_replica_of_mcp_within_a_second(
    cluster: Any, sign_in: Any, warm: Any, until_refused: Any, times: Any, note: Any
) -> None:
    seen: list[float] = []
    for _ in range(times(20, 200)):
        person = await warm(await sign_in())
        assert (await person.login.revoke(person.access)).status_code == 200
        revoked = time.monotonic()
        refused = await asyncio.gather(
            *(until_refused(replica.url, person.access) for replica in cluster.mcp)
        )
        seen += [moment - revoked for moment in refused]
    note(
        7,
        "A revocation, once acknowledged to the client, is seen within a second by both replicas"
        " of mcp, which had remembered the handle as active.",
        f"acknowledged → refused: {latencies(seen)}",
    )
    assert max(seen) < WITHIN_SECONDS


async def test_what_an_operator_ends_and_what_pingone_ends_is_seen_within_a_second_too(
    cluster: Any,
    sign_in: Any,
    signed_in_with: Any,
    pingone: Any,
    database: Any,
    warm: Any,
    since_ended: Any,
    times: Any,
    note: Any,
) -> None:
    by_operator: list[float] = []
    by_pingone: list[float] = []
    for _ in range(times(1, 5)):
        person = await warm(await sign_in())
        [grant_id] = await database.fetchrow(
            "SELECT id FROM grants WHERE client_id = $1", person.login.client_id
        )
        waiting = asyncio.create_task(since_ended(person))
        await cluster.auth_command("grants", "revoke", grant_id, "--yes")
        by_operator += await waiting

        person = await signed_in_with(DUE_SECONDS, username="bob")
        await pingone.fault(kind="hold", sid=person.sid, times=1, **REFRESH)
        await warm(person)
        await pingone.until_held()  # the refresh; the live token serves meanwhile
        await pingone.act("/people/bob/revoke-refresh-tokens")
        waiting = asyncio.create_task(since_ended(person))
        await pingone.release()
        by_pingone += await waiting
    note(
        8,
        "The end of a grant by `auth grants revoke`, and the one that PingOne brings about when it"
        " calls its refresh token dead, are seen within a second, too.",
        f"grant ended → refused: by the operator {latencies(by_operator)}; by PingOne"
        f" {latencies(by_pingone)}",
    )
    assert max(by_operator + by_pingone) < WITHIN_SECONDS
