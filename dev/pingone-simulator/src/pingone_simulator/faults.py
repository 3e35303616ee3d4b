"""What goes wrong on purpose: slowness, errors, lost connections, requests that are held."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pingone_simulator.grants import Grant

MAX_FAULTS = 50
MAX_SECONDS = 120

Endpoint = Literal[
    "authorize",
    "introspect",
    "jwks",
    "openid-configuration",
    "revoke",
    "sign-on",
    "signoff",
    "token",
    "userinfo",
]
# Before the work nothing has changed yet; after it, all has, and only the answer is at stake.
Moment = Literal["before", "after"]


class _Fault(BaseModel):
    """Where a fault strikes: one endpoint, and of its requests those that match what is given."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    endpoint: Endpoint
    # How many requests it strikes; without it, all of them until it is removed.
    times: int | None = Field(default=None, ge=1, le=1_000_000)
    grant_type: Literal["authorization_code", "refresh_token"] | None = None
    username: str | None = Field(default=None, max_length=100)
    sid: str | None = Field(default=None, max_length=100)


class WrongNonce(_Fault):
    """The ID token carries another nonce than the one that was sent."""

    kind: Literal["wrong_nonce"]
    endpoint: Literal["token"] = "token"


class Slow(_Fault):
    """The request, or its answer, takes this long."""

    kind: Literal["slow"]
    seconds: float = Field(gt=0, le=MAX_SECONDS)
    when: Moment = "before"


class Hold(_Fault):
    """The request, or its answer, waits until it is released: a barrier for tests."""

    kind: Literal["hold"]
    when: Moment = "before"


class Reset(_Fault):
    """The connection is reset instead of an answer."""

    kind: Literal["reset"]
    when: Moment = "before"


class ErrorAnswer(_Fault):
    """An error of PingOne or of what stands in front of it: 429 or 5xx, with Retry-After."""

    kind: Literal["error"]
    status: Annotated[int, Field(ge=500, le=599)] | Literal[429] = 503
    retry_after: int | None = Field(default=None, ge=0, le=86_400)
    when: Moment = "before"


Fault = Annotated[WrongNonce | Slow | Hold | Reset | ErrorAnswer, Field(discriminator="kind")]


class ConnectionDropped(Exception):
    """This request is to end without an answer."""


class FaultyAnswer(Exception):
    """This request is to be answered with the error of a fault."""

    def __init__(self, fault: ErrorAnswer) -> None:
        super().__init__(f"an injected {fault.status}")
        self.status = fault.status
        self.headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}


class TooManyFaults(Exception):
    """More than MAX_FAULTS at once."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as far as faults tell requests apart; `grant` is whose tokens it is about."""

    endpoint: str
    grant_type: str | None = None
    grant: Grant | None = None


@dataclass(slots=True)
class _Active:
    fault: Fault
    times_left: int | None


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    endpoint: str
    # Set to True when the request is to go on, to False when its connection is to be dropped.
    goes_on: asyncio.Future[bool]


@dataclass(slots=True)
class Faults:
    """The faults in force, and the requests that a `hold` keeps waiting."""

    _active: list[_Active] = field(default_factory=list)
    _held: list[_Held] = field(default_factory=list)

    def replace(self, faults: Sequence[Fault]) -> None:
        """Put these faults in force instead of all others; raise TooManyFaults."""
        if len(faults) > MAX_FAULTS:
            raise TooManyFaults
        self._active = [_Active(fault, fault.times) for fault in faults]

    def add(self, fault: Fault) -> None:
        """Put one more fault in force, after those there are; raise TooManyFaults."""
        if len(self._active) >= MAX_FAULTS:
            raise TooManyFaults
        self._active.append(_Active(fault, fault.times))

    def clear(self) -> None:
        """No more faults; what is held goes on."""
        self._active.clear()
        self.release()

    def in_force(self) -> list[Fault]:
        """The faults in force, `times` being what is left of it."""
        return [item.fault.model_copy(update={"times": item.times_left}) for item in self._active]

    def held(self) -> Counter[str]:
        """How many requests wait now, by endpoint."""
        return Counter(item.endpoint for item in self._held)

    def release(self, endpoint: str | None = None, *, drop: bool = False) -> int:
        """Let waiting requests go on, or drop their connections; return how many there were.

        The fault that held them stays in force: later requests are held again.
        """
        released = [item for item in self._held if endpoint in {None, item.endpoint}]
        for item in released:
            self._held.remove(item)
            if not item.goes_on.done():
                item.goes_on.set_result(not drop)
        return len(released)

    async def strike(self, arrival: Arrival, moment: Moment) -> None:
        """Do to a request what the faults say; raise ConnectionDropped or FaultyAnswer."""
        for fault in self._take(arrival, moment):
            if isinstance(fault, Slow):
                await asyncio.sleep(fault.seconds)
            elif isinstance(fault, Hold):
                await self._hold(arrival)
            elif isinstance(fault, Reset):
                raise ConnectionDropped
            elif isinstance(fault, ErrorAnswer):
                raise FaultyAnswer(fault)

    def takes_wrong_nonce(self, grant: Grant) -> bool:
        """True when the ID token that is being made must carry a wrong nonce."""
        arrival = Arrival("token", "authorization_code", grant)
        return bool(self._take(arrival, None))

    def _take(self, arrival: Arrival, moment: Moment | None) -> list[Fault]:
        """Return the faults that strike, each spent by one; no moment means a wrong nonce."""
        struck = [
            item
            for item in self._active
            if _moment_of(item.fault) == moment and _matches(item.fault, arrival)
        ]
        for item in struck:
            if item.times_left is not None:
                item.times_left -= 1
        self._active = [item for item in self._active if item.times_left != 0]
        return [item.fault for item in struck]

    async def _hold(self, arrival: Arrival) -> None:
        held = _Held(arrival.endpoint, asyncio.get_running_loop().create_future())
        self._held.append(held)
        if not await held.goes_on:
            raise ConnectionDropped


def _moment_of(fault: Fault) -> Moment | None:
    return None if isinstance(fault, WrongNonce) else fault.when


def _matches(fault: Fault, arrival: Arrival) -> bool:
    if fault.endpoint != arrival.endpoint:
        return False
    if fault.grant_type not in {None, arrival.grant_type}:
        return False
    grant = arrival.grant
    if fault.username is not None and (grant is None or grant.person.username != fault.username):
        return False
    return fault.sid is None or (grant is not None and grant.sid == fault.sid)
