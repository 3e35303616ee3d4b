"""auth keeps to its own description, whoever asks: a client, a resource server, or a stranger."""

import base64
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from auth_harness import INTERNAL, INTROSPECTION_CLIENT, ISSUER, REDIRECT_URI, AuthUnderTest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schema_cases import cases_of, hold_to_description
from schemathesis.specs.openapi.checks import negative_data_rejection

from auth_server.app.internal import create_internal_api
from auth_server.app.public import create_public_api
from service_kit.health import Lifecycle

on_one_server = pytest.mark.asyncio(loop_scope="module")
CREDENTIAL = base64.b64encode(":".join(INTROSPECTION_CLIENT).encode()).decode()


@on_one_server
@settings(
    max_examples=150, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(data=st.data())
async def test_every_answer_of_the_public_port_is_one_that_its_description_announces(
    shared: AuthUnderTest, data: st.DataObject
) -> None:
    case = data.draw(cases_of(create_public_api(shared.resources).openapi()))
    # What is right cannot be drawn; without it there would be refusals only.
    right = {"client_id": shared.client_id, "redirect_uri": REDIRECT_URI}
    put_right(data, case.query, right)
    put_right(data, case.body, right)
    # A refusal of /authorize may go back to the client, by a redirect.
    except_for = [negative_data_rejection] if case.path == "/authorize" else []
    async with client_of(shared, ISSUER) as client:
        await hold_to_description(case, client, except_for=except_for)


@on_one_server
@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), is_proven=st.booleans(), is_real=st.booleans())
async def test_every_answer_of_introspection_is_one_that_its_description_announces(
    shared: AuthUnderTest, data: st.DataObject, is_proven: bool, is_real: bool
) -> None:
    api = create_internal_api(shared.resources, Lifecycle())
    case = data.draw(cases_of(api.openapi(), "/introspect"))
    handle = (await shared.obtain_handles())["access_token"] if is_real else None
    if handle is not None and isinstance(case.body, dict):
        case.body["token"] = handle
    headers = {"Authorization": f"Basic {CREDENTIAL}"} if is_proven else None
    async with client_of(shared, INTERNAL) as client:
        answer = await hold_to_description(case, client, headers=headers)
    if not is_proven:
        assert answer.status_code in {400, 401}
    elif answer.status_code == httpx.codes.OK:
        assert answer.json()["active"] is (handle is not None)


@on_one_server
@settings(max_examples=40, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
async def test_a_client_with_a_refresh_handle_is_answered_as_described(
    shared: AuthUnderTest, data: st.DataObject
) -> None:
    api = create_public_api(shared.resources)
    case = data.draw(cases_of(api.openapi(), "/token"))
    handles = await shared.obtain_handles()
    case.body = {
        "grant_type": "refresh_token",
        "client_id": shared.client_id,
        "refresh_token": handles["refresh_token"],
        **data.draw(st.fixed_dictionaries({}, optional={"scope": st.sampled_from(SCOPES)})),
    }
    async with client_of(shared, ISSUER) as client:
        answer = await hold_to_description(case, client, except_for=[negative_data_rejection])
    assert answer.status_code == (400 if case.body.get("scope") == "nothing" else 200)


SCOPES = ["todo_api:read", "todo_api:read todo_api:write", "nothing"]


def put_right(data: st.DataObject, values: Any, right: Mapping[str, str]) -> None:
    """Put what is right in the place of what was drawn, now and then."""
    if isinstance(values, dict) and data.draw(st.booleans(), label="put right"):
        values.update({name: value for name, value in right.items() if name in values})


def client_of(auth: AuthUnderTest, origin: str) -> httpx.AsyncClient:
    """A caller of one port, without cookies."""
    transport = httpx.ASGITransport(auth.apps[origin], raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=origin)
