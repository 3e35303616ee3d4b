"""Approved authorizations: each step is left by one statement, by the browser that began.

A row stays for a while after its end, without secrets, so that a repetition is recognised as one.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import ColumnElement

from auth_server.domain.authorizations import (
    AuthorizationStep,
    PendingAuthorization,
    UpstreamAccount,
)
from auth_server.domain.handles import Digest
from auth_server.domain.upstream_tokens import UpstreamTokens
from auth_server.storage.authorization_rows import AuthorizationRows
from auth_server.storage.bounded_delete import delete_at_most
from auth_server.storage.encryption import Encryption
from auth_server.storage.tables import authorizations
from auth_server.storage.transaction_locks import lock
from auth_server.storage.upstream_tokens import readable_tokens

# Of one form, and of one browser and client without a form: older ones make room.
MAX_AT_PINGONE: Final = 4

_NO_SECRETS: Final[dict[str, Any]] = {
    "code_verifier_encrypted": None,
    "nonce_encrypted": None,
    "account_tokens_encrypted": None,
}


class Authorizations:
    """The table `authorizations`. Another browser and a wrong step both get None."""

    def __init__(self, connection: AsyncConnection, encryption: Encryption) -> None:
        self._connection = connection
        self._rows = AuthorizationRows(encryption)

    async def start(self, pending: PendingAuthorization) -> None:
        """Store an authorization that goes to PingOne; the oldest of its kind make room."""
        kind: tuple[ColumnElement[bool], ...] = (authorizations.c.form_id == pending.form_id,)
        if pending.consent_is_remembered:
            kind = (
                authorizations.c.consent_is_remembered,
                authorizations.c.browser_digest == pending.browser_digest,
                authorizations.c.client_id == pending.request.client_id,
            )
        await self._lock_kind(pending)
        newest = (
            select(authorizations.c.id)
            .where(*kind, authorizations.c.step == AuthorizationStep.AT_PINGONE.value)
            .order_by(authorizations.c.expires_at.desc(), authorizations.c.id)
        )
        others = (await self._connection.execute(newest)).scalars().all()
        if surplus := others[MAX_AT_PINGONE - 1 :]:
            await self._connection.execute(
                delete(authorizations).where(
                    authorizations.c.id.in_(surplus),
                    authorizations.c.step == AuthorizationStep.AT_PINGONE.value,
                )
            )
        values = self._rows.values_of(pending)
        await self._connection.execute(insert(authorizations).values(values))

    async def _lock_kind(self, pending: PendingAuthorization) -> None:
        if pending.consent_is_remembered:
            browser = pending.browser_digest.hex()
            await lock(self._connection, "authorizations", browser, pending.request.client_id)
        else:
            await lock(self._connection, "authorizations", pending.form_id)

    async def spend_state(
        self, state_digest: Digest, started: Sequence[Digest], *, now: datetime
    ) -> PendingAuthorization | None:
        """PingOne answered: from at_pingone to finishing, with what the answer is checked with."""
        return await self._step(
            (
                authorizations.c.state_digest == state_digest,
                authorizations.c.started_digest.in_(started),
                authorizations.c.step == AuthorizationStep.AT_PINGONE.value,
                authorizations.c.expires_at > now,
            ),
            {"step": AuthorizationStep.FINISHING.value, "spent_at": now},
        )

    async def find(
        self, state_digest: Digest, started: Sequence[Digest]
    ) -> PendingAuthorization | None:
        """The authorization of a state, at any step, for the browser that began it."""
        found = await self._connection.execute(
            select(authorizations).where(
                authorizations.c.state_digest == state_digest,
                authorizations.c.started_digest.in_(started),
            )
        )
        row = found.mappings().one_or_none()
        return None if row is None else self._rows.pending_of(row)

    async def await_account_consent(
        self, pending: PendingAuthorization, account: UpstreamAccount, *, expires_at: datetime
    ) -> bool:
        """From finishing to the second consent, with the account; False if it has ended."""
        values = {
            "step": AuthorizationStep.AWAITING_ACCOUNT_CONSENT.value,
            "expires_at": expires_at,
            **_NO_SECRETS,
            **self._rows.account_values(pending.id, account),
        }
        waiting = await self._step(_at(pending, AuthorizationStep.FINISHING), values)
        return waiting is not None

    async def take_account(
        self, pending: PendingAuthorization, *, now: datetime
    ) -> UpstreamAccount | None:
        """The second consent was decided: from awaiting it to the end; return the account."""
        taken = await self._step(
            (
                *_at(pending, AuthorizationStep.AWAITING_ACCOUNT_CONSENT),
                authorizations.c.expires_at > now,
            ),
            {"step": AuthorizationStep.ENDED.value, "ended_at": now},
        )
        if taken is None:
            return None
        await self._connection.execute(
            update(authorizations).where(authorizations.c.id == pending.id).values(**_NO_SECRETS)
        )
        return taken.account

    async def end(
        self, pending: PendingAuthorization, *, sealed_answer: bytes | None, now: datetime
    ) -> bool:
        """From its present step to the end; False if somebody else has gone on from there."""
        ended = await self._step(
            _at(pending, pending.step),
            {
                "step": AuthorizationStep.ENDED.value,
                "ended_at": now,
                "spent_at": now if pending.finish is None else pending.finish.spent_at,
                "answer_encrypted": sealed_answer,
                **_NO_SECRETS,
            },
        )
        return ended is not None

    async def keep_answer(self, authorization_id: str, sealed_answer: bytes) -> None:
        """Note what was answered, for who took its account."""
        await self._connection.execute(
            update(authorizations)
            .where(authorizations.c.id == authorization_id)
            .values(answer_encrypted=sealed_answer)
        )

    async def erase_secrets(
        self, *, expired_by: datetime, answered_before: datetime, limit: int
    ) -> int:
        """Erase what expired authorizations and old answers still hold; where tokens wait, see
        take_expired_tokens."""
        is_late = (authorizations.c.expires_at <= expired_by) & (
            authorizations.c.code_verifier_encrypted.is_not(None)
        )
        is_answered = (authorizations.c.ended_at <= answered_before) & (
            authorizations.c.answer_encrypted.is_not(None)
        )
        candidates = (
            select(authorizations.c.id)
            .where(or_(is_late, is_answered))
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("candidates")
        )
        erased = await self._connection.execute(
            update(authorizations)
            .where(authorizations.c.id.in_(select(candidates)))
            .values(code_verifier_encrypted=None, nonce_encrypted=None, answer_encrypted=None)
            .returning(authorizations.c.id)
        )
        return len(erased.all())

    async def delete_expired(self, *, before: datetime, limit: int) -> int:
        """Delete what had expired by then; where tokens wait, see take_expired_tokens."""
        return await delete_at_most(
            self._connection,
            authorizations,
            (authorizations.c.expires_at <= before)
            & authorizations.c.account_tokens_encrypted.is_(None),
            limit=limit,
        )

    async def take_expired_tokens(self, *, now: datetime, limit: int) -> tuple[UpstreamTokens, ...]:
        """Take the tokens out of second consents that nobody decided; they are to be revoked."""
        expired = await self._connection.execute(
            select(authorizations)
            .where(
                authorizations.c.expires_at <= now,
                authorizations.c.account_tokens_encrypted.is_not(None),
            )
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        rows = expired.mappings().all()
        await self._connection.execute(
            update(authorizations)
            .where(authorizations.c.id.in_([row["id"] for row in rows]))
            .values(account_tokens_encrypted=None)
        )
        accounts = [readable_tokens(partial(self._rows.account_of, row), row["id"]) for row in rows]
        return tuple(account.tokens for account in accounts if account is not None)

    async def take_of(
        self, *, subject: str | None, client_id: str | None, limit: int
    ) -> tuple[UpstreamTokens | None, ...]:
        """Delete a person's or a client's sign-ins under way; None is all persons, or all clients.

        Returns for each the tokens that it held, which are to be revoked. Whose a sign-in is, is
        known once PingOne has told. What another transaction holds is left to it.
        """
        conditions = [authorizations.c.step != AuthorizationStep.ENDED.value]
        if subject is not None:
            conditions.append(authorizations.c.account_subject == subject)
        if client_id is not None:
            conditions.append(authorizations.c.client_id == client_id)
        doomed = (
            select(authorizations.c.id)
            .where(*conditions)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("doomed")
        )
        taken = await self._connection.execute(
            delete(authorizations)
            .where(authorizations.c.id.in_(select(doomed)))
            .returning(authorizations)
        )
        accounts = [
            readable_tokens(partial(self._rows.account_of, row), row["id"])
            for row in taken.mappings()
        ]
        return tuple(None if account is None else account.tokens for account in accounts)

    async def _step(
        self, conditions: Sequence[ColumnElement[bool]], values: dict[str, Any]
    ) -> PendingAuthorization | None:
        changed = await self._connection.execute(
            update(authorizations).where(*conditions).values(**values).returning(authorizations)
        )
        row = changed.mappings().one_or_none()
        return None if row is None else self._rows.pending_of(row)


def _at(pending: PendingAuthorization, step: AuthorizationStep) -> tuple[ColumnElement[bool], ...]:
    return authorizations.c.id == pending.id, authorizations.c.step == step.value
