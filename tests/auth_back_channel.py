"""Shared by the tests of auth's back channel: refusals, PingOne's answers, replicas, outages."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import httpx2
from auth_harness import INTERNAL, INTROSPECTION_CLIENT, ISSUER, AuthUnderTest, PassOn
from fastapi import FastAPI
from sqlalchemy.engine import URL, make_url

from auth_server.app import create_internal_app, create_public_app, open_resources
from auth_server.app.internal import live_upstream_tokens
from auth_server.app.rate_limits import internal_rate_limits
from auth_server.endpoints.failures import install_failure_handlers
from auth_server.endpoints.introspect import introspect_routes
from auth_server.endpoints.rate_limits import LimitedResourceServers
from auth_server.flows.introspect_handle import IntrospectHandle
from auth_server.flows.refresh_times import RefreshTimes
from auth_server.pages.rendering import Pages
from auth_server.settings import AuthSettings
from service_kit.health import Lifecycle


def refusal(response: httpx.Response, status: int = 400) -> str:
    """The error code of an OAuth refusal, whose form is checked in full (RFC 6749 5.2)."""
    assert response.status_code == status, f"{response.status_code}: {response.text[:500]}"
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    body: dict[str, str] = response.json()
    assert set(body) == {"error", "error_description"}
    assert body["error_description"].isascii()
    return body["error"]


def is_for(request: httpx2.Request, endpoint: str) -> bool:
    """True for a request to this endpoint of PingOne: "/token", "/jwks"."""
    return request.url.path.endswith(endpoint)


def keep_token_answers(auth: AuthUnderTest) -> list[dict[str, Any]]:
    """From now on, note what PingOne's token endpoint answers; the list grows."""
    answers: list[dict[str, Any]] = []

    async def intercept(request: httpx2.Request, pass_on: PassOn) -> httpx2.Response:
        response = await pass_on(request)
        if is_for(request, "/token"):
            await response.aread()
            answers.append(response.json())
        return response

    auth.pingone.intercept = intercept
    return answers


async def downstream(auth: AuthUnderTest, access: str) -> dict[str, Any]:
    """The downstream token of a handle that is active, and so is its token at PingOne."""
    answer = (await auth.introspect(access)).json()
    assert answer.get("active") is True, answer
    token: dict[str, Any] = answer["downstream_token"]
    assert auth.simulator.is_access_token_live(token["access_token"])
    return token


Failure = Callable[[httpx2.Request], httpx2.Response]


def fail_at(auth: AuthUnderTest, endpoint: str, failure: Failure) -> None:
    """Let one endpoint of PingOne fail, before the request reaches it."""

    async def intercept(request: httpx2.Request, pass_on: PassOn) -> httpx2.Response:
        return failure(request) if is_for(request, endpoint) else await pass_on(request)

    auth.pingone.intercept = intercept


def lose_answers(auth: AuthUnderTest, endpoint: str = "/token") -> None:
    """Let PingOne do its work at this endpoint, and the answer get lost."""

    async def intercept(request: httpx2.Request, pass_on: PassOn) -> httpx2.Response:
        response = await pass_on(request)
        if is_for(request, endpoint):
            raise httpx2.ReadError("reset after the work was done", request=request)
        return response

    auth.pingone.intercept = intercept


def heal(auth: AuthUnderTest) -> None:
    """PingOne answers again as it does."""
    auth.pingone.intercept = None


def answering(status: int, text: str = "", **headers: str) -> Failure:
    """A PingOne that answers this."""
    return lambda _: httpx2.Response(
        status, text=text, headers={name.replace("_", "-"): one for name, one in headers.items()}
    )


def raising(error_class: type[httpx2.TransportError]) -> Failure:
    """A connection that fails like this."""

    def fail(request: httpx2.Request) -> httpx2.Response:
        raise error_class("as the test wants it", request=request)

    return fail


