"""Revokes a PingOne token set in the background: PingOne's speed is never the caller's problem."""

from dataclasses import dataclass

import structlog

from auth_server.domain.upstream_tokens import UpstreamTokens
from auth_server.upstream.errors import UpstreamError
from auth_server.upstream.pingone import PingOne
from service_kit.background import BackgroundTasks

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RevokeUpstream:
    """Starts the revocation as a task of the application; shutdown awaits it."""

    pingone: PingOne
    background: BackgroundTasks

    def __call__(self, tokens: UpstreamTokens) -> None:
        """Return at once. A failure is logged: the tokens then live until they expire."""
        self.background.start(self._revoke(tokens), name="revoke-upstream")

    async def _revoke(self, tokens: UpstreamTokens) -> None:
        try:
            await self.pingone.revoke(tokens)
        except UpstreamError as error:
            _log.warning("pingone.revocation_failed", reason=str(error))
