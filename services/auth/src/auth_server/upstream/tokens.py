"""Verifies the JSON Web Tokens that PingOne issues: the ID token and the access token.

Everything that is required is written out here; a library's defaults decide nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry, extract_compact

from auth_server.upstream.errors import UpstreamAnswerRejected, UpstreamUnavailable
from service_kit.jwks_cache import JwksCache, JwksUnavailable

ALGORITHMS: Final = ("RS256", "ES256")
LEEWAY_SECONDS: Final = 30
MAX_TOKEN_LENGTH: Final = 16 * 1024
MAX_SUBJECT_LENGTH: Final = 255


@dataclass(frozen=True, slots=True)
class IdTokenClaims:
    """A verified ID token. `name` is for people, and absent if PingOne did not say."""

    subject: str
    name: str | None


class TokenVerifier:
    """Checks signature, issuer, audience and times of PingOne's tokens."""

    def __init__(
        self, issuer: str, client_id: str, jwks: JwksCache, now: Callable[[], datetime]
    ) -> None:
        self._issuer = issuer
        self._client_id = client_id
        self._jwks = jwks
        self._now = now

    async def id_token(self, unverified_jwt: str, *, nonce: str) -> IdTokenClaims:
        """Verify an ID token (OpenID Connect Core 3.1.3.7); raise UpstreamAnswerRejected."""
        claims = await self._verify(
            unverified_jwt,
            "ID token",
            aud={"essential": True, "value": self._client_id},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        # OpenID Connect Core 3.1.3.7, steps 4 and 5: with several audiences we must be the party.
        if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and "azp" not in claims:
            raise UpstreamAnswerRejected("the ID token has several audiences and no azp")
        if claims.get("azp", self._client_id) != self._client_id:
            raise UpstreamAnswerRejected("the ID token was issued to another party")
        subject = claims["sub"]
        # OpenID Connect Core 2. Whoever signed it: PostgreSQL cannot store NUL.
        if len(subject) > MAX_SUBJECT_LENGTH or not (subject.isascii() and subject.isprintable()):
            raise UpstreamAnswerRejected("the ID token's sub is not 255 ASCII characters at most")
        return IdTokenClaims(subject=subject, name=display_name(claims))

    async def access_token(self, unverified_jwt: str, *, audience: str, subject: str) -> None:
        """Verify that an access token is for this API and this person."""
        claims = await self._verify(
            unverified_jwt, "access token", aud={"essential": True, "value": audience}
        )
        if claims["sub"] != subject:
            raise UpstreamAnswerRejected("the access token belongs to another subject")

    async def _verify(self, unverified_jwt: str, kind: str, **options: Any) -> dict[str, Any]:
        if len(unverified_jwt) > MAX_TOKEN_LENGTH:
            raise UpstreamAnswerRejected(f"the {kind} is too long")
        try:
            kid = _unverified_kid(unverified_jwt)
            keys = await self._jwks.key_set_for(kid)
            token = jwt.decode(
                unverified_jwt,
                keys,
                algorithms=list(ALGORITHMS),
                registry=JWSRegistry(algorithms=list(ALGORITHMS)),
            )
            jwt.JWTClaimsRegistry(
                now=lambda: int(self._now().timestamp()),
                leeway=LEEWAY_SECONDS,
                iss={"essential": True, "value": self._issuer},
                sub={"essential": True},
                exp={"essential": True},
                **options,
            ).validate(token.claims)
        except JwksUnavailable as error:
            raise UpstreamUnavailable("its keys could not be fetched") from error
        except (JoseError, ValueError, RecursionError) as error:
            raise UpstreamAnswerRejected(f"the {kind} is not valid: {error}") from error
        return token.claims


def display_name(claims: dict[str, Any]) -> str | None:
    """The best name for people among the standard claims (OpenID Connect Core 5.1)."""
    for claim in ("name", "preferred_username", "email"):
        value = claims.get(claim)
        if isinstance(value, str):
            # PostgreSQL cannot store NUL, nor any encoding a lone surrogate.
            printable = "".join(one for one in value if one.isprintable()).strip()
            if printable:
                return printable[:200]
    return None


def _unverified_kid(unverified_jwt: str) -> str | None:
    header = extract_compact(unverified_jwt.encode()).headers()
    kid = header.get("kid")
    return kid if isinstance(kid, str) else None
