"""Client ID Metadata Documents (draft-ietf-oauth-client-id-metadata-document): what they must say.

A client_id that is an https URL names the document, and the document names the client_id.
"""

import re
from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta
from typing import Any, Final

from auth_server.domain.clients import ClientMetadata, TokenEndpointAuthMethod
from auth_server.domain.errors import InvalidClientMetadata
from auth_server.domain.registration import parse_client_metadata

MAX_DOCUMENT_BYTES: Final = 5 * 1024  # 8.7 of the draft
# What the consent page can show as a whole.
MAX_URL_LENGTH: Final = 300

SHORTEST_FRESHNESS: Final = timedelta(minutes=5)
DEFAULT_FRESHNESS: Final = timedelta(hours=1)
LONGEST_FRESHNESS: Final = timedelta(hours=24)

# RFC 3986 2 without a fragment; a host is a name, or the fetcher refuses it.
_URL: Final = re.compile(
    r"https://(?P<host>[A-Za-z0-9.-]+)(?::[0-9]+)?(?P<path>/[A-Za-z0-9._~:/\[\]@!$&'()*+,;=%-]*)"
    r"(?:\?[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]*)?",
    re.ASCII,
)
_DOT_SEGMENTS: Final = frozenset({".", ".."})

_DOCUMENT_METHODS: Final = frozenset(
    {TokenEndpointAuthMethod.NONE, TokenEndpointAuthMethod.PRIVATE_KEY_JWT}
)


def is_document_url(client_id: str) -> bool:
    """True for a Client Identifier URL (section 3): https, a path, no dot segments, no fragment."""
    return document_host(client_id) is not None


def document_host(client_id: str) -> str | None:
    """The host that vouches for the client, in lower case; None if its id is no document's URL."""
    match = _URL.fullmatch(client_id) if len(client_id) <= MAX_URL_LENGTH else None
    if match is None:
        return None
    # Encoded dots are dots to whoever decodes them before removing such segments (RFC 3986 6.2.2).
    path = match["path"].replace("%2e", ".").replace("%2E", ".")
    return match["host"].lower() if _DOT_SEGMENTS.isdisjoint(path.split("/")) else None


def parse_client_document(
    client_id: str, document: Mapping[str, Any], private_use_schemes: frozenset[str]
) -> ClientMetadata:
    """Return the metadata of the client; raise InvalidClientMetadata or InvalidRedirectUri.

    The rules are those of registration, without secrets, which no published document can hold.
    """
    if document.get("client_id") != client_id:
        raise InvalidClientMetadata("its client_id is not the URL under which it is published")
    for member in ("client_secret", "client_secret_expires_at"):
        if member in document:
            raise InvalidClientMetadata(f"it must not have a {member}")
    # A document without a method is a public client's: no secret could have been agreed on.
    metadata = parse_client_metadata(
        document, private_use_schemes, default_method=TokenEndpointAuthMethod.NONE
    )
    if not metadata.client_name.strip():
        raise InvalidClientMetadata("client_name is missing")
    if metadata.token_endpoint_auth_method not in _DOCUMENT_METHODS:
        raise InvalidClientMetadata("token_endpoint_auth_method must be none or private_key_jwt")
    return metadata


def bounded_freshness(fresh_for: timedelta | None) -> timedelta:
    """For how long a copy serves: what its publisher says, within our bounds (section 5.2)."""
    if fresh_for is None:
        return DEFAULT_FRESHNESS
    return min(max(fresh_for, SHORTEST_FRESHNESS), LONGEST_FRESHNESS)


def changed_members(before: ClientMetadata, after: ClientMetadata) -> list[str]:
    """The names of what differs, for the log."""
    names = [member.name for member in fields(ClientMetadata)]
    return [name for name in names if getattr(before, name) != getattr(after, name)]
