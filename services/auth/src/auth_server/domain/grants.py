"""A grant: one completed authorization. Who, which client, which resource, exactly which scopes."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

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
    # Another grant of the same person to the same client was one too many.
    SUPERSEDED = "superseded"


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
    revoked_at: datetime | None = None
    revocation_reason: RevocationReason | None = None

    def is_active(self, now: datetime) -> bool:
        """True unless revoked or past its absolute lifetime."""
        return self.revoked_at is None and now < self.expires_at


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """A code's memory (RFC 6749 4.1.2): what it may be redeemed for, and the checks to pass."""

    grant_id: str
    client_id: str
    redirect_uri: str
    code_challenge: str
    scopes: Scopes
    expires_at: datetime
