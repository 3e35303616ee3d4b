"""A rotation of all keys as docs/operations.md tells it: two rollouts, and nobody notices.

Every rollout goes replica by replica, so each state of the one before runs beside one of the next.
"""

import base64
from collections import Counter
from typing import Any

import httpx
import pytest
from auth_answers import code_at_client, host_of
from auth_back_channel import replica_of
from auth_harness import AuthUnderTest, auth_under_test

from auth_server.storage.encryption import Encryption
from auth_server.storage.rewrap import rewrap, values_by_key
from auth_server.storage.ring_check import KeysRefused

K1 = "k1:" + "A" * 43 + "="
K2 = "k2:" + base64.b64encode(bytes([2]) * 32).decode()
C1 = "a-cookie-key-for-the-tests-only"
C2 = "the-next-cookie-key-for-the-tests"


def keys(ring: str, cookie: str) -> dict[str, Any]:
    return {"auth_encryption_keys": ring, "cookie_encryption_key": cookie}


ROLLOUTS = [
    keys(K1, C1),
    keys(f"{K1},{K2}", f"{C1},{C2}"),  # the first: append
    keys(f"{K2},{K1}", f"{C2},{C1}"),  # the second: move to the front
]


async def same_browser(here: httpx.AsyncClient, replica: AuthUnderTest) -> httpx.AsyncClient:
    """This person's next request goes to that replica."""
    there = replica.new_browser()
    there.cookies.jar = here.cookies.jar
    return there


async def sign_in_across(first: AuthUnderTest, second: AuthUnderTest) -> dict[str, Any]:
    """A whole sign-in whose steps alternate between two replicas."""
    here = first.new_browser()
    there = await same_browser(here, second)
    page = await first.authorize(here)
    to_pingone = await second.decide(there, page)
    answer = await first.sign_on(here, to_pingone)
    code = code_at_client(await second.back(there, answer))
    handles: dict[str, Any] = (await first.exchange(code)).json()
    return handles


async def assert_alive(handles: dict[str, Any], *replicas: AuthUnderTest) -> None:
    """Each replica reads the PingOne token behind the handle."""
    for replica in replicas:
        answer = (await replica.introspect(handles["access_token"])).json()
        assert answer["active"]
        assert answer["downstream_token"]["access_token"]


@pytest.mark.parametrize("step", [0, 1], ids=["append", "move to the front"])
async def test_while_a_rollout_is_under_way_both_kinds_of_replica_serve_everybody(
    database_url: str, step: int
) -> None:
    before, after = ROLLOUTS[step], ROLLOUTS[step + 1]
    async with auth_under_test(database_url, **before) as old:
        earlier = await old.obtain_handles()
        async with replica_of(old, **after) as new:
            await assert_alive(earlier, old, new)
            for first, second in ((old, new), (new, old)):
                await assert_alive(await sign_in_across(first, second), old, new)
            refreshed = await new.refresh(earlier["refresh_token"])
            assert refreshed.status_code == 200, refreshed.text
            await assert_alive(refreshed.json(), old, new)


async def test_a_login_outlasts_the_whole_rotation_and_nobody_is_logged_out(
    database_url: str,
) -> None:
    async with auth_under_test(database_url, **ROLLOUTS[0]) as auth:
        signed_in = await auth.obtain_handles()
        browser = auth.new_browser()
        page = await auth.authorize(browser)
        async with replica_of(auth, **ROLLOUTS[1]) as appended:
            there = await same_browser(browser, appended)
            to_pingone = await appended.decide(there, page)
            assert host_of(to_pingone) == "localhost:9080"
        async with replica_of(auth, **ROLLOUTS[2]) as moved:
            encryption = Encryption(moved.resources.settings.key_ring)
            done = await rewrap(
                moved.resources.database,
                encryption,
                batch=2,
                on_progress=lambda _count: None,
                now=auth.clock,
            )
            assert (done.left, done.forgotten) == (Counter(), ("k1",))
            refreshed = (await moved.refresh(signed_in["refresh_token"])).json()
        async with replica_of(auth, **keys(K2, C2)) as rotated:
            await assert_alive(signed_in, rotated)
            await assert_alive(refreshed, rotated)
            there = await same_browser(browser, rotated)
            answer = await rotated.sign_on(there, to_pingone)
            code = code_at_client(await rotated.back(there, answer))
            finished = (await rotated.exchange(code)).json()
            await assert_alive(finished, rotated)
            assert set(await values_by_key(rotated.resources.database)) == {"k2"}


async def test_a_key_that_leaves_too_early_keeps_the_replica_from_starting(
    database_url: str,
) -> None:
    async with auth_under_test(database_url, **ROLLOUTS[0]) as auth:
        handles = await auth.obtain_handles()
        with pytest.raises(KeysRefused, match="lacks k1"):
            async with replica_of(auth, **keys(K2, C1)):
                pass
        await assert_alive(handles, auth)
