"""What the verifier forgets, and what it does not dare to use, when grants may be revoked."""

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from mcp_server.handle_verifier import FeedPulse, HandleInactive, HandleVerifier

if TYPE_CHECKING:
    from services.mcp.tests.conftest import World


async def test_while_revocations_are_heard_an_answer_is_used_for_its_seconds(
    world: "World",
) -> None:
    handle, verifier = world.sign_in(), world.verifier()
    await verifier.verify(handle)
    world.monotonic += 4.9
    await verifier.verify(handle)
    assert len(world.auth.asked) == 1


async def test_while_they_are_not_an_answer_is_used_for_a_second(world: "World") -> None:
    handle, verifier = world.sign_in(), world.verifier()
    world.hears_revocations = False
    await verifier.verify(handle)
    world.monotonic += 1.0
    await verifier.verify(handle)
    assert len(world.auth.asked) == 1
    world.monotonic += 0.1
    await verifier.verify(handle)
    assert len(world.auth.asked) == 2


async def test_a_second_counts_from_the_question_and_not_from_the_answer(world: "World") -> None:
    handle, verifier = world.sign_in(), world.verifier()
    world.hears_revocations = False

    class Slow:
        async def __call__(self, raw_handle: str) -> dict[str, Any]:
            answer = await world.auth(raw_handle)
            world.monotonic += 1.5
            return answer

    verifier._introspect = Slow()
    await verifier.verify(handle)
    await verifier.verify(handle)
    assert len(world.auth.asked) == 2


async def test_an_answer_that_grew_old_in_silence_is_not_used_when_the_feed_is_back(
    world: "World",
) -> None:
    handle, verifier = world.sign_in(), world.verifier()
    await verifier.verify(handle)
    world.hears_revocations = False
    world.monotonic += 2
    del world.auth.answers[handle]
    world.hears_revocations = True
    verifier.forget_everything()  # as the feed has it do when it is back
    with pytest.raises(HandleInactive):
        await verifier.verify(handle)


async def test_a_revoked_grant_is_forgotten_with_all_its_handles_and_no_other(
    world: "World",
) -> None:
    verifier = world.verifier()
    one, two = world.sign_in("a", grant_id="g-1"), world.sign_in("b", grant_id="g-1")
    other = world.sign_in("c", grant_id="g-2")
    for handle in (one, two, other):
        await verifier.verify(handle)
    verifier.forget_grant("g-1")
    for handle in (other, one, two):
        await verifier.verify(handle)
    assert world.auth.asked == [one, two, other, one, two]
    verifier.forget_grant("g-2")
    await verifier.verify(one)
    await verifier.verify(other)
    assert world.auth.asked[5:] == [other]


class HeldAuth:
    """Answers from the world at the time of the question, when the test lets it."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._held: list[asyncio.Event] = []

    async def __call__(self, raw_handle: str) -> dict[str, Any]:
        answer = await self._world.auth(raw_handle)
        go_on = asyncio.Event()
        self._held.append(go_on)
        await go_on.wait()
        return answer

    async def questions(self, count: int) -> list[asyncio.Event]:
        """Wait, by turns of the loop, until so many have been asked."""
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(self._held) == count
        return self._held


@pytest.mark.parametrize("event", ["revoked", "flushed"])
async def test_an_answer_to_a_question_from_before_the_event_is_not_remembered(
    world: "World", event: str
) -> None:
    handle, verifier = world.sign_in(), world.verifier()
    verifier._introspect = auth = HeldAuth(world)
    early = asyncio.create_task(verifier.verify(handle))
    [first] = await auth.questions(1)
    if event == "revoked":
        verifier.forget_grant("grant-1")
    else:
        verifier.forget_everything()
    first.set()
    await early
    late = asyncio.create_task(verifier.verify(handle))
    _, second = await auth.questions(2)
    second.set()
    await late


async def test_in_silence_nobody_joins_a_question_older_than_a_second(world: "World") -> None:
    handle, verifier = world.sign_in(), world.verifier()
    verifier._introspect = auth = HeldAuth(world)
    world.hears_revocations = False
    early = asyncio.create_task(verifier.verify(handle))
    [first] = await auth.questions(1)
    del world.auth.answers[handle]
    world.monotonic += 1.1
    late = asyncio.create_task(verifier.verify(handle))
    _, second = await auth.questions(2)
    first.set()
    second.set()
    assert (await early).subject == "alice"
    with pytest.raises(HandleInactive):
        await late


async def test_handles_of_one_grant_beyond_the_bound_are_forgotten_one_by_one(
    world: "World",
) -> None:
    verifier: HandleVerifier = world.verifier(max_entries=2)
    handles = [world.sign_in(letter, grant_id="g-1") for letter in "abc"]
    for handle in handles:
        await verifier.verify(handle)
    verifier.forget_grant("g-1")
    for handle in handles[1:]:
        await verifier.verify(handle)
    assert len(world.auth.asked) == 5


async def test_the_feed_is_alive_until_nothing_was_heard_for_three_heartbeats() -> None:
    seconds = 100.0
    pulse = FeedPulse(lambda: seconds)
    assert not pulse.is_alive()
    pulse.beat()
    seconds += 0.89
    assert pulse.is_alive()
    seconds += 0.02
    assert not pulse.is_alive()
    pulse.beat()
    assert pulse.is_alive()
    pulse.stop()
    assert not pulse.is_alive()
