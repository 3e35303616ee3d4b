"""What deploy/compose-test does with a running system: a real MCP client before the containers.

Two acts, because the containers are restarted between them: `sign-in FILE` ends with a client that
keeps its handles in FILE, `come-back FILE` begins with it. Ports come from AUTH_PORT and the like.
"""

import argparse
import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any, Final

from mcp import Client
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from rich.console import Console

from local_stack.agent import Agent
from local_stack.browser import ALICE, BOB, Browser
from local_stack.ports import Ports
from local_stack.services import StackConfig
from local_stack.transcript import StepFailed, Transcript

TOOLS: Final = {"who_am_i", "list_todos", "create_todo", "set_todo_status", "delete_todo"}
TODO: Final = "Outlive a restart"
QUESTION: Final = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
REVOCATION_DEADLINE_SECONDS: Final = 15.0
POLL_SECONDS: Final = 0.2


def main() -> int:
    """Play one act; return 0 only if everything was as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("act", choices=("sign-in", "come-back"))
    parser.add_argument("file", type=Path, help="where the client keeps its handles between acts")
    arguments = parser.parse_args()
    transcript = Transcript(Console(highlight=False))
    config = StackConfig(Path(), Ports.from_environment(os.environ))
    play = sign_in if arguments.act == "sign-in" else come_back
    asyncio.run(play(transcript, config, arguments.file))
    return 1 if transcript.failures else 0


async def sign_in(transcript: Transcript, config: StackConfig, file: Path) -> None:
    """Sign in, in both eras of the protocol; leave one todo and the handles behind."""
    transcript.step("A client that knows only the URL signs in and uses every tool")
    async with Browser() as browser:
        agent = Agent(config.mcp_url, browser, ALICE)
        async with agent.connect() as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            transcript.check(names == TOOLS, "five tools")
            token = (await _call(client, "who_am_i"))["downstream_token"]
            transcript.check(token["iss"] == config.pingone_issuer, "iss is the browser's URL")
            kept = await _call(client, "create_todo", text=TODO)
            other = await _call(client, "create_todo", text="Go again")
            await _call(client, "set_todo_status", todo_id=kept["id"], completed=True)
            await _call(client, "delete_todo", todo_id=other["id"])
            transcript.check(await _todos(client) == [(TODO, True)], "one todo, and it is done")
        async with agent.connect(mode="legacy") as client:
            transcript.check(await _todos(client) == [(TODO, True)], "the older era, same handle")
    visit = agent.visits[0]
    transcript.check(visit.kinds == ["consent", "sign_on"], "consent came before the sign-on")
    asked = await agent.post(f"{config.issuer}/introspect", form={"token": agent.access_handle})
    transcript.check(asked.status == 404, "the public port does not introspect")
    _save(agent, file)


async def come_back(transcript: Transcript, config: StackConfig, file: Path) -> None:
    """The handle still works, another person sees none of it, revocation ends it."""
    transcript.step("After a restart of every service the client goes on with its handle")
    async with Browser() as browser:
        agent = Agent(config.mcp_url, browser, ALICE)
        _restore(agent, file)
        async with agent.connect() as client:
            transcript.check(await _todos(client) == [(TODO, True)], "the todo is still there")
        transcript.check(not agent.visits, "nobody had to sign in again")
        async with Browser() as other_browser:
            other = Agent(config.mcp_url, other_browser, BOB)
            async with other.connect() as client:
                transcript.check(await _todos(client) == [], "another person sees none of it")
        await _revoke(transcript, config, agent)


async def _revoke(transcript: Transcript, config: StackConfig, agent: Agent) -> None:
    tokens, client_info = agent.memory.tokens, agent.memory.client_info
    if tokens is None or tokens.refresh_token is None or client_info is None:
        raise StepFailed("the client holds no refresh handle to give back")
    form = {"token": tokens.refresh_token, "client_id": str(client_info.client_id)}
    await agent.post(f"{config.issuer}/revoke", form=form)
    deadline = time.monotonic() + REVOCATION_DEADLINE_SECONDS
    status = 200
    while status != 401 and time.monotonic() < deadline:
        await asyncio.sleep(POLL_SECONDS)
        status = (await agent.post(config.mcp_url, document=QUESTION)).status
    transcript.check(status == 401, "a handle that was given back is refused")


async def _call(client: Client, tool: str, **arguments: Any) -> Any:
    result = await client.call_tool(tool, arguments)
    if result.is_error or result.structured_content is None:
        raise StepFailed(f"{tool} answered an error: {result.content}")
    return result.structured_content


async def _todos(client: Client) -> list[tuple[str, bool]]:
    listed = await _call(client, "list_todos")
    return [(todo["text"], todo["completed"]) for todo in listed["todos"]]


def _save(agent: Agent, file: Path) -> None:
    tokens, client_info = agent.memory.tokens, agent.memory.client_info
    if tokens is None or client_info is None:
        raise StepFailed("the client holds nothing to come back with")
    kept = {
        "tokens": tokens.model_dump(mode="json"),
        "client": client_info.model_dump(mode="json"),
    }
    file.write_text(json.dumps(kept), encoding="utf-8")


def _restore(agent: Agent, file: Path) -> None:
    kept = json.loads(file.read_text(encoding="utf-8"))
    agent.memory.tokens = OAuthToken.model_validate(kept["tokens"])
    agent.memory.client_info = OAuthClientInformationFull.model_validate(kept["client"])


if __name__ == "__main__":
    raise SystemExit(main())
