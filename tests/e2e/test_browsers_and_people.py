"""Who may see what, and when a person is asked: consent, sign-on, silence, refusal."""

from typing import Any
from uuid import uuid4

import pytest

from local_stack.agent import AuthorizationRefused
from local_stack.browser import ALICE, BOB, Person


async def test_two_people_in_two_browsers_never_see_each_others_todos(
    world: Any, call: Any
) -> None:
    alice, bob = await world.agent(ALICE), await world.agent(BOB)
    async with alice.connect() as as_alice, bob.connect() as as_bob:
        of_alice = await call(as_alice, "create_todo", text=f"Alice's {uuid4()}")
        of_bob = await call(as_bob, "create_todo", text=f"Bob's {uuid4()}")
        seen_by_alice = (await call(as_alice, "list_todos", limit=100))["todos"]
        seen_by_bob = (await call(as_bob, "list_todos", limit=100))["todos"]
        assert of_alice in seen_by_alice
        assert of_bob in seen_by_bob
        assert not {item["id"] for item in seen_by_alice} & {item["id"] for item in seen_by_bob}
        foreign = await as_bob.call_tool("delete_todo", {"todo_id": of_alice["id"]})
        unknown = await as_bob.call_tool("delete_todo", {"todo_id": str(uuid4())})
        assert foreign.is_error
        assert foreign.content == unknown.content
        assert of_alice in (await call(as_alice, "list_todos", limit=100))["todos"]


async def test_a_client_that_was_allowed_before_reconnects_without_any_page(
    world: Any, call: Any
) -> None:
    agent = await world.agent(ALICE)
    async with agent.connect() as client:
        before = await call(client, "who_am_i")
    agent.memory.tokens = None
    async with agent.connect() as client:
        after = await call(client, "who_am_i")
    assert [visit.kinds for visit in agent.visits] == [["consent", "sign_on"], []]
    assert after["subject"] == before["subject"]
    assert after["client_id"] == before["client_id"]


@pytest.mark.standard("MCP 2026-07-28 security: confused deputy")
async def test_another_client_in_the_same_browser_is_asked_about_although_pingone_is_silent(
    world: Any,
) -> None:
    browser = await world.browser()
    first = await world.agent(ALICE, browser)
    second = await world.agent(ALICE, browser)
    async with first.connect(), second.connect():
        pass
    assert [visit.kinds for visit in first.visits] == [["consent", "sign_on"]]
    assert [visit.kinds for visit in second.visits] == [["consent"]]


async def test_the_consent_of_one_browser_is_worth_nothing_in_another(world: Any) -> None:
    agent = await world.agent(ALICE)
    async with agent.connect():
        pass
    agent.memory.tokens = None
    agent.browser = await world.browser()
    async with agent.connect():
        pass
    assert [visit.kinds for visit in agent.visits] == [["consent", "sign_on"]] * 2


async def test_a_denied_client_learns_access_denied_and_nothing_of_the_person(world: Any) -> None:
    agent = await world.agent(Person("alice", "alice", allows=False))
    with pytest.raises(BaseExceptionGroup) as caught:
        async with agent.connect():
            pass
    assert caught.group_contains(AuthorizationRefused, match="access_denied")
    (visit,) = agent.visits
    assert visit.kinds == ["consent"]
    assert set(visit.answer) == {"error", "error_description", "state", "iss"}
    assert visit.answer["iss"] == world.stack.issuer
    assert agent.memory.tokens is None
    assert "/token" not in {exchange.path for exchange in agent.exchanges}
