"""The service as a process runs it: what it opens, its internal port, its command line."""

import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest
from fastapi import FastAPI
from unread_cookies import COOKIE, forbid_cookie_parsers

from mcp_server.app import run_service
from mcp_server.settings import Settings
from service_kit.health import Lifecycle

if TYPE_CHECKING:
    from services.mcp.tests.conftest import World


async def test_the_internal_port_tells_health_and_metrics_and_the_public_one_does_not(
    world: "World",
) -> None:
    lifecycle = Lifecycle()
    async with run_service(world.settings(), lifecycle) as (public, internal):
        assert (public.port, internal.port) == (8081, 8091)
        assert isinstance(internal.app, FastAPI)
        async with (
            httpx.AsyncClient(
                transport=httpx.ASGITransport(public.app), base_url="http://localhost:8081"
            ) as outside,
            httpx.AsyncClient(
                transport=httpx.ASGITransport(internal.app), base_url="http://localhost:8091"
            ) as inside,
        ):
            assert (await outside.post("/mcp")).status_code == 401
            assert (await outside.get("/readyz")).status_code == 404
            assert (await inside.get("/livez")).status_code == 200
            assert (await inside.get("/readyz")).status_code == 503
            lifecycle.mark_started()
            assert (await inside.get("/readyz")).status_code == 200
            metrics = (await inside.get("/metrics")).text

    assert 'http_requests_total{method="POST",route="/mcp",status="401"} 1.0' in metrics
    assert "mcp_introspections_total" in metrics
    assert "mcp_revocation_feed_connected 0.0" in metrics, "nobody is there to be followed"


async def test_no_cookie_is_parsed_by_a_library(
    world: "World", monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid_cookie_parsers(monkeypatch)
    async with run_service(world.settings(), Lifecycle()) as (public, internal):
        for listener, path, status in (
            (public, "/.well-known/oauth-protected-resource", 200),
            (public, "/mcp", 405),
            (internal, "/livez", 200),
            (internal, "/metrics", 200),
        ):
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(listener.app), base_url="http://localhost:8081"
            ) as client:
                assert (await client.get(path, headers=COOKIE)).status_code == status


def test_help_names_every_variable() -> None:
    text = subprocess.run(
        [sys.executable, "-m", "mcp_server", "--help"], capture_output=True, text=True, check=True
    ).stdout

    for name in Settings.model_fields:
        assert name.upper() in text


def test_an_incomplete_environment_ends_the_process_with_what_is_missing() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "mcp_server"],
        capture_output=True,
        text=True,
        check=False,
        env={"MCP_RESOURCE": "http://localhost:8081/mcp"},
    )

    assert ended.returncode == 78
    assert "AUTH_ISSUER" in ended.stderr
    assert "Traceback" not in ended.stderr
