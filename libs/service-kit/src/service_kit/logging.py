"""Structured logs: JSON lines in production, coloured lines in development, never a secret."""

import logging
import re
import sys
import time
from collections.abc import Callable, MutableMapping
from typing import Any
from uuid import uuid4

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REDACTED = "[redacted]"
REQUEST_ID_HEADER = b"x-request-id"

_SECRET_KEY = re.compile(
    r"(secret|password|passwd|authorization|cookie|verifier|assertion|nonce|handle|_?token|(^|_)code|(^|_)state)$",
    re.IGNORECASE,
)
# Our handles, JSON Web Tokens, credentials of the two HTTP schemes and of queries, in any text.
_SECRET_VALUE = re.compile(
    r"mcp(?:at|rt)_[\w-]+|eyJ[\w-]{8,}(?:\.[\w-]*){1,4}|\b(?:Bearer|Basic)\s+[\w~+/=.-]+"
    r"|(?<=[?&])(?:code|state|code_verifier|client_secret|token|refresh_token|id_token_hint)=[^&\s\"']+"
)

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
            redact,
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    else:
        final = [
            structlog.processors.dict_tracebacks,
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
    handler = logging.StreamHandler(sys.stderr)
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


def _add_service(service: str) -> structlog.typing.Processor:
    def add(
        _logger: Any, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    return add


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace what looks like a secret, by its name or its shape. The last net, not the first."""
    return {
        key: REDACTED if _SECRET_KEY.search(key) else _without_secrets(value)
        for key, value in event.items()
    }


def _without_secrets(value: Any) -> Any:
    if isinstance(value, str):
        return _SECRET_VALUE.sub(REDACTED, value)
    if isinstance(value, dict):
        return {
            key: REDACTED if _SECRET_KEY.search(str(key)) else _without_secrets(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_without_secrets(item) for item in value]
    return value


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
                _access_log.info(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    milliseconds=round((self._monotonic() - started) * 1000, 1),
                )
