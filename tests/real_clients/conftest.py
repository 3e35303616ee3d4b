"""One stack, and programs from npm that connect to it. Run by `make real-clients`."""

import asyncio
import json
import os
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from node_packages import InstalledPackages, install_packages

from local_stack.ports import Ports
from local_stack.services import StackConfig
from local_stack.stack import running_stack

# The folder for what npm installs: what `make real-clients` sets.
FOLDER_VARIABLE = "REAL_CLIENTS"
HERE = Path(__file__).parent
SETTLE_SECONDS = 5.0
POLL_SECONDS = 0.05
HANDLE_SECONDS = 3
METADATA_DOCUMENT = {
    "client_id": "https://client.example.com/oauth/client.json",
    "client_name": "Known by a document",
    "redirect_uris": [
        "http://127.0.0.1/callback",
        "http://127.0.0.1/oauth/callback",
        "http://localhost/oauth/callback",
    ],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none",
    "application_type": "native",
}
ENVIRONMENT = {
    # A second run finds its handle expired and has to refresh it.
    "AUTH_ACCESS_HANDLE_SECONDS": str(HANDLE_SECONDS),
    "MCP_INTROSPECTION_CACHE_SECONDS": "0.3",
    # Its URL cannot be fetched in a test: AUTH_CLIENTS pins a copy.
    "AUTH_CLIENTS": json.dumps([METADATA_DOCUMENT]),
}
_REQUEST = re.compile(r"\[access\].* method=(\w+) .*path=(\S+) .*status=(\d+)")


@dataclass(frozen=True, slots=True)
class Machine:
    """A computer with Node, a home folder and a browser, from which programs reach one stack."""

    config: StackConfig
    packages: InstalledPackages
    home: Path
    _marks: dict[str, int] = field(default_factory=dict)

    @property
    def mcp_url(self) -> str:
        """All that a program is told."""
        return self.config.mcp_url

    @property
    def environment(self) -> dict[str, str]:
        """What a program finds around it: nothing of the shell, and no way but to loopback."""
        return {
            "PATH": os.defpath,
            "HOME": str(self.home),
            "BROWSER": str(self.home / "browser"),
            "NO_COLOR": "1",
            "NODE_OPTIONS": f"--import={self.packages.folder / 'loopback_only.mjs'}",
            "REFUSED_CONNECTIONS": str(self.home / "refused"),
        }

    def node(self, script: str | Path, *arguments: str) -> list[str | Path]:
        """The command that runs a script, which is looked for beside the packages."""
        return [self.packages.node, self.packages.folder / script, *arguments]

    @property
    def visits(self) -> list[dict[str, Any]]:
        """What alice was shown in the browser, in order."""
        file = self.home / "visits.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    @property
    def requests(self) -> Counter[tuple[str, str, str]]:
        """What auth was asked since the last mark: how often, by method, path and status."""
        log = (self.config.logs / "auth.log").read_text()[self._marks.get("auth", 0) :]
        return Counter(match.groups() for match in _REQUEST.finditer(log))  # type: ignore[misc]

    def mark(self) -> None:
        """Count requests from here."""
        self._marks["auth"] = len((self.config.logs / "auth.log").read_text())

    async def wait_until_handles_have_expired(self) -> None:
        """Let the time pass after which what was issued until now is no longer accepted."""
        issued = (self.config.logs / "auth.log").stat().st_mtime
        await asyncio.sleep(max(0.0, issued + HANDLE_SECONDS + 0.5 - time.time()))

    async def was_asked(self, method: str, path: str) -> bool:
        """Wait until auth has noted such a request since the last mark; False if it does not."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while (method, path, "200") not in self.requests:
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(POLL_SECONDS)
        return True

    async def has_only_refreshed(self) -> bool:
        """True if since the last mark handles were refreshed, and nothing else was needed."""
        refreshed = await self.was_asked("POST", "/token")
        asked = {path for _, path, _ in self.requests}
        return refreshed and not asked & {"/register", "/authorize", "/consent"}


@pytest.fixture(scope="session")
def packages() -> InstalledPackages:
    """What npm installs from the lock, and our scripts beside it."""
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder:
        pytest.skip("needs packages from npm; `make real-clients` installs them and runs this")
    installed = install_packages(HERE / "npm", Path(folder).resolve() / "packages")
    for script in (HERE / "programs").glob("*.mjs"):
        shutil.copy(script, installed.folder)
    return installed


@pytest.fixture(scope="session")
def real_stack(
    packages: InstalledPackages, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StackConfig]:
    """The processes that the programs connect to, on SQLite as in `make dev`."""
    assert packages.node.exists()
    state = tmp_path_factory.mktemp("real-clients") / "state"
    config = StackConfig(state, Ports.free(), ENVIRONMENT)
    with running_stack(config):
        yield config


@pytest.fixture(scope="module")
def machine(
    real_stack: StackConfig, packages: InstalledPackages, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    """A new computer for the programs of one module; they must have stayed on loopback."""
    home = tmp_path_factory.mktemp("home")
    browser = home / "browser"
    script, visits = HERE / "opened_browser.py", home / "visits.jsonl"
    browser.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "{visits}" "$1"\n')
    browser.chmod(0o700)
    yield Machine(real_stack, packages, home)
    refused = home / "refused"
    assert not refused.exists(), refused.read_text()
