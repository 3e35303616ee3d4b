"""Requests from chosen addresses, as a trusted proxy passes them on, and what is told too many."""

from typing import Any

import httpx
from auth_back_channel import refusal
from auth_harness import AuthUnderTest

# The tests' own connections come from the one proxy.
PROXY = "127.0.0.1"
OURS, THEIRS = "198.51.100.7", "203.0.113.9"


def seen_at(address: str) -> dict[str, str]:
    """The headers that the proxy adds for a caller."""
    return {"X-Forwarded-For": address}


async def token_from(auth: AuthUnderTest, address: str, **form: Any) -> httpx.Response:
    """Post to /token from an address."""
    data = {k: v for k, v in ({"client_id": auth.client_id} | form).items() if v is not None}
    return await auth.anyone.post("/token", data=data, headers=seen_at(address))


async def refresh_from(
    auth: AuthUnderTest, address: str, refresh_token: str, **form: Any
) -> httpx.Response:
    """Refresh from an address."""
    refresh = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    return await token_from(auth, address, **(refresh | form))


def too_many(response: httpx.Response) -> int:
    """The seconds to wait that a 429 tells, whose form is that of an OAuth refusal."""
    assert refusal(response, 429) == "temporarily_unavailable"
    assert "www-authenticate" not in response.headers
    wait = int(response.headers["retry-after"])
    assert wait >= 1
    return wait


def refused(auth: AuthUnderTest, budget: str) -> float:
    """How many requests the budget has refused."""
    registry = auth.resources.registry
    return registry.get_sample_value("rate_limited_total", {"budget": budget}) or 0.0
