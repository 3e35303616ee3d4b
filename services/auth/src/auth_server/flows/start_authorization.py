"""A valid request of /authorize: on to PingOne if consent is remembered, else ask first."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from auth_server.domain.authorizations import (
    AuthorizationRequest,
    AuthorizationStep,
    PendingAuthorization,
)
from auth_server.domain.consent import ConsentKey
from auth_server.domain.errors import LoginRequired
from auth_server.domain.handles import Digest
from auth_server.domain.lifetimes import Lifetimes
from auth_server.flows.go_to_pingone import GoToPingOne, new_login
from auth_server.storage.database import Database, Transaction


@dataclass(frozen=True, slots=True)
class ConsentNeeded:
    """The person must be asked; the page carries this authorization's id."""

    pending: PendingAuthorization


@dataclass(frozen=True, slots=True)
class AtPingOne:
    """The browser goes to PingOne."""

    url: str


@dataclass(frozen=True, slots=True)
class StartAuthorization:
    """Stores the authorization, bound to the browser that asked."""

    database: Database
    go_to_pingone: GoToPingOne
    lifetimes: Lifetimes
    now: Callable[[], datetime]

    async def __call__(
        self, request: AuthorizationRequest, browser_digest: Digest
    ) -> ConsentNeeded | AtPingOne:
        """Decide whether to ask.

        Raises LoginRequired if prompt=none forbids it, TemporarilyUnavailable without PingOne.
        """
        pending = PendingAuthorization(
            id=str(uuid4()),
            step=AuthorizationStep.AWAITING_CONSENT,
            browser_digest=browser_digest,
            request=request,
            expires_at=self.now() + self.lifetimes.authorization,
        )
        async with self.database.reading() as read:
            is_remembered = await self._is_remembered(read, pending.consent_key, request)
        if is_remembered:
            return await self._without_asking(pending)
        if "none" in request.prompts:
            raise LoginRequired("consent is needed, and prompt=none forbids asking for it")
        async with self.database.transaction() as tx:
            await tx.authorizations.insert(pending)
        return ConsentNeeded(pending)

    async def _is_remembered(
        self, read: Transaction, key: ConsentKey, request: AuthorizationRequest
    ) -> bool:
        if "consent" in request.prompts:
            return False
        remembered = await read.consents.find(key, now=self.now())
        return any(consent.covers(request.scopes) for consent in remembered)

    async def _without_asking(self, pending: PendingAuthorization) -> AtPingOne:
        # Whether the remembered consent is the right person's is known when PingOne answers.
        new = new_login()
        url = await self.go_to_pingone(pending.request, new)
        approved = PendingAuthorization(
            id=pending.id,
            step=AuthorizationStep.AT_PINGONE,
            browser_digest=pending.browser_digest,
            request=pending.request,
            expires_at=pending.expires_at,
            consent_is_remembered=True,
            login=new.login,
        )
        async with self.database.transaction() as tx:
            await tx.authorizations.insert(approved)
        return AtPingOne(url)
