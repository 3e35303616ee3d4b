"""PingOne sends the browser back: spend the state, redeem the code, and know who it is."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import structlog

from auth_server.domain.authorizations import (
    AlreadyDecided,
    AuthorizationFailed,
    ClientAnswer,
    PendingAuthorization,
    UpstreamAccount,
)
from auth_server.domain.errors import (
    AccessDenied,
    InvalidTarget,
    LoginRequired,
    OAuthError,
    ServerError,
    TemporarilyUnavailable,
)
from auth_server.domain.lifetimes import Lifetimes
from auth_server.domain.resources import ProtectedResource, ProtectedResources
from auth_server.flows.client_answers import AnsweredClient, Returned, error_answer
from auth_server.flows.issue_code import CodeIssued, IssueCode
from auth_server.flows.send_revocations import SendRevocations
from auth_server.storage.database import Database, StorageUnavailable, Transaction
from auth_server.upstream.errors import UpstreamError, UpstreamUnavailable
from auth_server.upstream.pingone import PingOne

_log = structlog.get_logger(__name__)

# PingOne's answers that mean something to the client; every other is an error of ours to it.
_CANNOT_ASK: Final = frozenset(
    {"login_required", "interaction_required", "consent_required", "account_selection_required"}
)


@dataclass(frozen=True, slots=True)
class UpstreamAnswer:
    """The parameters of PingOne's redirect: either a code or an error (RFC 6749 4.1.2)."""

    state: str
    code: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class AccountConsentNeeded:
    """Another account came back than the one whose consent is remembered: ask for this one."""

    pending: PendingAuthorization


