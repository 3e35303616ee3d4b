"""Whatever is sent to todo-api, the answer is a problem document, never a failure."""

from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from malformed_requests import RawRequest, answer, assert_told_in_form, malformed_requests

TODO = "/api/todos/01990000-0000-7000-8000-000000000000"
# Stands for a token that the issuer signed.
TOKEN = "the-token"

REQUESTS = malformed_requests(
    [
        ("GET", "/api/todos"),
        ("POST", "/api/todos"),
        ("PATCH", TODO),
        ("DELETE", TODO),
        ("GET", TODO),
        ("GET", "/api/todos/\x00"),
        ("PUT", "/api/todos"),
    ],
    names=["text", "completed", "cursor", "limit", "id", "version", "é", "__proto__", ""],
    values=["buy milk", "true", "false", "50", "AZkAAAAAcACAAAAAAAAAAA", "A" * 22, "x" * 1001],
    usual=[("authorization", f"Bearer {TOKEN}"), ("content-type", "application/json")],
    members=st.fixed_dictionaries({}, optional={"text": st.text(), "completed": st.booleans()}),
    headers=[
        ("authorization", "Bearer a.b.c"),
        ("authorization", "Basic YTpi"),
        ("content-type", "text/plain; charset=utf-16"),
        ("content-length", "99999999999"),
        ("if-match", '"1"'),
        ("if-match", 'W/"1", "\xff"'),
        ("if-match", "*"),
        ("host", "["),
    ],
)


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What a request may not say is the same on both databases."""
    return sqlite_url


# Beside the tables of refusals, which only hold what somebody thought of: parsers, converters and
# columns meet what nobody did. Derandomized, so that it cannot fail in somebody else's change. All
# examples share one database: what an accepted one leaves there is as good a start as any.
@settings(
    max_examples=300,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(REQUESTS)
async def test_no_request_makes_the_api_fail(
    api: FastAPI, issuer: Any, request: RawRequest
) -> None:
    token = f"Bearer {issuer.token()}".encode()
    headers = tuple(
        (name, token if value == f"Bearer {TOKEN}".encode() else value)
        for name, value in request.headers
    )
    signed = RawRequest(request.method, request.path, request.query, headers, request.body)
    assert_told_in_form(*await answer(api, signed))
