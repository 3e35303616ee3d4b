"""The feed when something fails: the database's connection, Redis, the process, a reader."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
from auth_back_channel import database_outage, refusal
from auth_harness import INTERNAL, INTROSPECTION_CLIENT, AuthUnderTest, auth_under_test
from revocation_streams import END, HEARTBEAT, READY, eventually, reading, served, stream_of
from sqlalchemy.engine import make_url
from valkey_servers import ValkeyProcess

from auth_server.app import create_internal_app
from auth_server.domain.revocations import Revocation
from auth_server.storage.revocation_feed.postgresql import (
    APPLICATION_NAME,
    PROBE_SECONDS,
    PROBE_TIMEOUT_SECONDS,
)
from service_kit.health import Lifecycle

ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def connected(auth: AuthUnderTest, source: str) -> bool:
    """What the gauge says."""
    gauge = "auth_revocation_source_connected"
    return auth.resources.registry.get_sample_value(gauge, {"source": source}) == 1


def source_of(database_url: str) -> str:
    return "sqlite" if database_url.startswith("sqlite") else "postgresql"


async def test_without_the_database_there_are_no_heartbeats_and_afterwards_no_old_stream(
    auth: AuthUnderTest, database_url: str
) -> None:
    source = source_of(database_url)
    async with stream_of(auth) as reader:
        async with database_outage(auth):
            await eventually(lambda: not connected(auth, source))
            assert await reader.is_silent(0.7)
        assert await reader.next_event() == END
    async with stream_of(auth) as reader:
        assert await reader.next() == HEARTBEAT


async def test_no_stream_is_opened_that_nobody_could_vouch_for(auth: AuthUnderTest) -> None:
    async with database_outage(auth):
        response = await auth.anyone.get(f"{INTERNAL}/revocations", auth=INTROSPECTION_CLIENT)
        assert refusal(response, 503) == "temporarily_unavailable"
        assert response.headers["retry-after"] == "1"


@ON_POSTGRESQL
async def test_a_lost_listen_ends_the_streams_because_something_may_have_been_missed(
    auth: AuthUnderTest, database_url: str
) -> None:
    async with stream_of(auth) as reader:
        url = make_url(database_url).set(drivername="postgresql")
        connection = await asyncpg.connect(url.render_as_string(hide_password=False))
        ended = await connection.fetchval(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE application_name = $1 AND datname = current_database()",
            APPLICATION_NAME,
        )
        await connection.close()
        assert ended == 1
        assert await reader.next_event() == END


class Network:
    """Lies between auth and PostgreSQL, and loses everything without a word when it is cut."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.is_cut = False

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward_reader, onward_writer = await asyncio.open_connection(*self._target)
        self._writers += [writer, onward_writer]
        self._tasks += [
            asyncio.create_task(self._carry(reader, onward_writer)),
            asyncio.create_task(self._carry(onward_reader, writer)),
        ]

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if not self.is_cut:
                writer.write(data)
        writer.close()

    async def close(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.wait(self._tasks)


@ON_POSTGRESQL
@pytest.mark.impatient_feed
async def test_a_connection_that_died_without_a_word_is_noticed_within_a_second(
    database_url: str,
) -> None:
    url = make_url(database_url)
    network = Network(str(url.host), url.port or 5432)
    server = await asyncio.start_server(network.accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    through_it = url.set(port=port).render_as_string(hide_password=False)
    async with auth_under_test(through_it) as auth:
        async with stream_of(auth) as reader:
            assert await reader.next() == HEARTBEAT
            network.is_cut = True
            await eventually(lambda: not connected(auth, "postgresql"))
            assert PROBE_SECONDS + PROBE_TIMEOUT_SECONDS < 1
            assert await reader.is_silent(0.4)
        await network.close()
    server.close()


@ON_POSTGRESQL
async def test_a_listen_that_a_pooler_took_away_is_noticed(
    auth: AuthUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is left of a LISTEN when a pooler gives every transaction another session.
    monkeypatch.setattr(
        "auth_server.storage.revocation_feed.postgresql._PROBE",
        "SELECT 1 FROM pg_listening_channels() AS channel WHERE channel = $1 || 'of a session'",
    )
    response = await auth.anyone.get(f"{INTERNAL}/revocations", auth=INTROSPECTION_CLIENT)
    assert refusal(response, 503) == "temporarily_unavailable"


@ON_SQLITE
async def test_a_draining_process_ends_its_streams_at_once_and_opens_none(
    auth: AuthUnderTest,
) -> None:
    lifecycle = Lifecycle()
    app = create_internal_app(auth.resources, lifecycle)
    async with served(app) as url:
        async with reading(url, INTROSPECTION_CLIENT) as reader:
            assert await reader.next() == READY
            lifecycle.mark_draining()
            assert await reader.next_event() == END
        async with reading(url, INTROSPECTION_CLIENT) as reader:
            assert reader.response.status_code == 503


@ON_SQLITE
async def test_a_reader_that_goes_away_leaves_nothing_behind(auth: AuthUnderTest) -> None:
    def subscribers() -> float | None:
        return auth.resources.registry.get_sample_value("auth_revocation_subscribers")

    async with served(auth.apps[INTERNAL]) as url:
        async with reading(url, INTROSPECTION_CLIENT) as reader:
            assert await reader.next() == READY
            assert subscribers() == 1
        await eventually(lambda: subscribers() == 0)


@ON_SQLITE
async def test_redis_carries_a_revocation_from_one_replica_to_another(
    database_url: str, sqlite_template: Path, tmp_path: Path, valkey_url: str
) -> None:
    # Each with a database of its own, so that Redis alone connects them.
    other_url = f"sqlite+aiosqlite:///{shutil.copy(sqlite_template, tmp_path / 'other.db')}"
    async with (
        auth_under_test(database_url, auth_redis_url=valkey_url) as one,
        auth_under_test(other_url, auth_redis_url=valkey_url) as other,
        stream_of(other) as reader,
    ):
        await eventually(lambda: connected(other, "redis"))
        resource = one.resources.settings.mcp_resource
        one.resources.revocation_feed.publish(Revocation("over-redis", resource))
        assert await reader.next_event() == "over-redis"


async def test_the_loss_of_redis_loses_nothing_and_its_return_is_noticed(
    database_url: str, new_valkey: Callable[[], ValkeyProcess]
) -> None:
    valkey = new_valkey()
    async with auth_under_test(database_url, auth_redis_url=valkey.url) as auth:
        feed, resource = auth.resources.revocation_feed, auth.resources.settings.mcp_resource
        async with stream_of(auth) as reader:
            await eventually(lambda: connected(auth, "redis"))
            valkey.kill()
            await eventually(lambda: not connected(auth, "redis"))
            assert [await reader.next() for _ in range(2)] == [HEARTBEAT] * 2
            feed.publish(Revocation("without-redis", resource))
            assert await reader.next_event() == "without-redis"
            unpublished = "auth_revocations_unpublished_total"
            await eventually(lambda: auth.resources.registry.get_sample_value(unpublished) == 1)
            valkey.start()
            await eventually(lambda: connected(auth, "redis"))
            feed.publish(Revocation("with-redis-again", resource))
            assert await reader.next_event() == "with-redis-again"
            heard = "auth_revocations_heard_total"
            await eventually(
                lambda: auth.resources.registry.get_sample_value(heard, {"source": "redis"}) == 1
            )
