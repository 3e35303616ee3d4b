"""SQLite connections whose threads end before the event loop does.

aiosqlite gives each connection a thread, and does not wait for it where connecting failed or a
statement was cancelled. A thread that is still busy when the loop has closed dies with a traceback
on stderr. Whoever closes a database therefore awaits `all_ended`.
"""

import asyncio
import sqlite3
from functools import partial
from typing import Any

import aiosqlite

# What aiosqlite's own connect() uses: rows fetched at once by an iteration, which nobody does here.
_ITER_CHUNK_SIZE = 64

_ending: set[asyncio.Future[Any]] = set()


class _Connection(aiosqlite.Connection):
    def __init__(self, database: str, options: dict[str, Any]) -> None:
        super().__init__(partial(sqlite3.connect, database, **options), _ITER_CHUNK_SIZE)
        # A process that is told to go does not wait for a locked file.
        self._thread.daemon = True

    def stop(self) -> asyncio.Future[Any] | None:
        """Have the thread end after what it is at; remember that it has not yet."""
        ended = super().stop()
        if ended is not None:
            _ending.add(ended)
            ended.add_done_callback(_ending.discard)
        return ended


async def connect(database: str, **options: Any) -> aiosqlite.Connection:
    """Connect as `sqlite3.connect` does; for an engine's `async_creator_fn`."""
    return await _Connection(database, options)


async def all_ended() -> None:
    """Wait for the threads of the connections that were closed, cut off or never made.

    They end when SQLite returns, at the latest after its busy time-out.
    """
    loop = asyncio.get_running_loop()
    of_this_loop = [ended for ended in _ending if ended.get_loop() is loop]
    if of_this_loop:
        await asyncio.wait(of_this_loop)
