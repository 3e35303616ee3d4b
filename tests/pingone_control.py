"""The control endpoints of PingOne's stand-in, as the proofs use them."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import httpx

HELD_SECONDS = 10.0
POLL_SECONDS = 0.05


@dataclass
class PingOneControl:
    """Makes PingOne fail, holds requests, and tells what it has seen."""

    http: httpx.AsyncClient
    url: str

    async def fault(self, **fault: Any) -> None:
        """Put a fault in force."""
        (await self.http.post(f"{self.url}/faults", json=fault)).raise_for_status()

    async def no_faults(self) -> None:
        """End all faults."""
        (await self.http.delete(f"{self.url}/faults")).raise_for_status()

    async def policy(self, **policy: int) -> None:
        """Change lifetimes."""
        (await self.http.patch(f"{self.url}/policy", json=policy)).raise_for_status()

    async def release(self, *, drop: bool = False) -> int:
        """Let held requests go on, or drop them."""
        answer = await self.http.post(f"{self.url}/faults/release", json={"drop": drop})
        released: int = answer.raise_for_status().json()["released"]
        return released

    async def until_held(self, number: int = 1) -> None:
        """Wait until this many requests are held at /token."""
        deadline = time.monotonic() + HELD_SECONDS
        while (await self._seen())["held"].get("token", 0) < number:
            assert time.monotonic() < deadline, "nothing is held"
            await asyncio.sleep(POLL_SECONDS)

    async def family(self, sid: str) -> dict[str, Any]:
        """What happened to the refresh tokens of one session."""
        [family] = (await self._seen(sid=sid))["families"]
        found: dict[str, Any] = family
        return found

    async def newest_sid(self) -> str:
        """The session of the refresh token family that was begun last."""
        sid: str = (await self._seen())["families"][-1]["sid"]
        return sid

    async def act(self, path: str, document: object = None) -> None:
        """One of the simulator's acts: /people/alice/sign-off, /signing-key."""
        (await self.http.post(f"{self.url}{path}", json=document)).raise_for_status()

    async def _seen(self, **query: str) -> dict[str, Any]:
        answer = await self.http.get(f"{self.url}/requests", params=query)
        seen: dict[str, Any] = answer.raise_for_status().json()
        return seen
