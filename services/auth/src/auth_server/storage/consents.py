"""Remembered consents: one row per scope, so that remembering more is never a lost update."""

import hashlib
from collections import defaultdict
from datetime import datetime

from sqlalchemy import delete, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from auth_server.domain.consent import ConsentKey, RememberedConsent
from auth_server.storage.bounded_delete import delete_at_most
from auth_server.storage.tables import consents


class Consents:
    """The table `consents`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def remember(self, consent: RememberedConsent) -> None:
        """Add these scopes to what this subject consented to, until `expires_at`."""
        if not consent.scopes:
            return
        key_digest = _digest(consent.key)
        rows = [
            {
                "key_digest": key_digest,
                "subject": consent.subject,
                "scope": scope,
                "client_id": consent.key.client_id,
                "expires_at": consent.expires_at,
            }
            # In one order everywhere: rows locked crosswise would be a deadlock.
            for scope in sorted(consent.scopes)
        ]
        is_sqlite = self._connection.dialect.name == "sqlite"
        statement = (sqlite if is_sqlite else postgresql).insert(consents).values(rows)
        await self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=list(consents.primary_key.columns),
                set_={"expires_at": statement.excluded.expires_at},
            )
        )

    async def find(self, key: ConsentKey, *, now: datetime) -> tuple[RememberedConsent, ...]:
        """What is remembered for the key, per subject; each lasts as long as all its scopes do."""
        found = await self._connection.execute(
            select(consents.c.subject, consents.c.scope, consents.c.expires_at)
            .where(consents.c.key_digest == _digest(key), consents.c.expires_at > now)
            .order_by(consents.c.subject)
        )
        by_subject: dict[str, dict[str, datetime]] = defaultdict(dict)
        for subject, scope, expires_at in found:
            by_subject[subject][scope] = expires_at
        return tuple(
            RememberedConsent(key, subject, frozenset(scopes), min(scopes.values()))
            for subject, scopes in by_subject.items()
        )

    async def forget(self, subject: str, client_id: str) -> bool:
        """Forget what a person consented to for a client; False if that was nothing."""
        key = list(consents.primary_key.columns)
        doomed = (
            select(*key)
            .where(consents.c.subject == subject, consents.c.client_id == client_id)
            # Locked in the order in which remember() writes: crosswise would be a deadlock.
            .order_by(*key)
            .with_for_update()
            .cte("doomed")
        )
        forgotten = await self._connection.execute(
            delete(consents).where(tuple_(*key).in_(select(doomed))).returning(*key)
        )
        return bool(forgotten.all())

    async def delete_expired(self, *, now: datetime, limit: int) -> int:
        """Forget what has expired."""
        return await delete_at_most(
            self._connection, consents, consents.c.expires_at <= now, limit=limit
        )


def _digest(key: ConsentKey) -> bytes:
    # Each part is preceded by its length, so no two different keys encode to the same bytes.
    parts = (
        key.browser_digest,
        *(part.encode("utf-8") for part in (key.client_id, key.redirect_uri, key.resource)),
    )
    encoded = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return hashlib.sha256(encoded).digest()
