"""People at work: each refreshes a handle and calls a tool, again and again, at one address.

A client does what clients do: a request whose connection broke is sent again, an answer of 503 is
tried again later. Whatever else is not 200 is a problem, and is kept.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx

# Between two requests of one person: the load is steady and bounded, and not as much as can be had.
PAUSE_SECONDS = 0.1
LONGEST_ROUND_SECONDS = 60.0

CallTool = Callable[[str, str], Awaitable[httpx.Response]]


@dataclass
class Load:
    """Runs from `async with` to its end. `people` are what the fixture sign_in makes."""

    people: Sequence[Any]
    mcp_url: str
    call_tool: CallTool
    answers: Counter[int] = field(default_factory=Counter)
    rounds: int = 0
    broken_connections: int = 0
    problems: list[str] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _is_over: bool = False

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._work(person)) for person in self.people]
        await self.go_on(len(self.people))
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._is_over = True
        await asyncio.gather(*self._tasks)

    async def go_on(self, rounds: int) -> None:
        """Return after this many more rounds, each a refresh and a call that succeeded."""
        goal = self.rounds + rounds
        async with asyncio.timeout(LONGEST_ROUND_SECONDS), self._changed:
            await self._changed.wait_for(lambda: self.rounds >= goal or bool(self.problems))

    async def until_answered(self, status: int) -> None:
        """Return when somebody has been answered with this status from now on."""
        goal = self.answers[status] + 1
        async with asyncio.timeout(LONGEST_ROUND_SECONDS), self._changed:
            await self._changed.wait_for(
                lambda: self.answers[status] >= goal or bool(self.problems)
            )

    def summary(self) -> str:
        """What was asked and answered, for the report."""
        answered = ", ".join(
            f"{number} times {status}" for status, number in sorted(self.answers.items())
        )
        return f"{answered}; {self.broken_connections} requests sent again"

    async def _work(self, person: Any) -> None:
        while not self._is_over and not self.problems:
            refreshed = await self._until_served(lambda: person.login.refresh(person.refresh))
            if refreshed is None:
                return
            document = refreshed.json()
            person.access, person.refresh = document["access_token"], document["refresh_token"]
            called = await self._until_served(lambda: self.call_tool(self.mcp_url, person.access))
            if called is None:
                return
            await self._note(rounds=1)

    async def _until_served(
        self, send: Callable[[], Awaitable[httpx.Response]]
    ) -> httpx.Response | None:
        while not self.problems:
            await asyncio.sleep(PAUSE_SECONDS)
            try:
                answer = await send()
            except httpx.TransportError:
                self.broken_connections += 1
                continue
            await self._note(status=answer.status_code)
            if answer.status_code == httpx.codes.OK and 'isError":true' not in answer.text:
                return answer
            is_outage = answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
            if not is_outage or "retry-after" not in answer.headers:
                self.problems.append(
                    f"{answer.request.url.path} {answer.status_code}"
                    f" {dict(answer.headers)} {answer.text[:500]}"
                )
                await self._note()
        return None

    async def _note(self, *, rounds: int = 0, status: int | None = None) -> None:
        async with self._changed:
            self.rounds += rounds
            if status is not None:
                self.answers[status] += 1
            self._changed.notify_all()
