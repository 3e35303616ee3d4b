"""Two MCP servers, each with an API of its own, behind one authorization server."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from local_stack.agent import Agent
from local_stack.browser import ALICE, Browser, Visit
from local_stack.ports import Ports
from local_stack.secrets import Secrets
from local_stack.services import API_IDENTIFIER, Service, StackConfig, services_of
from local_stack.stack import running_stack

OTHER_API = "https://tasks.api.com"
OTHER_SECRET = "the-tasks-server-introspects-with-this"
QUESTION = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
OIDC = {"openid", "profile"}


@dataclass(frozen=True)
class TwoServers:
    """What the six processes are told: the usual four, and a second pair of mcp and todo-api.

    The second API knows its scopes by other names than the MCP server in front of it.
    """

    config: StackConfig
    more: Ports

    @property
    def other_url(self) -> str:
        """What a client connects to that means the second server."""
        return f"http://localhost:{self.more.mcp}/mcp"

    def services(
        self, config: StackConfig, secrets: Secrets, shell: Mapping[str, str]
    ) -> tuple[Service, ...]:
        """Describe the processes."""
        simulator, auth, mcp, todo = services_of(config, secrets, shell)
        apis = {OTHER_API: ["tasks.read", "tasks.write"]}
        return (
            changed(simulator, SIMULATOR_RESOURCES=json.dumps(apis)),
            changed(
                auth,
                API_IDENTIFIER="",
                MCP_RESOURCE="",
                INTROSPECTION_CLIENT_ID="",
                INTROSPECTION_CLIENT_SECRET="",
                AUTH_RESOURCES=json.dumps(self._resources(mcp.environment)),
            ),
            mcp,
            todo,
            replace(
                changed(
                    mcp,
                    MCP_RESOURCE=self.other_url,
                    MCP_PORT=str(self.more.mcp),
                    MCP_INTERNAL_PORT=str(self.more.mcp_internal),
                    API_URL=f"http://localhost:{self.more.todo}",
                    INTROSPECTION_CLIENT_ID="tasks-mcp",
                    INTROSPECTION_CLIENT_SECRET=OTHER_SECRET,
                ),
                name="tasks-mcp",
                ready_url=f"http://127.0.0.1:{self.more.mcp_internal}/readyz",
            ),
            replace(
                changed(
                    todo,
                    TODO_PUBLIC_URL=f"http://localhost:{self.more.todo}",
                    TODO_PORT=str(self.more.todo),
                    TODO_INTERNAL_PORT=str(self.more.todo_internal),
                    TODO_DATABASE_URL=f"sqlite+aiosqlite:///{config.state / 'tasks.db'}",
                    API_AUDIENCE=OTHER_API,
                    API_READ_SCOPE="tasks.read",
                    API_WRITE_SCOPE="tasks.write",
                ),
                name="tasks-api",
                ready_url=f"http://127.0.0.1:{self.more.todo_internal}/readyz",
            ),
        )

    def _resources(self, mcp: Mapping[str, str]) -> list[dict[str, Any]]:
        return [
            {
                "identifier": self.config.mcp_url,
                "audience": API_IDENTIFIER,
                "scopes": ["todo_api:read", "todo_api:write"],
                "introspection_client_id": mcp["INTROSPECTION_CLIENT_ID"],
                "introspection_client_secret": mcp["INTROSPECTION_CLIENT_SECRET"],
            },
            {
                "identifier": self.other_url,
                "name": "Tasks",
                "audience": OTHER_API,
                "scopes": {
                    "todo_api:read": "tasks.read",
                    "todo_api:write": ["tasks.read", "tasks.write"],
                },
                "introspection_client_id": "tasks-mcp",
                "introspection_client_secret": OTHER_SECRET,
            },
        ]


def changed(service: Service, **variables: str) -> Service:
    return replace(service, environment={**service.environment, **variables})


def distinct_ports() -> tuple[Ports, Ports]:
    while True:
        one, other = Ports.free(), Ports.free()
        if not {*one.by_variable().values()} & {*other.by_variable().values()}:
            return one, other


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoServers]:
    ports, more = distinct_ports()
    environment = {"MCP_INTROSPECTION_CACHE_SECONDS": "0.3"}
    config = StackConfig(tmp_path_factory.mktemp("two") / "state", ports, environment)
    servers = TwoServers(config, more)
    with running_stack(config, describe=servers.services):
        yield servers


def asked_at_pingone(visit: Visit) -> tuple[str, set[str]]:
    """The API and the scopes that a visit was sent to PingOne with."""
    [url] = [
        url
        for url in visit.redirects
        if "resource" in (query := parse_qs(urlsplit(url).query)) and "nonce" in query
    ]
    query = parse_qs(urlsplit(url).query)
    return query["resource"][0], set(query["scope"][0].split())


@pytest.mark.standard("RFC 8707 2.2 audience", "MCP 2026-07-28 authorization: audience")
async def test_two_servers_share_a_sign_on_and_nothing_else(
    servers: TwoServers, call: Any, eventually: Any
) -> None:
    async with Browser() as browser:
        here = Agent(servers.config.mcp_url, browser, ALICE, name="At todos")
        there = Agent(servers.other_url, browser, ALICE, name="At tasks")
        async with here.connect() as todos, there.connect() as tasks:
            created = {}
            for client, api, text in ((todos, API_IDENTIFIER, "milk"), (tasks, OTHER_API, "taxes")):
                me = await call(client, "who_am_i")
                assert (me["scopes"], me["downstream_token"]["aud"]) == (["todo_api:read"], [api])
                created[text] = await call(client, "create_todo", text=text)
                assert me["scopes"] < (await call(client, "who_am_i"))["scopes"], "stepped up"
            for client, text in ((todos, "milk"), (tasks, "taxes")):
                assert (await call(client, "list_todos"))["todos"] == [created[text]]

            assert [asked_at_pingone(visit) for visit in here.visits] == [
                (API_IDENTIFIER, OIDC | {"todo_api:read"}),
                (API_IDENTIFIER, OIDC | {"todo_api:read", "todo_api:write"}),
            ]
            assert [asked_at_pingone(visit) for visit in there.visits] == [
                (OTHER_API, OIDC | {"tasks.read"}),
                (OTHER_API, OIDC | {"tasks.read", "tasks.write"}),
            ]
            assert [visit.kinds for visit in (*here.visits, *there.visits)] == [
                ["consent", "sign_on"],
                ["consent"],
                ["consent"],
                ["consent"],
            ]
            assert "Tasks" in there.visits[0].pages[0][1].text

            assert await status_at(servers.other_url, there) == 200
            assert await status_at(servers.other_url, here) == 401
            assert await status_at(servers.config.mcp_url, there) == 401

            await revoke(servers.config.issuer, here)

            async def is_refused() -> bool:
                return await status_at(servers.config.mcp_url, here) == 401

            await eventually(is_refused)
            assert (await call(tasks, "list_todos"))["todos"] == [created["taxes"]]
            assert len(there.visits) == 2


async def status_at(mcp_url: str, agent: Agent) -> int:
    return (await agent.post(mcp_url, document=QUESTION)).status


async def revoke(issuer: str, agent: Agent) -> None:
    client_info = agent.memory.client_info
    assert client_info is not None
    form = {"token": agent.access_handle, "client_id": client_info.client_id}
    assert (await agent.post(f"{issuer}/revoke", form=form)).status == 200
