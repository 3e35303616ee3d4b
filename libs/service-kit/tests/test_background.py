"""Work that outlives the request that started it, but never the process's shutdown."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from service_kit.background import BackgroundTasks

SOON = 5.0


@pytest.fixture
async def background() -> AsyncIterator[BackgroundTasks]:
    tasks = BackgroundTasks()
    yield tasks
    await tasks.drain(0)


async def test_a_task_gives_its_result_to_whoever_awaits_it(background: BackgroundTasks) -> None:
    async def work() -> str:
        return "done"

    task = background.start(work(), name="refresh")
    assert task.get_name() == "refresh"
    assert await task == "done"


async def test_a_failure_nobody_awaits_is_logged_with_its_traceback(
    background: BackgroundTasks,
) -> None:
    failure = KeyError("missing")

    async def work() -> None:
        raise failure

    with capture_logs() as logs:
        await asyncio.wait([background.start(work(), name="refresh")])
    assert logs == [
        {
            "event": "background.failed",
            "task": "refresh",
            "error": "KeyError",
            "reason": "'missing'",
            "exc_info": failure,
            "log_level": "warning",
        }
    ]


async def test_a_failure_reaches_whoever_awaits_it_too(background: BackgroundTasks) -> None:
    async def work() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await background.start(work(), name="refresh")


async def test_draining_awaits_what_is_running(background: BackgroundTasks) -> None:
    may_finish = asyncio.Event()
    finished: list[str] = []

    async def work() -> None:
        await may_finish.wait()
        finished.append("work")

    background.start(work(), name="refresh")
    draining = asyncio.create_task(background.drain(SOON))
    await asyncio.sleep(0)
    assert not draining.done()
    may_finish.set()
    await draining
    assert finished == ["work"]


async def test_draining_awaits_what_running_tasks_start_meanwhile(
    background: BackgroundTasks,
) -> None:
    finished: list[str] = []

    async def second() -> None:
        await asyncio.sleep(0)
        finished.append("second")

    async def first() -> None:
        await asyncio.sleep(0)
        background.start(second(), name="second")

    background.start(first(), name="first")
    await background.drain(SOON)
    assert finished == ["second"]


async def test_draining_nothing_is_done_at_once(background: BackgroundTasks) -> None:
    with capture_logs() as logs:
        await background.drain(SOON)
    assert logs == []


@pytest.mark.parametrize("timeout_seconds", [0, 0.01])
async def test_what_takes_too_long_is_cancelled_named_and_may_clean_up(
    background: BackgroundTasks, timeout_seconds: float
) -> None:
    started, cleaned_up = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned_up.set()

    task = background.start(work(), name="slow")
    await started.wait()
    with capture_logs() as logs:
        await background.drain(timeout_seconds)
    assert task.cancelled()
    assert cleaned_up.is_set()
    assert [(line["event"], line["task"]) for line in logs] == [("background.cancelled", "slow")]


async def test_a_task_that_will_not_be_cancelled_does_not_hold_the_shutdown_up(
    background: BackgroundTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service_kit.background.CANCELLATION_SECONDS", 0.01)
    started, may_finish = asyncio.Event(), asyncio.Event()

    async def stubborn() -> None:
        started.set()
        while not may_finish.is_set():
            try:
                await may_finish.wait()
            except asyncio.CancelledError:
                continue

    task = background.start(stubborn(), name="stubborn")
    await started.wait()
    async with asyncio.timeout(SOON):
        await background.drain(0)
    assert not task.done()
    may_finish.set()
    await task


async def test_a_client_that_goes_away_ends_no_task(background: BackgroundTasks) -> None:
    app = FastAPI()
    running, may_finish = asyncio.Event(), asyncio.Event()
    finished: list[str] = []

    async def work() -> None:
        running.set()
        await may_finish.wait()
        finished.append("work")

    @app.get("/")
    async def wait_for_work() -> None:
        await asyncio.shield(background.start(work(), name="refresh"))

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://localhost"
    ) as client:
        request = asyncio.create_task(client.get("/"))
        await running.wait()
        request.cancel()
        await asyncio.wait([request])
    assert request.cancelled()
    may_finish.set()
    await background.drain(SOON)
    assert finished == ["work"]
