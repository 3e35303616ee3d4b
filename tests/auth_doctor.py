"""`auth doctor` under test: the command line beside a PingOne that can be made ill."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx2
import pytest
import two_resources
from auth_harness import PingOneTransport
from joserfc.jwk import RSAKey
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from auth_server.cli import app, running
from auth_server.settings import AuthSettings
from pingone_simulator.app import create_app as create_simulator
from pingone_simulator.settings import SimulatorSettings

SIMULATOR = SimulatorSettings(**two_resources.SIMULATOR)
KEY = RSAKey.generate_key(2048, auto_kid=True)
ENVIRONMENT = {
    "AUTH_PUBLIC_URL": "http://localhost:8080",
    "MCP_RESOURCE": "http://localhost:8081/mcp",
    "AUTH_ENCRYPTION_KEYS": "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "COOKIE_ENCRYPTION_KEY": "a-cookie-key-for-the-tests-only",
    "PINGONE_ISSUER": SIMULATOR.issuer,
    "MCP_SERVER_CLIENT_ID": SIMULATOR.client_id,
    "MCP_SERVER_CLIENT_SECRET": SIMULATOR.client_secret.get_secret_value(),
    "API_IDENTIFIER": "https://todo.api.com",
    "INTROSPECTION_CLIENT_ID": "mcp",
    "INTROSPECTION_CLIENT_SECRET": "the-mcp-server-introspects-with-this",
}
SECRETS = [
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    ENVIRONMENT["COOKIE_ENCRYPTION_KEY"],
    ENVIRONMENT["MCP_SERVER_CLIENT_SECRET"],
    ENVIRONMENT["INTROSPECTION_CLIENT_SECRET"],
    "hunter2",
]
PassOn = Callable[[httpx2.Request], Awaitable[httpx2.Response]]


class PingOneWithClock(PingOneTransport):
    """PingOne's stand-in behind a server that tells the time, as every server does."""

    ahead_by: timedelta | None = timedelta()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer, and say how late it is."""
        response = await super().handle_async_request(request)
        if self.ahead_by is not None:
            now = datetime.now(UTC) + self.ahead_by
            response.headers["date"] = format_datetime(now, usegmt=True)
        return response

    def answer(self, ending: str, status: int, body: object = "", **headers: str) -> None:
        """From now on a URL that ends like this has this answer."""
        content = body if isinstance(body, str) else json.dumps(body)

        def failure(request: httpx2.Request) -> httpx2.Response | None:
            if not request.url.path.endswith(ending):
                return None
            return httpx2.Response(status, text=content, headers=headers, request=request)

        self.fail_with = failure

    def publish(self, **changes: Any) -> None:
        """Change PingOne's discovery document; None takes a member out."""

        async def changed(request: httpx2.Request, pass_on: PassOn) -> httpx2.Response:
            response = await pass_on(request)
            if not request.url.path.endswith("/openid-configuration"):
                return response
            document = json.loads(await response.aread()) | changes
            kept = {name: value for name, value in document.items() if value is not None}
            return httpx2.Response(200, json=kept, request=request)

        self.intercept = changed


class Patient:
    """An installation that is well except for what a test changes."""

    def __init__(self, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.database_url = database_url
        self.pingone = PingOneWithClock(create_simulator(SIMULATOR, signing_key=KEY))
        monkeypatch.setattr(httpx2, "AsyncHTTPTransport", lambda **_: self.pingone)
        # It would last beyond the test.
        monkeypatch.setattr(running, "configure_logging", lambda **_: None)
        for name in AuthSettings.model_fields:
            monkeypatch.delenv(name.upper(), raising=False)

    def run(self, *arguments: str, **changes: str | None) -> Result:
        """`auth doctor` with changes of the environment; None unsets a variable."""
        environment = ENVIRONMENT | {"AUTH_DATABASE_URL": self.database_url} | changes
        # The log, which is silent in production, would go to stdout here.
        with capture_logs():
            return CliRunner().invoke(app, ["doctor", *arguments], env=environment)

    def examine(self, **changes: str | None) -> dict[str, dict[str, str]]:
        """What the doctor finds, by check; of several findings of one check, the worst."""
        result = self.run("--format", "json", **changes)
        for secret in SECRETS:
            assert secret not in result.output
        document = json.loads(result.stdout)
        order = ["ok", "warning", "problem"]
        findings = sorted(document["findings"], key=lambda one: order.index(one["outcome"]))
        is_ill = any(one["outcome"] == "problem" for one in findings)
        assert (result.exit_code, document["ok"]) == (int(is_ill), not is_ill)
        assert all(one["advice"] for one in findings if one["outcome"] != "ok")
        return {one["check"]: one for one in findings}
