"""What became of consent forms: the first decision about a form stands."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from auth_server.domain.authorizations import ConsentDecision
from auth_server.storage.bounded_delete import delete_at_most
from auth_server.storage.tables import consent_decisions


class ConsentDecisions:
    """The table `consent_decisions`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def decide(
        self, form_id: str, decision: ConsentDecision, *, expires_at: datetime
    ) -> ConsentDecision | None:
        """Decide about a form by one statement; return what somebody else has decided before.

        None if this is the decision. Who decides at the same time waits for the other to commit.
        """
        is_sqlite = self._connection.dialect.name == "sqlite"
        decided = await self._connection.execute(
            (sqlite if is_sqlite else postgresql)
            .insert(consent_decisions)
            .values(form_id=form_id, decision=decision.value, expires_at=expires_at)
            .on_conflict_do_nothing()
            .returning(consent_decisions.c.form_id)
        )
        return None if decided.one_or_none() is not None else await self.find(form_id)

    async def find(self, form_id: str) -> ConsentDecision | None:
        """The decision about a form; None while it is open."""
        found = await self._connection.execute(
            select(consent_decisions.c.decision).where(consent_decisions.c.form_id == form_id)
        )
        decision = found.scalar_one_or_none()
        return None if decision is None else ConsentDecision(decision)

    async def delete_expired(self, *, now: datetime, limit: int) -> int:
        """Forget the decisions about forms that nobody can send any more."""
        return await delete_at_most(
            self._connection, consent_decisions, consent_decisions.c.expires_at <= now, limit=limit
        )
