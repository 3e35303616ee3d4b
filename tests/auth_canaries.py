"""Plants secrets that can be recognised, and finds them again wherever they must not be.

A canary is every secret that was really made on the way: what PingOne issued, what the browser
carried, what the client was given, what the server was configured with.
"""

import base64
import contextlib
import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import asyncpg
import httpx
import structlog
from auth_back_channel import is_for, keep_token_answers
from auth_harness import AuthUnderTest, form_of
from browser_cookies import secret_in
from pydantic import SecretStr
from sqlalchemy.engine import make_url

from service_kit.logging import configure_logging

PINGONE = "localhost:9080"
AUTH = ("localhost:8080", "localhost:8090")
SHORTEST = 16

# The one place where each kind of secret belongs: method, path and status of an answer's body.
BODIES: dict[tuple[str, str, int], set[str]] = {
    ("POST", "/token", 200): {"access handle", "refresh handle"},
    ("POST", "/introspect", 200): {"access token of PingOne"},
    ("POST", "/register", 201): {"client secret"},
    ("GET", "/authorize", 200): {"form token"},
    # The second consent names the sign-on that it belongs to.
    ("GET", "/callback", 200): {"form token", "state at PingOne"},
    ("GET", "/account", 200): {"form token"},
}
TO_PINGONE = {"state at PingOne", "nonce"}
TO_CLIENT = {"code"}


@dataclass
class Canaries:
    """Every secret by its kind; nothing is compared by name, everything by value."""

    kinds: dict[str, str] = field(default_factory=dict, repr=False)

    def plant(self, kind: str, secret: str | None) -> None:
        """Remember a secret; a JSON Web Token also by its parts, for half of it is no better."""
        if not secret:
            return
        assert len(secret) >= SHORTEST, f"{kind} is too short to be recognised"
        self.kinds[secret] = kind
        if secret.startswith("eyJ"):
            self.kinds |= dict.fromkeys(secret.split(".")[1:], kind)

    def found_in(self, haystack: bytes) -> set[str]:
        """The kinds of secrets that are in there, as they are or in a usual encoding."""
        return {
            kind
            for secret, kind in self.kinds.items()
            if any(form in haystack for form in _encodings(secret))
        }


def _encodings(secret: str) -> set[bytes]:
    raw = secret.encode()
    return {
        raw,
        raw.hex().encode(),
        base64.b64encode(raw).rstrip(b"="),
        base64.urlsafe_b64encode(raw).rstrip(b"="),
        quote(secret, safe="").encode(),
    }


