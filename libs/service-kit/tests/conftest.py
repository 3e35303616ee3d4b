"""What several of the kit's tests need."""

import logging
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture
def restored_logging() -> Iterator[None]:
    """Undo configure_logging, which is meant for a process and not for a test."""
    root, access = logging.getLogger(), logging.getLogger("uvicorn.access")
    before = (root.handlers, root.level, access.disabled)
    yield
    root.handlers, root.level, access.disabled = before
    structlog.reset_defaults()
