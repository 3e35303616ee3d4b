"""How PostgreSQL is listened to, and what a message says."""

import json
from typing import Any

import asyncpg
import pytest

from auth_server.domain.revocations import Revocation
from auth_server.storage.revocation_feed import PostgresqlSource
from auth_server.storage.revocation_feed.listening import SourceLost
from auth_server.storage.revocations import MAX_MESSAGE_LENGTH, decode, encode

REVOCATION = Revocation("grant-1", "https://mcp.example.com/mcp")


@pytest.mark.impatient_feed
async def test_listen_connects_as_the_engine_does_and_bounds_every_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[dict[str, Any]] = []

    async def connect(**options: Any) -> None:
        asked.append(options)
        raise ConnectionRefusedError("nobody there")

    monkeypatch.setattr("asyncpg.connect", connect)
    source = PostgresqlSource(
        "postgresql+asyncpg://auth:p%40ss@db:6432/auth?ssl=require&prepared_statement_cache_size=0"
    )
    with pytest.raises(SourceLost, match="nobody there"):
        await source.listen(lambda _revocation: None, lambda: None)
    [options] = asked
    address = {"host": "db", "port": 6432, "user": "auth", "password": "p@ss", "database": "auth"}
    assert options.items() >= (address | {"ssl": "require"}).items()
    assert "prepared_statement_cache_size" not in options
    assert (options["timeout"], options["command_timeout"]) == (2.0, 0.6)


@pytest.mark.parametrize(
    "failure",
    [
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.exceptions.TargetServerAttributeNotMatched("none of the hosts is the primary"),
        asyncpg.exceptions.ProtocolError("what the server says makes no sense"),
    ],
    ids=lambda failure: type(failure).__name__,
)
async def test_whatever_the_driver_calls_it_the_source_is_lost(
    monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    async def connect(**_options: Any) -> None:
        raise failure

    monkeypatch.setattr("asyncpg.connect", connect)
    source = PostgresqlSource("postgresql+asyncpg://auth@db/auth")
    with pytest.raises(SourceLost, match=str(failure)):
        await source.listen(lambda _revocation: None, lambda: None)


def test_a_message_says_which_grant_of_which_resource() -> None:
    assert decode(encode(REVOCATION)) == REVOCATION
    later = json.loads(encode(REVOCATION)) | {"reason": "theft"}
    assert decode(json.dumps(later).encode()) == REVOCATION


@pytest.mark.parametrize(
    "message",
    [
        "",
        "grant-1",
        "[]",
        "{}",
        '{"grant_id": "grant-1"}',
        '{"grant_id": 1, "resource": "r"}',
        b"\xff",
        "[" * MAX_MESSAGE_LENGTH,
        json.dumps({"grant_id": "g", "resource": "r" * MAX_MESSAGE_LENGTH}),
    ],
    ids=range(9),
)
def test_a_message_of_another_form_is_refused(message: str | bytes) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        decode(message)
    assert "grant-1" not in str(refused.value)
