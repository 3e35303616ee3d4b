"""The stylesheet and the pictures of the pages, under `/static` with their digest in the URL.

The digest rides in the query. A replica of another release that is asked for it serves its own
file, uncached, so a page never goes unstyled while replicas are being replaced.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router

STATIC_PATH: Final = "/static"

_FOLDER: Final = Path(__file__).parent / "static"
_MEDIA_TYPES: Final = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
_FOR_A_YEAR: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class _StaticFile:
    content: bytes
    media_type: str
    digest: str


@cache
def _files() -> Mapping[str, _StaticFile]:
    return {path.name: _read(path) for path in _FOLDER.iterdir()}


def _read(path: Path) -> _StaticFile:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:16]
    return _StaticFile(content, _MEDIA_TYPES[path.suffix], digest)


def static_url(name: str) -> str:
    """The URL of a file, changing with its content. Raises KeyError for a file there is not."""
    return f"{STATIC_PATH}/{name}?v={_files()[name].digest}"


def static_files() -> Router:
    """The application to mount at STATIC_PATH; files are read once, no request touches the disk."""
    _files()
    return Router(routes=[Route("/{name}", _serve, methods=["GET"])])


async def _serve(request: Request) -> Response:
    file = _files().get(request.path_params["name"])
    if file is None:
        raise HTTPException(404)
    is_current = request.query_params.get("v") == file.digest
    return Response(
        file.content,
        media_type=file.media_type,
        headers={
            "Cache-Control": _FOR_A_YEAR if is_current else "no-store",
            "Cross-Origin-Resource-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
        },
    )
