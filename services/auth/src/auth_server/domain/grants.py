"""A grant: one completed authorization. Who, which client, which resource, exactly which scopes."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from auth_server.domain.handles import Digest
from auth_server.domain.scopes import Scopes


class RevocationReason(StrEnum):
    """Why a grant ended before its time."""

    CLIENT = "revoked_by_client"
    CODE_REPLAY = "code_replay"
    CODE_MISMATCH = "code_mismatch"
    UNREACHABLE = "unreachable"
    REFRESH_REUSE = "refresh_reuse"
    UPSTREAM_DEAD = "upstream_dead"
    UPSTREAM_REJECTED = "upstream_rejected"
    OPERATOR = "revoked_by_operator"
    USER = "revoked_by_user"
    # A newer grant of the same person to the same client took its place.
    SUPERSEDED = "superseded"
    # Nobody had redeemed its code when its person's access to its client ended.
    ACCESS_ENDED = "access_ended"

    @property
    def ends_access(self) -> bool:
        """False if the person goes on with the client: only this grant is of no use any more."""
        return self not in {RevocationReason.SUPERSEDED, RevocationReason.UNREACHABLE}


@dataclass(frozen=True, slots=True)
class Subject:
    """The person as PingOne names them: `subject` is the stable `sub`, `username` is for people."""

    subject: str
    username: str


@dataclass(frozen=True, slots=True)
class Grant:
    """The parent of handles and of one PingOne token set; revoking it ends them all."""

    id: str
    client_id: str
    subject: Subject
    resource: str
    scopes: Scopes
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime
    # The browser that it was allowed in; None for one that is older than this column.
    browser_digest: Digest | None = None
    revoked_at: datetime | None = None
    revocation_reason: RevocationReason | None = None

    def is_active(self, now: datetime) -> bool:
        """True unless revoked or past its absolute lifetime."""
        return self.revoked_at is None and now < self.expires_at

    def steps_up_from(self, older: "Grant") -> bool:
        """True if this grant allows more than the older one did, in the same browser.

        For a client_id that one instance of an app has, the older one is of no use then. Equal
        scopes prove nothing: an app may hold two connections on purpose.
        """
        return (
            self.browser_digest is not None
            and self.browser_digest == older.browser_digest
            and self.resource == older.resource
            and self.scopes > older.scopes
        )


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """A code's memory (RFC 6749 4.1.2): what it may be redeemed for, and the checks to pass."""

    grant_id: str
    client_id: str
    redirect_uri: str
    code_challenge: str
    scopes: Scopes
    expires_at: datetime
