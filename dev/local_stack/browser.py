"""A scripted browser with a person in front of it, who decides on consent and signs on.

It keeps cookies and follows redirects as browsers do: a cookie of localhost goes to every port, a
form carries Origin, and each request says that a window goes there (Fetch Metadata). It stops where
a real one would reach the MCP client.
"""

from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Literal, Self
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx

from local_stack.pages import Form, Page, read_page

_MAX_STEPS: Final = 20
_TIMEOUT_SECONDS: Final = 10.0

PageKind = Literal["consent", "sign_on"]


class UnexpectedPage(Exception):
    """The browser came to a page that the person cannot go on from."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who sits in front of the browser, and what they answer on consent pages."""

    username: str
    password: str = field(repr=False)
    allows: bool = True


ALICE = Person("alice", "alice")
BOB = Person("bob", "bob")


@dataclass(frozen=True, slots=True)
class Visit:
    """What happened between opening a URL and arriving at the client's redirect URI."""

    arrived_at: str = field(repr=False)
    pages: tuple[tuple[PageKind, Page], ...]
    redirects: tuple[str, ...] = field(repr=False)

    @property
    def answer(self) -> dict[str, str]:
        """The parameters that the client receives (RFC 6749 4.1.2)."""
        return dict(parse_qsl(urlsplit(self.arrived_at).query, keep_blank_values=True))

    @property
    def kinds(self) -> list[PageKind]:
        """The kinds of pages that the person saw, in order."""
        return [kind for kind, _ in self.pages]


class Browser:
    """One browser profile: whoever uses it shares its cookies."""

    def __init__(self) -> None:
        self._http = httpx.AsyncClient(
            timeout=_TIMEOUT_SECONDS,
            follow_redirects=False,
            trust_env=False,
            headers={"Accept": "text/html"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    @property
    def cookies(self) -> dict[str, str]:
        """All cookies by name."""
        return {cookie.name: cookie.value or "" for cookie in self._http.cookies.jar}

    async def visit(self, url: str, *, redirect_uri: str, person: Person) -> Visit:
        """Open url and let the person answer every page until the client's redirect URI is reached.

        Raises UnexpectedPage, with the page's heading, where there is nothing to answer.
        """
        pages: list[tuple[PageKind, Page]] = []
        redirects: list[str] = []
        request = self._http.build_request("GET", url, headers=_navigation("none"))
        for _ in range(_MAX_STEPS):
            response = await self._http.send(request)
            location = _redirect_target(response)
            if location is not None:
                redirects.append(location)
                if _without_query(location) == redirect_uri:
                    return Visit(location, tuple(pages), tuple(redirects))
                # All is at localhost, on several ports; and what a person typed stays theirs.
                site = "none" if request.headers["Sec-Fetch-Site"] == "none" else "same-site"
                request = self._http.build_request("GET", location, headers=_navigation(site))
                continue
            page = read_page(str(response.url), response.text)
            kind, form, filled = _answer(page, person)
            pages.append((kind, page))
            request = self._submit(page, form, filled)
        raise UnexpectedPage(f"no end after {_MAX_STEPS} steps, last at {_without_query(url)}")

    def _submit(self, page: Page, form: Form, filled: dict[str, str]) -> httpx.Request:
        target = urljoin(page.url, form.action)
        here, there = _origin(page.url), _origin(target)
        headers = {
            "Origin": here,
            **_navigation("same-origin" if here == there else "same-site"),
        }
        return self._http.build_request("POST", target, data=filled, headers=headers)


def _navigation(site: str) -> dict[str, str]:
    return {
        "Sec-Fetch-Site": site,
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }


def _answer(page: Page, person: Person) -> tuple[PageKind, Form, dict[str, str]]:
    """Find out what the page asks, and fill in the person's answer."""
    for form in page.forms:
        if form.has_field("username") and form.has_field("password"):
            credentials = {"username": person.username, "password": person.password}
            return "sign_on", form, {**form.values, **credentials, "action": "sign_on"}
        if form.has_button("decision", "allow") and form.has_button("decision", "deny"):
            decision = "allow" if person.allows else "deny"
            return "consent", form, {**form.values, "decision": decision}
    raise UnexpectedPage(f"{_without_query(page.url)} shows: {page.heading or page.text[:200]}")


def _redirect_target(response: httpx.Response) -> str | None:
    if response.status_code in {301, 302, 303}:
        return urljoin(str(response.url), response.headers["Location"])
    if response.is_redirect:
        # 307 and 308 would send a form on, and with it a password.
        raise UnexpectedPage(f"{response.status_code} from {_without_query(str(response.url))}")
    return None


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _without_query(url: str) -> str:
    return urlsplit(url)._replace(query="", fragment="").geturl()
