"""Requests that are wrong in every way HTTP permits, and the one thing all answers to them share.

A strategy of Hypothesis draws them: parts that mean something at an endpoint, so that a request
gets past the first check, mixed with bytes that mean nothing.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from starlette.types import ASGIApp, Message

# What a traceback, a library's message or a statement would show.
_DETAILS = ("Traceback", 'File "', ".py", "site-packages", "Exception", "sqlalchemy", "pydantic")

_AWKWARD = (
    *(
        "",
        "%",
        "%0",
        "%00",
        "%0d%0a",
        "%ff",
        "%ed%a0%80",
        "%f0%9f%a5%9b",
        "+",
        "..",
        "../..",
        "null",
    ),
    *("-1", "9" * 400, "1e999", "[]", "{}", '"', "'", "<script>", "a" * 5000, "\x7f", "a b", "="),
)


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request as a server hands it to an application: bytes that nobody has looked into."""

    method: str
    path: str
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: tuple[bytes, ...]


def malformed_requests(
    targets: Sequence[tuple[str, str]],
    *,
    names: Sequence[str],
    values: Sequence[str],
    usual: Sequence[tuple[str, str]],
    headers: Sequence[tuple[str, str]],
    members: st.SearchStrategy[dict[str, Any]] | None = None,
) -> st.SearchStrategy[RawRequest]:
    """Requests to `targets` (method, path) made of parameter names, values and headers in use.

    Nearly every one has the headers `usual`, and many a JSON body has the `members`.
    """
    forms = _forms(names, values)
    documents = _documents(names, values, st.just({}) if members is None else members)
    bodies = st.one_of(forms, documents, documents, st.binary(max_size=300))
    return st.builds(
        lambda target, query, sent, body: RawRequest(target[0], target[1], query, sent, body),
        st.sampled_from(targets),
        # RFC 3986 3.4, and what servers let through beyond it: visible ASCII.
        st.one_of(st.just(b""), forms.map(_visible), st.binary(max_size=60).map(_visible)),
        _headers(usual, headers),
        st.lists(bodies, min_size=1, max_size=2).map(_mostly_one),
    )


async def answer(app: ASGIApp, request: RawRequest) -> tuple[int, dict[str, str], str]:
    """Send it; return status, headers and text. Whatever the application raises is raised here."""
    sent: list[Message] = []
    events: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": True} for chunk in request.body
    ]
    events.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Message:
        return events.pop(0) if events else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "scheme": "http",
        "method": request.method,
        "path": request.path,
        "raw_path": request.path.encode(),
        "root_path": "",
        "query_string": request.query,
        "headers": list(request.headers),
        "client": ("127.0.0.1", 50_000),
        "server": ("localhost", 80),
    }
    await app(scope, receive, send)
    head = {name.decode(): value.decode("latin-1") for name, value in sent[0]["headers"]}
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], head, body.decode()


def assert_told_in_form(status: int, headers: dict[str, str], text: str) -> None:
    """Never a failure of ours; a refusal is a page, a redirect, or an error that a client reads."""
    assert status < 500, text
    assert not [detail for detail in _DETAILS if detail in text], text
    # A JSON-RPC notification that is refused may be answered with a status alone.
    if status < 400 or not text:
        return
    media_type = headers["content-type"].partition(";")[0]
    if media_type == "text/html":
        assert "What to do" in text
        return
    document = json.loads(text)
    if media_type == "application/problem+json":
        assert document["status"] == status
        assert document["type"].startswith("urn:problem:")
    else:
        assert media_type == "application/json"
        # RFC 6750 3.1: without a token there is no error code, but there is a description.
        assert document.keys() & {"error", "error_description"}


def _forms(names: Sequence[str], values: Sequence[str]) -> st.SearchStrategy[bytes]:
    value = st.one_of(st.sampled_from(values), st.sampled_from(_AWKWARD), st.text(max_size=8))
    pair = st.builds("{}={}".format, st.sampled_from(names), value)
    part = st.one_of(pair, pair, pair, st.sampled_from(_AWKWARD))
    return st.lists(part, max_size=8).map(lambda parts: _utf8("&".join(parts)))


def _documents(
    names: Sequence[str], values: Sequence[str], members: st.SearchStrategy[dict[str, Any]]
) -> st.SearchStrategy[bytes]:
    scalars = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.sampled_from(values),
        st.text(max_size=8),
    )
    trees = st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(st.sampled_from(names), inner, max_size=6),
        ),
        max_leaves=8,
    )
    objects = st.dictionaries(st.sampled_from(names), trees, max_size=8)
    right = st.builds(lambda drawn, given: drawn | given, objects, members)
    wrong = st.builds(lambda drawn, given: given | drawn, objects, members)
    # Half surrogates become escapes, which is how JSON can carry them.
    return st.one_of(right, right, wrong, trees).map(lambda tree: json.dumps(tree).encode())


def _headers(
    usual: Sequence[tuple[str, str]], in_use: Sequence[tuple[str, str]]
) -> st.SearchStrategy[tuple[tuple[bytes, bytes], ...]]:
    always = [(name.encode(), value.encode("latin-1")) for name, value in usual]
    known = [(name.encode(), value.encode("latin-1")) for name, value in in_use]
    names = st.sampled_from(sorted({name for name, _ in always + known}))
    # RFC 9110 5.5: visible characters, spaces, tabs and the upper half of a byte.
    field = st.binary(max_size=40).map(lambda raw: bytes(c for c in raw if c in _FIELD).strip())
    one = st.one_of(st.sampled_from(known), st.tuples(names, field))
    left_out = st.sampled_from([None, None, None, *always])
    return st.builds(
        lambda without, more: (*(header for header in always if header != without), *more),
        left_out,
        st.lists(one, max_size=3),
    )


def _mostly_one(chunks: list[bytes]) -> tuple[bytes, ...]:
    """A body in two chunks is rarely a document; one of two is left whole."""
    return tuple(chunks[:1]) if len(chunks[0]) % 4 else tuple(chunks)


_FIELD = frozenset({0x09, *range(0x20, 0x7F), *range(0x80, 0x100)})


def _visible(raw: bytes) -> bytes:
    return bytes(character for character in raw if 0x21 <= character <= 0x7E and character != 0x23)


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
