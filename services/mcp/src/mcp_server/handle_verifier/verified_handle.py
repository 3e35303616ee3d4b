"""What a handle means once auth has vouched for it, and the strict reading of auth's answer."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mcp_server.handle_verifier.introspection import IntrospectionUnavailable

_log = structlog.get_logger(__name__)

_NAME = Annotated[str, Field(min_length=1, max_length=2048)]
# The characters of a Bearer credential (RFC 6750 2.1): the token becomes a header of ours.
_B64TOKEN = Annotated[
    str, Field(min_length=1, max_length=32 * 1024, pattern=r"^[A-Za-z0-9._~+/-]+=*$")
]


class HandleInactive(Exception):
    """The handle is unknown, expired, revoked, malformed, or meant for another resource."""


@dataclass(frozen=True, slots=True)
class DownstreamToken:
    """The access token for the API. `expires_at` is in epoch seconds."""

    access_token: str = field(repr=False)
    audience: str
    scopes: frozenset[str]
    expires_at: int


@dataclass(frozen=True, slots=True)
class VerifiedHandle:
    """An active handle of this resource. `expires_at` is in epoch seconds."""

    subject: str
    username: str
    client_id: str
    scopes: frozenset[str]
    expires_at: int
    grant_id: str
    downstream_token: DownstreamToken = field(repr=False)


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, hide_input_in_errors=True)


class _DownstreamToken(_Strict):
    access_token: _B64TOKEN
    token_type: Literal["Bearer"]
    expires_at: int
    audience: _NAME
    scope: str


class _ActiveAnswer(_Strict):
    active: bool  # strict; Literal[True] would take 1
    scope: str
    client_id: _NAME
    username: _NAME
    token_type: Literal["Bearer"]
    exp: int
    iat: int
    sub: _NAME
    aud: _NAME
    iss: _NAME
    grant_id: _NAME
    downstream_token: _DownstreamToken


def read_answer(
    unverified: dict[str, Any], *, resource: str, issuer: str, now: float
) -> VerifiedHandle:
    """Return the handle auth vouches for.

    Raises HandleInactive on the one negative answer there is, `{"active": false}`, and on a handle
    meant for another resource; raises IntrospectionUnavailable on anything else unexpected.
    """
    if unverified.get("active") is False and len(unverified) == 1:
        raise HandleInactive("auth says inactive")
    answer = _parse(unverified)
    if not answer.active:
        raise IntrospectionUnavailable("auth says inactive and yet describes the handle")
    if answer.iss != issuer:
        raise IntrospectionUnavailable("auth names another issuer than AUTH_ISSUER")
    if answer.aud != resource:
        _log.warning("introspection.foreign_audience", audience=answer.aud, expected=resource)
        raise HandleInactive("the handle is meant for another resource")
    token = answer.downstream_token
    if answer.exp <= now or token.expires_at <= now:
        raise IntrospectionUnavailable("auth vouches for something that has expired: check clocks")
    return VerifiedHandle(
        subject=answer.sub,
        username=answer.username,
        client_id=answer.client_id,
        scopes=_scopes(answer.scope),
        expires_at=answer.exp,
        grant_id=answer.grant_id,
        downstream_token=DownstreamToken(
            access_token=token.access_token,
            audience=token.audience,
            scopes=_scopes(token.scope),
            expires_at=token.expires_at,
        ),
    )


def _scopes(value: str) -> frozenset[str]:
    return frozenset(value.split(" ")) - {""}  # RFC 6749 3.3: spaces, and no other white space


def _parse(unverified: dict[str, Any]) -> _ActiveAnswer:
    try:
        return _ActiveAnswer.model_validate(unverified)
    except ValidationError as error:
        # Which members, never their values: one of them is the downstream token.
        members = sorted({".".join(map(str, item["loc"])) for item in error.errors()})
    raise IntrospectionUnavailable(f"auth's answer has unusable members: {', '.join(members)}")