@dataclass(frozen=True, slots=True)
class FinishLogin:
    """Ends with a code for the client, or with a second consent."""

    database: Database
    pingone: PingOne
    resources: ProtectedResources
    issue_code: IssueCode
    send_revocations: SendRevocations
    lifetimes: Lifetimes
    now: Callable[[], datetime]

    async def __call__(
        self, answer: UpstreamAnswer, returned: Returned
    ) -> AnsweredClient | AccountConsentNeeded | None:
        """Finish the login, or ask once more.

        None for a state that is unknown, spent, expired or another browser's; AuthorizationFailed
        for everything that the client must hear; AlreadyDecided if another sign-on of the same form
        was faster, or the form was denied.
        """
        async with self.database.transaction() as tx:
            pending = await tx.authorizations.spend_state(
                returned.state_digest, returned.started, now=self.now()
            )
            if pending is None:
                return None
            decision = await tx.consent_decisions.find(pending.form_id)
            if decision is not None:
                await tx.authorizations.end(pending, sealed_answer=None, now=self.now())
        if decision is not None:
            raise AlreadyDecided(decision)
        try:
            return await self._finish(answer, pending, returned)
        except AuthorizationFailed as failure:
            # Without the database there is nowhere to note it, and the person would wait for that.
            if not isinstance(failure.__cause__, StorageUnavailable):
                await self._keep(returned.seal(pending, error_answer(failure.error)), pending)
            raise

    async def _finish(
        self, answer: UpstreamAnswer, pending: PendingAuthorization, returned: Returned
    ) -> AnsweredClient | AccountConsentNeeded:
        resource = self._resource(pending)
        account = await self._redeem(answer, pending, resource)
        if not resource.granted(pending.request.scopes, account.tokens.scope):
            self.send_revocations.apart(account.tokens)
            raise AuthorizationFailed(
                pending.request, AccessDenied("the account has none of the requested permissions")
            )
        try:
            finished = await self._complete(pending, account, returned)
        except AlreadyDecided:
            self.send_revocations.apart(account.tokens)
            await self._keep(None, pending)
            raise
        except StorageUnavailable as error:
            # Nobody else knows of these tokens. Should the commit have come through all the same,
            # the grant ends at its next use.
            self.send_revocations.apart(account.tokens)
            raise AuthorizationFailed(
                pending.request,
                TemporarilyUnavailable("the service is unavailable for now", detail=str(error)),
            ) from error
        if isinstance(finished, AccountConsentNeeded):
            return finished
        self.issue_code.committed(finished)
        return AnsweredClient(pending.request, ClientAnswer(code=finished.code))

    async def _complete(
        self, pending: PendingAuthorization, account: UpstreamAccount, returned: Returned
    ) -> CodeIssued | AccountConsentNeeded:
        async with self.database.transaction() as tx:
            # Before the consent is looked up: whoever ends this access meanwhile is waited for.
            await tx.grants.hold(account.subject.subject, pending.request.client_id)
            if not await self._needs_account_consent(tx, pending, account):
                return await self.issue_code.once(tx, pending, account, returned)
            if "none" not in pending.request.prompts:
                expires_at = self.now() + self.lifetimes.account_consent
                if not await tx.authorizations.await_account_consent(
                    pending, account, expires_at=expires_at
                ):
                    raise AlreadyDecided(None)
                return AccountConsentNeeded(replace(pending, login=None, account=account))
        # OpenID Connect Core 3.1.2.1: prompt=none forbids the page that would have to ask.
        self.send_revocations.apart(account.tokens)
        raise AuthorizationFailed(
            pending.request, LoginRequired("another account is signed on, and must be asked")
        )

    async def _keep(self, sealed_answer: bytes | None, pending: PendingAuthorization) -> None:
        """Note the end, for a browser that repeats the request."""
        try:
            async with self.database.transaction() as tx:
                await tx.authorizations.end(pending, sealed_answer=sealed_answer, now=self.now())
        except StorageUnavailable as error:
            _log.warning("authorization.end_not_noted", reason=str(error))

    def _resource(self, pending: PendingAuthorization) -> ProtectedResource:
        try:
            return self.resources.select([pending.request.resource])
        except InvalidTarget as error:
            # Taken out of the configuration while the person signed on.
            raise AuthorizationFailed(pending.request, error) from error

    async def _redeem(
        self, answer: UpstreamAnswer, pending: PendingAuthorization, resource: ProtectedResource
    ) -> UpstreamAccount:
        if answer.error is not None:
            raise AuthorizationFailed(pending.request, _as_client_error(answer.error))
        if answer.code is None or pending.login is None:
            raise AuthorizationFailed(
                pending.request,
                ServerError(
                    "the sign-on service gave no usable answer",
                    detail="PingOne's redirect has neither code nor error",
                ),
            )
        try:
            unverified = await self.pingone.exchange_code(code=answer.code, login=pending.login)
            try:
                return await self.pingone.verify_login(
                    unverified, login=pending.login, audience=resource.upstream_audience
                )
            except UpstreamError:
                self.send_revocations.apart(unverified.tokens)
                raise
        except UpstreamUnavailable as error:
            failure: OAuthError = TemporarilyUnavailable(
                "the sign-on service cannot be reached; try again later", detail=str(error)
            )
            raise AuthorizationFailed(pending.request, failure) from error
        except UpstreamError as error:
            failure = ServerError(
                "the sign-on could not be completed", detail=f"{type(error).__name__}: {error}"
            )
            raise AuthorizationFailed(pending.request, failure) from error

    async def _needs_account_consent(
        self, tx: Transaction, pending: PendingAuthorization, account: UpstreamAccount
    ) -> bool:
        if not pending.consent_is_remembered:
            return False
        remembered = await tx.consents.find(pending.consent_key, now=self.now())
        return not any(
            consent.subject == account.subject.subject and consent.covers(pending.request.scopes)
            for consent in remembered
        )


def _as_client_error(upstream_error: str) -> OAuthError:
    detail = f"PingOne answered {upstream_error[:60]!r}"
    if upstream_error == "access_denied":
        return AccessDenied("the sign-on was cancelled or refused", detail=detail)
    if upstream_error in _CANNOT_ASK:
        return LoginRequired("the person has to sign on interactively", detail=detail)
    if upstream_error == "temporarily_unavailable":
        return TemporarilyUnavailable("the sign-on service is unavailable", detail=detail)
    return ServerError("the sign-on service reported an error", detail=detail)
