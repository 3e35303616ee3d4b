"""todo-api keeps to its own description: for a person who may do everything, and for nobody."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schema_cases import cases_of, hold_to_description


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What is described is the same on both databases."""
    return sqlite_url


@settings(
    max_examples=250, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(data=st.data())
async def test_every_answer_is_one_that_the_description_announces(
    api: FastAPI, issuer: Any, data: st.DataObject
) -> None:
    case = data.draw(cases_of(api.openapi()))
    async with _client(api) as client:
        credential = {"Authorization": f"Bearer {issuer.token()}"}
        # Drawn ids alone would always be 404.
        if "todo_id" in case.path_parameters and data.draw(st.booleans()):
            case.path_parameters["todo_id"] = await _some_todo(client, credential)
        await hold_to_description(case, client, headers=credential)


@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
async def test_no_operation_answers_anybody_without_a_token(
    api: FastAPI, data: st.DataObject
) -> None:
    case = data.draw(cases_of(api.openapi()))
    async with _client(api) as client:
        assert (await hold_to_description(case, client)).status_code == 401


def _client(api: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://localhost:8082")


async def _some_todo(client: httpx.AsyncClient, credential: dict[str, str]) -> str:
    found = (await client.get("/api/todos", headers=credential)).json()["todos"]
    if not found:
        created = await client.post("/api/todos", json={"text": "Milk"}, headers=credential)
        found = [created.json()]
    identifier: str = found[-1]["id"]
    return identifier
