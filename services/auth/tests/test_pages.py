"""The pages, seen as a browser sees them: headers, markup, and what hostile words do to them."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from auth_server.domain.redirect_uris import Target, TargetKind
from auth_server.pages.consent import ConsentView, describe_scopes
from auth_server.pages.display_text import display_host, display_text
from auth_server.pages.problem import ProblemView
from auth_server.pages.rendering import Pages
from auth_server.pages.static_files import STATIC_PATH, static_files, static_url

CONSENT = ConsentView(
    client_name="Claude Code",
    client_id="client-1",
    client_uri_host=None,
    target=Target.of("https://claude.example/callback"),
    scopes=describe_scopes(["todo_api:read", "todo_api:write"], {}),
    resource="https://mcp.example/mcp",
    account_name=None,
    form_action="/consent",
    form_fields={"form_id": "form-1", "sealed": "sealed-1"},
)
SECOND_CONSENT = replace(CONSENT, account_name="ada@example.com")
PROBLEM = ProblemView("This sign-in has expired", "It was open too long.", "Start again.", "ref-17")

NONE = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class Markup(HTMLParser):
    """The elements of a page in order, and its text as one line."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._texts: list[str] = []
        self.feed(html)
        self.text = " ".join("".join(self._texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self._texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


async def fetch(respond: Callable[[Pages], Response], path: str = "/page") -> httpx.Response:
    pages = Pages()

    def page(_request: Request) -> Response:
        return respond(pages)

    app = Starlette(routes=[Route("/page", page), Mount(STATIC_PATH, static_files())])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://auth.example") as client:
        return await client.get(path)


async def fetch_static(path: str) -> httpx.Response:
    return await fetch(lambda _pages: Response(), path)


async def consent(view: ConsentView) -> Markup:
    response = await fetch(lambda pages: pages.consent(view))
    assert response.status_code == 200
    return Markup(response.text)


async def problem(view: ProblemView) -> Markup:
    return Markup((await fetch(lambda pages: pages.problem(view))).text)


@pytest.mark.standard("RFC 7591 5 impersonation")
async def test_the_consent_page_says_who_asks_where_the_browser_goes_and_what_it_could_do() -> None:
    text = (await consent(replace(CONSENT, client_uri_host="about.example"))).text
    assert "Who asks Claude Code Not verified The app chose this name itself." in text
    assert "It says its website is about.example." in text
    assert "Where your browser goes claude.example A website" in text
    assert "See your to-do list todo_api:read" in text
    assert "Add, change and delete to-dos todo_api:write" in text
    assert "https://mcp.example/mcp" in text
    assert "client-1" in text
    assert "Next, you sign in at PingOne." in text


@pytest.mark.standard("MCP 2026-07-28 security: localhost")
async def test_a_loopback_redirect_is_announced_as_an_application_on_this_computer() -> None:
    view = replace(CONSENT, target=Target.of("http://127.0.0.1:33418/callback"))
    text = (await consent(view)).text
    assert "127.0.0.1:33418 An application on this computer Any program on this computer" in text
    assert "A website" not in text


@pytest.mark.parametrize(
    ("redirect_uri", "shown"),
    [
        ("https://client.example:8443/callback", "client.example:8443 A website"),
        ("https://client.example:443/callback", "client.example A website"),
        ("https://CLIENT.example/callback", "client.example A website"),
        ("https://localhost/callback", "localhost An application on this computer"),
        ("https://localhost:8443/callback", "localhost:8443 An application on this computer"),
        ("https://app.localhost/callback", "app.localhost An application on this computer"),
        ("https://ip6-localhost/callback", "ip6-localhost An application on this computer"),
        ("https://127.8.9.1/callback", "127.8.9.1 An application on this computer"),
        ("https://[::1]/callback", "[::1] An application on this computer"),
        ("http://[::1]:33418/callback", "[::1]:33418 An application on this computer"),
        ("http://localhost/callback", "localhost An application on this computer"),
        ("https://192.0.2.7/callback", "192.0.2.7 A computer that has no name there"),
        ("https://192.0.2.7:8443/callback", "192.0.2.7:8443 A computer that has no name there"),
        ("https://10.0.0.1/callback", "10.0.0.1 A computer that has no name there"),
        ("https://[2001:db8::1]/callback", "[2001:db8::1] A computer that has no name there"),
        ("https://localhost.evil.test/callback", "localhost.evil.test A website"),
        ("https://evil-localhost/callback", "evil-localhost A website"),
        ("cursor://app.host:99/callback", "cursor://app.host:99 An app on this device"),
    ],
)
async def test_the_page_says_what_the_address_is_and_shows_an_unusual_port(
    redirect_uri: str, shown: str
) -> None:
    text = (await consent(replace(CONSENT, target=Target.of(redirect_uri)))).text
    assert f"Where your browser goes {shown}" in text


async def test_an_address_without_a_name_is_warned_of() -> None:
    view = replace(CONSENT, target=Target.of("https://192.0.2.7/callback"))
    text = (await consent(view)).text
    assert "An address without a name does not say whose it is. Allow only if you started" in text


@pytest.mark.parametrize(
    ("redirect_uri", "address"),
    [("cursor://app.host/done", "cursor://app.host An app"), ("cursor:done", "cursor: An app")],
)
async def test_a_private_use_scheme_is_announced_as_an_app_anyone_can_claim(
    redirect_uri: str, address: str
) -> None:
    text = (await consent(replace(CONSENT, target=Target.of(redirect_uri)))).text
    assert f"Where your browser goes {address} on this device that opens cursor: links" in text
    assert "Any app on this device can claim such links." in text


@pytest.mark.parametrize("name", ["", " \t", "\u200b\u2060", "\u3164\u2800", "\ufe0f", "\ud800"])
async def test_a_client_without_a_visible_name_is_shown_by_its_client_id(name: str) -> None:
    text = (await consent(replace(CONSENT, client_name=name))).text
    assert "Who asks client-1 No name The app gave no name; this is its identifier." in text


@pytest.mark.standard("RFC 6749 10.14")
async def test_markup_in_a_name_is_shown_and_not_run() -> None:
    name = "<script>alert(1)</script><img src=//evil>\"' onload='x"
    page = await consent(replace(CONSENT, client_name=name, form_fields={"sealed": '"><b>'}))
    assert name in page.text
    assert not page.all("script")
    assert not page.all("b")
    assert all("evil" not in (image["src"] or "") for image in page.all("img"))


@pytest.mark.standard("RFC 7591 5 impersonation")
async def test_a_name_cannot_turn_or_flood_the_text_around_it() -> None:
    page = await consent(replace(CONSENT, client_name="\u202eelgooG\u2066" + "W" * 5000))
    assert not set("\u202e\u2066") & set(page.text)
    assert "elgooG" + "W" * 73 + "… Not verified" in page.text


def with_host(host: str) -> ConsentView:
    """A website of any name, even one that no rule lets register."""
    return replace(CONSENT, target=Target(TargetKind.WEBSITE, "https", host, is_address=False))


async def test_a_lookalike_redirect_host_is_shown_in_punycode() -> None:
    page = await consent(with_host("gооgle.example"))  # noqa: RUF001
    assert "xn--ggle-55da.example" in page.text


async def test_a_long_redirect_host_keeps_the_end_that_says_whose_it_is() -> None:
    page = await consent(with_host("accounts.bank." + "a" * 900 + ".evil.test"))
    assert "aaa.evil.test A website" in page.text
    assert "accounts.bank" not in page.text


async def test_the_end_of_a_redirect_host_with_many_labels_stands_out() -> None:
    host = "accounts.bank.example.evil.test"
    response = await fetch(lambda pages: pages.consent(with_host(host)))
    assert '<span class="quiet">accounts.bank.</span>example.evil.test</bdi>' in response.text
    assert host in Markup(response.text).text


async def test_no_part_of_an_ip_address_stands_out() -> None:
    view = replace(CONSENT, target=Target.of("https://203.0.113.5/callback"))
    response = await fetch(lambda pages: pages.consent(view))
    assert '<bdi translate="no">203.0.113.5</bdi>' in response.text


async def test_a_scope_without_a_description_is_shown_by_its_name_alone() -> None:
    page = await consent(replace(CONSENT, scopes=describe_scopes(["x:y"], {})))
    assert "What it could do x:y Technical details" in page.text


async def test_a_request_for_no_scope_says_so() -> None:
    assert "It asks for no permission." in (await consent(replace(CONSENT, scopes=()))).text


def test_scopes_are_shown_in_the_order_of_their_descriptions_and_unknown_ones_last() -> None:
    asked = frozenset({"z:last", "a:other", "offline_access", "todo_api:read"})
    names = [scope.name for scope in describe_scopes(asked, {})]
    assert names == ["todo_api:read", "offline_access", "a:other", "z:last"]


def test_a_resource_describes_its_own_scopes_and_those_that_it_shares() -> None:
    own = {"z:last": "Read the last word", "todo_api:read": "See the to-dos of the team"}
    asked = frozenset({"todo_api:read", "todo_api:write", "z:last", "a:other"})
    assert [(scope.name, scope.description) for scope in describe_scopes(asked, own)] == [
        ("z:last", "Read the last word"),
        ("todo_api:read", "See the to-dos of the team"),
        ("todo_api:write", "Add, change and delete to-dos"),
        ("a:other", None),
    ]


@pytest.mark.parametrize("view", [CONSENT, SECOND_CONSENT])
async def test_the_form_posts_the_decision_with_its_identifier_and_what_was_sealed(
    view: ConsentView,
) -> None:
    page = await consent(view)
    assert [(form["method"], form["action"]) for form in page.all("form")] == [("post", "/consent")]
    fields = {field["name"]: (field["type"], field["value"]) for field in page.all("input")}
    assert fields == {
        "form_id": ("hidden", "form-1"),
        "sealed": ("hidden", "sealed-1"),
    }
    # Exactly one button each way, alike but for the value: refusing is as easy as allowing.
    assert page.all("button") == [{"name": "decision", "value": v} for v in ("deny", "allow")]
    assert "autofocus" not in {key for _, attributes in page.elements for key in attributes}


async def test_the_second_consent_names_the_account_and_offers_to_allow_as_it() -> None:
    text = (await consent(SECOND_CONSENT)).text
    assert "You are signed in at PingOne as ada@example.com" in text
    assert "This is not the account used before with this app in this browser." in text
    assert "Deny Allow as ada@example.com" in text
    assert "Next, you sign in at PingOne" not in text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("ada", "ada"),
        ("\u200b", "an account without a name"),
        ("N" * 500, "N" * 31 + "…"),
    ],
)
async def test_an_account_is_always_called_something_short(name: str, shown: str) -> None:
    text = (await consent(replace(CONSENT, account_name=name))).text
    assert f"Deny Allow as {shown} Did not expect" in text


