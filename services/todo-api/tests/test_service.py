"""What is around the todos: problems of the framework, outages, probes, OpenAPI."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry
from unread_cookies import COOKIE, forbid_cookie_parsers

from service_kit.health import Lifecycle
from todo_api.app import check_schema, create_internal_app
from todo_api.todo_store.database import Database, StoreUnavailable

PROBLEM = "application/problem+json"

ONE_TODO = "/api/todos/01990000-0000-7000-8000-000000000000"


def requests(client: httpx.AsyncClient) -> list[Any]:
    return [
        client.get("/api/todos"),
        client.post("/api/todos", json={"text": "buy milk"}),
        client.get(ONE_TODO),
        client.patch(ONE_TODO, json={"completed": True}),
        client.delete(ONE_TODO),
    ]


class TestOnSqlite:
    @pytest.fixture
    def database_url(self, sqlite_url: str) -> str:
        return sqlite_url

    @pytest.mark.parametrize("path", ["/", "/api", "/api/todos/", "/api/todos/a/b", "/livez"])
    async def test_an_unknown_path_is_a_404_problem(
        self, alice: httpx.AsyncClient, path: str
    ) -> None:
        response = await alice.get(path)
        assert response.status_code == 404
        assert response.headers["content-type"] == PROBLEM

    @pytest.mark.parametrize(
        ("method", "path", "allow"),
        [
            ("PUT", "/api/todos", "GET, POST"),
            ("DELETE", "/api/todos", "GET, POST"),
            ("BREW", "/api/todos", "GET, POST"),
            ("OPTIONS", "/api/todos", "GET, POST"),
            ("POST", ONE_TODO, "DELETE, GET, PATCH"),
            ("PUT", ONE_TODO, "DELETE, GET, PATCH"),
        ],
    )
    async def test_another_method_is_a_405_problem_that_names_all_that_are_allowed(
        self, alice: httpx.AsyncClient, method: str, path: str, allow: str
    ) -> None:
        response = await alice.request(method, path)
        assert response.status_code == 405
        assert response.headers["content-type"] == PROBLEM
        assert response.headers["allow"] == allow

    async def test_the_openapi_document_names_the_bodies_and_the_scheme(
        self, anyone: httpx.AsyncClient
    ) -> None:
        document = (await anyone.get("/openapi.json")).json()
        patch = document["paths"]["/api/todos/{todo_id}"]["patch"]
        schema = patch["requestBody"]["content"]["application/json"]["schema"]
        assert set(schema["properties"]) == {"text", "completed"}
        assert patch["security"] == [{"pingone_access_token": []}]
        assert "HTTPValidationError" not in document["components"]["schemas"]
        assert set(document["paths"]) == {"/api/todos", "/api/todos/{todo_id}"}

    async def test_metrics_count_requests_by_route_and_not_by_path(
        self, alice: httpx.AsyncClient, registry: CollectorRegistry
    ) -> None:
        await alice.get(ONE_TODO)
        app = create_internal_app(Lifecycle(), registry)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://todo") as client:
            text = (await client.get("/metrics")).text
        assert 'method="GET",route="/api/todos/{todo_id}",status="404"} 1.0' in text
        assert "01990000" not in text


async def test_ready_is_between_started_and_draining_and_alive_is_always() -> None:
    lifecycle = Lifecycle()
    app = create_internal_app(lifecycle, CollectorRegistry())
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://todo"
    ) as client:
        seen = [(await client.get("/readyz")).status_code]
        lifecycle.mark_started()
        seen.append((await client.get("/readyz")).status_code)
        lifecycle.mark_draining()
        seen.append((await client.get("/readyz")).status_code)
        assert seen == [503, 200, 503]
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/api/todos")).status_code == 404


async def test_no_cookie_is_parsed_by_a_library(
    alice: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid_cookie_parsers(monkeypatch)
    assert (await alice.get("/api/todos", headers=COOKIE)).status_code == 200
    internal = create_internal_app(Lifecycle(), CollectorRegistry())
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(internal), base_url="http://todo", headers=COOKIE
    ) as client:
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/metrics")).status_code == 200


class TestWithoutADatabase:
    @pytest.fixture(autouse=True)
    async def outlive_the_driver(self) -> AsyncIterator[None]:
        """aiosqlite's thread reports the end of a failed connection to a loop that must be open."""
        yield
        for thread in threading.enumerate():
            if "_connection_worker_thread" in thread.name:
                await asyncio.to_thread(thread.join, 10)

    @pytest.fixture(params=["refused", "not a file"])
    def database_url(self, request: pytest.FixtureRequest, tmp_path: Path) -> str:
        if request.param == "refused":
            return "postgresql+asyncpg://todo:very-secret@127.0.0.1:1/todo"
        return f"sqlite+aiosqlite:///{tmp_path}"

    async def test_every_request_is_503_and_says_when_to_come_back(
        self, alice: httpx.AsyncClient
    ) -> None:
        for response in await asyncio.gather(*requests(alice)):
            assert response.status_code == 503
            assert response.headers["content-type"] == PROBLEM
            assert response.headers["retry-after"] == "5"
            assert response.json()["type"] == "urn:problem:store-unavailable"
            assert "secret" not in response.text

    async def test_the_log_names_the_reason_as_the_driver_does(self, database_url: str) -> None:
        database = Database.open(database_url)
        with pytest.raises(StoreUnavailable, match=r"ConnectionRefusedError|SQLITE_CANTOPEN"):
            await database.has_table("todos")
        await database.close()

    async def test_the_service_starts_nevertheless(self, database_url: str) -> None:
        database = Database.open(database_url)
        await check_schema(database)
        await database.close()


class TestOnALockedSqliteFile:
    @pytest.fixture
    def database_url(self, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.setattr("todo_api.todo_store.database.STATEMENT_TIMEOUT_SECONDS", 0.05)
        return sqlite_url

    async def test_readers_go_on_and_writers_are_told_to_come_back(
        self, alice: httpx.AsyncClient, sqlite_url: str
    ) -> None:
        path = (await alice.post("/api/todos", json={"text": "buy milk"})).headers["location"]
        with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite+aiosqlite:///"))) as other:
            other.execute("BEGIN IMMEDIATE")
            assert (await alice.get(path)).status_code == 200
            for response in (
                await alice.post("/api/todos", json={"text": "buy cheese"}),
                await alice.patch(path, json={"completed": True}),
                await alice.delete(path),
            ):
                assert response.status_code == 503
        assert (await alice.delete(path)).status_code == 204

    async def test_a_transaction_has_the_write_lock_from_its_beginning(
        self, database_url: str
    ) -> None:
        database = Database.open(database_url)
        async with database.transaction():
            with pytest.raises(StoreUnavailable, match="SQLITE_BUSY"):
                async with database.transaction():
                    pass
        await database.close()


class TestOnPostgresql:
    @pytest.fixture
    def database_url(
        self, postgresql_template: str, new_postgresql_database: Callable[[str], str]
    ) -> str:
        return new_postgresql_database(postgresql_template)

    async def test_a_connection_closed_by_the_server_costs_at_most_one_503(
        self, alice: httpx.AsyncClient, database_url: str, postgresql_server: Any
    ) -> None:
        await asyncio.gather(*requests(alice))
        await asyncio.to_thread(
            postgresql_server.execute,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"  # noqa: S608  (our own name)
            f" WHERE datname = '{database_url.rpartition('/')[2]}'",
        )
        statuses = [(await alice.get("/api/todos")).status_code for _ in range(3)]
        assert statuses in ([503, 200, 200], [200, 200, 200])
