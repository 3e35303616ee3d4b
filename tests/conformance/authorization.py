"""The scenarios for authorization servers: the suite is the client, we are browser and person.

The suite prints the URL of its authorization request and waits for the answer at its own callback.
"""

import socket
from typing import Final

import httpx
from conformance.problem import ConformanceProblem
from conformance.results import Results
from conformance.suite import Suite

from local_stack.browser import ALICE, Browser, UnexpectedPage
from local_stack.services import StackConfig

_TIMEOUT_SECONDS: Final = 10.0
_PREFIX: Final = "authorization-server-"


async def run_authorization(suite: Suite, name: str, config: StackConfig) -> Results:
    """Register the suite as a public client, run it, and drive consent and sign-on for it."""
    port = _free_port()
    redirect_uri = f"http://127.0.0.1:{port}/callback"
    async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False) as http:
        client_id = await _register(http, config.issuer, redirect_uri)
        person = _Person(http, f"{config.issuer}/authorize?", redirect_uri)
        return await suite.run(
            name,
            "authorization",
            *("--url", config.issuer, "--client-id", client_id),
            *("--resource", config.mcp_url, "--port", str(port)),
            prefix=_PREFIX,
            on_line=person.read,
        )


class _Person:
    """Reads the suite's output and opens the authorization request that it asks to be opened."""

    def __init__(self, http: httpx.AsyncClient, awaited: str, redirect_uri: str) -> None:
        self._http = http
        self._awaited = awaited
        self._redirect_uri = redirect_uri

    async def read(self, line: str) -> None:
        """Sign on as alice if this line is the URL; the suite's callback gets the answer."""
        if not line.startswith(self._awaited):
            return
        try:
            async with Browser() as browser:
                visit = await browser.visit(line, redirect_uri=self._redirect_uri, person=ALICE)
            if visit.kinds != ["consent", "sign_on"]:
                raise ConformanceProblem(f"expected consent, then sign-on; saw {visit.kinds}")
            await self._http.get(visit.arrived_at)
        except (UnexpectedPage, httpx.HTTPError) as error:
            raise ConformanceProblem(f"the suite's authorization request: {error}") from error


async def _register(http: httpx.AsyncClient, issuer: str, redirect_uri: str) -> str:
    metadata = {
        "client_name": "Conformance suite",
        "redirect_uris": [redirect_uri],
        "token_endpoint_auth_method": "none",
    }
    response = await http.post(f"{issuer}/register", json=metadata)
    if response.status_code != httpx.codes.CREATED:
        raise ConformanceProblem(f"/register answered {response.status_code}: {response.text}")
    return str(response.json()["client_id"])


def _free_port() -> int:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        return int(holder.getsockname()[1])
