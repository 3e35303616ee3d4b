"""One refresh handle, many at once: one lineage in the grace, theft after it (property 4)."""

import asyncio
import time
from typing import Any

from proof_report import latencies

CONCURRENT = 50
WITHIN_SECONDS = 1.0


async def test_fifty_refreshes_with_one_handle_get_one_answer_and_a_late_one_ends_the_grant(
    cluster: Any,
    sign_in: Any,
    http: Any,
    database: Any,
    call_tool: Any,
    until_refused: Any,
    times: Any,
    note: Any,
) -> None:
    rounds = times(1, 10)
    seen: list[float] = []
    for _ in range(rounds):
        person = await sign_in()
        answers = await asyncio.gather(
            *(
                _refresh(http, cluster.auth[turn % len(cluster.auth)], person)
                for turn in range(CONCURRENT)
            )
        )
        assert {answer.status_code for answer in answers} == {200}
        handles = {(item["access_token"], item["refresh_token"]) for item in map(_json, answers)}
        assert len(handles) == 1
        [(access, refresh)] = handles
        for replica in cluster.mcp:  # both remember the answer now
            assert (await call_tool(replica.url, access)).status_code == 200

        # The grace passes: in the database, rather than by waiting for it.
        await database.execute(
            "UPDATE refresh_handles SET rotated_at = rotated_at - interval '61 seconds'"
            " WHERE grant_id IN (SELECT id FROM grants WHERE client_id = $1)",
            person.login.client_id,
        )
        late = await _refresh(http, cluster.auth[0], person)
        replayed = time.monotonic()
        assert (late.status_code, late.json()["error"]) == (400, "invalid_grant")
        refused = await asyncio.gather(
            *(until_refused(replica.url, access) for replica in cluster.mcp)
        )
        seen += [moment - replayed for moment in refused]
        answer = await person.login.refresh(refresh)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    note(
        1,
        "Fifty refreshes at once with one refresh handle, over three replicas of auth, all get the"
        " same new handles. After the grace one replay ends the grant, and both replicas of mcp"
        " refuse its handles within a second.",
        f"{rounds} x {CONCURRENT} refreshes, one pair of handles each time; replay answered →"
        f" refused: {latencies(seen)}",
    )
    assert max(seen) < WITHIN_SECONDS


async def _refresh(http: Any, replica: Any, person: Any) -> Any:
    form = {
        "grant_type": "refresh_token",
        "refresh_token": person.refresh,
        "client_id": person.login.client_id,
    }
    return await http.post(f"{replica.url}/token", data=form)


def _json(answer: Any) -> dict[str, Any]:
    document: dict[str, Any] = answer.json()
    return document
