"""Structured logs: JSON lines in production, coloured lines in development, never a secret."""

import contextlib
import logging
import sys
import time
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO
from uuid import uuid4

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service_kit.client_address import current_client_address
from service_kit.redaction import redact

REQUEST_ID_HEADER = b"x-request-id"
# A caller decides how long a path is, and every line is kept.
MAX_PATH_LENGTH = 500

_access_log = structlog.get_logger("access")


def configure_logging(*, service: str, development: bool, level: str = "INFO") -> None:
    """Set up structlog and the standard library's loggers for this process; call once, at start."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if development:
        final: list[structlog.typing.Processor] = [
            # Into text first: redact cannot look into an exception that is rendered after it.
            structlog.processors.format_exc_info,
            redact,
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    else:
        final = [
            # Without locals, which structlog adds by default: they hold what was being handled.
            structlog.processors.ExceptionRenderer(
                structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
            ),
            redact,
            structlog.processors.JSONRenderer(),
        ]
        shared.append(_add_service(service))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = _Handler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # A request line with its query holds codes and states: RequestLog below writes our own.
    logging.getLogger("uvicorn.access").disabled = True


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (the library's name)
        """Say where the record came from; the library's own way prints its arguments as well."""
        kind = type(sys.exception()).__name__
        with contextlib.suppress(OSError, ValueError):  # stderr itself may be what is broken
            sys.stderr.write(f"a log record of {record.pathname}:{record.lineno} is lost: {kind}\n")


def _add_service(service: str) -> structlog.typing.Processor:
    def add(
        _logger: Any, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    return add


class RequestLog:
    """Pure ASGI middleware: a line per request (method, path, status, time), never the query."""

    def __init__(self, app: ASGIApp, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._monotonic = monotonic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give the request an id, pass it on, and log how it ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = uuid4().hex
        started = self._monotonic()
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message.setdefault("headers", [])
                message["headers"] = [*message["headers"], (REQUEST_ID_HEADER, request_id.encode())]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            finally:
                address = current_client_address()
                _access_log.info(
                    "request",
                    method=scope["method"],
                    path=scope["path"][:MAX_PATH_LENGTH],
                    status=status,
                    milliseconds=round((self._monotonic() - started) * 1000, 1),
                    # Known inside client_address.ClientAddress only.
                    **({} if address is None else {"client_address": address}),
                )
