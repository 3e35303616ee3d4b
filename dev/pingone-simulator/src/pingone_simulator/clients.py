"""The OIDC application registered in the simulated environment, and how it authenticates."""

import base64
import binascii
import hmac
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from fastapi import Request

from pingone_simulator.errors import InvalidClient, InvalidRequest
from pingone_simulator.parameters import Parameters


@dataclass(frozen=True, slots=True)
class Client:
    """An OIDC web application: confidential, PKCE enforcement S256_REQUIRED."""

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uris: tuple[str, ...]
    post_logout_redirect_uris: tuple[str, ...]


def authenticate_client(request: Request, form: Parameters, client: Client) -> None:
    """Raise InvalidClient unless the request carries the client's id and secret.

    Takes client_secret_basic and client_secret_post, never both (RFC 6749 section 2.3).
    """
    client_id, client_secret = _presented_credentials(request, form)
    id_matches = hmac.compare_digest(client_id.encode(), client.client_id.encode())
    secret_matches = hmac.compare_digest(client_secret.encode(), client.client_secret.encode())
    if not (id_matches and secret_matches):
        raise InvalidClient("Request denied: unknown client or invalid client secret")


def _presented_credentials(request: Request, form: Parameters) -> tuple[str, str]:
    authorization = request.headers.get("authorization")
    client_id, client_secret = form.optional("client_id"), form.optional("client_secret")
    if authorization is None:
        if client_id is None or client_secret is None:
            raise InvalidClient("Request denied: Unsupported authentication method")
        return client_id, client_secret
    if client_secret is not None:
        raise InvalidRequest("the client must authenticate in one way, not in two")
    basic = _parse_basic(authorization)
    if client_id is not None and client_id != basic[0]:
        raise InvalidRequest("client_id differs from the one in the Authorization header")
    return basic


def _parse_basic(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise InvalidClient("Request denied: Unsupported authentication method")
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        raise InvalidClient("Request denied: the credentials are not well-formed") from None
    client_id, colon, client_secret = decoded.partition(":")
    if not colon:
        raise InvalidClient("Request denied: the credentials are not well-formed")
    # RFC 6749 section 2.3.1: both halves are form-encoded before they are joined.
    return unquote_plus(client_id), unquote_plus(client_secret)
