"""A client proves itself, by the one method that it registered (RFC 6749 2.3, RFC 7523)."""

import hmac
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from auth_server.client_documents.key_sets import PublishedKeySets
from auth_server.domain.client_assertions import UnverifiedAssertion, check_claims, refused
from auth_server.domain.client_keys import PublicKey
from auth_server.domain.clients import Client, ClientOrigin, TokenEndpointAuthMethod
from auth_server.domain.errors import TemporarilyUnavailable
from auth_server.domain.handles import digest
from auth_server.storage.database import Database
from auth_server.storage.grant_listing import GrantSelection
from service_kit.jwks_cache import JwksUnavailable

ResolveClientId = Callable[[str], Awaitable[Client]]

_OF_THE_OPERATOR: Final = frozenset({ClientOrigin.CONFIGURED, ClientOrigin.OPERATOR})


@dataclass(frozen=True, slots=True)
class PresentedCredentials:
    """What a request claims, unverified: a secret, an assertion, or neither."""

    client_id: str
    method: TokenEndpointAuthMethod
    client_secret: str | None = field(default=None, repr=False)
    assertion: UnverifiedAssertion | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class AuthenticateClient:
    """Accepts a secret by its digest, and an assertion by its signature, its claims and once.

    `audiences` is what an assertion may name: the issuer and the token endpoint.
    """

    resolve_client: ResolveClientId
    key_sets: PublishedKeySets
    database: Database
    audiences: frozenset[str]
    now: Callable[[], datetime]

    async def __call__(self, presented: PresentedCredentials) -> Client:
        """Return the proven client; raise InvalidClient.

        Raises TemporarilyUnavailable if the client's keys cannot be fetched: that is an outage of
        its own making or the network's, and says nothing about who is asking.
        """
        client = await self.resolve_client(presented.client_id)
        if presented.method is not client.metadata.token_endpoint_auth_method:
            raise refused("not the registered authentication method")
        if presented.assertion is not None:
            await self._accept(client, presented.assertion)
        elif not _is_proven(client, presented.client_secret):
            raise refused("wrong client_secret")
        return client

    async def _accept(self, client: Client, assertion: UnverifiedAssertion) -> None:
        registered = client.metadata.token_endpoint_auth_signing_alg
        if registered not in (None, assertion.algorithm):
            raise refused("alg is not the registered one")
        # Nothing is held meanwhile: a slow publisher of keys costs no connection to the database.
        claims = assertion.verified_claims(await self._keys_of(client, assertion))
        accepted = check_claims(claims, client.client_id, self.audiences, self.now())
        async with self.database.transaction() as tx:
            is_first_use = await tx.spent_assertions.spend(
                accepted.digest, expires_at=accepted.expires_at
            )
        if not is_first_use:
            raise refused("the assertion was used before")

    async def _keys_of(self, client: Client, assertion: UnverifiedAssertion) -> Iterable[PublicKey]:
        metadata = client.metadata
        if metadata.jwks_uri is None:
            registered: list[PublicKey] = (metadata.jwks or {"keys": []})["keys"]
            return registered
        if not await self._is_in_use(client):
            raise refused("nobody has signed in with the client: its keys are not fetched")
        try:
            return await self.key_sets.key_set_for(metadata.jwks_uri, assertion.key_id)
        except JwksUnavailable as error:
            raise TemporarilyUnavailable(
                "the client's keys cannot be fetched for now; try again later", detail=str(error)
            ) from error

    async def _is_in_use(self, client: Client) -> bool:
        """True for an operator's client, and for one that has or had a code or a handle.

        Any other has no use for its keys. Were its keys fetched nevertheless, a stranger's
        registrations would take the place of everybody's keys.
        """
        if client.origin in _OF_THE_OPERATOR:
            return True
        async with self.database.reading() as read:
            record = await read.clients.record(client.client_id)
            if record is not None and record.is_used:
                return True
            # Its first code, for which it comes here: it counts as used once that is redeemed.
            selection = GrantSelection(client_id=client.client_id)
            return bool(await read.grant_listing.active(selection, now=self.now(), limit=1))


def _is_proven(client: Client, client_secret: str | None) -> bool:
    if client_secret is None:
        return client.secret_digest is None
    if client.secret_digest is None:
        return False
    return hmac.compare_digest(digest(client_secret), client.secret_digest)
