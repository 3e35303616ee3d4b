"""PingOne sends a person back to the account page: know who it is, and keep nothing else."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from auth_server.domain.account import (
    AccountAnswer,
    AccountLoginFailed,
    AccountSession,
    PendingAccountLogin,
    SignInFailure,
)
from auth_server.domain.authorizations import UpstreamLogin
from auth_server.domain.grants import Subject
from auth_server.domain.handles import Digest, digest, new_secret
from auth_server.domain.lifetimes import Lifetimes
from auth_server.domain.upstream_tokens import UpstreamTokens
from auth_server.flows.client_answers import Returned
from auth_server.flows.finish_login import UpstreamAnswer
from auth_server.flows.send_revocations import SendRevocations
from auth_server.storage.database import Database, StorageUnavailable, Transaction
from auth_server.storage.sealed_client_answers import seal_account_answer
from auth_server.upstream.errors import UpstreamError, UpstreamUnavailable
from auth_server.upstream.pingone import PingOne

_log = structlog.get_logger(__name__)

_FAILURES: Final = {
    "access_denied": SignInFailure.CANCELLED,
    "temporarily_unavailable": SignInFailure.UNAVAILABLE,
}


@dataclass(frozen=True, slots=True)
class FinishAccountLogin:
    """Ends with a fresh session of the account page."""

    database: Database
    pingone: PingOne
    send_revocations: SendRevocations
    lifetimes: Lifetimes
    now: Callable[[], datetime]

    async def __call__(
        self, answer: UpstreamAnswer, returned: Returned, *, replaces: Digest | None
    ) -> str | None:
        """Begin a session and return its secret, for the cookie; end the one that it `replaces`.

        None for a state that is unknown, spent or another browser's; AccountLoginFailed for
        everything else that goes wrong at PingOne.
        """
        async with self.database.transaction() as tx:
            pending = await tx.account_logins.take(
                returned.state_digest,
                returned.started,
                now=self.now(),
                known_until=self.now() + self.lifetimes.late,
            )
        if pending is None:
            return None
        try:
            subject = await self._identify(answer, pending)
        except AccountLoginFailed as failed:
            await self._keep_failure(returned, pending, failed.failure)
            raise
        secret = new_secret()
        session = AccountSession(
            digest(secret), subject, self.now() + self.lifetimes.account_session
        )
        async with self.database.transaction() as tx:
            if replaces is not None:
                await tx.account_sessions.delete(replaces)
            await tx.account_sessions.insert(session)
            await self._keep(tx, returned, pending, AccountAnswer(session_secret=secret))
        _log.info("account.signed_in")
        return secret

    async def _keep_failure(
        self, returned: Returned, pending: PendingAccountLogin, failure: SignInFailure
    ) -> None:
        try:
            async with self.database.transaction() as tx:
                await self._keep(tx, returned, pending, AccountAnswer(failure=failure))
        except StorageUnavailable as error:
            _log.warning("account.end_not_noted", reason=str(error))

    async def _keep(
        self,
        tx: Transaction,
        returned: Returned,
        pending: PendingAccountLogin,
        answer: AccountAnswer,
    ) -> None:
        """Note the end, for a browser that repeats the request."""
        sealed = seal_account_answer(
            returned.state, returned.secrets[pending.browser_digest], answer
        )
        until = self.now() + self.lifetimes.repeated_answer
        await tx.account_logins.keep_answer(returned.state_digest, sealed, until=until)

    async def _identify(self, answer: UpstreamAnswer, pending: PendingAccountLogin) -> Subject:
        if answer.error is not None:
            failure = _FAILURES.get(answer.error, SignInFailure.FAILED)
            raise AccountLoginFailed(failure, f"PingOne answered {answer.error[:60]!r}")
        if answer.code is None:
            raise AccountLoginFailed(
                SignInFailure.FAILED, "PingOne's redirect has neither code nor error"
            )
        try:
            return await self._redeem(answer.code, pending.login)
        except UpstreamUnavailable as error:
            raise AccountLoginFailed(SignInFailure.UNAVAILABLE, str(error)) from error
        except UpstreamError as error:
            detail = f"{type(error).__name__}: {error}"
            raise AccountLoginFailed(SignInFailure.FAILED, detail) from error

    async def _redeem(self, code: str, login: UpstreamLogin) -> Subject:
        unverified = await self.pingone.exchange_code(code=code, login=login)
        try:
            return await self.pingone.verify_identity(unverified, login=login)
        finally:
            self._let_go(unverified.tokens)

    def _let_go(self, tokens: UpstreamTokens) -> None:
        # Nobody needs them. PingOne revokes no access token for its own API, except by the refresh
        # token of the same grant; without one it is forgotten here, and soon expires there.
        if tokens.refresh_token is not None:
            self.send_revocations.apart(tokens)
