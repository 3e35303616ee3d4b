"""How a client presents itself (RFC 6749 2.3, RFC 7521 4.2): exactly one method in a request."""

import base64
import binascii
from urllib.parse import unquote_plus

from fastapi import Request

from auth_server.domain.client_assertions import ASSERTION_TYPE, UnverifiedAssertion
from auth_server.domain.clients import TokenEndpointAuthMethod
from auth_server.domain.errors import InvalidClient, InvalidRequest
from auth_server.endpoints.parameters import Parameters
from auth_server.flows.authenticate_client import PresentedCredentials

_ASSERTION_PARAMETERS = ("client_assertion", "client_assertion_type")


def presented_credentials(request: Request, form: Parameters) -> PresentedCredentials:
    """Find the credentials, unverified.

    Raises InvalidRequest for more than one method, InvalidClient for none or a malformed one.
    """
    header = authorization_header(request)
    has_assertion = any(form.optional(name) for name in _ASSERTION_PARAMETERS)
    client_secret = form.optional("client_secret")
    if (header is not None) + has_assertion + (client_secret is not None) > 1:
        raise InvalidRequest("the client authenticates with two methods at once")
    client_id = form.optional("client_id")
    if has_assertion:
        return _assertion_credentials(form, client_id)
    if header is not None:
        basic = basic_credentials(header)
        if client_id not in (None, basic.client_id):
            raise InvalidRequest("client_id differs from the authenticated client")
        return basic
    if client_id is None:
        raise InvalidClient("the request names no client")
    method = (
        TokenEndpointAuthMethod.NONE
        if client_secret is None
        else TokenEndpointAuthMethod.CLIENT_SECRET_POST
    )
    return PresentedCredentials(client_id, method, client_secret)


def authorization_header(request: Request) -> str | None:
    """The Authorization header, if there is one; raise InvalidRequest for several."""
    headers = request.headers.getlist("authorization")
    if len(headers) > 1:
        raise InvalidRequest("the Authorization header is repeated")
    return headers[0] if headers else None


def basic_credentials(header: str) -> PresentedCredentials:
    """Parse `Basic`, whose two halves are form-encoded first (RFC 6749 2.3.1)."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        raise InvalidClient("the Authorization scheme must be Basic")
    try:
        # RFC 9110 11.4: any number of spaces follow the scheme.
        decoded = base64.b64decode(value.strip(" "), validate=True).decode("utf-8")
        client_id, separator, client_secret = decoded.partition(":")
        client_id = unquote_plus(client_id, errors="strict")
        client_secret = unquote_plus(client_secret, errors="strict")
    except (binascii.Error, ValueError):
        raise InvalidClient("the Authorization header is malformed") from None
    if not separator or not client_id or "\x00" in client_id:
        raise InvalidClient("the Authorization header is malformed")
    return PresentedCredentials(
        client_id, TokenEndpointAuthMethod.CLIENT_SECRET_BASIC, client_secret
    )


def _assertion_credentials(form: Parameters, client_id: str | None) -> PresentedCredentials:
    unverified_assertion = form.required("client_assertion")
    if form.required("client_assertion_type") != ASSERTION_TYPE:
        raise InvalidClient("client_assertion_type is not supported")
    assertion = UnverifiedAssertion.read(unverified_assertion)
    # RFC 7521 4.2: client_id may be left out, for the subject names the client. If both are there
    # they must agree, which the flow finds out: it compares the verified subject with the client.
    return PresentedCredentials(
        client_id or assertion.subject,
        TokenEndpointAuthMethod.PRIVATE_KEY_JWT,
        assertion=assertion,
    )
