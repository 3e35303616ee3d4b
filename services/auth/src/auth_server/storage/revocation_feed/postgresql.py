"""The authoritative source of production: LISTEN on a connection of its own.

NOTIFY runs in the transaction that ends the grant, so PostgreSQL tells of it when that commits, to
every replica, and never of what was rolled back.
"""

import asyncio
from contextlib import suppress
from typing import Any, Final

import asyncpg
import structlog

from auth_server.storage.engines import parse_database_url
from auth_server.storage.revocation_feed.listening import Confirm, Hear, SourceLost
from auth_server.storage.revocations import CHANNEL, decode

APPLICATION_NAME: Final = "mcp-pingone-auth-revocations"
CONNECT_TIMEOUT_SECONDS: Final = 2.0
# A round trip this often confirms that nothing was missed, and becomes the heartbeat.
PROBE_SECONDS: Final = 0.3
# A connection that died without a word is noticed within the sum of both.
PROBE_TIMEOUT_SECONDS: Final = 0.6
CLOSE_TIMEOUT_SECONDS: Final = 1.0

# Asks for the LISTEN itself: a pooler that gives us another session has silently ended it.
_PROBE: Final = "SELECT 1 FROM pg_listening_channels() AS channel WHERE channel = $1"
# What the engine understands in a URL and asyncpg does not.
_OF_SQLALCHEMY: Final = ("prepared_statement_cache_size", "prepared_statement_name_func")

_FAILURES: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    # Among others: none of several hosts is the primary, as during a failover.
    asyncpg.InternalClientError,
)

_log = structlog.get_logger(__name__)


class PostgresqlSource:
    """Hears what the transactions of all replicas announce."""

    name = "postgresql"

    def __init__(self, url: str) -> None:
        """Take the engine's URL, with its options; raise ValueError for a wrong one."""
        parsed = parse_database_url(url)
        _, options = parsed.get_dialect()().create_connect_args(parsed)
        self._options: dict[str, Any] = {
            name: value for name, value in options.items() if name not in _OF_SQLALCHEMY
        }

    async def listen(self, hear: Hear, confirm: Confirm) -> None:
        """Pass on what is announced from now on; raise SourceLost at the end."""
        try:
            connection = await self._connect()
            try:
                await self._listen_on(connection, hear, confirm)
            except _FAILURES:
                connection.terminate()  # there may be nobody left to say goodbye to
                raise
            finally:
                with suppress(*_FAILURES):
                    await connection.close(timeout=CLOSE_TIMEOUT_SECONDS)
        except _FAILURES as error:
            raise SourceLost(f"{type(error).__name__}: {error}") from error

    async def _connect(self) -> Any:
        return await asyncpg.connect(
            **self._options
            | {
                "timeout": CONNECT_TIMEOUT_SECONDS,
                "command_timeout": PROBE_TIMEOUT_SECONDS,
                "statement_cache_size": 0,
                "server_settings": {"application_name": APPLICATION_NAME},
            }
        )

    async def _listen_on(self, connection: Any, hear: Hear, confirm: Confirm) -> None:
        def heard(_connection: object, _process: int, _channel: str, message: str) -> None:
            try:
                hear(decode(message))
            except ValueError as error:
                _log.error("revocations.malformed", source=self.name, reason=str(error))

        loop = asyncio.get_running_loop()
        await connection.add_listener(CHANNEL, heard)
        while True:
            began = loop.time()
            # PostgreSQL delivers what was committed before the answer: nothing was missed so far.
            if await connection.fetchval(_PROBE, CHANNEL) is None:
                raise SourceLost("LISTEN does not last: a pooler must keep one session for it")
            confirm()
            await asyncio.sleep(max(0.0, began + PROBE_SECONDS - loop.time()))