@dataclass
class Watch:
    """Sees what the server answers and stores, and collects canaries from it."""

    canaries: Canaries = field(default_factory=Canaries)
    answers: list[httpx.Response] = field(default_factory=list, repr=False)
    stored: list[bytes] = field(default_factory=list, repr=False)
    token_answers: list[dict[str, Any]] = field(default_factory=list, repr=False)

    def begin(self, auth: AuthUnderTest) -> None:
        """Watch PingOne's answers and the client's back channel; plant the configured secrets."""
        self.token_answers = keep_token_answers(auth)
        self.follow(auth.anyone)
        for name, value in auth.resources.settings:
            if isinstance(value, SecretStr) and "database" not in name:
                for secret in value.get_secret_value().split(","):
                    self.canaries.plant("configured secret", secret.rpartition(":")[2])

    def follow(self, browser: httpx.AsyncClient) -> httpx.AsyncClient:
        """Watch what this browser is answered."""
        browser.event_hooks = {"response": [self._saw]}
        return browser

    async def _saw(self, response: httpx.Response) -> None:
        await response.aread()
        request = response.request
        self._plant_parameters(request.url.netloc.decode(), response.headers.get("location", ""))
        if request.url.netloc.decode() not in AUTH:
            return
        self.answers.append(response)
        for cookie in response.headers.get_list("set-cookie"):
            # A cookie that is taken back is sent as "".
            value = cookie.partition("=")[2].partition(";")[0].strip('"')
            self.canaries.plant("cookie", secret_in(value))
        if response.headers.get("content-type", "").startswith("text/html"):
            for name in ("csrf_token", "sealed"):
                self.canaries.plant("form token", form_of(response).get(name))
        if (request.url.path, response.status_code) in {("/token", 200), ("/register", 201)}:
            document = response.json()
            self.canaries.plant("access handle", document.get("access_token"))
            self.canaries.plant("refresh handle", document.get("refresh_token"))
            self.canaries.plant("client secret", document.get("client_secret"))

    def _plant_parameters(self, sender: str, location: str) -> None:
        parameters = dict(parse_qsl(urlsplit(location).query))
        target = urlsplit(location).netloc
        if sender == PINGONE:
            self.canaries.plant("code of PingOne", parameters.get("code"))
        elif target == PINGONE:
            self.canaries.plant("state at PingOne", parameters["state"])
            self.canaries.plant("nonce", parameters["nonce"])
        else:
            self.canaries.plant("code", parameters.get("code"))

    async def look_at_database(self, auth: AuthUnderTest) -> None:
        """Keep all that is stored now."""
        url = make_url(auth.resources.settings.auth_database_url.get_secret_value())
        if url.drivername.startswith("sqlite"):
            file = Path(url.database or "")
            self.stored += [part.read_bytes() for part in sorted(file.parent.glob(f"{file.name}*"))]
            return
        dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = await asyncpg.connect(dsn)
        self.stored += await dump_of_postgresql(connection)
        await connection.close()

    def end(self, auth: AuthUnderTest) -> None:
        """Plant what PingOne was sent and what it issued."""
        for answer in self.token_answers:
            self.canaries.plant("access token of PingOne", answer.get("access_token"))
            self.canaries.plant("refresh token of PingOne", answer.get("refresh_token"))
            self.canaries.plant("ID token of PingOne", answer.get("id_token"))
        for request in auth.pingone.requests:
            if is_for(request, "/token"):
                form = dict(parse_qsl(request.content.decode()))
                self.canaries.plant("verifier at PingOne", form.get("code_verifier"))

    def misplaced(self) -> list[str]:
        """What was answered where it does not belong; empty if nothing was."""
        wrong = []
        for answer in self.answers:
            request = answer.request
            place = (request.method, request.url.path, answer.status_code)
            location = answer.headers.pop("location", "")
            allowed = TO_PINGONE if urlsplit(location).netloc == PINGONE else TO_CLIENT
            cookies = "".join(answer.headers.get_list("set-cookie"))
            answer.headers.pop("set-cookie", None)
            parts: tuple[tuple[str, bytes, set[str]], ...] = (
                ("body", answer.content, BODIES.get(place, set())),
                ("location", location.encode(), allowed),
                ("cookie", cookies.encode(), {"cookie"}),
                ("headers", str(answer.headers).encode(), set()),
            )
            for part, content, belongs in parts:
                if kinds := self.canaries.found_in(content) - belongs:
                    wrong.append(f"{part} of {place}: {sorted(kinds)}")
        return wrong


async def dump_of_postgresql(connection: Any) -> list[bytes]:
    """The content of every table, over an open connection of asyncpg."""
    tables = await connection.fetch(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    )
    dumps = []
    for (table,) in tables:
        dump = io.BytesIO()
        # The binary format has the very bytes of each value.
        await connection.copy_from_table(table, output=dump, format="binary")
        dumps.append(dump.getvalue())
    return dumps


@contextmanager
def captured_logs(*, development: bool, level: str) -> Iterator[io.StringIO]:
    """All that the process would write down in this mode; logging is as before afterwards."""
    root, access, browser = (logging.getLogger(name) for name in ("", "uvicorn.access", "httpx"))
    before = root.handlers, root.level, access.disabled, browser.disabled
    structlog_before = structlog.get_config()
    lines = io.StringIO()
    with contextlib.redirect_stderr(lines):
        configure_logging(service="auth", development=development, level=level)
    # A logger that is cached would go on in this way in the tests that follow.
    structlog.configure(cache_logger_on_first_use=False)
    browser.disabled = True  # the test's own
    try:
        yield lines
    finally:
        root.handlers, root.level, access.disabled, browser.disabled = before
        structlog.configure(**structlog_before)
