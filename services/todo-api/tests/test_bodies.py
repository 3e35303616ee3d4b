"""Which bodies are taken, and how the others are refused."""

import json
from typing import Any

import httpx
import pytest

PROBLEM = "application/problem+json"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """Bodies are read before any database is asked."""
    return sqlite_url


async def create(client: httpx.AsyncClient, text: str = "buy milk") -> httpx.Response:
    response = await client.post("/api/todos", json={"text": text})
    assert response.status_code == 201
    return response


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        "buy milk",
        None,
        {"text": ""},
        {"text": " \n\t "},
        {"text": "x" * 1001},
        {"text": 5},
        {"text": None},
        {"text": ["buy milk"]},
        {"text": "buy\x00milk"},
        {"text": "buy \x1b[31mmilk"},
        {"text": "buy\x85milk"},
        {"text": "\x1fbuy milk"},
        {"text": "buy milk", "owner": "bob"},
    ],
)
async def test_a_body_that_is_not_a_new_todo_is_refused_with_422_and_not_echoed(
    alice: httpx.AsyncClient, body: Any
) -> None:
    response = await alice.post("/api/todos", content=json.dumps(body), headers=JSON)
    assert response.status_code == 422
    assert response.headers["content-type"] == PROBLEM
    assert response.json()["errors"]
    assert "milk" not in response.text
    assert (await alice.get("/api/todos")).json()["todos"] == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"text=buy+milk",
        b"\xff\xfe",
        b'{"text": "\\ud800"}',
        b'{"text": "buy milk", "\\ud800": 1}',
        b"[" * 10_000,
    ],
)
async def test_a_body_that_is_not_json_is_refused_with_400(
    alice: httpx.AsyncClient, body: bytes
) -> None:
    response = await alice.post("/api/todos", content=body, headers=JSON)
    assert response.status_code == 400
    assert response.headers["content-type"] == PROBLEM
    assert response.json()["type"] == "urn:problem:invalid-json"


@pytest.mark.parametrize(
    "content_type",
    [
        *("text/plain", "application/jsonp", "", "application"),
        *("application/json\xa0", "\x85application/json", "application/json, text/plain"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_another_content_type_is_refused_with_415(
    alice: httpx.AsyncClient, content_type: str, method: str
) -> None:
    path = "/api/todos" if method == "POST" else (await create(alice)).headers["location"]
    headers = httpx.Headers({b"Content-Type": content_type.encode("latin-1")})
    response = await alice.request(method, path, content=b'{"text": "buy milk"}', headers=headers)
    assert response.status_code == 415
    assert response.headers["content-type"] == PROBLEM
    assert response.headers["accept"] == "application/json"


async def test_the_content_type_may_have_parameters_and_capitals(alice: httpx.AsyncClient) -> None:
    response = await alice.post(
        "/api/todos",
        content=b'{"text": "buy milk"}',
        headers={"Content-Type": "Application/JSON; charset=utf-8"},
    )
    assert response.status_code == 201


async def test_the_longest_text_fits_however_it_is_escaped_and_more_is_refused_with_413(
    alice: httpx.AsyncClient,
) -> None:
    escaped = json.dumps({"text": "\U0001f95b" * 1000})
    response = await alice.post("/api/todos", content=escaped, headers=JSON)
    assert response.status_code == 201
    response = await alice.post("/api/todos", content=b" " * 16_384 + b"1", headers=JSON)
    assert response.status_code == 413
    assert response.headers["content-type"] == PROBLEM


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"text": None},
        {"completed": None},
        {"text": "buy cheese", "completed": None},
        {"completed": "true"},
        {"completed": 1},
        {"text": ""},
        {"text": "buy\x00milk"},
        {"completed": True, "id": "1"},
        {"completed": True, "version": 7},
    ],
)
async def test_a_change_that_is_not_one_is_refused_with_422_and_changes_nothing(
    alice: httpx.AsyncClient, body: Any
) -> None:
    created = await create(alice)
    response = await alice.patch(created.headers["location"], json=body)
    assert response.status_code == 422
    assert response.headers["content-type"] == PROBLEM
    read = await alice.get(created.headers["location"])
    assert read.json() == created.json()
    assert read.headers["etag"] == '"1"'
