"""PingOne's tokens are renewed unseen, and a revocation ends everything of one grant."""

from typing import Any

from local_stack.agent import Agent, Exchange
from local_stack.browser import ALICE, BOB

QUESTION = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


async def test_a_pingone_token_is_renewed_behind_the_same_handle(
    world: Any, call: Any, eventually: Any
) -> None:
    agent = await world.agent(ALICE)
    expiries: set[int] = set()
    async with agent.connect() as client:

        async def has_been_renewed_twice() -> bool:
            expiries.add((await call(client, "who_am_i"))["downstream_token"]["exp"])
            return len(expiries) == 3

        handle = agent.access_handle
        await eventually(has_been_renewed_twice)
        assert agent.access_handle == handle
        await call(client, "list_todos")
    assert len(agent.visits) == 1


async def test_a_revoked_grant_ends_access_and_refresh_and_no_one_elses(
    world: Any, call: Any, eventually: Any
) -> None:
    alice, bob = await world.agent(ALICE), await world.agent(BOB)
    async with alice.connect() as as_alice, bob.connect() as as_bob:
        await call(as_alice, "list_todos")
        tokens, client_id = alice.memory.tokens, alice.memory.client_info.client_id
        assert (await _revoke(alice, world.stack.issuer)).status == 200

        async def is_refused() -> bool:
            return await _answer_status(alice) == 401

        await eventually(is_refused)
        form = {
            "grant_type": "refresh_token",
            "refresh_token": tokens.refresh_token,
            "client_id": client_id,
        }
        refresh = await alice.post(f"{world.stack.issuer}/token", form=form)
        assert (refresh.status, refresh.received["error"]) == (400, "invalid_grant")
        await call(as_bob, "list_todos")
        assert len(bob.visits) == 1


async def test_after_its_own_revocation_a_client_is_allowed_anew(
    world: Any, call: Any, eventually: Any
) -> None:
    agent = await world.agent(ALICE)
    async with agent.connect() as client:
        await call(client, "list_todos")
        await _revoke(agent, world.stack.issuer)

        async def is_refused() -> bool:
            return await _answer_status(agent) == 401

        await eventually(is_refused)
        await call(client, "list_todos")
    # Whatever ends access forgets the consent. The person is signed on at PingOne still.
    assert [visit.kinds for visit in agent.visits] == [["consent", "sign_on"], ["consent"]]


async def _answer_status(agent: Agent) -> int:
    return (await agent.post(agent.mcp_url, document=QUESTION)).status


async def _revoke(agent: Agent, issuer: str) -> Exchange:
    tokens, client_info = agent.memory.tokens, agent.memory.client_info
    assert tokens is not None
    assert client_info is not None
    form = {"token": tokens.access_token, "client_id": client_info.client_id}
    return await agent.post(f"{issuer}/revoke", form=form)
