"""What was written and not yet taken: a client that reads nothing does not keep it for ever."""

import asyncio
from typing import Final

import structlog

# A client has to take this much of what waits for it in that time: 800 bytes a second.
PROGRESS_SECONDS: Final = 20.0
PROGRESS_BYTES: Final = 16 * 1024

_log = structlog.get_logger(__name__)


class OutputWatch:
    """Aborts a connection whose client does not take what is written to it."""

    def __init__(self) -> None:
        self.has_moved = False  # the output was paused or resumed since the last look
        self._unsent_bytes = 0
        self._next: asyncio.TimerHandle | None = None

    def start(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> None:
        """Look every PROGRESS_SECONDS until stop, also while the transport is closing."""

        def look() -> None:
            unsent = transport.get_write_buffer_size()
            is_stuck = unsent > self._unsent_bytes - PROGRESS_BYTES
            if unsent and self._unsent_bytes and is_stuck and not self.has_moved:
                _log.info("http.client_reads_nothing", unsent_bytes=unsent)
                transport.abort()
                return
            self._unsent_bytes, self.has_moved = unsent, False
            self._next = loop.call_later(PROGRESS_SECONDS, look)

        self._next = loop.call_later(PROGRESS_SECONDS, look)

    def stop(self) -> None:
        """Look no more."""
        if self._next is not None:
            self._next.cancel()
