"""OAuth parameters from a query or a form, bounded and parsed strictly."""

from collections.abc import Sequence
from urllib.parse import parse_qsl

from fastapi import Request

from pingone_simulator.errors import InvalidRequest
from service_kit.header_fields import media_type

FORM_MEDIA_TYPE = "application/x-www-form-urlencoded"
MAX_PARAMETERS = 50
MAX_QUERY_BYTES = 8 * 1024
# Longer than any token the simulator issues, and than the sign-on form's signed request.
MAX_VALUE_CHARACTERS = 16 * 1024


class Parameters:
    """Decoded parameters. An empty value counts as absent (RFC 6749 section 3.1)."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._pairs = [(name, value) for name, value in pairs if value]

    def optional(self, name: str) -> str | None:
        """Return the parameter or None; raise InvalidRequest when it is repeated or too long."""
        values = [value for key, value in self._pairs if key == name]
        if len(values) > 1:  # RFC 6749 section 3.1
            raise InvalidRequest(f"{name} must not be included more than once")
        if values and len(values[0]) > MAX_VALUE_CHARACTERS:
            raise InvalidRequest(f"{name} is too long")
        return values[0] if values else None

    def required(self, name: str) -> str:
        """Return the parameter; raise InvalidRequest when it is missing, repeated or too long."""
        value = self.optional(name)
        if value is None:
            raise InvalidRequest(f"{name} is missing")
        return value


def read_query(request: Request) -> Parameters:
    """Parse the query; raise InvalidRequest unless it is well-formed and of bounded length."""
    query: bytes = request.scope["query_string"]
    if len(query) > MAX_QUERY_BYTES:
        raise InvalidRequest("the query is too long")
    return _parse(query)


async def read_form(request: Request) -> Parameters:
    """Parse a form body; raise InvalidRequest unless it is one and is well-formed."""
    if media_type(request.scope["headers"]) != FORM_MEDIA_TYPE:
        raise InvalidRequest(f"the content type must be {FORM_MEDIA_TYPE}")
    return _parse(await request.body())


def _parse(encoded: bytes) -> Parameters:
    try:
        pairs = parse_qsl(
            encoded.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_PARAMETERS,
        )
    except ValueError:
        raise InvalidRequest("the parameters are not well-formed") from None
    return Parameters(pairs)
