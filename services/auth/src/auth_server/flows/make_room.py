"""A grant whose code is being redeemed takes its place among those in use."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from auth_server.domain.clients import Client, ClientOrigin
from auth_server.domain.grants import Grant, RevocationReason
from auth_server.flows.revoke_grant import EndedGrant, RevokeGrant
from auth_server.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class MakeRoom:
    """A person has at most `grants_per_client` grants in use at a client: the most idle goes."""

    grants_per_client: int
    revoke_grant: RevokeGrant
    now: Callable[[], datetime]

    async def __call__(
        self, tx: Transaction, client: Client, grant: Grant
    ) -> tuple[EndedGrant, ...] | None:
        """End what the grant replaces or leaves no room for; its code has been spent.

        None if the grant itself has ended meanwhile. Two redemptions for one person and client,
        on whichever replicas, pass here one after the other.
        """
        await tx.grants.hold(grant.subject.subject, grant.client_id)
        in_use = await tx.grants.in_use(grant.subject.subject, grant.client_id, now=self.now())
        others = [one for one in in_use if one.id != grant.id]
        if len(others) == len(in_use):
            return None
        outdated = [one.id for one in others if _replaces(client, grant, one)]
        kept = [one.id for one in others if one.id not in outdated]
        idle = kept[self.grants_per_client - 1 :]
        return await self.revoke_grant.all_within(
            tx, sorted(outdated + idle), RevocationReason.SUPERSEDED
        )


def _replaces(client: Client, grant: Grant, older: Grant) -> bool:
    # Each instance of an app registers itself. The client_id of a document, or of what an operator
    # set up, is that of many: which of them a grant belongs to would be a guess.
    return client.origin is ClientOrigin.REGISTERED and grant.steps_up_from(older)
