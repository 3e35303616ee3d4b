"""An authorization is approved, by Allow or by a remembered consent: on to PingOne."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from auth_server.domain.authorizations import (
    AuthorizationRequest,
    AuthorizationStep,
    PendingAuthorization,
)
from auth_server.domain.handles import Digest, digest, new_id, new_secret
from auth_server.domain.lifetimes import Lifetimes
from auth_server.flows.go_to_pingone import AtPingOne, GoToPingOne, new_login
from auth_server.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class BeginSignOn:
    """Stores one row, under a fresh state and for a fresh cookie."""

    go_to_pingone: GoToPingOne
    lifetimes: Lifetimes
    now: Callable[[], datetime]

    async def prepare(
        self,
        request: AuthorizationRequest,
        browser: Digest,
        *,
        form_id: str,
        consent_is_remembered: bool,
    ) -> "Prepared":
        """Make everything but the row, with no transaction open.

        Raises TemporarilyUnavailable if PingOne cannot be discovered, InvalidTarget if the resource
        is not configured any more.
        """
        new, secret = new_login(), new_secret()
        url = await self.go_to_pingone(request, new)
        pending = PendingAuthorization(
            id=new_id(),
            form_id=form_id,
            step=AuthorizationStep.AT_PINGONE,
            started_digest=digest(secret),
            browser_digest=browser,
            request=request,
            expires_at=self.now() + self.lifetimes.sign_on,
            consent_is_remembered=consent_is_remembered,
            login=new.login,
        )
        return Prepared(pending, AtPingOne(url, pending.id, secret))


@dataclass(frozen=True, slots=True)
class Prepared:
    """A sign-on that begins with its row."""

    pending: PendingAuthorization
    at_pingone: AtPingOne

    async def store(self, tx: Transaction) -> None:
        """Begin it. The oldest unfinished one of the same form, or client, may have to go."""
        await tx.authorizations.start(self.pending)
