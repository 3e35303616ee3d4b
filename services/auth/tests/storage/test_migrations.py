"""A database of an older version is brought to this one with what it holds."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from auth_server.domain.clients import ClientOrigin, GrantType, TokenEndpointAuthMethod
from auth_server.storage.database import Database
from auth_server.storage.encryption import Encryption
from auth_server.storage.schema import check_schema, upgrade

REGISTERED_BEFORE = text(
    "INSERT INTO clients (client_id, client_name, redirect_uris, token_endpoint_auth_method,"
    " grant_types, application_type, issued_at, expires_at, origin) VALUES ('before', 'An app',"
    " '[\"https://app.example/callback\"]', 'none', 'authorization_code refresh_token', 'native',"
    " '2026-05-04 12:00:00', '2026-11-04 12:00:00', 'registered')"
)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without any table."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/older.db"
    new_database: Callable[[], str] = request.getfixturevalue("new_postgresql_database")
    return new_database()


async def test_a_client_of_the_schema_before_goes_on_and_can_be_used(
    empty_url: str, encryption: Encryption
) -> None:
    await asyncio.to_thread(upgrade, empty_url, "0002")
    engine = create_async_engine(empty_url)
    async with engine.begin() as connection:
        await connection.execute(REGISTERED_BEFORE)
    await engine.dispose()

    await asyncio.to_thread(upgrade, empty_url)

    database = Database(empty_url, encryption)
    await check_schema(database)
    async with database.transaction() as tx:
        record = await tx.clients.record("before")
        assert record is not None
        await tx.clients.renew(
            "before", now=record.expires_at, expires_at=record.expires_at + timedelta(days=1)
        )
    await database.close()
    client = record.client
    assert client.origin is ClientOrigin.REGISTERED
    assert client.metadata.redirect_uris == ("https://app.example/callback",)
    assert client.metadata.token_endpoint_auth_method is TokenEndpointAuthMethod.NONE
    assert client.metadata.grant_types == frozenset(GrantType)
    assert (client.metadata.jwks, client.metadata.jwks_uri, record.fresh_until) == (None,) * 3
