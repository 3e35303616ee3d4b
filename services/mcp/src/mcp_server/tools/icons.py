"""The icons, drawn here and sent along as `data:` URIs.

So showing one makes no request: nobody learns who looks, and nobody else can change what is shown.
Paths only, in a grey that can be seen on light and on dark. No script, no text, no reference.
"""

import base64

from mcp_types import Icon

_DRAWING = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#6b7280"'
    ' stroke-width="2" stroke-linecap="round" stroke-linejoin="round"><path d="{path}"/></svg>'
)


def _icon(path: str) -> Icon:
    drawing = base64.b64encode(_DRAWING.format(path=path).encode("ascii")).decode("ascii")
    source = f"data:image/svg+xml;base64,{drawing}"
    return Icon(src=source, mime_type="image/svg+xml", sizes=["any"])


CHECKED_BOX = _icon("M4 4h16v16H4zM8 12l3 3 5-6")
PERSON = _icon("M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 20a8 8 0 0 1 16 0")
LINES = _icon("M4 6h1M9 6h11M4 12h1M9 12h11M4 18h1M9 18h11")
PLUS = _icon("M12 5v14M5 12h14")
TICK = _icon("M5 12l5 5L19 7")
BIN = _icon("M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13")
