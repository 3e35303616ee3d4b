"""The authorization request: what must hold before anything is redirected, and what after."""

import re
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from pingone_simulator.clients import Client
from pingone_simulator.errors import (
    InvalidRequest,
    PageProblem,
    UnsupportedResponseType,
)
from pingone_simulator.parameters import Parameters
from pingone_simulator.redirects import ClientRedirect
from pingone_simulator.resources import Access, Resources
from pingone_simulator.sessions import Session

DEFAULT_ACR = "Single_Factor"
PROMPTS = frozenset({"login", "none"})

_S256_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_MAX_AGE = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A valid request of the client, waiting for a person to sign on."""

    redirect: ClientRedirect
    access: Access
    code_challenge: str
    acr: str
    nonce: str | None
    prompt: str | None
    max_age: int | None
    login_hint: str | None

    def accepts(self, session: Session | None, now: datetime) -> bool:
        """True when the session makes signing on again unnecessary."""
        if session is None or self.prompt == "login":
            return False
        age = (now - session.auth_time).total_seconds()
        return self.max_age is None or age < self.max_age

    def to_json(self) -> dict[str, Any]:
        """Return plain data for the sign-on form."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "AuthorizationRequest":
        """Restore what to_json gave, from a source that was authenticated."""
        return cls(
            **{
                **data,
                "redirect": ClientRedirect(**data["redirect"]),
                "access": Access(data["access"]["audience"], tuple(data["access"]["scopes"])),
            }
        )


def read_client_redirect(parameters: Parameters, client: Client) -> ClientRedirect:
    """Return where errors and codes may go; raise PageProblem when that is not certain."""
    try:
        client_id = parameters.required("client_id")
        redirect_uri = parameters.required("redirect_uri")
        state = parameters.optional("state")
    except InvalidRequest as error:
        raise PageProblem(error.description) from error
    if client_id != client.client_id:
        raise PageProblem("client_id is not known in this environment")
    if redirect_uri not in client.redirect_uris:  # RFC 9700 section 2.1: exact comparison
        raise PageProblem("redirect_uri is not registered for this client")
    return ClientRedirect(redirect_uri, state)


def read_authorization_request(
    parameters: Parameters, redirect: ClientRedirect, resources: Resources
) -> AuthorizationRequest:
    """Return the validated request; raise the OAuthError to send to the client."""
    if parameters.required("response_type") != "code":
        raise UnsupportedResponseType("response_type must be code")
    if parameters.optional("response_mode") not in {None, "query"}:
        raise InvalidRequest("response_mode must be query")
    return AuthorizationRequest(
        redirect=redirect,
        access=resources.resolve(parameters.optional("scope"), parameters.optional("resource")),
        code_challenge=_read_code_challenge(parameters),
        acr=(parameters.optional("acr_values") or DEFAULT_ACR).split(" ")[0] or DEFAULT_ACR,
        nonce=parameters.optional("nonce"),
        prompt=_read_prompt(parameters),
        max_age=_read_max_age(parameters),
        login_hint=parameters.optional("login_hint"),
    )


def _read_code_challenge(parameters: Parameters) -> str:
    # S256_REQUIRED in the console. A missing method would mean plain (RFC 7636 section 4.3).
    if parameters.optional("code_challenge_method") != "S256":
        raise InvalidRequest("code_challenge_method must be S256")
    code_challenge = parameters.required("code_challenge")
    if not _S256_CHALLENGE.fullmatch(code_challenge):
        raise InvalidRequest("code_challenge is not a S256 challenge")
    return code_challenge


def _read_prompt(parameters: Parameters) -> str | None:
    prompt = parameters.optional("prompt")
    if prompt is not None and prompt not in PROMPTS:
        raise InvalidRequest("prompt must be login or none")
    return prompt


def _read_max_age(parameters: Parameters) -> int | None:
    max_age = parameters.optional("max_age")
    if max_age is None:
        return None
    if not _MAX_AGE.fullmatch(max_age):
        raise InvalidRequest("max_age must be a number of seconds")
    return int(max_age)
