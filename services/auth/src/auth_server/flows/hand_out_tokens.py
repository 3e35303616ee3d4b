"""Initial access tokens (RFC 7591 3): an operator makes them, and takes them back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from auth_server.domain.audit import AuditAction, AuditActor, AuditEvent
from auth_server.domain.handles import INITIAL_PREFIX, RawHandle, digest, new_handle
from auth_server.storage.database import Database, Transaction
from auth_server.storage.initial_access_tokens import InitialAccessToken


@dataclass(frozen=True, slots=True)
class HandedOutToken:
    """A new token and its value, which is told once and stored as a digest."""

    token: InitialAccessToken
    raw_token: RawHandle = field(repr=False)


@dataclass(frozen=True, slots=True)
class HandOutTokens:
    """Makes and revokes; each with its line in the audit trail, which names the token by its id."""

    database: Database
    now: Callable[[], datetime]

    async def create(
        self, *, uses: int | None, expires_in: timedelta, note: str | None
    ) -> HandedOutToken:
        """Make a token for so many registrations, or any number if `uses` is None."""
        now = self.now()
        token = InitialAccessToken(str(uuid4()), note, now, now + expires_in, uses)
        raw_token = new_handle(INITIAL_PREFIX)
        async with self.database.transaction() as tx:
            await tx.initial_access_tokens.insert(token, digest(raw_token))
            await self._record(tx, AuditAction.INITIAL_TOKEN_CREATED, token.id, note)
        return HandedOutToken(token, raw_token)

    async def revoke(self, token_id: str, *, note: str | None = None) -> bool:
        """End a token at once; what was registered with it stays. False if there is none."""
        async with self.database.transaction() as tx:
            is_changed = await tx.initial_access_tokens.delete(token_id)
            if is_changed:
                await self._record(tx, AuditAction.INITIAL_TOKEN_REVOKED, token_id, note)
        return is_changed

    async def _record(
        self, tx: Transaction, event: AuditAction, token_id: str, note: str | None
    ) -> None:
        words = token_id if note is None else f"{token_id} {note}"
        await tx.audit_events.append(
            AuditEvent(event, AuditActor.OPERATOR, note=words), now=self.now()
        )
