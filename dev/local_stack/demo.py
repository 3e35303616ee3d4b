"""The whole story, once: a client that knows only a URL ends up with the user's todos."""

import asyncio
import os
import re
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import httpx
import httpx2
from mcp import Client
from mcp.client.auth import OAuthFlowError
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitRequestParams, ElicitResult, TextContent
from rich.console import Console
from rich.panel import Panel

from local_stack.agent import Agent, AuthorizationRefused
from local_stack.browser import ALICE, Browser, UnexpectedPage
from local_stack.narration import Narrator
from local_stack.ports import Ports
from local_stack.services import API_IDENTIFIER, StackConfig, tuning_of
from local_stack.stack import Stack, running_stack
from local_stack.transcript import StepFailed, Transcript

CLIENT_NAME: Final = "Demo agent"
TOOLS: Final = ("who_am_i", "list_todos", "create_todo", "set_todo_status", "delete_todo")
REQUIRED_STEPS: Final = frozenset(
    {
        "challenge",
        "resource_metadata",
        "server_metadata",
        "registration",
        "authorization",
        "consent",
        "sign_on",
        "token",
        "step_up",
        "confirmation",
        "revocation",
        "dead_handle",
    }
)
# What a stack that does not work makes of the story; anything else is a fault of the demo itself.
_FAILURES: Final = (
    StepFailed,
    AuthorizationRefused,
    UnexpectedPage,
    OAuthFlowError,
    MCPError,
    httpx.HTTPError,
    httpx2.HTTPError,
)
# However long the MCP server remembers answers: auth tells it which grants have ended.
_REVOCATION_SEEN_SECONDS: Final = 1.0
_REVOCATION_DEADLINE_SECONDS: Final = 15.0
_POLL_SECONDS: Final = 0.01
# Two parts of a JSON Web Token, whose objects begin with {" and so with eyJ in base64url.
_JSON_WEB_TOKEN: Final = re.compile(rb"eyJ[\w-]+\.eyJ[\w-]+")


def run_demo(console: Console) -> int:
    """Play the demo in a throw-away folder; return 0 only if every step had the right result."""
    started = time.monotonic()
    transcript = Transcript(console)
    with tempfile.TemporaryDirectory(prefix="mcp-pingone-demo-") as folder:
        config = StackConfig(Path(folder), _choose_ports(console), tuning_of(os.environ))
        with (
            console.status("starting the simulator and three services") as status,
            running_stack(config, on_phase=status.update) as stack,
        ):
            status.stop()
            _introduce(console, config)
            try:
                asyncio.run(_play(transcript, config))
            except* _FAILURES as group:
                _report(transcript, stack, console, group)
    return _conclude(console, transcript, time.monotonic() - started)


def _choose_ports(console: Console) -> Ports:
    ports = Ports.from_environment(os.environ)
    taken = ports.taken()
    if not taken:
        return ports
    console.print(
        "In use already, so the demo takes free ports instead: "
        + ", ".join(f"{port} ({name})" for name, port in taken.items())
    )
    return Ports.free()


async def _play(transcript: Transcript, config: StackConfig) -> None:
    narrator = Narrator(transcript, config, CLIENT_NAME)
    async with Browser() as browser:
        agent = Agent(
            config.mcp_url,
            browser,
            ALICE,
            name=CLIENT_NAME,
            on_exchange=narrator.exchange,
            on_visit=narrator.visit,
        )

        async def agree(
            context: object,  # noqa: ARG001  (the SDK passes it by this name)
            params: ElicitRequestParams,
        ) -> ElicitResult:
            narrator.question(params.message)
            return ElicitResult(action="accept", content={"confirm": True})

        async with agent.connect(ask=agree) as client:
            await _use_every_tool(transcript, client, config)
        async with agent.connect(mode="legacy") as client:
            transcript.check(
                {tool.name for tool in (await client.list_tools()).tools} == set(TOOLS),
                "the older protocol era works on the same URL, with the same handle",
            )
        await _revoke(transcript, narrator, agent)
        _search_for_pingone_tokens(transcript, agent)
    untold = REQUIRED_STEPS - narrator.told
    transcript.check(not untold, "the story is complete" + "".join(f", but {u}" for u in untold))


