"""Pending authorizations: each step is left by one statement, bound to the browser that began."""

from datetime import datetime
from functools import partial
from typing import Any, Final

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import ColumnElement

from auth_server.domain.authorizations import (
    AuthorizationRequest,
    AuthorizationStep,
    PendingAuthorization,
    UpstreamAccount,
    UpstreamLogin,
)
from auth_server.domain.grants import Subject
from auth_server.domain.handles import Digest
from auth_server.domain.upstream_tokens import UpstreamTokens
from auth_server.storage.bounded_delete import delete_at_most
from auth_server.storage.encryption import Encryption
from auth_server.storage.tables import authorizations
from auth_server.storage.upstream_tokens import decode_tokens, encode_tokens, readable_tokens

CLIENT_STATE_PURPOSE: Final = "authorizations.client_state"
CODE_VERIFIER_PURPOSE: Final = "authorizations.code_verifier"
NONCE_PURPOSE: Final = "authorizations.nonce"
ACCOUNT_TOKENS_PURPOSE: Final = "authorizations.account_tokens"


class Authorizations:
    """The table `authorizations`. Another browser, a wrong step and an expired row all get None."""

    def __init__(self, connection: AsyncConnection, encryption: Encryption) -> None:
        self._connection = connection
        self._encryption = encryption

    async def insert(self, pending: PendingAuthorization) -> None:
        """Store an authorization at any step."""
        request, account = pending.request, pending.account
        values: dict[str, Any] = {
            "id": pending.id,
            "step": pending.step.value,
            "browser_digest": pending.browser_digest,
            "client_id": request.client_id,
            "redirect_uri": request.redirect_uri,
            "client_state_encrypted": self._encrypt_state(pending),
            "code_challenge": request.code_challenge,
            "resource": request.resource,
            "scopes": request.scopes,
            "prompts": request.prompts,
            "consent_is_remembered": pending.consent_is_remembered,
            "expires_at": pending.expires_at,
        }
        if pending.login is not None:
            values |= self._login_values(pending.id, pending.login)
        if account is not None:
            values |= {
                "account_subject": account.subject.subject,
                "account_username": account.subject.username,
                "account_tokens_encrypted": self._encryption.encrypt(
                    encode_tokens(account.tokens),
                    row_id=pending.id,
                    purpose=ACCOUNT_TOKENS_PURPOSE,
                ),
            }
        await self._connection.execute(insert(authorizations).values(values))

    async def approve(
        self,
        authorization_id: str,
        browser_digest: Digest,
        login: UpstreamLogin,
        *,
        upstream_expires_at: datetime,
        now: datetime,
    ) -> PendingAuthorization | None:
        """Consent was given: from awaiting_consent to at_pingone, until `upstream_expires_at`."""
        approved = await self._connection.execute(
            update(authorizations)
            .where(
                authorizations.c.id == authorization_id,
                authorizations.c.step == AuthorizationStep.AWAITING_CONSENT.value,
                *_is_live(browser_digest, now),
            )
            .values(
                step=AuthorizationStep.AT_PINGONE.value,
                expires_at=upstream_expires_at,
                **self._login_values(authorization_id, login),
            )
            .returning(authorizations)
        )
        row = approved.mappings().one_or_none()
        return None if row is None else self._pending_of(row)

    async def take_undecided(
        self, authorization_id: str, browser_digest: Digest, *, now: datetime
    ) -> PendingAuthorization | None:
        """Consent, the first or the second, was refused: take the authorization out."""
        return await self._take(
            authorizations.c.id == authorization_id,
            authorizations.c.step.in_(
                (
                    AuthorizationStep.AWAITING_CONSENT.value,
                    AuthorizationStep.AWAITING_ACCOUNT_CONSENT.value,
                )
            ),
            *_is_live(browser_digest, now),
        )

    async def take_at_pingone(
        self, state_digest: Digest, browser_digest: Digest, *, now: datetime
    ) -> PendingAuthorization | None:
        """PingOne answered: spend the state, with the login that its answer is checked with."""
        return await self._take(
            authorizations.c.state_digest == state_digest,
            authorizations.c.step == AuthorizationStep.AT_PINGONE.value,
            *_is_live(browser_digest, now),
        )

    async def take_awaiting_account_consent(
        self, authorization_id: str, browser_digest: Digest, *, now: datetime
    ) -> PendingAuthorization | None:
        """The second consent was given: take the authorization out, with its account."""
        return await self._take(
            authorizations.c.id == authorization_id,
            authorizations.c.step == AuthorizationStep.AWAITING_ACCOUNT_CONSENT.value,
            *_is_live(browser_digest, now),
        )

    async def delete_expired(self, *, now: datetime, limit: int) -> int:
        """Delete what nobody finished in time; where tokens wait, see take_expired_tokens."""
        return await delete_at_most(
            self._connection,
            authorizations,
            (authorizations.c.expires_at <= now)
            & authorizations.c.account_tokens_encrypted.is_(None),
            limit=limit,
        )

    async def take_expired_tokens(self, *, now: datetime, limit: int) -> tuple[UpstreamTokens, ...]:
        """Delete second consents that nobody decided; return their tokens, to be revoked."""
        expired = (
            select(authorizations.c.id)
            .where(
                authorizations.c.expires_at <= now,
                authorizations.c.account_tokens_encrypted.is_not(None),
            )
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("expired")
        )
        taken = await self._take_tokens(authorizations.c.id.in_(select(expired)))
        return tuple(tokens for tokens in taken if tokens is not None)

    async def take_of(
        self, *, subject: str | None, client_id: str | None, limit: int
    ) -> tuple[UpstreamTokens | None, ...]:
        """Delete a person's or a client's sign-ins under way; None is all persons, or all clients.

        Returns for each the tokens that it held, which are to be revoked. Whose a sign-in is, is
        known once PingOne has told. What another transaction holds is left to it.
        """
        conditions = []
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
        return await self._take_tokens(authorizations.c.id.in_(select(doomed)))

    async def _take_tokens(
        self, condition: ColumnElement[bool]
    ) -> tuple[UpstreamTokens | None, ...]:
        taken = await self._connection.execute(
            delete(authorizations).where(condition).returning(authorizations)
        )
        accounts = [
            readable_tokens(partial(self._account_of, row), row["id"]) for row in taken.mappings()
        ]
        return tuple(None if account is None else account.tokens for account in accounts)

    async def _take(self, *conditions: ColumnElement[bool]) -> PendingAuthorization | None:
        taken = await self._connection.execute(
            delete(authorizations).where(*conditions).returning(authorizations)
        )
        row = taken.mappings().one_or_none()
        return None if row is None else self._pending_of(row)

    def _login_values(self, row_id: str, login: UpstreamLogin) -> dict[str, bytes]:
        return {
            "state_digest": login.state_digest,
            "code_verifier_encrypted": self._encryption.encrypt(
                login.code_verifier.encode("utf-8"), row_id=row_id, purpose=CODE_VERIFIER_PURPOSE
            ),
            "nonce_encrypted": self._encryption.encrypt(
                login.nonce.encode("utf-8"), row_id=row_id, purpose=NONCE_PURPOSE
            ),
        }

    def _pending_of(self, row: RowMapping) -> PendingAuthorization:
        return PendingAuthorization(
            id=row["id"],
            step=AuthorizationStep(row["step"]),
            browser_digest=row["browser_digest"],
            request=AuthorizationRequest(
                client_id=row["client_id"],
                redirect_uri=row["redirect_uri"],
                state=self._state_of(row),
                code_challenge=row["code_challenge"],
                resource=row["resource"],
                scopes=row["scopes"],
                prompts=row["prompts"],
            ),
            expires_at=row["expires_at"],
            consent_is_remembered=row["consent_is_remembered"],
            login=self._login_of(row),
            account=self._account_of(row),
        )

    def _encrypt_state(self, pending: PendingAuthorization) -> bytes | None:
        if pending.request.state is None:
            return None
        return self._encryption.encrypt(
            pending.request.state.encode("utf-8"), row_id=pending.id, purpose=CLIENT_STATE_PURPOSE
        )

    def _state_of(self, row: RowMapping) -> str | None:
        if row["client_state_encrypted"] is None:
            return None
        return self._decrypt(row, "client_state_encrypted", CLIENT_STATE_PURPOSE)

    def _login_of(self, row: RowMapping) -> UpstreamLogin | None:
        if row["state_digest"] is None:
            return None
        return UpstreamLogin(
            state_digest=row["state_digest"],
            code_verifier=self._decrypt(row, "code_verifier_encrypted", CODE_VERIFIER_PURPOSE),
            nonce=self._decrypt(row, "nonce_encrypted", NONCE_PURPOSE),
        )

    def _account_of(self, row: RowMapping) -> UpstreamAccount | None:
        if row["account_tokens_encrypted"] is None:
            return None
        tokens = self._decrypt(row, "account_tokens_encrypted", ACCOUNT_TOKENS_PURPOSE)
        return UpstreamAccount(
            subject=Subject(row["account_subject"], row["account_username"]),
            tokens=decode_tokens(tokens.encode("utf-8")),
        )

    def _decrypt(self, row: RowMapping, column: str, purpose: str) -> str:
        return self._encryption.decrypt(row[column], row_id=row["id"], purpose=purpose).decode()


def _is_live(browser_digest: Digest, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return authorizations.c.browser_digest == browser_digest, authorizations.c.expires_at > now
