"""A revocation is seen by every replica of mcp within a second (property 7)."""

import asyncio
import time
from typing import Any

from proof_report import latencies

WITHIN_SECONDS = 1.0


async def test_a_revocation_is_seen_by_every_replica_of_mcp_within_a_second(
    cluster: Any,
    sign_in: Any,
    call_tool: Any,
    until_refused: Any,
    times: Any,
    report: Any,
    capsys: Any,
) -> None:
    seen: list[float] = []
    for _ in range(times(20, 300)):
        person = await sign_in()
        for replica in cluster.mcp:  # both remember the answer now
            assert (await call_tool(replica.url, person.access)).status_code == 200
        assert (await person.login.revoke(person.access)).status_code == 200
        revoked = time.monotonic()
        refused = await asyncio.gather(
            *(until_refused(replica.url, person.access) for replica in cluster.mcp)
        )
        seen += [moment - revoked for moment in refused]
    measured = latencies(seen)
    report.note(
        6,
        "A revocation, once acknowledged to the client, is seen within a second by both replicas"
        " of mcp, which had remembered the handle as active.",
        f"acknowledged → refused: {measured}",
    )
    with capsys.disabled():
        print(f"\nrevoked -> refused, at two replicas of mcp: {measured}")  # noqa: T201
    assert max(seen) < WITHIN_SECONDS
