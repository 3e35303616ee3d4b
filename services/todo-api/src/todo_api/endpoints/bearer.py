"""Bearer authentication and scopes (RFC 6750), as one dependency of each route."""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from fastapi import Request
from fastapi.openapi.models import HTTPBearer as BearerScheme
from fastapi.security.base import SecurityBase

from service_kit.errors import Problem
from service_kit.jwks_cache import COOL_DOWN_SECONDS, JwksUnavailable
from todo_api.access_token import AccessToken, AccessTokenVerifier, InvalidAccessToken

READ = "todo_api:read"
WRITE = "todo_api:write"


@dataclass(frozen=True, slots=True)
class ScopeNames:
    """What the two scopes are called at PingOne, where another API may have taken these names."""

    read: str = READ
    write: str = WRITE


_log = structlog.get_logger(__name__)


class RequireScope(SecurityBase):
    """Answers who is calling, when the request carries a valid token with the scope."""

    scheme_name = "pingone_access_token"
    model = BearerScheme(bearerFormat="JWT")

    def __init__(self, verifier: AccessTokenVerifier, scope: str) -> None:
        self._verifier = verifier
        self._scope = scope

    async def __call__(self, request: Request) -> AccessToken:
        """Return the verified token; raise a 400, 401, 403 or 503 problem."""
        unverified_jwt = _bearer_token(request)
        try:
            token = await self._verifier.verify(unverified_jwt)
        except InvalidAccessToken as error:
            _log.info("access_token.refused", reason=str(error))
            raise _invalid_token(str(error)) from None
        except JwksUnavailable:
            raise Problem(
                503,
                "keys-unavailable",
                "the issuer's keys cannot be had, so no token can be checked; try again later",
                headers={"Retry-After": f"{COOL_DOWN_SECONDS:.0f}"},
            ) from None
        if self._scope not in token.scopes:
            raise _insufficient_scope(self._scope)
        return token


def _bearer_token(request: Request) -> str:
    values = request.headers.getlist("authorization")
    if len(values) > 1:
        raise Problem(
            400,
            "invalid-request",
            "the request has more than one Authorization header",
            headers=_challenge(error="invalid_request"),
        )
    scheme, _, credentials = (values[0] if values else "").partition(" ")
    if scheme.lower() != "bearer":
        # RFC 6750 section 3.1: without a token there is no error code.
        raise Problem(401, "token-required", "send a bearer access token", headers=_challenge())
    return credentials.lstrip(" ")


def _invalid_token(reason: str) -> Problem:
    challenge = _challenge(error="invalid_token", error_description=reason)
    return Problem(401, "invalid-token", reason, headers=challenge)


def _insufficient_scope(scope: str) -> Problem:
    return Problem(
        403,
        "insufficient-scope",
        f"this needs the scope {scope}",
        headers=_challenge(error="insufficient_scope", scope=scope),
    )


def _challenge(**parameters: str) -> Mapping[str, str]:
    """Build the header; the values are ours and hold nothing that a quoted string must escape."""
    # RFC 6750 section 3: at least one parameter follows the scheme.
    named = {"realm": "todo-api", **parameters}
    quoted = ", ".join(f'{name}="{value}"' for name, value in named.items())
    return {"WWW-Authenticate": f"Bearer {quoted}"}
