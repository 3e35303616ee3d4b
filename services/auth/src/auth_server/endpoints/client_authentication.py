"""Client authentication (RFC 6749 2.3): none, client_secret_basic, client_secret_post."""

import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from fastapi import Request

from auth_server.domain.clients import Client, TokenEndpointAuthMethod
from auth_server.domain.errors import InvalidClient, InvalidRequest
from auth_server.domain.handles import digest
from auth_server.endpoints.parameters import Parameters

ResolveClientId = Callable[[str], Awaitable[Client]]

_FAILED = "client authentication failed"


@dataclass(frozen=True, slots=True)
class PresentedCredentials:
    """What a request claims: unverified."""

    client_id: str
    client_secret: str | None = field(repr=False)
    method: TokenEndpointAuthMethod


@dataclass(frozen=True, slots=True)
class AuthenticateClient:
    """Accepts exactly the one method that the client registered."""

    resolve_client: ResolveClientId

    async def __call__(self, request: Request, form: Parameters) -> Client:
        """Return the proven client; raise InvalidClient, or InvalidRequest for two methods."""
        presented = presented_credentials(request, form)
        client = await self.resolve_client(presented.client_id)
        if presented.method is not client.metadata.token_endpoint_auth_method:
            raise InvalidClient(_FAILED, detail="not the registered authentication method")
        if not _is_proven(client, presented):
            raise InvalidClient(_FAILED, detail="wrong client_secret")
        return client


def presented_credentials(request: Request, form: Parameters) -> PresentedCredentials:
    """Find the credentials; RFC 6749 2.3 forbids more than one method in a request."""
    headers = request.headers.getlist("authorization")
    if len(headers) > 1:
        raise InvalidRequest("the Authorization header is repeated")
    client_id, client_secret = form.optional("client_id"), form.optional("client_secret")
    if headers:
        basic = basic_credentials(headers[0])
        if client_secret is not None:
            raise InvalidRequest("the client authenticates with two methods at once")
        if client_id is not None and client_id != basic.client_id:
            raise InvalidRequest("client_id differs from the authenticated client")
        return basic
    if client_id is None:
        raise InvalidClient("the request names no client")
    if client_secret is None:
        return PresentedCredentials(client_id, None, TokenEndpointAuthMethod.NONE)
    return PresentedCredentials(
        client_id, client_secret, TokenEndpointAuthMethod.CLIENT_SECRET_POST
    )


def basic_credentials(header: str) -> PresentedCredentials:
    """Parse `Basic`, whose two halves are form-encoded first (RFC 6749 2.3.1)."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        raise InvalidClient("the Authorization scheme must be Basic")
    try:
        decoded = base64.b64decode(value.strip(), validate=True).decode("utf-8")
        client_id, separator, client_secret = decoded.partition(":")
        client_id = unquote_plus(client_id, errors="strict")
        client_secret = unquote_plus(client_secret, errors="strict")
    except (binascii.Error, ValueError):
        raise InvalidClient("the Authorization header is malformed") from None
    if not separator or not client_id or "\x00" in client_id:
        raise InvalidClient("the Authorization header is malformed")
    return PresentedCredentials(
        client_id, client_secret, TokenEndpointAuthMethod.CLIENT_SECRET_BASIC
    )


def _is_proven(client: Client, presented: PresentedCredentials) -> bool:
    if presented.client_secret is None:
        return client.secret_digest is None
    if client.secret_digest is None:
        return False
    return hmac.compare_digest(digest(presented.client_secret), client.secret_digest)