async def test_the_problem_page_tells_what_happened_what_to_do_and_a_reference() -> None:
    response = await fetch(lambda pages: pages.problem(PROBLEM))
    assert response.status_code == 400
    text = Markup(response.text).text
    assert "This sign-in has expired It was open too long." in text
    assert "What to do Start again." in text
    assert "Reference ref-17" in text


async def test_what_a_problem_quotes_is_escaped_and_short() -> None:
    page = await problem(replace(PROBLEM, explanation="<script>\u202e" + "e" * 5000))
    assert "<script>eee" in page.text
    assert not page.all("script")
    assert "e" * 600 not in page.text


@pytest.mark.standard("RFC 6749 10.13", "RFC 9700 4.2.4", "RFC 9700 4.16")
async def test_every_page_carries_exactly_the_promised_headers() -> None:
    for status, response in (
        (200, await fetch(lambda pages: pages.consent(CONSENT))),
        (400, await fetch(lambda pages: pages.problem(PROBLEM))),
        (503, await fetch(lambda pages: pages.problem(PROBLEM, 503))),
    ):
        assert response.status_code == status
        headers = dict(response.headers)
        del headers["content-length"]
        assert headers == {
            "content-type": "text/html; charset=utf-8",
            "content-security-policy": NONE,
            "referrer-policy": "same-origin",
            "x-frame-options": "DENY",
            "x-content-type-options": "nosniff",
            "cache-control": "no-store",
            "cross-origin-resource-policy": "same-origin",
            "permissions-policy": "camera=(), geolocation=(), microphone=()",
        }


