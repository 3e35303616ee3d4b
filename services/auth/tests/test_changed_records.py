"""What changed in the database between two steps of a flow counts at the next step."""

import pytest
from auth_answers import error_at_client
from auth_back_channel import refusal
from auth_harness import AuthUnderTest
from sqlalchemy import Update, update
from sqlalchemy.ext.asyncio import create_async_engine

from auth_server.storage.tables import clients, grants

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def change(database_url: str, statement: Update) -> None:
    """What an operator does by hand."""
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.execute(statement)
    await engine.dispose()


@ON_SQLITE
async def test_a_code_of_a_grant_that_was_revoked_meanwhile_gives_nothing(
    auth: AuthUnderTest, database_url: str
) -> None:
    code = await auth.obtain_code()
    await change(database_url, update(grants).values(revoked_at=auth.clock()))
    assert refusal(await auth.exchange(code)) == "invalid_grant"


@ON_SQLITE
async def test_a_client_that_may_not_use_codes_any_more_gets_and_redeems_none(
    auth: AuthUnderTest, database_url: str
) -> None:
    code = await auth.obtain_code()
    await change(database_url, update(clients).values(grant_types=["refresh_token"]))
    assert refusal(await auth.exchange(code)) == "unauthorized_client"
    response = await auth.authorize(auth.new_browser())
    assert error_at_client(response) == "unauthorized_client"
