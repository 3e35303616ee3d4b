"""Puts faults around every endpoint of the environment, and counts what arrives."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from pingone_simulator.connection import reset_connection
from pingone_simulator.correlation import correlation_id_of
from pingone_simulator.errors import NO_STORE, InvalidRequest, with_correlation_id
from pingone_simulator.faults import Arrival, ConnectionDropped, FaultyAnswer
from pingone_simulator.parameters import Parameters, read_form
from pingone_simulator.simulator import Simulator

_GRANT_TYPES = ("authorization_code", "refresh_token")
# The parameters that say whose request it is.
_TOKENS = ("refresh_token", "code", "token")
_TOO_MANY_REQUESTS = 429


def injected_faults(simulator: Simulator) -> Callable[[Request], AsyncIterator[None]]:
    """A dependency with scope "function": its end runs before the answer leaves."""

    async def inject(request: Request) -> AsyncIterator[None]:
        arrival = await _arrival_of(request, simulator)
        simulator.requests_seen.count(arrival)
        await simulator.faults.strike(arrival, "before")
        try:
            yield
        finally:
            # Also when the work ended with an error: that answer can be lost as well.
            await simulator.faults.strike(arrival, "after")

    return inject


def install_fault_handlers(app: FastAPI) -> None:
    """Answer an injected error as PingOne's API does; drop a connection that is to be dropped."""
    app.add_exception_handler(FaultyAnswer, _answer_with_error)
    app.add_exception_handler(ConnectionDropped, _drop)


async def _arrival_of(request: Request, simulator: Simulator) -> Arrival:
    endpoint = request.scope["path"].rpartition("/")[2]
    form = Parameters(())
    if request.method == "POST":
        with contextlib.suppress(InvalidRequest):  # which is the endpoint's to say
            form = await read_form(request)
    values = {name: _first(form, name) for name in ("grant_type", *_TOKENS)}
    grant_type = values["grant_type"] if values["grant_type"] in _GRANT_TYPES else None
    tokens = [value for name in _TOKENS if (value := values[name])]
    grants = (simulator.grants.grant_of(token) for token in tokens)
    return Arrival(endpoint, grant_type, next((grant for grant in grants if grant), None))


def _first(form: Parameters, name: str) -> str | None:
    try:
        return form.optional(name)
    except InvalidRequest:
        return None


async def _answer_with_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, FaultyAnswer)  # noqa: S101  (Starlette dispatches by class)
    is_limit = error.status == _TOO_MANY_REQUESTS
    correlation_id = correlation_id_of(request)
    content: dict[str, Any] = {
        "id": correlation_id,
        "code": "REQUEST_LIMITED" if is_limit else "UNEXPECTED_ERROR",
        "message": with_correlation_id("An injected fault", correlation_id),
    }
    return JSONResponse(content, error.status, headers={**NO_STORE, **error.headers})


async def _drop(request: Request, _error: Exception) -> Response:
    await reset_connection(request)
    return Response(status_code=500)  # nobody is there to read it
