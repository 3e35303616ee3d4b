"""Reads a page as a person would: its heading, its visible words, its forms."""

from dataclasses import dataclass
from html.parser import HTMLParser

_INVISIBLE = frozenset({"head", "script", "style", "svg", "title"})


@dataclass(frozen=True, slots=True)
class Form:
    """A form: where it goes, what it already holds, what a person fills in, what can be pressed."""

    action: str
    values: dict[str, str]
    buttons: frozenset[tuple[str, str]]

    def has_field(self, name: str) -> bool:
        """True if there is an input with this name."""
        return name in self.values

    def has_button(self, name: str, value: str) -> bool:
        """True if there is such a button."""
        return (name, value) in self.buttons


@dataclass(frozen=True, slots=True)
class Page:
    """One HTML page."""

    url: str
    heading: str
    text: str
    forms: tuple[Form, ...]


def read_page(url: str, html: str) -> Page:
    """Parse a page that was found at url."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return Page(
        url=url,
        heading=" ".join("".join(reader.heading).split()),
        text=" ".join("".join(reader.text).split()),
        forms=tuple(
            Form(form.action, form.values, frozenset(form.buttons)) for form in reader.forms
        ),
    )


class _OpenForm:
    def __init__(self, action: str) -> None:
        self.action = action
        self.values: dict[str, str] = {}
        self.buttons: set[tuple[str, str]] = set()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.heading: list[str] = []
        self.text: list[str] = []
        self.forms: list[_OpenForm] = []
        self._in_form = False
        self._in_heading = False
        self._invisible = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "h1":
            self._in_heading = True
        elif tag in _INVISIBLE:
            self._invisible += 1
        elif tag == "form":
            self.forms.append(_OpenForm(attributes.get("action", "")))
            self._in_form = True
        elif self._in_form and "name" in attributes:
            self._add_control(tag, attributes["name"], attributes.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "h1":
            self._in_heading = False
        elif tag == "form":
            self._in_form = False
        elif tag in _INVISIBLE:
            self._invisible -= 1

    def handle_data(self, data: str) -> None:
        if self._invisible:
            return
        self.text.append(f"{data} ")
        if self._in_heading:
            self.heading.append(data)

    def _add_control(self, tag: str, name: str, value: str) -> None:
        form = self.forms[-1]
        if tag == "button":
            form.buttons.add((name, value))
        elif tag == "input":
            form.values[name] = value
