"""Scopes in a variable."""

from auth_server.domain.errors import InvalidScope
from auth_server.domain.scopes import parse_scope


def check_scope(value: str) -> str:
    """Return the value if it is a list of scopes; raise ValueError."""
    try:
        parse_scope(value)
    except InvalidScope as error:
        raise ValueError(error.description) from None
    return value