@pytest.mark.parametrize("view", [CONSENT, SECOND_CONSENT, PROBLEM])
async def test_a_page_is_whole_under_its_own_content_security_policy(
    view: ConsentView | ProblemView,
) -> None:
    page = await (problem(view) if isinstance(view, ProblemView) else consent(view))
    assert not {"script", "style", "base", "iframe", "a"} & {tag for tag, _ in page.elements}
    inline = {key for _, attributes in page.elements for key in attributes}
    assert not [key for key in inline if key == "style" or key.startswith("on")]
    fetched = {link["href"] for link in page.all("link")} | {
        image["src"] for image in page.all("img")
    }
    assert fetched == {static_url("pages.css"), static_url("favicon.svg")}
    stylesheet = (await fetch_static(static_url("pages.css"))).text
    assert "url(" not in stylesheet
    assert "@import" not in stylesheet


@pytest.mark.parametrize("view", [CONSENT, SECOND_CONSENT, PROBLEM])
async def test_a_page_has_landmarks_one_main_heading_and_labelled_sections(
    view: ConsentView | ProblemView,
) -> None:
    page = await (problem(view) if isinstance(view, ProblemView) else consent(view))
    assert page.all("html") == [{"lang": "en"}]
    for only_one in ("header", "main", "footer", "h1", "title"):
        assert len(page.all(only_one)) == 1, only_one
    headings = [heading["id"] for heading in page.all("h2")]
    assert headings == [section["aria-labelledby"] for section in page.all("section")]
    assert len(set(headings)) == len(headings) >= 2
    assert all(picture["aria-hidden"] == "true" for picture in page.all("svg"))
    assert all(image["alt"] == "" for image in page.all("img"))


