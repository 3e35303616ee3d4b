"""What a browser says by itself of a request (W3C Fetch Metadata): who caused it, and how.

No page can set or change these headers. Browsers send them to https and to loopback only, and what
is no browser sends none: a request without them tells nothing, and passes as it always did.

Values are read as raw bytes and compared as a whole. A header that is repeated, or has a value that
is not known here, is never the one that is needed. The standard would rather have it ignored; but
what counts as somebody's own request must be certain.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Self

from starlette.types import ASGIApp, Receive, Scope, Send

from service_kit.errors import Problem, problem_response

_SITE: Final = b"sec-fetch-site"
_MODE: Final = b"sec-fetch-mode"
_DEST: Final = b"sec-fetch-dest"
# What is fetched in case somebody may want it: no person has asked, though it looks as if.
_PURPOSE: Final = b"sec-purpose"
_USER: Final = b"sec-fetch-user"
# What browsers said instead before there was a standard, and some say still.
_OLD_PURPOSE: Final = b"purpose"
_NAMES: Final = frozenset({_SITE, _MODE, _DEST, _PURPOSE, _OLD_PURPOSE, _USER})

_OWN_SITES: Final = frozenset({b"same-origin", b"none"})
_FOREIGN_SITES: Final = frozenset({b"same-site", b"cross-site"})
_SITES: Final = frozenset({None, *_OWN_SITES, *_FOREIGN_SITES})
_READABLE_MODES: Final = frozenset({b"cors", b"same-origin"})
# Stands for a header that came more than once; no header has this value.
_REPEATED: Final = b""


@dataclass(frozen=True, slots=True)
class FetchMetadata:
    """The headers of one request; None for one that is not there."""

    site: bytes | None = None
    mode: bytes | None = None
    dest: bytes | None = None
    purpose: bytes | None = None
    user: bytes | None = None

    @classmethod
    def of(cls, headers: Iterable[tuple[bytes, bytes]]) -> Self:
        """Read the headers of an ASGI scope, whose names are in lower case."""
        found: dict[bytes, bytes] = {}
        for name, value in headers:
            if name in _NAMES:
                found[name] = _REPEATED if name in found else value
        purpose = found.get(_PURPOSE, found.get(_OLD_PURPOSE))
        site, mode, dest = map(found.get, (_SITE, _MODE, _DEST))
        return cls(site, mode, dest, purpose, found.get(_USER))

    @property
    def is_top_level_navigation(self) -> bool:
        """True if a whole window goes there now, or if nothing says who is asking."""
        if self.purpose is not None or self.site not in _SITES:
            return False
        if self.mode is None and self.dest is None:
            return not self.is_from_elsewhere
        return self.mode == b"navigate" and self.dest == b"document"

    @property
    def is_readable_fetch(self) -> bool:
        """True if a script asks and may read the answer, or if nothing says who is asking.

        So it is no form, image or frame, and nothing of another origin that CORS does not allow.
        """
        if self.purpose is not None or self.site not in _SITES:
            return False
        if self.mode is None and self.dest is None:
            return not self.is_from_elsewhere
        # No page is behind a request of no site: Electron's own fetch says no-cors by default.
        is_readable = self.mode in _READABLE_MODES or self.site == b"none"
        return is_readable and self.dest in {None, b"empty"}

    @property
    def is_from_elsewhere(self) -> bool:
        """True if a browser says that a page of another origin is behind the request.

        A browser names the site whenever it names anything. Node's fetch() names the mode alone.
        """
        return self.site in _FOREIGN_SITES

    @property
    def is_unasked(self) -> bool:
        """True if a page of another origin went here and nobody has clicked, as far as it is told.

        A script may do that over and over: it stops each navigation before the answer, and stays.
        """
        return self.is_from_elsewhere and self.user != b"?1"


_NOT_A_NAVIGATION: Final = problem_response(
    Problem(
        403,
        "not-a-navigation",
        "this page opens in a window of its own only: not in a frame, not as part of another page,"
        " and not in advance",
        headers={"Cache-Control": "no-store"},
    )
)
_NOT_A_READABLE_FETCH: Final = problem_response(
    Problem(
        403,
        "not-a-cors-request",
        "this address is for applications: a browser reaches it from a script, with CORS, and not"
        " by a form, a link or an embedded resource",
        headers={"Cache-Control": "no-store"},
    )
)


class ResourceIsolation:
    """Pure ASGI middleware: refuses with 403 what another website has a browser send.

    It stands before every budget, and reads no body. `is_page` and `is_api` tell by path what a
    person opens and what an application calls; every other path is left alone.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        is_page: Callable[[str], bool] = lambda _path: False,
        is_api: Callable[[str], bool] = lambda _path: False,
    ) -> None:
        self._app = app
        self._is_page = is_page
        self._is_api = is_api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http":
            # A route of Starlette's matches with a line feed at the path's end, too.
            path = scope["path"].removesuffix("\n")
            if self._is_page(path):
                if not FetchMetadata.of(scope["headers"]).is_top_level_navigation:
                    await _NOT_A_NAVIGATION(scope, receive, send)
                    return
            elif self._is_api(path) and not FetchMetadata.of(scope["headers"]).is_readable_fetch:
                await _NOT_A_READABLE_FETCH(scope, receive, send)
                return
        await self._app(scope, receive, send)
