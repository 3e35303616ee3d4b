"""No thread of an SQLite connection is left at work: not after a failure, nor a cancellation."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiosqlite
import pytest

from service_kit.sqlite_connections import all_ended, connect


class Statement:
    """A statement that begins, and ends when it is allowed to."""

    def __init__(self) -> None:
        self.began, self.may_end = threading.Event(), threading.Event()

    async def run_on(self, connection: aiosqlite.Connection) -> None:
        def hold() -> bool:
            self.began.set()
            return self.may_end.wait(10)

        await connection.create_function("hold", 0, hold)
        await connection.execute_fetchall("SELECT hold()")


@pytest.fixture
def statement() -> Statement:
    return Statement()


@pytest.fixture
async def connection(tmp_path: Path, statement: Statement) -> AsyncIterator[aiosqlite.Connection]:
    """A connection on which the statement is under way."""
    connection = await connect(str(tmp_path / "file.db"))
    running = asyncio.create_task(statement.run_on(connection))
    assert await asyncio.to_thread(statement.began.wait, 10)
    yield connection
    statement.may_end.set()
    await asyncio.wait([running])
    await all_ended()


@pytest.fixture
def threads_left() -> Callable[[], set[threading.Thread]]:
    """The threads that the test has started and that are alive."""
    before = set(threading.enumerate())
    return lambda: set(threading.enumerate()) - before


async def test_a_file_that_cannot_be_opened_leaves_no_thread(
    tmp_path: Path, threads_left: Callable[[], set[threading.Thread]]
) -> None:
    for _ in range(5):
        with pytest.raises(sqlite3.OperationalError):
            await connect(str(tmp_path / "nowhere" / "file.db"))
    await all_ended()
    for thread in threads_left():
        thread.join(10)  # it has told the loop, and does nothing more
    assert not threads_left()


async def test_a_connection_that_is_cut_off_is_waited_for(
    connection: aiosqlite.Connection, statement: Statement
) -> None:
    connection.stop()  # what an engine does when a statement was cancelled
    waiting = asyncio.create_task(all_ended())
    await asyncio.sleep(0)
    assert not waiting.done()
    statement.may_end.set()
    async with asyncio.timeout(10):
        await waiting


async def test_a_connection_of_another_event_loop_is_not_waited_for(
    connection: aiosqlite.Connection,
) -> None:
    connection.stop()
    await asyncio.to_thread(asyncio.run, all_ended())
