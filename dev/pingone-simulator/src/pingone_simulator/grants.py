"""What was issued: codes, refresh token families and access tokens, and how each one ends."""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from itsdangerous.encoding import base64_encode

from pingone_simulator.bounded import BoundedStore
from pingone_simulator.errors import InvalidGrant
from pingone_simulator.people import Person
from pingone_simulator.resources import Access
from pingone_simulator.sessions import Sessions

CODE_LIFETIME = timedelta(seconds=60)


@dataclass(slots=True, eq=False)
class Grant:
    """One completed authorization: the family to which all its tokens belong."""

    sid: str
    person: Person
    access: Access
    acr: str
    auth_time: datetime
    started_at: datetime
    revoked: bool = False
    # Refresh requests that arrived, refreshes carried out, presentations of a rotated token.
    refresh_requests: int = 0
    refreshes: int = 0
    replays: int = 0


@dataclass(slots=True)
class AuthorizationCode:
    """A code and what it is bound to. A spent code is kept, so that its replay is noticed."""

    grant: Grant
    redirect_uri: str
    code_challenge: str
    nonce: str | None
    expires_at: datetime
    spent: bool = False


@dataclass(slots=True)
class RefreshToken:
    """One generation of a family. `rotated_at` is when it was first exchanged for the next one."""

    grant: Grant
    expires_at: datetime
    rotated_at: datetime | None = None


@dataclass(slots=True)
class AccessToken:
    """What the simulator remembers of a JWT it signed."""

    grant: Grant
    access: Access
    issued_at: datetime
    expires_at: datetime
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class RefreshTokenPolicy:
    """The application's refresh token settings in the PingOne console."""

    lifetime: timedelta
    rolling_lifetime: timedelta
    rolling_grace_period: timedelta


