"""What an auditor needs to know: who did what to which grant or client, and how it ended.

Names and ids only, never a secret: no handle, code, token, cookie, or client's own text.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from auth_server.domain.grants import Grant, RevocationReason


class AuditAction(StrEnum):
    """What happened. The words are part of the exported format: add, never rename."""

    CONSENT_ALLOWED = "consent_allowed"
    CONSENT_DENIED = "consent_denied"
    GRANT_CREATED = "grant_created"
    GRANT_ENDED = "grant_ended"
    CONSENTS_FORGOTTEN = "consents_forgotten"
    HANDLES_ISSUED = "handles_issued"
    HANDLES_REFRESHED = "handles_refreshed"
    REFRESH_REPLAYED = "refresh_replayed"
    REFRESH_REUSED = "refresh_reused"
    CODE_REPLAYED = "code_replayed"
    CODE_MISUSED = "code_misused"
    CLIENT_REGISTERED = "client_registered"
    CLIENT_ADDED = "client_added"
    CLIENT_DISABLED = "client_disabled"
    CLIENT_ENABLED = "client_enabled"
    CLIENT_DELETED = "client_deleted"
    INITIAL_TOKEN_CREATED = "initial_token_created"
    INITIAL_TOKEN_REVOKED = "initial_token_revoked"
    KEYS_REWRAPPED = "keys_rewrapped"
    KEY_ABANDONED = "key_abandoned"


class AuditActor(StrEnum):
    """Who did it. Only a client and a person act over the network, and so have an address."""

    CLIENT = "client"
    PERSON = "person"
    OPERATOR = "operator"
    PINGONE = "pingone"
    SYSTEM = "system"

    @property
    def has_address(self) -> bool:
        """False for what the service does by itself, even if a request happened to start it."""
        return self in {AuditActor.CLIENT, AuditActor.PERSON}


class AuditOutcome(StrEnum):
    """Whether it was done, or refused."""

    SUCCESS = "success"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """What a flow says; time and address are added where it is recorded.

    `reason` is one of our fixed words. `note` is the operator's own text, or the id of what an
    operator handed out or changed.
    """

    event: AuditAction
    actor: AuditActor
    outcome: AuditOutcome = AuditOutcome.SUCCESS
    subject: str | None = None
    client_id: str | None = None
    grant_id: str | None = None
    reason: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """A line of the audit trail. Texts, not enumerations: a newer version may know more words."""

    id: int
    occurred_at: datetime
    event: str
    outcome: str
    reason: str | None
    actor: str
    subject: str | None
    client_id: str | None
    grant_id: str | None
    address: str | None
    note: str | None


_ENDED_BY: Final = {
    RevocationReason.CLIENT: AuditActor.CLIENT,
    RevocationReason.CODE_REPLAY: AuditActor.CLIENT,
    RevocationReason.CODE_MISMATCH: AuditActor.CLIENT,
    RevocationReason.REFRESH_REUSE: AuditActor.CLIENT,
    RevocationReason.UPSTREAM_DEAD: AuditActor.PINGONE,
    RevocationReason.UPSTREAM_REJECTED: AuditActor.PINGONE,
    RevocationReason.OPERATOR: AuditActor.OPERATOR,
    RevocationReason.USER: AuditActor.PERSON,
}
_REFUSALS_THAT_END: Final = {
    RevocationReason.CODE_REPLAY: AuditAction.CODE_REPLAYED,
    RevocationReason.CODE_MISMATCH: AuditAction.CODE_MISUSED,
    RevocationReason.REFRESH_REUSE: AuditAction.REFRESH_REUSED,
}


def of_grant(
    event: AuditAction,
    grant: Grant,
    actor: AuditActor = AuditActor.CLIENT,
    outcome: AuditOutcome = AuditOutcome.SUCCESS,
) -> AuditEvent:
    """An event about a grant, by its client unless another is named."""
    return AuditEvent(
        event,
        actor,
        outcome,
        subject=grant.subject.subject,
        client_id=grant.client_id,
        grant_id=grant.id,
    )


def consents_forgotten(
    subject: str, client_id: str, reason: RevocationReason, note: str | None
) -> AuditEvent:
    """Access ended of which no grant was left, so that nothing else would tell of it."""
    return AuditEvent(
        AuditAction.CONSENTS_FORGOTTEN,
        _ENDED_BY.get(reason, AuditActor.SYSTEM),
        subject=subject,
        client_id=client_id,
        reason=reason.value,
        note=note,
    )


def end_of_grant(
    grant: Grant, reason: RevocationReason, note: str | None
) -> tuple[AuditEvent, ...]:
    """The end of a grant, and before it the refused request that caused it, if one did.

    Such a request is recorded with the end only, so once: whoever repeats it fills no table.
    """
    actor = _ENDED_BY.get(reason, AuditActor.SYSTEM)
    end = replace(of_grant(AuditAction.GRANT_ENDED, grant, actor), reason=reason.value, note=note)
    refused = _REFUSALS_THAT_END.get(reason)
    if refused is None:
        return (end,)
    return of_grant(refused, grant, actor, AuditOutcome.REFUSED), end
