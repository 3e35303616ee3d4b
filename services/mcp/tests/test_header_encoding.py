"""Mcp-Method and Mcp-Name mean what a second reading of their encoding says, whatever is sent."""

import base64
import binascii
import re
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

if TYPE_CHECKING:
    from services.mcp.tests.conftest import World

HEADER_MISMATCH = -32020
INVALID_PARAMS = -32602

ENCODED = re.compile(r"=\?base64\?(.*)\?=", re.ASCII)


def encoded(text: str) -> str:
    """The form that can carry any text."""
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="


def meaning(value: str) -> str | None:
    """What a header says; None if it says nothing: base64 as RFC 4648 4 has it, of UTF-8."""
    match = ENCODED.fullmatch(value)
    if match is None:
        return value
    try:
        raw = base64.b64decode(match[1], validate=True)
        return raw.decode() if base64.b64encode(raw).decode() == match[1] else None
    except (binascii.Error, UnicodeDecodeError):
        return None


# Names of tools that are none: what is right is told apart by its error from what does not match.
NAMES = st.one_of(
    st.sampled_from(["nothing", "Nothing", "nothing ", "=?base64?eA==?=", "x", "löschen", "\r\n"]),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
)
# A header of plain ASCII, as servers pass it on: without white space around it.
PLAIN = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=8).map(str.strip)
NEARLY = st.one_of(
    st.text("eA=h+/_-? ", max_size=8).map(lambda inside: f"=?base64?{inside}?="),
    st.binary(max_size=6).map(lambda raw: f"=?base64?{base64.b64encode(raw).decode()}?="),
    st.sampled_from(["=?base64?", "=?BASE64?eA==?=", "=?base64?eA==?", "=?utf-8?B?eA==?="]),
)
METHODS = st.one_of(
    st.sampled_from(["tools/call", "Tools/call", encoded("tools/call"), encoded("tools/list")]),
    PLAIN,
    NEARLY,
)


@st.composite
def named(draw: st.DrawFn) -> tuple[str, str]:
    """The name in the body and the header that repeats it, or does not."""
    name = draw(NAMES)
    right = [encoded(name)]
    if name.isascii() and name.isprintable() and name == name.strip():
        right.append(name)
    return name, draw(st.one_of(st.sampled_from(right), NAMES.map(encoded), PLAIN, NEARLY))


# Derandomized, so that it cannot fail in somebody else's change; and it does not shrink what it
# finds, as each attempt would start a service.
@settings(
    max_examples=10,
    phases=[Phase.generate],
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(METHODS, named()), min_size=30, max_size=30))
async def test_a_header_agrees_with_the_body_if_it_means_the_same_in_either_form(
    world: "World", calls: list[tuple[str, tuple[str, str]]]
) -> None:
    world.registry = CollectorRegistry()  # a service of its own for each example
    handle = world.sign_in()
    async with world.running() as door:
        for method, (name, header) in calls:
            for said, is_right in (
                ({"Mcp-Name": header}, meaning(header) == name),
                (
                    {"Mcp-Name": encoded(name), "Mcp-Method": method},
                    meaning(method) == "tools/call",
                ),
            ):
                response = await door.call(name, handle=handle, headers=said)
                expected = INVALID_PARAMS if is_right else HEADER_MISMATCH
                assert response.status_code == 400, (name, said)
                assert response.json()["error"]["code"] == expected, (name, said, response.text)
    assert world.todo_api.calls == []