class Grants:
    """Everything issued, by its value. Tokens die with their grant, and the grant with its session.

    No method awaits: in one event loop each is atomic, which makes codes single-use.
    """

    def __init__(
        self,
        *,
        sessions: Sessions,
        refresh_token_policy: RefreshTokenPolicy,
        max_entries: int,
        now: Callable[[], datetime],
        new_secret: Callable[[], str],
    ) -> None:
        self._sessions = sessions
        self._policy = refresh_token_policy
        self._codes: BoundedStore[str, AuthorizationCode] = BoundedStore(max_entries)
        self._refresh_tokens: BoundedStore[str, RefreshToken] = BoundedStore(max_entries)
        self._access_tokens: BoundedStore[str, AccessToken] = BoundedStore(max_entries)
        self._now = now
        self._new_secret = new_secret

    def issue_code(
        self, grant: Grant, *, redirect_uri: str, code_challenge: str, nonce: str | None
    ) -> str:
        """Issue a code bound to the redirect URI and the challenge."""
        code = self._new_secret()
        self._codes.put(
            code,
            AuthorizationCode(
                grant, redirect_uri, code_challenge, nonce, self._now() + CODE_LIFETIME
            ),
        )
        return code

    def redeem_code(
        self, value: str, *, redirect_uri: str, code_verifier: str
    ) -> AuthorizationCode:
        """Spend a code; raise InvalidGrant. Its first presentation spends it, right or wrong."""
        code = self._codes.get(value)
        if code is None:
            raise InvalidGrant("The authorization code is not known")
        if code.spent:  # RFC 6749 section 4.1.2: what the code gave is revoked
            code.grant.revoked = True
            raise InvalidGrant("The authorization code was used before")
        code.spent = True
        if self._now() >= code.expires_at or not self.is_live(code.grant):
            raise InvalidGrant("The authorization code has expired")
        if redirect_uri != code.redirect_uri:  # RFC 6749 section 4.1.3
            raise InvalidGrant("redirect_uri is not the one of the authorization request")
        if not hmac.compare_digest(s256(code_verifier), code.code_challenge.encode()):
            raise InvalidGrant("code_verifier does not match the code_challenge")
        return code

    def issue_refresh_token(self, grant: Grant) -> str:
        """Issue the family's next refresh token; the rolling lifetime caps the whole family."""
        value = self._new_secret()
        expires_at = min(
            self._now() + self._policy.lifetime, grant.started_at + self._policy.rolling_lifetime
        )
        self._refresh_tokens.put(value, RefreshToken(grant, expires_at))
        return value

    def present_refresh_token(self, value: str) -> RefreshToken:
        """Return a refresh token that may be exchanged; raise InvalidGrant.

        A rotated token that comes back after the grace period is a replay: PingOne then revokes
        all its descendants, so the family's live token dies with it.
        """
        token = self.find_refresh_token(value)
        if token is None:
            raise InvalidGrant("The refresh token is not known, has expired or was revoked")
        if token.rotated_at is None:
            return token
        token.grant.replays += 1
        # Counted from the first rotation: a replay within the period must not extend it.
        if self._now() >= token.rotated_at + self._policy.rolling_grace_period:
            token.grant.revoked = True
            raise InvalidGrant("The refresh token was used before; its family is revoked")
        return token

    def rotate(self, token: RefreshToken) -> str:
        """Exchange a refresh token for the family's next one; that counts as use of the session."""
        token.rotated_at = token.rotated_at or self._now()
        token.grant.refreshes += 1
        session = self._sessions.find(token.grant.sid)
        if session is not None:
            self._sessions.touch(session)
        return self.issue_refresh_token(token.grant)

    def find_refresh_token(self, value: str) -> RefreshToken | None:
        """Return a refresh token, rotated or not, unless it has expired or its family is dead."""
        token = self._refresh_tokens.get(value)
        if token is None or self._now() >= token.expires_at or not self.is_live(token.grant):
            return None
        return token

    def is_family_live(self, refresh_token: str) -> bool:
        """True unless the family of this token, of whatever age, was revoked or signed off."""
        token = self._refresh_tokens.get(refresh_token)
        return token is not None and self.is_live(token.grant)

    def remember_access_token(self, value: str, token: AccessToken) -> None:
        """Remember a JWT that was signed for a grant."""
        self._access_tokens.put(value, token)

    def find_access_token(self, value: str) -> AccessToken | None:
        """Return an access token that is valid at this moment."""
        token = self._access_tokens.get(value)
        if token is None or token.revoked or self._now() >= token.expires_at:
            return None
        return token if self.is_live(token.grant) else None

    def grant_of(self, value: str) -> Grant | None:
        """Return whose code or token this is or was, dead or alive."""
        issued = (
            self._refresh_tokens.get(value)
            or self._codes.get(value)
            or self._access_tokens.get(value)
        )
        return None if issued is None else issued.grant

    def families(self) -> list[Grant]:
        """Return the grants that have, or had, refresh tokens; the oldest first."""
        # A dict, since a grant has many refresh tokens and is to be named once.
        return list({id(token.grant): token.grant for token in self._refresh_tokens}.values())

    def revoke_all_of(self, username: str) -> None:
        """End every family of one person; their session goes on."""
        for grant in self.families():
            if grant.person.username == username:
                grant.revoked = True

    @property
    def rolling_grace_period(self) -> timedelta:
        """How long a rotated refresh token can be used again."""
        return self._policy.rolling_grace_period

    def change_rolling_grace_period(self, grace: timedelta) -> None:
        """Change it, also for tokens that were rotated before."""
        self._policy = replace(self._policy, rolling_grace_period=grace)

    def is_live(self, grant: Grant) -> bool:
        """True unless the grant was revoked or its session has ended."""
        return not grant.revoked and self._sessions.find(grant.sid) is not None


def s256(value: str) -> bytes:
    """BASE64URL(SHA256(value)): the S256 code challenge (RFC 7636 section 4.2)."""
    return base64_encode(hashlib.sha256(value.encode()).digest())
