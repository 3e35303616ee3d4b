"""The database: transactions for what changes, cheap autocommit reads, one word for an outage."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from auth_server.storage.account_logins import AccountLogins
from auth_server.storage.account_sessions import AccountSessions
from auth_server.storage.audit_events import AuditEvents
from auth_server.storage.authorizations import Authorizations
from auth_server.storage.clients import Clients
from auth_server.storage.codes import Codes
from auth_server.storage.consent_decisions import ConsentDecisions
from auth_server.storage.consents import Consents
from auth_server.storage.encrypted_values import EncryptedValues
from auth_server.storage.encryption import Encryption
from auth_server.storage.encryption_keys import EncryptionKeys
from auth_server.storage.engines import (
    SQLITE,
    StorageUnavailable,
    close_engines,
    connected,
    parse_database_url,
    postgresql_engine,
    sqlite_engine,
)
from auth_server.storage.grant_listing import GrantListing
from auth_server.storage.grants import Grants
from auth_server.storage.handles import Handles
from auth_server.storage.initial_access_tokens import InitialAccessTokens
from auth_server.storage.revocations import Revocations
from auth_server.storage.spent_assertions import SpentAssertions
from auth_server.storage.upstream_revocations import UpstreamRevocations
from auth_server.storage.upstream_tokens import UpstreamTokenSets

__all__ = ["Database", "StorageUnavailable", "Transaction"]

COMMAND_TIMEOUT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Transaction:
    """One connection's repositories; what they change becomes visible together."""

    account_logins: AccountLogins
    account_sessions: AccountSessions
    audit_events: AuditEvents
    authorizations: Authorizations
    clients: Clients
    codes: Codes
    consent_decisions: ConsentDecisions
    consents: Consents
    encrypted_values: EncryptedValues
    encryption_keys: EncryptionKeys
    grant_listing: GrantListing
    grants: Grants
    handles: Handles
    initial_access_tokens: InitialAccessTokens
    revocations: Revocations
    spent_assertions: SpentAssertions
    upstream_revocations: UpstreamRevocations
    upstream_tokens: UpstreamTokenSets


class Database:
    """Owns this process's connections. Every wait in it is bounded."""

    def __init__(self, url: str, encryption: Encryption, *, pool_size: int = 10) -> None:
        """Connect on first use, at most `pool_size` times; raise ValueError for a wrong URL."""
        self._encryption = encryption
        parsed = parse_database_url(url)
        if parsed.drivername == SQLITE:
            # SQLite has one writer at a time: a pool of one makes the wait for it fair.
            self._writing = sqlite_engine(parsed, pool_size=1)
            self._reading = sqlite_engine(parsed, pool_size=pool_size, query_only=True)
        else:
            self._writing = postgresql_engine(
                parsed, pool_size=pool_size, command_timeout_seconds=COMMAND_TIMEOUT_SECONDS
            )
            # The same pool; without BEGIN and ROLLBACK a read is one round trip.
            self._reading = self._writing.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Commit on normal exit, roll back on an exception.

        Raises StorageUnavailable; if COMMIT itself met the outage, its outcome is unknown.
        """
        async with connected(self._writing) as connection, connection.begin():
            yield self._repositories(connection)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """For reads only: each statement sees what is committed then. Raises StorageUnavailable."""
        async with self.reading_connection() as connection:
            yield self._repositories(connection)

    @asynccontextmanager
    async def reading_connection(self) -> AsyncIterator[AsyncConnection]:
        """The bare connection below `reading`, for questions about the schema."""
        async with connected(self._reading) as connection:
            yield connection

    async def close(self) -> None:
        """Close every connection. To be called last."""
        await close_engines(self._reading, self._writing)

    def _repositories(self, connection: AsyncConnection) -> Transaction:
        return Transaction(
            account_logins=AccountLogins(connection, self._encryption),
            account_sessions=AccountSessions(connection),
            audit_events=AuditEvents(connection),
            authorizations=Authorizations(connection, self._encryption),
            clients=Clients(connection),
            codes=Codes(connection),
            consent_decisions=ConsentDecisions(connection),
            consents=Consents(connection),
            encrypted_values=EncryptedValues(connection),
            encryption_keys=EncryptionKeys(connection, self._encryption),
            grant_listing=GrantListing(connection),
            grants=Grants(connection),
            handles=Handles(connection, self._encryption),
            initial_access_tokens=InitialAccessTokens(connection),
            revocations=Revocations(connection),
            spent_assertions=SpentAssertions(connection),
            upstream_revocations=UpstreamRevocations(connection, self._encryption),
            upstream_tokens=UpstreamTokenSets(connection, self._encryption),
        )
