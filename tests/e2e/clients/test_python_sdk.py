"""The Python SDK's own client, in both eras and in both ways of being known."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from e2e.clients.known_clients import CLAUDE_CODE_DOCUMENT

from local_stack.agent import Agent
from local_stack.browser import ALICE, Browser

ERAS = {"auto": "2026-07-28", "legacy": "2025-11-25"}
DOCUMENT_URL = str(CLAUDE_CODE_DOCUMENT["client_id"])


@pytest_asyncio.fixture(params=[None, DOCUMENT_URL], ids=["registered", "document"])
async def agent(request: pytest.FixtureRequest, mcp_url: str) -> AsyncIterator[Agent]:
    """The SDK's client; with the URL of a document, it prefers that to registering."""
    async with Browser() as browser:
        yield Agent(mcp_url, browser, ALICE, client_metadata_url=request.param)


@pytest.mark.parametrize("mode", ERAS)
async def test_it_connects_steps_up_and_writes(agent: Agent, mode: str, call: Any) -> None:
    async with agent.connect(mode) as client:
        assert client.protocol_version == ERAS[mode]
        await call(client, "list_todos")
        text = f"Python {uuid4()}"
        assert (await call(client, "create_todo", text=text))["text"] == text
    assert [visit.kinds for visit in agent.visits] == [["consent", "sign_on"], ["consent"]]


async def test_it_is_who_it_says_and_registers_only_without_a_document(
    agent: Agent, call: Any
) -> None:
    async with agent.connect() as client:
        client_id = (await call(client, "who_am_i"))["client_id"]
    has_registered = "/register" in {exchange.path for exchange in agent.exchanges}
    assert has_registered is (client_id != DOCUMENT_URL)


async def test_it_reconnects_with_what_it_kept(agent: Agent, call: Any) -> None:
    async with agent.connect() as client:
        before = (await call(client, "who_am_i"))["subject"]
    async with agent.connect("legacy") as client:
        assert (await call(client, "who_am_i"))["subject"] == before
    assert len(agent.visits) == 1
