"""What a person does on the account page: sign in at PingOne, look, press a button."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx
from auth_harness import AuthUnderTest

SIGN_IN = "/account/sign-in"
DISCONNECT = "/account/disconnect"
DISCONNECT_ALL = "/account/disconnect-all"
SIGN_OUT = "/account/sign-out"


@dataclass
class Form:
    """One of several forms of a page."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


class Page(HTMLParser):
    """The forms of a page in order, the names of its apps, and its text as one line."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.apps: list[str] = []
        self._is_app = False
        self._texts: list[str] = []
        self.feed(html)
        self.text = " ".join("".join(self._texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note forms and headings."""
        attributes = {name: value or "" for name, value in attrs}
        self._is_app = (tag == "h2" and "name" in attributes.get("class", "")) or (
            self._is_app and tag == "bdi"
        )
        if tag == "form":
            self.forms.append(Form(attributes["action"]))
        if tag == "input" and attributes.get("type") == "hidden":
            self.forms[-1].fields[attributes["name"]] = attributes["value"]

    def handle_data(self, data: str) -> None:
        """Note text."""
        self._texts.append(data)
        if self._is_app and data.strip():
            self.apps.append(data.strip())
            self._is_app = False

    def form(self, action: str, which: int = 0) -> Form:
        """The form that posts there; of several the one with this index."""
        return [form for form in self.forms if form.action == action][which]


async def look(browser: httpx.AsyncClient, path: str = "/account") -> Page:
    """Open the page, signed in or not."""
    response = await browser.get(path)
    assert response.status_code == 200, response.text[:500]
    return Page(response.text)


async def press(
    browser: httpx.AsyncClient, page: Page, action: str, which: int = 0
) -> httpx.Response:
    """Press the button of one of the page's forms."""
    return await browser.post(action, data=page.form(action, which).fields)


async def to_pingone(browser: httpx.AsyncClient) -> httpx.Response:
    """Press "Sign in"; the redirect to PingOne."""
    return await press(browser, await look(browser), SIGN_IN)


async def sign_in(
    auth: AuthUnderTest, browser: httpx.AsyncClient, username: str = "alice"
) -> httpx.AsyncClient:
    """Sign this browser in to the account page, and return it."""
    answer = await auth.sign_on(browser, await to_pingone(browser), username)
    response = await auth.back(browser, answer)
    assert (response.status_code, response.headers["location"]) == (303, "/account")
    return browser
