"""Validates a request of /authorize, in the order that decides where an error may go."""

from collections.abc import Mapping, Sequence
from typing import Final

from auth_server.domain.authorizations import SUPPORTED_PROMPTS, AuthorizationRequest
from auth_server.domain.clients import Client, GrantType
from auth_server.domain.errors import (
    CannotRedirect,
    InvalidRequest,
    InvalidScope,
    UnauthorizedClient,
    UnsupportedResponseType,
)
from auth_server.domain.pkce import S256, is_code_challenge
from auth_server.domain.resources import ProtectedResource, ProtectedResources
from auth_server.domain.scopes import OFFLINE_ACCESS, Scopes, parse_scope

# Parameters of a request; only `resource` may repeat (RFC 8707 2).
Parameters = Mapping[str, Sequence[str]]

# Long, because some clients (VS Code) carry a whole URL in it.
MAX_STATE_LENGTH: Final = 8192


def single(parameters: Parameters, name: str) -> str | None:
    """The parameter's one value; None when absent or empty (RFC 6749 3.1)."""
    values = parameters.get(name, ())
    if len(values) > 1:
        raise InvalidRequest(f"{name} is repeated")
    return values[0] if values and values[0] else None


def proven_redirect_uri(parameters: Parameters, client: Client) -> str:
    """The redirect URI to answer to; raise CannotRedirect unless the client registered it."""
    # Without one, the only one that is registered (RFC 6749 3.1.2.3).
    requested = parameters.get("redirect_uri", ()) or client.metadata.redirect_uris
    if len(requested) == 1 and client.allows_redirect_uri(requested[0]):
        return requested[0]
    raise CannotRedirect(
        "This address was not registered",
        "The application asked for the answer to be sent to an address that it has not registered.",
        "Do not try to work around this. Remove the connection in the application and add it again;"
        " if that does not help, tell the people who make the application.",
        detail="redirect_uri is missing, repeated or not registered",
    )


def parse_authorization_request(
    parameters: Parameters, client: Client, redirect_uri: str, resources: ProtectedResources
) -> AuthorizationRequest:
    """Validate what may be answered by redirect; raise the OAuthError to send there."""
    for name in parameters:
        if name != "resource":
            single(parameters, name)
    response_type = single(parameters, "response_type")
    if response_type is None:
        raise InvalidRequest("response_type is missing")
    if response_type != "code":
        raise UnsupportedResponseType("response_type must be code")
    if GrantType.AUTHORIZATION_CODE not in client.metadata.grant_types:
        raise UnauthorizedClient("the client did not register for the authorization_code grant")
    if single(parameters, "request") or single(parameters, "request_uri"):
        raise InvalidRequest("request objects are not supported")
    if single(parameters, "response_mode") not in {None, "query"}:
        raise InvalidRequest("response_mode must be query")
    resource = resources.select([value for value in parameters.get("resource", ()) if value])
    return AuthorizationRequest(
        client_id=client.client_id,
        redirect_uri=redirect_uri,
        state=_state(parameters),
        code_challenge=_code_challenge(parameters),
        resource=resource.identifier,
        scopes=_scopes(parameters, resource),
        prompts=_prompts(parameters),
    )


def _state(parameters: Parameters) -> str | None:
    state = single(parameters, "state")
    if state is not None and len(state) > MAX_STATE_LENGTH:
        raise InvalidRequest(f"state is longer than {MAX_STATE_LENGTH} characters")
    return state


def _code_challenge(parameters: Parameters) -> str:
    challenge = single(parameters, "code_challenge")
    method = single(parameters, "code_challenge_method")
    # RFC 7636 4.3: an absent method means plain, which OAuth 2.1 7.5.2 forbids here.
    if challenge is None or method != S256:
        raise InvalidRequest("PKCE is required: code_challenge with code_challenge_method=S256")
    if not is_code_challenge(challenge):
        raise InvalidRequest("code_challenge is not a S256 challenge of 43 characters")
    return challenge


def _scopes(parameters: Parameters, resource: ProtectedResource) -> Scopes:
    requested = single(parameters, "scope")
    # RFC 6749 3.3: the default. A client that names no scope never steps up, so it is offered all;
    # the person sees on the consent page what that is.
    if requested is None:
        return resource.scopes
    scopes = parse_scope(requested)
    if not scopes <= resource.scopes | {OFFLINE_ACCESS}:
        raise InvalidScope("a requested scope does not exist at this resource")
    return scopes if scopes - {OFFLINE_ACCESS} else scopes | resource.scopes


def _prompts(parameters: Parameters) -> frozenset[str]:
    requested = single(parameters, "prompt")
    prompts = frozenset(requested.split(" ")) if requested else frozenset()
    if not prompts <= SUPPORTED_PROMPTS or ("none" in prompts and len(prompts) > 1):
        raise InvalidRequest("prompt must be none, or of login, consent and select_account")
    return prompts
