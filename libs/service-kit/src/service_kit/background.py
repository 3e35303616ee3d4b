"""Work that belongs to the application rather than to the request that caused it."""

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any, TypeVar

import structlog

ResultT = TypeVar("ResultT")

CANCELLATION_SECONDS = 2.0

_log = structlog.get_logger(__name__)


class BackgroundTasks:
    """Owns tasks until they are done: a disconnecting client ends none, shutdown awaits all."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(
        self,
        work: Coroutine[Any, Any, ResultT],
        *,
        name: str,
        expected: tuple[type[Exception], ...] = (),
    ) -> asyncio.Task[ResultT]:
        """Start work now. A failure that is not `expected` is logged, whoever awaits the task.

        A request awaits it through asyncio.shield: awaited directly, it would be cancelled with it.
        """
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(partial(self._finished, expected))
        return task

    async def drain(self, timeout_seconds: float) -> None:
        """Await what is running; cancel, and say so, what takes longer than timeout_seconds.

        That includes what running tasks start meanwhile. What is cancelled gets a moment to undo.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        while self._tasks and loop.time() < deadline:
            await asyncio.wait(self._tasks, timeout=deadline - loop.time())
        late = set(self._tasks)
        for task in late:
            _log.warning("background.cancelled", task=task.get_name())
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=CANCELLATION_SECONDS)

    def _finished(self, expected: tuple[type[Exception], ...], task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, expected):
            _log.warning(
                "background.failed",
                task=task.get_name(),
                error=type(error).__name__,
                reason=str(error),
                exc_info=error,
            )
