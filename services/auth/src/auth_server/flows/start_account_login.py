"""A person wants to see their connected apps: on to PingOne, to learn who it is."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from auth_server.domain.account import PendingAccountLogin
from auth_server.domain.errors import TemporarilyUnavailable
from auth_server.domain.handles import digest, new_id, new_secret
from auth_server.domain.lifetimes import Lifetimes
from auth_server.flows.go_to_pingone import AtPingOne, new_login
from auth_server.storage.database import Database
from auth_server.upstream.errors import UpstreamUnavailable
from auth_server.upstream.pingone import PingOne


@dataclass(frozen=True, slots=True)
class StartAccountLogin:
    """Stores the login, for a fresh cookie of this browser. It grants nothing to any client."""

    database: Database
    pingone: PingOne
    lifetimes: Lifetimes
    now: Callable[[], datetime]

    async def __call__(self) -> AtPingOne:
        """Return where to go; raise TemporarilyUnavailable if PingOne cannot be discovered."""
        new = new_login()
        try:
            url = await self.pingone.identity_url(state=new.state, login=new.login)
        except UpstreamUnavailable as error:
            raise TemporarilyUnavailable(
                "the sign-on service cannot be reached; try again later", detail=str(error)
            ) from error
        secret = new_secret()
        pending = PendingAccountLogin(
            id=new_id(),
            browser_digest=digest(secret),
            login=new.login,
            expires_at=self.now() + self.lifetimes.sign_on,
        )
        async with self.database.transaction() as tx:
            await tx.account_logins.insert(pending)
        return AtPingOne(url, pending.id, secret)
