"""Which queries are refused, and how."""

import httpx
import pytest


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """A query is read before any database is asked."""
    return sqlite_url


@pytest.mark.parametrize(
    "cursor",
    ["", "1", "undefined", "AZkAAAAAcACAAAAAAAAAAA==", "AZkAAAAAcACAAAAAAAAAAB", "Ä" * 22, "\x00"],
)
async def test_a_cursor_that_was_never_handed_out_is_refused_with_400(
    alice: httpx.AsyncClient, cursor: str
) -> None:
    response = await alice.get("/api/todos", params={"cursor": cursor})
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"] == "urn:problem:invalid-cursor"


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=ten",
        "limit=",
        "limit=" + "9" * 5000,
        "completed=yes",
        "completed=1",
        "completed=",
        "cursor=" + "A" * 65,
        "complete=true",
        "access_token=x",
        "%00=1",
        "%ED%A0%80=1",
    ],
)
async def test_a_query_that_is_not_understood_is_refused_with_422(
    alice: httpx.AsyncClient, query: str
) -> None:
    response = await alice.get(f"/api/todos?{query}")
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
