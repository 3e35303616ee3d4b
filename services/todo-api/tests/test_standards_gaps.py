"""Small points of the standards that no other test of todo-api is about; see docs/standards.md."""

from typing import Any

import httpx
import pytest


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """Where a token is looked for is the same on both databases."""
    return sqlite_url


@pytest.mark.standard("RFC 6750 2.3")
async def test_an_access_token_outside_the_header_is_not_looked_at(
    issuer: Any, anyone: httpx.AsyncClient
) -> None:
    token = issuer.token()
    in_the_query = await anyone.get("/api/todos", params={"access_token": token})
    in_a_form = await anyone.post("/api/todos", data={"access_token": token})
    in_a_cookie = await anyone.get("/api/todos", headers={"Cookie": f"access_token={token}"})
    for response in (in_the_query, in_a_form, in_a_cookie):
        assert response.status_code == 401
        assert token not in response.text
