"""The key set is fetched rarely, once for everybody, and an old one is better than none."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from joserfc.jwk import ECKey
from structlog.testing import capture_logs

from service_kit.http_client import FetchFailed
from service_kit.jwks_cache import (
    COOL_DOWN_SECONDS,
    MAX_AGE_SECONDS,
    JwksCache,
    JwksUnavailable,
    fixed_location,
)

URL = "https://issuer.example/jwks"


def public_key(kid: str) -> dict[str, Any]:
    return dict(ECKey.generate_key("P-256", {"kid": kid}, private=False).as_dict())


FIRST, SECOND = public_key("first"), public_key("second")


@dataclass
class Issuer:
    """An issuer whose key set, availability, speed and clock a test decides."""

    document: dict[str, Any] = field(default_factory=lambda: {"keys": [FIRST]})
    is_down: bool = False
    now: float = 1000.0
    fetched: list[str] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may_answer.set()

    async def fetch(self, url: str) -> dict[str, Any]:
        self.fetched.append(url)
        self.asked.set()
        await self.may_answer.wait()
        if self.is_down:
            raise FetchFailed("the issuer is down")
        return self.document

    def cache(self) -> JwksCache:
        return JwksCache(self.fetch, fixed_location(URL), lambda: self.now)


async def kids(cache: JwksCache, kid: str | None) -> list[str | None]:
    return [key.kid for key in (await cache.key_set_for(kid)).keys]


async def test_a_key_set_is_fetched_from_its_location_and_kept() -> None:
    issuer = Issuer()
    cache = issuer.cache()
    for _ in range(3):
        assert await kids(cache, "first") == ["first"]
    assert issuer.fetched == [URL]


async def test_nothing_is_fetched_before_a_key_is_needed() -> None:
    issuer = Issuer()
    issuer.cache()
    assert issuer.fetched == []


async def test_a_token_without_kid_gets_the_set_at_hand() -> None:
    issuer = Issuer()
    cache = issuer.cache()
    assert await kids(cache, None) == ["first"]
    assert await kids(cache, None) == ["first"]
    assert len(issuer.fetched) == 1


async def test_a_set_is_fetched_again_at_the_end_of_its_age() -> None:
    issuer = Issuer()
    cache = issuer.cache()
    await cache.key_set_for("first")
    issuer.now += MAX_AGE_SECONDS - 1
    await cache.key_set_for("first")
    assert len(issuer.fetched) == 1
    issuer.document = {"keys": [SECOND]}
    issuer.now += 1
    assert await kids(cache, "first") == ["second"], "a key withdrawn by the issuer is gone"
    assert len(issuer.fetched) == 2


@pytest.mark.standard("OIDC Core 10.1.1")
async def test_an_unknown_kid_leads_to_one_fetch_per_cool_down() -> None:
    issuer = Issuer()
    cache = issuer.cache()
    await cache.key_set_for("first")
    issuer.now += COOL_DOWN_SECONDS - 1
    for number in range(20):
        # The key may be newer than the set: nobody may call the token invalid yet.
        with pytest.raises(JwksUnavailable):
            await cache.key_set_for(f"unknown-{number}")
    assert len(issuer.fetched) == 1
    issuer.now += 1
    # Fetched for this question: whoever asked it may refuse the token.
    assert await kids(cache, "unknown") == ["first"]
    issuer.now += 1
    for number in range(20):
        with pytest.raises(JwksUnavailable):
            await cache.key_set_for(f"unknown-{number}")
    assert len(issuer.fetched) == 2


@pytest.mark.standard("OIDC Core 10.1.1")
async def test_a_rotated_key_is_found_by_its_unknown_kid() -> None:
    issuer = Issuer()
    cache = issuer.cache()
    await cache.key_set_for("first")
    issuer.document = {"keys": [FIRST, SECOND]}
    issuer.now += COOL_DOWN_SECONDS
    assert await kids(cache, "second") == ["first", "second"]


async def test_fifty_callers_at_once_share_one_fetch() -> None:
    issuer = Issuer()
    cache = issuer.cache()
    issuer.may_answer.clear()
    callers = [asyncio.create_task(kids(cache, "first")) for _ in range(50)]
    await issuer.asked.wait()
    issuer.may_answer.set()
    assert await asyncio.gather(*callers) == [["first"]] * 50
    assert len(issuer.fetched) == 1


async def test_fifty_callers_at_once_share_one_failure() -> None:
    issuer = Issuer(is_down=True)
    cache = issuer.cache()
    issuer.may_answer.clear()
    callers = [asyncio.create_task(kids(cache, "first")) for _ in range(50)]
    await issuer.asked.wait()
    issuer.may_answer.set()
    outcomes = await asyncio.gather(*callers, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {JwksUnavailable}
    assert len(issuer.fetched) == 1


async def test_without_any_set_an_outage_is_told_apart_and_ends_after_the_cool_down() -> None:
    issuer = Issuer(is_down=True)
    cache = issuer.cache()
    for _ in range(3):
        with pytest.raises(JwksUnavailable):
            await cache.key_set_for("first")
    assert len(issuer.fetched) == 1
    issuer.is_down = False
    issuer.now += COOL_DOWN_SECONDS
    assert await kids(cache, "first") == ["first"]


async def test_an_old_set_survives_a_failed_fetch_and_the_failure_is_logged() -> None:
    issuer = Issuer()
    cache = issuer.cache()
    await cache.key_set_for("first")
    issuer.is_down = True
    issuer.now += MAX_AGE_SECONDS
    with capture_logs() as logs:
        for _ in range(3):
            assert await kids(cache, "first") == ["first"]
    assert len(issuer.fetched) == 2, "and the cool-down holds"
    assert logs == [
        {
            "event": "jwks.fetch_failed",
            "reason": "the issuer is down",
            "log_level": "warning",
        }
    ]


async def test_while_a_slow_issuer_is_asked_known_keys_keep_working() -> None:
    issuer = Issuer()
    cache = issuer.cache()
    await cache.key_set_for("first")
    issuer.now += MAX_AGE_SECONDS
    issuer.asked.clear()
    issuer.may_answer.clear()
    waiting = asyncio.create_task(kids(cache, "first"))
    await issuer.asked.wait()
    async with asyncio.timeout(1):
        assert await kids(cache, "first") == ["first"]
        assert await kids(cache, None) == ["first"]
    assert not waiting.done()
    issuer.may_answer.set()
    await waiting


async def test_a_caller_that_gives_up_does_not_keep_the_next_one_from_fetching() -> None:
    issuer = Issuer()
    cache = issuer.cache()
    issuer.may_answer.clear()
    impatient = asyncio.create_task(kids(cache, "first"))
    await issuer.asked.wait()
    impatient.cancel()
    await asyncio.wait([impatient])
    assert impatient.cancelled()
    issuer.may_answer.set()
    assert await kids(cache, "first") == ["first"]


async def test_a_fetch_that_asked_nobody_is_no_attempt_and_no_reason_to_trust_an_old_set() -> None:
    issuer = Issuer()
    is_busy = True

    async def fetch(url: str) -> dict[str, Any]:
        if is_busy:
            raise JwksUnavailable("too much to do")
        return await issuer.fetch(url)

    cache = JwksCache(fetch, fixed_location(URL), lambda: issuer.now)
    with pytest.raises(JwksUnavailable, match="too much"):
        await cache.key_set_for("first")
    is_busy = False
    assert await kids(cache, "first") == ["first"]
    is_busy = True
    issuer.now += MAX_AGE_SECONDS
    issuer.document = {"keys": [SECOND]}
    with pytest.raises(JwksUnavailable, match="too much"):
        await cache.key_set_for("first")
    is_busy = False
    assert await kids(cache, "first") == ["second"]


async def test_a_location_that_cannot_be_found_is_an_outage() -> None:
    issuer = Issuer()

    async def locate() -> str:
        raise FetchFailed("no discovery document")

    cache = JwksCache(issuer.fetch, locate, lambda: issuer.now)
    with pytest.raises(JwksUnavailable):
        await cache.key_set_for("first")
    assert issuer.fetched == []
