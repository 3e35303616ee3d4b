"""Remembers that tokens are to be revoked at PingOne, together with what ends their use here."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from auth_server.domain.upstream_tokens import UpstreamTokens
from auth_server.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class RevokeUpstream:
    """Writes the outbox that flows/send_revocations.py sends. It needs no PingOne.

    `wake` begins the sending; a process that sends nothing itself leaves it to the others.
    """

    now: Callable[[], datetime]
    wake: Callable[[], None] = lambda: None

    async def within(self, tx: Transaction, tokens: UpstreamTokens) -> None:
        """Store the revocation with the rest of the transaction; call committed() after it."""
        await tx.upstream_revocations.insert(tokens, now=self.now())

    def committed(self) -> None:
        """Begin to send what was stored, in the background: nobody waits for PingOne."""
        self.wake()
