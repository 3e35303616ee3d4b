"""The simulator's own endpoints, outside the issuer's path: faults, policies, and what was seen.

There is no such thing at PingOne. Whoever reaches the simulator can sign anyone in anyway.
"""

from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from pingone_simulator.faults import MAX_FAULTS, Endpoint, Fault, TooManyFaults
from pingone_simulator.people import PEOPLE, Person
from pingone_simulator.requests_seen import describe_family
from pingone_simulator.signing_key import generate_signing_key
from pingone_simulator.simulator import Simulator
from service_kit.errors import Problem

_DAY = 24 * 3600


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _FaultList(_Body):
    faults: list[Fault]


class _Release(_Body):
    """Which waiting requests go on: those of one endpoint, or all; or are dropped instead."""

    endpoint: Endpoint | None = None
    drop: bool = False


class _Policy(_Body):
    """What is left out stays as it is; it holds for tokens issued, and used, from now on."""

    access_token_seconds: int | None = Field(default=None, gt=0, le=30 * _DAY)
    refresh_grace_seconds: int | None = Field(default=None, ge=0, le=_DAY)


class _Rotation(_Body):
    """A rotated key's successor signs; the old one stays in the JWKS, or is gone at once."""

    keep_old: bool


def control_routes(simulator: Simulator) -> APIRouter:
    """All control endpoints."""
    router = APIRouter(include_in_schema=False)
    router.include_router(_fault_routes(simulator))
    router.include_router(_state_routes(simulator))
    router.include_router(_request_routes(simulator))
    return router


def _fault_routes(simulator: Simulator) -> APIRouter:
    router = APIRouter()
    faults = simulator.faults

    def listing() -> dict[str, Any]:
        return {"faults": [fault.model_dump(exclude_none=True) for fault in faults.in_force()]}

    @router.get("/faults")
    async def list_faults() -> dict[str, Any]:
        return listing()

    @router.put("/faults")
    async def replace_faults(body: _FaultList) -> dict[str, Any]:
        try:
            faults.replace(body.faults)
        except TooManyFaults:
            raise _too_many() from None
        return listing()

    @router.post("/faults")
    async def add_fault(body: Fault) -> dict[str, Any]:
        try:
            faults.add(body)
        except TooManyFaults:
            raise _too_many() from None
        return listing()

    @router.delete("/faults")
    async def clear_faults() -> dict[str, Any]:
        faults.clear()
        return listing()

    @router.post("/faults/release")
    async def release(body: _Release) -> dict[str, int]:
        return {"released": faults.release(body.endpoint, drop=body.drop)}

    return router


def _state_routes(simulator: Simulator) -> APIRouter:
    router = APIRouter()

    @router.patch("/policy")
    async def change_policy(body: _Policy) -> dict[str, float]:
        if body.access_token_seconds is not None:
            lifetime = timedelta(seconds=body.access_token_seconds)
            simulator.tokens.change_access_token_lifetime(lifetime)
        if body.refresh_grace_seconds is not None:
            grace = timedelta(seconds=body.refresh_grace_seconds)
            simulator.grants.change_rolling_grace_period(grace)
        return {
            "access_token_seconds": simulator.tokens.access_token_lifetime.total_seconds(),
            "refresh_grace_seconds": simulator.grants.rolling_grace_period.total_seconds(),
        }

    @router.post("/signing-key")
    async def rotate_signing_key(body: _Rotation) -> dict[str, str | None]:
        key = generate_signing_key()
        simulator.tokens.rotate_signing_key(key, keep_old=body.keep_old)
        return {"kid": key.kid}

    @router.post("/people/{username}/sign-off", status_code=204)
    async def sign_off(username: str) -> Response:
        simulator.end_sessions_of(_person(username).username)
        return Response(status_code=204)

    @router.post("/people/{username}/revoke-refresh-tokens", status_code=204)
    async def revoke_refresh_tokens(username: str) -> Response:
        simulator.grants.revoke_all_of(_person(username).username)
        return Response(status_code=204)

    return router


def _request_routes(simulator: Simulator) -> APIRouter:
    router = APIRouter()

    @router.get("/requests")
    async def requests_seen(sid: str | None = None) -> dict[str, Any]:
        grants = [grant for grant in simulator.grants.families() if sid in {None, grant.sid}]
        return {
            "endpoints": simulator.requests_seen.endpoints,
            "grant_types": simulator.requests_seen.grant_types,
            "held": simulator.faults.held(),
            "families": [
                describe_family(grant, is_live=simulator.grants.is_live(grant)) for grant in grants
            ],
        }

    @router.delete("/requests", status_code=204)
    async def forget_requests() -> Response:
        simulator.requests_seen.clear()
        return Response(status_code=204)

    return router


def _too_many() -> Problem:
    return Problem(409, "too-many-faults", f"at most {MAX_FAULTS} faults can be in force")


def _person(username: str) -> Person:
    for person in PEOPLE:
        if person.username == username:
            return person
    raise Problem(404, "unknown-person", "nobody has this user name")
