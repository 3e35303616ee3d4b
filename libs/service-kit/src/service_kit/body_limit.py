"""A bound on request bodies, in size and time, for services that let the framework read them."""

import asyncio

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service_kit.errors import Problem, problem_response

READ_SECONDS = 10.0


class _BodyTooLarge(HTTPException):
    """An HTTPException, because FastAPI turns whatever else a body's reading raises into 400."""

    def __init__(self) -> None:
        super().__init__(413)


class BodyLimit:
    """Pure ASGI middleware: a body over max_bytes is 413, one that takes READ_SECONDS is 408."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting what the application reads."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(receive, send, self._max_bytes)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except _BodyTooLarge:
            if exchange.is_answered:
                raise
        finally:
            if exchange.is_too_large and not exchange.is_answered:
                problem = Problem(
                    413,
                    "content-too-large",
                    f"the request body may have at most {self._max_bytes} bytes",
                )
                await problem_response(problem)(scope, receive, send)


class _Exchange:
    """One request and its answer, of which nothing passes once the body has proved too large."""

    def __init__(self, receive: Receive, send: Send, max_bytes: int) -> None:
        self._receive = receive
        self._send = send
        self._bytes_left = max_bytes
        self._is_complete = False
        self._deadline: float | None = None
        self.is_answered = False

    @property
    def is_too_large(self) -> bool:
        return self._bytes_left < 0

    async def receive(self) -> Message:
        message = await self._receive_in_time()
        if message["type"] == "http.request":
            self._bytes_left -= len(message.get("body", b""))
            self._is_complete = not message.get("more_body", False)
        if self.is_too_large:
            raise _BodyTooLarge
        return message

    async def _receive_in_time(self) -> Message:
        if self._is_complete:
            return await self._receive()  # what is left to come is the client's farewell
        loop = asyncio.get_running_loop()
        self._deadline = self._deadline or loop.time() + READ_SECONDS
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._receive()
        except TimeoutError:
            raise HTTPException(408, "the request body did not arrive in time") from None

    async def send(self, message: Message) -> None:
        if self.is_too_large and not self.is_answered:
            return  # the application's own words for it, which may be 400 or 500
        self.is_answered = True
        await self._send(message)
