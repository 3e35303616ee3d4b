"""Strict parsing of OAuth parameters: bounded, UTF-8, and unambiguous about repetition."""

import asyncio
from collections import defaultdict
from typing import Any, Final
from urllib.parse import parse_qsl

from fastapi import Request

from auth_server.domain.errors import InvalidClientMetadata, InvalidRequest
from auth_server.domain.json_objects import NotAnObject, parse_json_object
from service_kit.header_fields import media_type

MAX_FORM_BYTES: Final = 64 * 1024
MAX_QUERY_BYTES: Final = 32 * 1024
MAX_FIELDS: Final = 50
READ_SECONDS: Final = 10.0
FORM_MEDIA_TYPE: Final = "application/x-www-form-urlencoded"

# RFC 8707 2: the one parameter that may be repeated.
_REPEATABLE: Final = frozenset({"resource"})


class Parameters(dict[str, tuple[str, ...]]):
    """Parsed parameters. Names and values are untrusted text."""

    def optional(self, name: str) -> str | None:
        """The parameter's value; None when absent or empty (RFC 6749 3.1)."""
        values = self.get(name, ())
        return values[0] if values and values[0] else None

    def required(self, name: str) -> str:
        """The parameter's value; raise InvalidRequest when absent or empty."""
        value = self.optional(name)
        if value is None:
            raise InvalidRequest(f"{name} is missing")
        return value

    def every(self, name: str) -> tuple[str, ...]:
        """The values of a parameter that may be repeated, without empty ones (RFC 6749 3.2)."""
        return tuple(value for value in self.get(name, ()) if value)

    def refuse_repetition(self) -> None:
        """Raise InvalidRequest if a parameter is repeated that must not be (RFC 6749 3.1, 3.2)."""
        for name, values in self.items():
            if len(values) > 1 and name not in _REPEATABLE:
                raise InvalidRequest("a parameter is repeated")


def query_parameters(request: Request) -> Parameters:
    """Parse the query; repetition is the caller's to judge, who may still have to redirect."""
    query: bytes = request.scope["query_string"]
    if len(query) > MAX_QUERY_BYTES:
        raise InvalidRequest(f"the query is longer than {MAX_QUERY_BYTES} bytes")
    return _parse(query)


def parse_query(query: bytes) -> Parameters:
    """Parse a query that query_parameters has parsed before."""
    return _parse(query)


async def form_parameters(request: Request) -> Parameters:
    """Read and parse a form body (RFC 6749 appendix B); raise InvalidRequest for anything else."""
    if media_type(request.scope["headers"]) != FORM_MEDIA_TYPE:
        raise InvalidRequest(f"the content type must be {FORM_MEDIA_TYPE}")
    parameters = _parse(await _read_bounded(request))
    parameters.refuse_repetition()
    return parameters


async def json_object(request: Request) -> dict[str, Any]:
    """Read a JSON object; raise InvalidClientMetadata (RFC 7591 3.2.2) for anything else."""
    if media_type(request.scope["headers"]) != "application/json":
        raise InvalidClientMetadata("the content type must be application/json")
    try:
        return parse_json_object(await _read_bounded(request))
    except NotAnObject as error:
        raise InvalidClientMetadata(f"the body is {error}") from None
    except InvalidRequest as error:
        raise InvalidClientMetadata(error.description) from None


async def _read_bounded(request: Request) -> bytes:
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size > MAX_FORM_BYTES:
                    raise InvalidRequest(f"the body is longer than {MAX_FORM_BYTES} bytes")
                chunks.append(chunk)
    except TimeoutError:
        raise InvalidRequest("the body did not arrive in time") from None
    return b"".join(chunks)


def _parse(encoded: bytes) -> Parameters:
    try:
        pairs = parse_qsl(
            encoded.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(encoded),
            encoding="utf-8",
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError:
        raise InvalidRequest("the parameters are not well-formed UTF-8 form encoding") from None
    collected: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in pairs:
        # PostgreSQL cannot store NUL, and no parameter of ours has a use for it.
        if "\x00" in name or "\x00" in value:
            raise InvalidRequest("a parameter contains a NUL character")
        collected[name].append(value)
    return Parameters({name: tuple(values) for name, values in collected.items()})
