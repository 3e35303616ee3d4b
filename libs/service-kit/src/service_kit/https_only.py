"""HTTP Strict Transport Security (RFC 6797): a browser that was here once comes by https only."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Two years. Without includeSubDomains: the hosts below this one are not ours to decide about.
_HEADER: Final = (b"strict-transport-security", b"max-age=63072000")


def https_only(app: ASGIApp, public_url: str) -> ASGIApp:
    """Return the application with the header on every answer, errors included.

    Unchanged if the public URL is not https (RFC 6797 7.2). To be the outermost layer.
    """
    return _HttpsOnly(app) if public_url.startswith("https://") else app


class _HttpsOnly:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), _HEADER]
            await send(message)

        await self._app(scope, receive, send_with_header)
