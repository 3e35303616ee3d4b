"""Whether Redis answers. Nothing depends on it: revocations are only faster with it."""

import asyncio
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

TIMEOUT_SECONDS: Final = 3.0


async def redis_problem(url: str) -> str | None:
    """None if Redis answers a ping in time; else what is wrong, without the URL's password."""
    try:
        redis = Redis.from_url(
            url,
            socket_connect_timeout=TIMEOUT_SECONDS,
            socket_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError:
        return "its URL is not one"
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await redis.ping()
    except (OSError, RedisError) as error:
        return f"it does not answer: {type(error).__name__}"
    finally:
        await redis.aclose()
    return None
