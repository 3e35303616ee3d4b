"""Parses the metadata of a registration request (RFC 7591 2) strictly, and ignores what it must."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from auth_server.domain.client_keys import (
    SIGNING_ALGORITHMS,
    KeyRefused,
    parse_jwks,
    suitable_keys,
)
from auth_server.domain.clients import ClientMetadata, GrantType, TokenEndpointAuthMethod
from auth_server.domain.document_urls import UnfetchableUrl, host_to_fetch_from
from auth_server.domain.errors import InvalidClientMetadata, InvalidRedirectUri, InvalidScope
from auth_server.domain.redirect_uris import check_registrable, is_on_the_persons_computer
from auth_server.domain.scopes import parse_scope
from service_kit.urls import DEFAULT_PORTS, ImproperUrl, parse_url

_MAX_REDIRECT_URIS: Final = 20
_MAX_TEXT: Final = 200
_MAX_URI: Final = 2000


def parse_client_metadata(
    document: Mapping[str, Any],
    private_use_schemes: frozenset[str],
    *,
    default_method: TokenEndpointAuthMethod = TokenEndpointAuthMethod.CLIENT_SECRET_BASIC,
) -> ClientMetadata:
    """Return the metadata that this server registers; raise the error of RFC 7591 3.2.2.

    A member that is null is one that is not given, which is the same thing to RFC 7592 2.2.
    `default_method` is what an omitted token_endpoint_auth_method means: by RFC 7591 2 this one.
    """
    document = {name: value for name, value in document.items() if value is not None}
    redirect_uris = _redirect_uris(document, private_use_schemes)
    method = _auth_method(document, default_method)
    return ClientMetadata(
        redirect_uris=redirect_uris,
        client_name=_text(document, "client_name") or "",
        client_uri=_client_uri(document),
        token_endpoint_auth_method=method,
        grant_types=_grant_types(document),
        application_type=_application_type(document, redirect_uris),
        scope=_scope(document),
        **_keys(document, method),
    )


def _redirect_uris(
    document: Mapping[str, Any], private_use_schemes: frozenset[str]
) -> tuple[str, ...]:
    values = document.get("redirect_uris")
    if not isinstance(values, list) or not 1 <= len(values) <= _MAX_REDIRECT_URIS:
        raise InvalidRedirectUri(f"redirect_uris must list 1 to {_MAX_REDIRECT_URIS} URIs")
    for value in values:
        if not isinstance(value, str):
            raise InvalidRedirectUri("redirect_uris must be a list of strings")
        check_registrable(value, private_use_schemes)
    return tuple(dict.fromkeys(values))


def _auth_method(
    document: Mapping[str, Any], default: TokenEndpointAuthMethod
) -> TokenEndpointAuthMethod:
    value = document.get("token_endpoint_auth_method", default)
    try:
        return TokenEndpointAuthMethod(value)
    except ValueError:
        methods = ", ".join(TokenEndpointAuthMethod)
        raise InvalidClientMetadata(
            f"token_endpoint_auth_method must be one of {methods}"
        ) from None


def _grant_types(document: Mapping[str, Any]) -> frozenset[GrantType]:
    values = document.get("grant_types", ["authorization_code"])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise InvalidClientMetadata("grant_types must be a list of strings")
    known = frozenset(GrantType(value) for value in values if value in set(GrantType))
    # Real clients list grants that only some servers have: those are not registered, which the
    # response says (RFC 7591 2), but they are no reason to refuse.
    if GrantType.AUTHORIZATION_CODE not in known:
        raise InvalidClientMetadata("grant_types must include authorization_code")
    response_types = document.get("response_types", ["code"])
    if not isinstance(response_types, list) or "code" not in response_types:
        raise InvalidClientMetadata("response_types must include code")
    return known


def _application_type(document: Mapping[str, Any], redirect_uris: Iterable[str]) -> str:
    """What the redirect URIs make of the client, whatever it calls itself: decision 15.

    A web application has none on the person's computer (OpenID Connect Registration 2). Clients
    that have one leave the type out, or say web; the response tells them what they are.
    """
    value = document.get("application_type", "web")
    if value not in ("native", "web"):
        raise InvalidClientMetadata("application_type must be native or web")
    is_native = any(is_on_the_persons_computer(uri) for uri in redirect_uris)
    return "native" if is_native else str(value)


def _keys(document: Mapping[str, Any], method: TokenEndpointAuthMethod) -> dict[str, Any]:
    """How a client with a key of its own is known; what others say of keys is ignored."""
    jwks, jwks_uri = document.get("jwks"), document.get("jwks_uri")
    if jwks is not None and jwks_uri is not None:
        raise InvalidClientMetadata("jwks and jwks_uri must not both be present")  # RFC 7591 2
    if method is not TokenEndpointAuthMethod.PRIVATE_KEY_JWT:
        return {}
    algorithm = document.get("token_endpoint_auth_signing_alg")
    if algorithm is not None and algorithm not in SIGNING_ALGORITHMS:
        algorithms = ", ".join(SIGNING_ALGORITHMS)
        raise InvalidClientMetadata(f"token_endpoint_auth_signing_alg must be one of {algorithms}")
    if jwks_uri is not None:
        return {"jwks_uri": _jwks_uri(jwks_uri), "token_endpoint_auth_signing_alg": algorithm}
    if jwks is None:
        raise InvalidClientMetadata("private_key_jwt needs jwks or jwks_uri")
    return {"jwks": _jwks(jwks, algorithm), "token_endpoint_auth_signing_alg": algorithm}


def _jwks_uri(value: object) -> str:
    # Now, to whoever registers, and not one day in a log: nothing is fetched from other URLs.
    if not isinstance(value, str):
        raise InvalidClientMetadata("jwks_uri must be a string")
    try:
        host_to_fetch_from(value)
    except UnfetchableUrl as error:
        raise InvalidClientMetadata(f"jwks_uri cannot be fetched: {error}") from None
    return value


def _jwks(value: object, algorithm: str | None) -> dict[str, Any]:
    try:
        jwks = parse_jwks(value)
    except KeyRefused as error:
        raise InvalidClientMetadata(str(error)) from None
    if algorithm is not None and not suitable_keys(jwks["keys"], algorithm, None):
        raise InvalidClientMetadata("jwks holds no key for token_endpoint_auth_signing_alg")
    return jwks


def _scope(document: Mapping[str, Any]) -> str | None:
    value = document.get("scope")
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InvalidClientMetadata("scope must be a string")
    try:
        parse_scope(value)
    except InvalidScope as error:
        raise InvalidClientMetadata(error.description) from None
    return value


def _client_uri(document: Mapping[str, Any]) -> str | None:
    value = _text(document, "client_uri", _MAX_URI)
    if not value:
        return None
    try:
        parts = parse_url(value)
    except ImproperUrl as error:
        raise InvalidClientMetadata(f"client_uri {error}") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise InvalidClientMetadata("client_uri must be an http(s) URL")
    return value


def _text(document: Mapping[str, Any], member: str, longest: int = _MAX_TEXT) -> str | None:
    value = document.get(member)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > longest or "\x00" in value:
        raise InvalidClientMetadata(f"{member} must be a string of at most {longest} characters")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidClientMetadata(f"{member} must be valid Unicode") from None
    return value
