"""A bound on request bodies, for services that let the framework read them."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service_kit.errors import Problem, problem_response


class _BodyTooLarge(Exception):
    pass


class BodyLimit:
    """Pure ASGI middleware: a body over max_bytes is answered 413, whatever its headers claim."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting what the application reads."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        read = 0
        answered = False

        async def counting_receive() -> Message:
            nonlocal read
            message = await receive()
            if message["type"] == "http.request":
                read += len(message.get("body", b""))
                if read > self._max_bytes:
                    raise _BodyTooLarge
            return message

        async def noticing_send(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            await self._app(scope, counting_receive, noticing_send)
        except _BodyTooLarge:
            if answered:
                raise
            problem = Problem(
                413,
                "content-too-large",
                f"the request body may have at most {self._max_bytes} bytes",
            )
            await problem_response(problem)(scope, receive, send)