def asked(auth: AuthUnderTest, endpoint: str) -> int:
    """How often auth has asked this endpoint of PingOne, with or without an answer."""
    return sum(is_for(request, endpoint) for request in auth.pingone.requests)


def refreshes(auth: AuthUnderTest) -> int:
    """How many refreshes have reached PingOne."""
    return auth.simulator.token_requests["refresh_token"]


@asynccontextmanager
async def impatient(
    auth: AuthUnderTest,
) -> AsyncIterator[Callable[[str], Awaitable[httpx.Response]]]:
    """POST /introspect as the application wires it, but for the seconds that it waits."""
    resources = auth.resources
    milliseconds = timedelta(milliseconds=1)
    times = RefreshTimes(
        wait=50 * milliseconds, poll=5 * milliseconds, store_again=5 * milliseconds
    )
    live_tokens = live_upstream_tokens(resources, times)
    introspect = IntrospectHandle(resources.database, live_tokens, resources.now)
    api = FastAPI()
    install_failure_handlers(api, Pages())
    limits = internal_rate_limits(resources.settings, resources.rate_limiter)
    authenticate = LimitedResourceServers(resources.protected, limits)
    api.include_router(introspect_routes(authenticate, introspect, ISSUER))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(api), base_url=INTERNAL, auth=INTROSPECTION_CLIENT
    ) as caller:
        yield lambda access: caller.post("/introspect", data={"token": access})


@asynccontextmanager
async def replica_of(auth: AuthUnderTest, **settings: Any) -> AsyncIterator[AuthUnderTest]:
    """Another process beside this one, on the same database, PingOne and clock.

    `settings` is what differs, if it is a replica of another deployment or version.
    """
    changed = AuthSettings(**(auth.resources.settings.model_dump() | settings))
    async with open_resources(
        changed,
        now=auth.clock,
        monotonic=auth.clock.monotonic,
        fetch=auth.pingone.fetch,
        transport=auth.pingone,
        fetch_document=auth.published,
    ) as resources:
        apps = {
            ISSUER: create_public_app(resources),
            INTERNAL: create_internal_app(resources, Lifecycle()),
        }
        replica = AuthUnderTest(
            published=auth.published,
            resources=resources,
            simulator=auth.simulator,
            pingone=auth.pingone,
            clock=auth.clock,
            apps=auth.apps | apps,
            client_id=auth.client_id,
        )
        replica.new_browser()
        yield replica
        await replica.close()


@asynccontextmanager
async def database_outage(auth: AuthUnderTest) -> AsyncIterator[None]:
    """Inside it the database is out of reach; afterwards it is back, with its content."""
    url = make_url(auth.resources.settings.auth_database_url.get_secret_value())
    if url.drivername.startswith("sqlite"):
        with _file_away(Path(url.database or "")):
            # After the file has gone: nothing can connect to it any more.
            await auth.resources.database.close()
            yield
    else:
        await _on_server(url, f'ALTER DATABASE "{url.database}" ALLOW_CONNECTIONS false')
        await _on_server(
            url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1",
            url.database,
        )
        yield
        await _on_server(url, f'ALTER DATABASE "{url.database}" ALLOW_CONNECTIONS true')


@contextmanager
def _file_away(file: Path) -> Iterator[None]:
    # One rename a step: whoever connects meanwhile finds the file or nothing, never a new one.
    away, nowhere = file.with_suffix(".away"), file.with_suffix(".nowhere")
    away.hardlink_to(file)
    nowhere.symlink_to(file.parent / "gone" / file.name)
    nowhere.replace(file)
    yield
    away.replace(file)


async def _on_server(url: URL, statement: str, *arguments: str | None) -> None:
    maintenance = url.set(drivername="postgresql", database="postgres")
    connection = await asyncpg.connect(maintenance.render_as_string(hide_password=False))
    try:
        await connection.execute(statement, *arguments)
    finally:
        await connection.close()
