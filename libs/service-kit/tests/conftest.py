"""What several of the kit's tests need."""

import logging
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from raw_http import Application, serving
from served_service import Process, served_process


@pytest.fixture
def application() -> Application:
    """Notes what it is asked."""
    return Application()


@pytest.fixture
async def port(application: Application) -> AsyncIterator[int]:
    """Where the application is served."""
    async with serving(application) as port:
        yield port


@pytest.fixture
def process() -> Iterator[Process]:
    """A process that has begun to serve; ended, if a test has failed to end it."""
    with served_process() as running:
        yield running


@pytest.fixture
def restored_logging() -> Iterator[None]:
    """Undo configure_logging, which is meant for a process and not for a test."""
    root, access = logging.getLogger(), logging.getLogger("uvicorn.access")
    before = (root.handlers, root.level, access.disabled)
    yield
    root.handlers, root.level, access.disabled = before
    structlog.reset_defaults()