async def _use_every_tool(transcript: Transcript, client: Client, config: StackConfig) -> None:
    names = [tool.name for tool in (await client.list_tools()).tools]
    transcript.check(set(names) == set(TOOLS), "these are the five tools")
    me = await _call(client, "who_am_i")
    token = me["downstream_token"]
    transcript.note("Two tokens: the client sends its handle; the API is sent a token of PingOne.")
    transcript.check(token["iss"] == config.pingone_issuer, "PingOne issued the one for the API")
    transcript.check(token["aud"] == [API_IDENTIFIER], f"only {API_IDENTIFIER} accepts it")
    milk = await _call(client, "create_todo", {"text": "Buy milk"})
    rent = await _call(client, "create_todo", {"text": "Pay the rent"})
    transcript.check(milk["id"] != rent["id"], "two todos with ids of their own")
    listed = (await _call(client, "list_todos"))["todos"]
    transcript.check([todo["id"] for todo in listed] == [milk["id"], rent["id"]], "both are there")
    done = await _call(client, "set_todo_status", {"todo_id": milk["id"], "completed": True})
    transcript.check(done["completed"] is True, "it is done")
    gone = await _call(client, "delete_todo", {"todo_id": rent["id"]})
    transcript.check(gone == {"deleted": True, "deleted_id": rent["id"]}, "it is gone")
    left = (await _call(client, "list_todos"))["todos"]
    transcript.check(
        [(todo["text"], todo["completed"]) for todo in left] == [("Buy milk", True)],
        "one todo is left, and it is done",
    )


async def _call(client: Client, tool: str, arguments: dict[str, Any] | None = None) -> Any:
    """Call a tool and return its structured result; raise StepFailed if it is an error."""
    result = await client.call_tool(tool, arguments or {})
    if result.is_error or result.structured_content is None:
        texts = [item.text for item in result.content if isinstance(item, TextContent)]
        raise StepFailed(f"{tool} answered an error: {' '.join(texts)}")
    return result.structured_content


async def _revoke(transcript: Transcript, narrator: Narrator, agent: Agent) -> None:
    tokens, client_info = agent.memory.tokens, agent.memory.client_info
    if tokens is None or tokens.refresh_token is None or client_info is None:
        raise StepFailed("the client holds no refresh handle to give back")
    form = {"token": tokens.refresh_token, "client_id": client_info.client_id}
    issuer = next(item for item in agent.exchanges if item.path == "/token").url
    narrator.exchange(await agent.post(issuer.removesuffix("/token") + "/revoke", form=form))
    revoked_at = time.monotonic()
    question = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    answer = await agent.post(agent.mcp_url, document=question)
    while answer.status != 401 and time.monotonic() - revoked_at < _REVOCATION_DEADLINE_SECONDS:
        await asyncio.sleep(_POLL_SECONDS)
        answer = await agent.post(agent.mcp_url, document=question)
    narrator.exchange(answer)
    seconds = time.monotonic() - revoked_at
    transcript.check(
        seconds < _REVOCATION_SEEN_SECONDS, f"refused {seconds * 1000:.0f} ms after the revocation"
    )


def _search_for_pingone_tokens(transcript: Transcript, agent: Agent) -> None:
    transcript.step("A last look at everything that the client and the browser have seen")
    seen = [
        repr((item.url, item.request_headers, item.headers)).encode()
        + item.request_body
        + item.body
        for item in agent.exchanges
    ]
    seen += [repr((visit.arrived_at, visit.redirects)).encode() for visit in agent.visits]
    transcript.check(
        not any(_JSON_WEB_TOKEN.search(item) for item in seen),
        f"{len(seen)} requests, answers and visits: not one holds a token of PingOne",
    )


def _introduce(console: Console, config: StackConfig) -> None:
    console.print(
        Panel(
            f"MCP server [bold]{config.mcp_url}[/]  authorization server [bold]{config.issuer}[/]\n"
            f"PingOne simulator {config.pingone_issuer}\n"
            "The client is the MCP SDK's. It knows one URL; its person is alice.",
            title="demo",
            expand=False,
        )
    )


def _report(
    transcript: Transcript, stack: Stack, console: Console, group: BaseExceptionGroup[Any]
) -> None:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    transcript.check(False, f"{type(error).__name__}: {error}")
    for name, lines in stack.last_lines().items():
        console.print(f"\nThe last lines of {name}:", style="bold")
        console.print("\n".join(lines), markup=False, highlight=False)


def _conclude(console: Console, transcript: Transcript, seconds: float) -> int:
    console.print()
    if not transcript.failures:
        console.print(
            f"[bold green]{transcript.steps} steps, each as it must be[/], {seconds:.1f} s."
            " `make dev` keeps the same stack running for your own client."
        )
        return 0
    console.print("[bold red]Not as it must be:[/]")
    for failure in transcript.failures:
        console.print(f"  {failure}", markup=False)
    return 1
