"""Reads a fetched JSON document strictly."""

from collections.abc import Mapping
from typing import Any

from auth_server.client_documents.documents import DocumentUnavailable
from auth_server.domain.json_objects import NotAnObject, parse_json_object


def parse_document(body: bytes) -> Mapping[str, Any]:
    """Return the object in a body; raise DocumentUnavailable, which says nothing of the body."""
    try:
        return parse_json_object(body)
    except NotAnObject as error:
        raise DocumentUnavailable(f"the answer is {error}") from None
