"""The list of MCP servers in AUTH_RESOURCES: strict, for a slip here lets handles go astray."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from auth_server.domain.errors import InvalidScope
from auth_server.domain.handles import digest
from auth_server.domain.resources import ProtectedResource, ProtectedResources
from auth_server.domain.scopes import OFFLINE_ACCESS, Scopes, parse_scope
from service_kit.key_files import read_text_file
from service_kit.settings import check_public_url, refuse_placeholder

_MEMBERS: Final = (
    "identifier",
    "name",
    "audience",
    "scopes",
    "scope_descriptions",
    "introspection_client_id",
    "introspection_client_secret",
    "introspection_client_secret_file",
)
_MAX_TEXT_LENGTH: Final = 255
_MAX_NAME_LENGTH: Final = 80
_MAX_DESCRIPTION_LENGTH: Final = 200


def parse_resource_list(text: str, *, is_development: bool) -> tuple[ProtectedResource, ...]:
    """Parse the JSON list.

    Raises ValueError, which names the entry by its position and says nothing of its values: the
    list holds secrets, and not always in the right place.
    """
    entries = _parse_json(text)
    if not isinstance(entries, list) or not entries:
        raise ValueError("must be a JSON list of at least one resource")
    resources: list[ProtectedResource] = []
    secrets: list[str] = []
    for position, entry in enumerate(entries, start=1):
        try:
            members = _members(entry)
            secret = _secret(members, is_development=is_development)
            resources.append(_resource(members, secret))
        except ValueError as error:
            raise ValueError(f"resource {position}: {error}") from None
        if secret in secrets:
            same = secrets.index(secret) + 1
            raise ValueError(f"resource {position}: its secret is that of resource {same}")
        secrets.append(secret)
    ProtectedResources(resources)  # refuses two that could be taken for one another
    return tuple(resources)


def parse_scope_list(text: str) -> dict[str, Scopes]:
    """Parse MCP_SCOPES, a list of `name` or `name=name_at_pingone`; raise ValueError."""
    mapping: dict[str, Scopes] = {}
    for entry in sorted(_parse_scope(text)):
        name, separator, upstream = entry.partition("=")
        if not name or (separator and not upstream):
            raise ValueError("an entry is a scope, or scope=name_at_pingone")
        if mapping.setdefault(name, frozenset({upstream or name})) != {upstream or name}:
            raise ValueError("names a scope twice; several names at PingOne need AUTH_RESOURCES")
    return _checked_scopes(mapping)


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_distinct)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise ValueError("is not a list of resources") from None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("an object has two members of the same name")
    return members


def _members(entry: object) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise ValueError("must be an object")
    if not entry.keys() <= set(_MEMBERS):
        raise ValueError(f"has an unknown member; there are {', '.join(_MEMBERS)}")
    return entry


def _resource(members: Mapping[str, Any], secret: str) -> ProtectedResource:
    scopes = _scopes(members)
    return ProtectedResource(
        identifier=_identifier(members),
        name=_name(members),
        upstream_audience=_word(members, "audience"),
        upstream_scopes=scopes,
        scope_descriptions=_scope_descriptions(members, scopes),
        introspection_client_id=_word(members, "introspection_client_id"),
        introspection_client_secret_digest=digest(secret),
    )


def _identifier(members: Mapping[str, Any]) -> str:
    try:
        return check_public_url(_word(members, "identifier"), path_allowed=True)
    except ValueError as error:
        raise ValueError(f"identifier: {error}") from None


def _name(members: Mapping[str, Any]) -> str | None:
    name = members.get("name")
    if name is None:
        return None
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise ValueError("name must be printable text")
    if len(name) > _MAX_NAME_LENGTH:
        raise ValueError(f"name is longer than {_MAX_NAME_LENGTH} characters")
    return name


def _word(members: Mapping[str, Any], member: str) -> str:
    value = members.get(member)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{member} must be set, to a string")
    if len(value) > _MAX_TEXT_LENGTH or not all("!" <= character <= "~" for character in value):
        raise ValueError(f"{member} must be visible ASCII, {_MAX_TEXT_LENGTH} characters at most")
    return value


def _secret(members: Mapping[str, Any], *, is_development: bool) -> str:
    member, file_member = _MEMBERS[-2:]
    if (member in members) == (file_member in members):
        raise ValueError(f"set one of {member} and {file_member}")
    secret: Any = members.get(member)
    if file_member in members:
        try:
            secret = read_text_file(Path(_word(members, file_member))).strip()
        except ValueError as error:
            raise ValueError(f"{file_member}: {error}") from None
    if not isinstance(secret, str) or not secret or not secret.isprintable():
        raise ValueError(f"{member} must be printable text, on one line")
    if not is_development:
        refuse_placeholder(member, secret)
    return secret


def _scopes(members: Mapping[str, Any]) -> dict[str, Scopes]:
    given = members.get("scopes")
    if isinstance(given, list):
        given = {_one_scope(name): name for name in given}
    if not isinstance(given, dict) or not given:
        raise ValueError("scopes must be an object or a list, and not empty")
    return _checked_scopes(
        {_one_scope(name): _scopes_at_pingone(names) for name, names in given.items()}
    )


def _scope_descriptions(members: Mapping[str, Any], scopes: Mapping[str, Scopes]) -> dict[str, str]:
    given = members.get("scope_descriptions", {})
    if not isinstance(given, dict) or not given.keys() <= scopes.keys():
        raise ValueError("scope_descriptions must be an object, with names from scopes")
    for text in given.values():
        if not isinstance(text, str) or not text.strip() or not text.isprintable():
            raise ValueError("scope_descriptions: each must be printable text")
        if len(text) > _MAX_DESCRIPTION_LENGTH:
            raise ValueError(
                f"scope_descriptions: one is longer than {_MAX_DESCRIPTION_LENGTH} characters"
            )
    return given


def _scopes_at_pingone(given: object) -> Scopes:
    names = given if isinstance(given, list) else [given]
    if not names:
        raise ValueError("scopes: each one needs a scope at PingOne")
    return frozenset(_one_scope(name) for name in names)


def _one_scope(name: object) -> str:
    if isinstance(name, str) and _parse_scope(name) == {name}:
        return name
    raise ValueError("scopes: a scope is one word (RFC 6749 3.3)")


def _parse_scope(text: str) -> Scopes:
    try:
        return parse_scope(text)
    except InvalidScope as error:
        raise ValueError(error.description) from None


def _checked_scopes(mapping: dict[str, Scopes]) -> dict[str, Scopes]:
    if OFFLINE_ACCESS in frozenset().union(mapping, *mapping.values()):
        raise ValueError(
            f"{OFFLINE_ACCESS} is no permission of a resource; PINGONE_SCOPES may ask for it"
        )
    return mapping
