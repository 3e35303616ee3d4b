"""The cache, the single flight and the strict reading of auth's answers, on an injected clock."""

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from mcp_server.handle_verifier import (
    HandleInactive,
    HandleVerifier,
    IntrospectionUnavailable,
    VerifiedHandle,
)

if TYPE_CHECKING:
    from services.mcp.tests.conftest import World


class SlowAuth:
    """Holds every answer back until told to go on."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.go_on = asyncio.Event()
        self.asked = asyncio.Event()

    async def __call__(self, raw_handle: str) -> dict[str, Any]:
        self.asked.set()
        answer = await self.world.auth(raw_handle)
        await self.go_on.wait()
        return answer

    def verifier(self) -> HandleVerifier:
        verifier = self.world.verifier()
        verifier._introspect = self
        return verifier


@pytest.mark.standard("RFC 7662 4 caching")
async def test_an_answer_is_used_again_until_its_seconds_are_over(world: "World") -> None:
    handle, verifier = world.sign_in(), world.verifier()

    first = await verifier.verify(handle)
    world.monotonic += 4.9
    assert await verifier.verify(handle) is first
    assert len(world.auth.asked) == 1

    world.monotonic += 0.1
    await verifier.verify(handle)
    assert len(world.auth.asked) == 2
    assert world.outcomes == ["live", "hit", "live"]


@pytest.mark.standard("RFC 7662 4 caching")
@pytest.mark.parametrize(
    ("changes", "usable_seconds"),
    [
        ({"exp": 1_800_000_002}, 2),
        ({"downstream_expires_in": 33}, 3),
        ({"downstream_expires_in": 30}, 0),
        ({"downstream_expires_in": 1}, 0),
    ],
)
async def test_an_answer_is_not_remembered_beyond_what_it_vouches_for(
    world: "World", changes: dict[str, int], usable_seconds: int
) -> None:
    handle, verifier = world.sign_in(), world.verifier()
    if "downstream_expires_in" in changes:
        token = world.auth.answers[handle]["downstream_token"]
        token["expires_at"] = int(world.now) + changes["downstream_expires_in"]
    else:
        world.auth.answers[handle] |= changes

    await verifier.verify(handle)
    if usable_seconds:
        world.monotonic += usable_seconds - 0.1
        await verifier.verify(handle)
        assert len(world.auth.asked) == 1
        world.monotonic += 0.1
    await verifier.verify(handle)
    assert len(world.auth.asked) == 2


async def test_with_zero_seconds_nothing_is_remembered(world: "World") -> None:
    handle, verifier = world.sign_in(), world.verifier(cache_seconds=0)

    await verifier.verify(handle)
    await verifier.verify(handle)

    assert len(world.auth.asked) == 2


@pytest.mark.standard("RFC 7662 4 caching")
async def test_inactive_is_not_remembered(world: "World") -> None:
    handle, verifier = world.sign_in(), world.verifier()
    answer = world.auth.answers.pop(handle)

    with pytest.raises(HandleInactive):
        await verifier.verify(handle)
    world.auth.answers[handle] = answer
    assert (await verifier.verify(handle)).subject == "alice"
    assert world.outcomes == ["inactive", "live"]


async def test_an_outage_is_not_remembered(world: "World") -> None:
    handle, verifier = world.sign_in(), world.verifier()
    world.auth.answers[handle] = [IntrospectionUnavailable("down"), world.auth.answers[handle]]

    with pytest.raises(IntrospectionUnavailable):
        await verifier.verify(handle)
    assert (await verifier.verify(handle)).subject == "alice"
    assert world.outcomes == ["outage", "live"]


async def test_the_least_recently_used_entry_goes_first(world: "World") -> None:
    verifier = world.verifier(max_entries=2)
    a, b, c = (world.sign_in(letter) for letter in "abc")

    for handle in (a, b, a, c):
        await verifier.verify(handle)
    asked = len(world.auth.asked)
    await verifier.verify(a)
    await verifier.verify(c)
    assert len(world.auth.asked) == asked
    await verifier.verify(b)
    assert len(world.auth.asked) == asked + 1


async def test_many_callers_with_one_handle_ask_once(world: "World") -> None:
    handle, auth = world.sign_in(), SlowAuth(world)
    verifier = auth.verifier()

    callers = [asyncio.create_task(verifier.verify(handle)) for _ in range(20)]
    await auth.asked.wait()
    auth.go_on.set()
    answers = await asyncio.gather(*callers)

    assert len(world.auth.asked) == 1
    assert all(answer is answers[0] for answer in answers)


async def test_a_caller_that_gives_up_does_not_take_the_answer_from_the_others(
    world: "World",
) -> None:
    handle, auth = world.sign_in(), SlowAuth(world)
    verifier = auth.verifier()

    first = asyncio.create_task(verifier.verify(handle))
    await auth.asked.wait()
    second = asyncio.create_task(verifier.verify(handle))
    await asyncio.sleep(0)
    first.cancel()
    auth.go_on.set()

    assert (await second).subject == "alice"
    assert first.cancelled()
    assert len(world.auth.asked) == 1


async def test_an_answer_nobody_waits_for_any_more_is_remembered_all_the_same(
    world: "World",
) -> None:
    handle, auth = world.sign_in(), SlowAuth(world)
    verifier = auth.verifier()

    caller = asyncio.create_task(verifier.verify(handle))
    await auth.asked.wait()
    caller.cancel()
    auth.go_on.set()
    await asyncio.gather(caller, return_exceptions=True)

    await verifier.verify(handle)
    assert len(world.auth.asked) == 1


async def test_many_refused_callers_ask_once_and_share_what_was_learned(world: "World") -> None:
    handle, verifier = world.sign_in(), world.verifier()
    refused = await verifier.verify(handle)

    first = await verifier.renew(handle, refused=refused)
    second = await verifier.renew(handle, refused=refused)

    assert first is not refused
    assert second is first
    assert len(world.auth.asked) == 2


async def test_a_revoked_grant_is_forgotten_and_other_grants_are_not(world: "World") -> None:
    verifier = world.verifier()
    revoked, other = world.sign_in("a"), world.sign_in("b", grant_id="grant-2")
    await verifier.verify(revoked)
    await verifier.verify(other)
    world.auth.answers[revoked] = {"active": False}

    verifier.forget_grant("grant-1")

    with pytest.raises(HandleInactive):
        await verifier.verify(revoked)
    await verifier.verify(other)
    assert world.auth.asked == [revoked, other, revoked]


async def test_an_answer_asked_for_before_a_revocation_is_neither_shared_nor_remembered(
    world: "World",
) -> None:
    handle, auth = world.sign_in(), SlowAuth(world)
    verifier = auth.verifier()
    early = asyncio.create_task(verifier.verify(handle))
    await auth.asked.wait()

    world.auth.answers[handle] = {"active": False}
    verifier.forget_grant("grant-1")
    late = asyncio.create_task(verifier.verify(handle))
    auth.go_on.set()

    assert (await early).subject == "alice"
    with pytest.raises(HandleInactive):
        await late
    with pytest.raises(HandleInactive):
        await verifier.verify(handle)


@pytest.mark.parametrize(
    "change",
    [
        {"active": 1},
        {"active": "true"},
        {"active": False},
        {"active": None},
        {"iss": "http://localhost:8080/"},
        {"exp": 1_800_000_000},
        {"exp": "1800000600"},
        {"exp": 1_800_000_600.5},
        {"exp": True},
        {"sub": ""},
        {"sub": None},
        {"aud": ["http://localhost:8081/mcp"]},
        {"scope": ["todo_api:read"]},
        {"token_type": "DPoP"},
        {"grant_id": 7},
        {"downstream_token": None},
        {"downstream_token": {}},
        {"downstream_token": "secret-token"},
    ],
)
async def test_an_unexpected_answer_is_an_outage_and_never_inactive(
    world: "World", change: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    handle, verifier = world.sign_in(**change), world.verifier()

    with pytest.raises(IntrospectionUnavailable) as caught:
        await verifier.verify(handle)

    assert "secret" not in str(caught.value) + caplog.text
    assert world.outcomes == ["outage"]


@pytest.mark.parametrize(
    "change",
    [
        {"access_token": "secret token"},
        {"access_token": "secret\r\nX-Injected: 1"},
        {"access_token": ""},
        {"access_token": "secret" * 10_000},
        {"token_type": "N_A"},
        {"expires_at": 1_799_999_999},
        {"expires_at": "1800003600"},
        {"audience": None},
    ],
)
async def test_an_unusable_downstream_token_is_an_outage(
    world: "World", change: dict[str, Any]
) -> None:
    handle, verifier = world.sign_in(), world.verifier()
    world.auth.answers[handle]["downstream_token"] |= change

    with pytest.raises(IntrospectionUnavailable) as caught:
        await verifier.verify(handle)

    assert "secret" not in str(caught.value)


async def test_members_this_server_does_not_know_are_ignored(world: "World") -> None:
    verified = await world.verifier().verify(world.sign_in(jti="later"))

    assert verified.grant_id == "grant-1"


async def test_no_token_shows_in_the_repr(world: "World") -> None:
    handle = world.sign_in()
    verified = await world.verifier().verify(handle)

    token = world.auth.answers[handle]["downstream_token"]["access_token"]
    assert isinstance(verified, VerifiedHandle)
    assert token not in repr(verified) + repr(verified.downstream_token)
    assert handle not in repr(verified)