@pytest.mark.parametrize(
    ("name", "media_type"),
    [("pages.css", "text/css; charset=utf-8"), ("favicon.svg", "image/svg+xml")],
)
async def test_a_static_file_may_be_kept_for_a_year_under_the_url_with_its_digest(
    name: str, media_type: str
) -> None:
    response = await fetch_static(static_url(name))
    assert response.status_code == 200
    assert response.headers["content-type"] == media_type
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_a_static_file_of_another_release_is_answered_but_never_kept() -> None:
    response = await fetch_static("/static/pages.css?v=0123456789abcdef")
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/static/", "/static/no.css", "/static/..%2Fconsent.py"])
async def test_nothing_but_the_static_files_is_served(path: str) -> None:
    assert (await fetch_static(path)).status_code == 404


@given(st.text(), st.integers(min_value=1, max_value=100))
def test_display_text_is_one_short_line_of_visible_characters(text: str, max_length: int) -> None:
    shown = display_text(text, max_length=max_length)
    assert len(shown) <= max_length
    assert shown == display_text(shown, max_length=max_length)
    assert not {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} & set(map(unicodedata.category, shown))


def test_display_text_keeps_the_worlds_scripts_and_thins_stacked_marks() -> None:
    for name in ("مساعد", "क्षत्रिय", "やること 帳", "Zoë, v2 (β) ✔"):
        assert display_text(name, max_length=80) == name
    assert display_text("q" + "\u0323" * 50, max_length=80) == "q" + "\u0323" * 3


@given(st.text())
def test_display_host_is_bounded_ascii_without_spaces(text: str) -> None:
    shown = display_host(text)
    assert len(shown) <= 253
    assert shown.removeprefix("…").isascii()
    assert " " not in shown


async def test_text_and_controls_have_the_contrast_of_wcag_aa_in_light_and_in_dark() -> None:
    stylesheet = (await fetch_static(static_url("pages.css"))).text
    themes = re.findall(r":root \{(.*?)\n *\}", stylesheet, re.DOTALL)
    assert len(themes) == 2
    for theme in themes:
        colour = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", theme))
        for text, grounds in {
            "text": ["ground", "card", "tint", "neutral-hover"],
            "quiet": ["ground", "card", "tint"],
            "warning-text": ["warning-ground"],
            "on-accent": ["accent", "accent-hover"],
        }.items():
            assert min(contrast(colour[text], colour[ground]) for ground in grounds) >= 4.5, text
        for mark in ("control-line", "accent", "focus"):  # WCAG 1.4.11
            assert contrast(colour[mark], colour["card"]) >= 3, mark


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    channels = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
