"""A valid request of /authorize: on to PingOne if consent is remembered, else ask first."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from auth_server.domain.authorizations import AuthorizationRequest, consent_key
from auth_server.domain.errors import LoginRequired
from auth_server.domain.handles import Digest, new_id
from auth_server.flows.begin_sign_on import BeginSignOn
from auth_server.flows.go_to_pingone import AtPingOne
from auth_server.storage.database import Database, Transaction


@dataclass(frozen=True, slots=True)
class ConsentNeeded:
    """The person must be asked. Nothing is stored before they answer."""

    request: AuthorizationRequest


@dataclass(frozen=True, slots=True)
class StartAuthorization:
    """Decides whether to ask. A remembered consent is an Allow, and stores what Allow stores."""

    database: Database
    begin_sign_on: BeginSignOn
    now: Callable[[], datetime]

    async def __call__(
        self, request: AuthorizationRequest, browser: Digest | None
    ) -> ConsentNeeded | AtPingOne:
        """Look for a consent of this browser; None has none.

        Raises LoginRequired if prompt=none forbids to ask, TemporarilyUnavailable without PingOne.
        """
        if browser is not None and "consent" not in request.prompts:
            async with self.database.reading() as read:
                is_remembered = await self._is_remembered(read, request, browser)
            if is_remembered:
                return await self._without_asking(request, browser)
        if "none" in request.prompts:
            raise LoginRequired("consent is needed, and prompt=none forbids asking for it")
        return ConsentNeeded(request)

    async def _is_remembered(
        self, read: Transaction, request: AuthorizationRequest, browser: Digest
    ) -> bool:
        remembered = await read.consents.find(consent_key(request, browser), now=self.now())
        return any(consent.covers(request.scopes) for consent in remembered)

    async def _without_asking(self, request: AuthorizationRequest, browser: Digest) -> AtPingOne:
        # Whether the remembered consent is the right person's is known when PingOne answers.
        prepared = await self.begin_sign_on.prepare(
            request, browser, form_id=new_id(), consent_is_remembered=True
        )
        async with self.database.transaction() as tx:
            await prepared.store(tx)
        return prepared.at_pingone
