"""A flood of registrations, from everywhere at once: the table is bounded, and nobody is hurt."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from typing import Any

from login_steps import REGISTRATION
from proof_report import latencies

AT_ONCE = 20
HONEST = 5
FIRST_ADDRESS = IPv4Address("198.18.0.0")


async def test_a_flood_of_registrations_fills_no_table_and_pushes_out_nobody_who_signs_in(
    cluster: Any, http: Any, database: Any, new_login: Any, times: Any, note: Any, ceiling: int
) -> None:
    flood = Flood(cluster, http)
    # As many as the ceiling allows: by HTTP as far as that is a matter of seconds, the rest in SQL.
    await _fill(database, ceiling - 200)
    await flood.send(times(300, 1000))
    assert await _unused(database) <= ceiling + AT_ONCE

    signed_in: list[float] = []
    honest: list[str] = []
    for turn in range(HONEST):
        # It registers in the middle of the flood, which goes on while a person signs in with it.
        going_on = asyncio.create_task(flood.send(ceiling // 4 if ceiling <= 1000 else 500))
        started = time.monotonic()
        login = await new_login(cluster.auth[turn % len(cluster.auth)].url)
        handles = await login.sign_in()
        signed_in.append(time.monotonic() - started)
        honest.append(login.client_id)
        await going_on
        assert (await login.refresh(handles["refresh_token"])).status_code == 200
        assert await _unused(database) <= ceiling + AT_ONCE
    # Used clients are out of the flood's reach, however long it goes on.
    await flood.send(times(300, 1000))
    kept = await database.fetch("SELECT client_id FROM clients WHERE client_id = ANY($1)", honest)
    assert {row["client_id"] for row in kept} == set(honest)
    assert flood.refused == 0
    note(
        25,
        "A flood of registrations from thousands of addresses leaves no more unused clients than"
        " the ceiling, refuses nobody, and who registers in the middle of it signs in.",
        f"ceiling {ceiling}: {flood.sent} registrations over three replicas, a registration"
        f" {latencies(flood.seconds)}; register → signed in meanwhile: {latencies(signed_in)}",
    )


class Flood:
    """Registrations that nobody will ever use, each from an address of its own."""

    def __init__(self, cluster: Any, http: Any) -> None:
        self._cluster = cluster
        self._http = http
        self.sent = 0
        self.refused = 0
        self.seconds: list[float] = []

    async def send(self, number: int) -> None:
        """Send this many, AT_ONCE at a time, over all replicas."""
        turns = asyncio.Queue[int]()
        for turn in range(self.sent, self.sent + number):
            turns.put_nowait(turn)
        self.sent += number
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._work(turns))

    async def _work(self, turns: asyncio.Queue[int]) -> None:
        while not turns.empty():
            turn = turns.get_nowait()
            replica = self._cluster.auth[turn % len(self._cluster.auth)]
            headers = {"X-Forwarded-For": str(FIRST_ADDRESS + turn)}
            started = time.monotonic()
            answer = await self._http.post(
                f"{replica.url}/register", json=REGISTRATION, headers=headers
            )
            self.seconds.append(time.monotonic() - started)
            self.refused += answer.status_code != 201


async def _fill(database: Any, rows: int) -> None:
    issued = datetime.now(UTC)
    await database.execute(
        "INSERT INTO clients (client_id, client_name, redirect_uris, token_endpoint_auth_method,"
        " grant_types, application_type, issued_at, expires_at, origin)"
        " SELECT 'flood-' || number, '', '[\"http://127.0.0.1/callback\"]', 'none',"
        " 'authorization_code', 'native', $1, $2, 'registered'"
        " FROM generate_series(1, $3) AS number",
        issued,
        issued + timedelta(hours=1),
        max(rows, 0),
    )


async def _unused(database: Any) -> int:
    counted: int = await database.fetchval(
        "SELECT count(*) FROM clients WHERE last_used_at IS NULL"
    )
    return counted
