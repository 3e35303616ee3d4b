"""Untrusted text made fit to be shown: it cannot reorder, hide or flood what stands around it.

Escaping is the template's part. What is left to the reader is that a name may still lie.
"""

import unicodedata
from typing import Final, NewType

DisplayText = NewType("DisplayText", str)

_ELLIPSIS: Final = "…"
_MAX_HOST_LENGTH: Final = 253  # RFC 1035 2.3.4, without the final dot
# More marks than any script stacks on one letter only serve to paint over the neighbouring lines.
_MAX_MARKS_IN_A_ROW: Final = 3
# Visible by their category, blank on the screen: the combining grapheme joiner, the Hangul, Khmer
# and Braille blanks, and the variation selectors.
_BLANK: Final = frozenset(
    map(chr, (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0))
) | frozenset(
    chr(point)
    for selectors in (range(0x180B, 0x1810), range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
    for point in selectors
)


def display_text(untrusted: str, *, max_length: int) -> DisplayText:
    """One line of at most max_length characters, cut at the end with an ellipsis; may be empty.

    Without control, bidirectional, zero-width, blank, private-use and surrogate characters.
    """
    # Bounded before the work too, which costs by what a stranger sent.
    text = unicodedata.normalize("NFC", _visible(untrusted[: max_length * 8]))
    line = " ".join(text.split())
    if len(line) > max_length:
        line = line[: max_length - 1].rstrip() + _ELLIPSIS
    return DisplayText(line)


def display_host(untrusted: str) -> DisplayText:
    """A host name in ASCII, so that a lookalike letter is seen as `xn--…`; may be empty.

    Too long a host loses its beginning: whose host it is, stands at the end.
    """
    visible = _visible(untrusted[-8 * _MAX_HOST_LENGTH :]).replace(" ", "")
    host = ".".join(_ascii_label(label) for label in visible.split("."))
    if len(host) > _MAX_HOST_LENGTH:
        host = _ELLIPSIS + host[1 - _MAX_HOST_LENGTH :]
    return DisplayText(host)


def _ascii_label(label: str) -> str:
    # Not the `idna` codec: it knows the rules of 2003 only and shows straße.de as strasse.de, which
    # is somebody else's.
    if label.isascii():
        return label
    return "xn--" + label.lower().encode("punycode").decode("ascii")


def _visible(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        if character.isspace():
            kept.append(" ")
        elif category[0] == "C" or character in _BLANK:  # control, format, surrogate, private use
            continue
        elif category[0] != "M" or marks < _MAX_MARKS_IN_A_ROW:
            kept.append(character)
        marks = marks + 1 if category[0] == "M" else 0
    return "".join(kept)
