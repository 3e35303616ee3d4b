"""Keeps secrets out of log lines: by the name of a member and by the shape of a text.

The last net, not the first: nothing here makes it right to log a request, a body or a token.
"""

import re
from collections.abc import Mapping, MutableMapping
from typing import Any

REDACTED = "[redacted]"
# Deeper than anything logged on purpose; a structure that contains itself ends here too.
MAX_DEPTH = 12

# Names end with what they hold: client_secret, set-cookie, refreshToken, authorization_codes.
_SECRET_NAME = re.compile(
    r"(?:secret|password|passwd|authorization|credential|cookie|verifier|assertion|nonce|handle|token"
    r"|(?:api|private|encryption)[_-]?key|(?:^|[_-]|auth|authorization|device|user)code"
    r"|(?:^|[_-])state)s?$",
    re.IGNORECASE,
)
# Unknown kinds of code are hidden, for one of them may be an authorization code; these are not.
_PUBLIC_NAME = re.compile(
    r"(?:status|error|reason|exit|return|close|response|country|language)[_-]?codes?$",
    re.IGNORECASE,
)

# Our handles, JSON Web Tokens (or the head of one), and credentials after the name of their HTTP
# scheme; "Basic authentication" is left alone. The text may be a caller's, so each pattern here
# takes linear time: none can fail after a long run which the next starting point runs again.
_SECRET_TEXT = re.compile(
    r"mcp(?:at|rt|it)_[\w-]+"
    r"|eyJ[\w-]{8,}(?:\.[\w-]*){0,4}"
    r"|\b(?i:bearer|basic)\s+(?:(?=[\w~+/.-]*[A-Z0-9])|(?=[\w~+/.-]{20}))[\w~+/.-]+=*"
)

_TOKENS = r"(?:access|refresh|id|subject)_token|id_token_hint|client_secret|client_assertion"
_NAMED = rf"{_TOKENS}|code_verifier|password"
# A member of a query, a fragment or a form, also inside a URL that is itself a parameter.
_PARAMETER = re.compile(
    rf"((?:^|[?&#\"']|%3[Ff]|%26|%23)(?:{_NAMED}|token|code|state|nonce)(?:=|%3[Dd]))"
    r"(?:(?!%26)[^&\s\"'])+"
)
# A member of a JSON document or of an object's repr.
_MEMBER = re.compile(
    rf"(\b(?:{_NAMED})[\\\"']*\s*[:=]\s*b?[\\\"']+|\b(?:code|state)=[\"'])[^\\\"']+"
)


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace what looks like a secret in an event, however deep, and keep the rest readable."""
    return _redact_members(event, depth=0)


def _redact_members(members: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    redacted = {}
    for key, value in members.items():
        name = _redact_text(str(key))
        redacted[name] = REDACTED if _is_secret(name, value) else _redact_value(value, depth)
    return redacted


def _is_secret(name: str, value: Any) -> bool:
    # Secrets are texts. A number or a flag of that name (token=None, status_code=200) tells more.
    if value is None or isinstance(value, bool | int | float):
        return False
    return _SECRET_NAME.search(name) is not None and _PUBLIC_NAME.search(name) is None


def _redact_value(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return _redact_text(value)
    if depth >= MAX_DEPTH:
        return "[too deep]"
    if isinstance(value, Mapping):
        return _redact_members(value, depth + 1)
    if isinstance(value, list | tuple | set | frozenset):
        return [_redact_value(item, depth + 1) for item in value]
    # Whatever it is (bytes, an exception, a URL): the renderer would write its repr.
    return _redact_text(repr(value))


def _redact_text(text: str) -> str:
    text = _SECRET_TEXT.sub(REDACTED, text)
    for members in (_PARAMETER, _MEMBER):
        text = members.sub(rf"\g<1>{REDACTED}", text)
    return text
