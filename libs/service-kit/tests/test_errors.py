"""Every error is a problem document (RFC 9457) that says what to change and repeats no input."""

import json
from typing import Annotated, Any, Literal

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from structlog.testing import capture_logs

from service_kit.errors import (
    MAX_POINTER_PART_LENGTH,
    MAX_REPORTED_ERRORS,
    Problem,
    install_problem_handlers,
    problem_response,
)

SECRET = "hunter2-hunter2"


class Circle(BaseModel):
    """One of two shapes, told apart by their kind."""

    kind: Literal["circle"]


class Square(BaseModel):
    """The other one."""

    kind: Literal["square"]


class Order(BaseModel):
    """A body with something of each sort."""

    model_config = ConfigDict(extra="forbid")

    amount: int = Field(ge=1, le=9)
    sizes: list[int] = []
    color: Literal["red", "blue"] = "red"
    code: str = Field("AAA", pattern="^[A-Z]{3}$")
    shape: Annotated[Circle | Square, Field(discriminator="kind")] | None = None


def create_app() -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None)
    install_problem_handlers(app)

    @app.post("/orders/{number}")
    async def order(number: int, order: Order, dry_run: bool = False) -> None:
        """Accept an order."""

    @app.get("/gone")
    async def gone() -> None:
        raise Problem(
            410,
            "order-gone",
            "the order was deleted; make a new one",
            headers={"X-Since": "today"},
            extensions={"order": 7},
        )

    @app.get("/private")
    async def private() -> None:
        raise HTTPException(401, "sign in first", headers={"WWW-Authenticate": "Bearer"})

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError(f"the password is {SECRET}")

    return app


async def send(method: str, path: str, **options: Any) -> httpx.Response:
    transport = httpx.ASGITransport(create_app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.request(method, path, **options)


def assert_problem(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["status"] == status
    return document


@pytest.mark.standard("RFC 9457 3", "RFC 9457 3.1.1", "RFC 9457 3.1.3")
async def test_a_problem_is_rendered_with_its_headers_and_extensions() -> None:
    response = await send("GET", "/gone")
    assert assert_problem(response, 410) == {
        "type": "urn:problem:order-gone",
        "title": "Gone",
        "status": 410,
        "detail": "the order was deleted; make a new one",
        "order": 7,
    }
    assert response.headers["x-since"] == "today"


async def test_an_unknown_path_is_a_problem_that_does_not_repeat_it() -> None:
    response = await send("GET", f"/{SECRET}")
    assert assert_problem(response, 404) == {
        "type": "urn:problem:not-found",
        "title": "Not Found",
        "status": 404,
        "detail": "Not Found",
    }


@pytest.mark.standard("RFC 9457 3.1.2")
async def test_a_method_that_is_not_allowed_is_a_problem_that_keeps_the_allow_header() -> None:
    response = await send("DELETE", "/gone")
    assert assert_problem(response, 405)["type"] == "urn:problem:method-not-allowed"
    assert response.headers["allow"] == "GET"


async def test_an_http_exception_keeps_its_text_and_headers() -> None:
    response = await send("GET", "/private")
    assert assert_problem(response, 401)["detail"] == "sign in first"
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.standard("RFC 9457 3.1.4", "RFC 9457 3.2")
async def test_invalid_input_is_answered_with_where_and_what() -> None:
    response = await send("POST", "/orders/x?dry_run=maybe", json={"amount": 10, "sizes": [1, "x"]})
    document = assert_problem(response, 422)
    assert document["type"] == "urn:problem:invalid-request"
    assert {error["pointer"]: error["detail"] for error in document["errors"]} == {
        "/path/number": "Input should be a valid integer, unable to parse string as an integer",
        "/query/dry_run": "Input should be a valid boolean, unable to interpret input",
        "/body/amount": "Input should be less than or equal to 9",
        "/body/sizes/1": "Input should be a valid integer, unable to parse string as an integer",
    }
    assert document["detail"].startswith("/path/number: Input should be a valid integer")


@pytest.mark.standard("RFC 9457 5")
@pytest.mark.parametrize(
    "body",
    [
        SECRET,
        [SECRET],
        {"amount": SECRET},
        {"amount": {"inside": SECRET}},
        {"amount": 1, "sizes": [SECRET]},
        {"amount": 1, "color": SECRET},
        {"amount": 1, "code": SECRET},
        {"amount": 1, "shape": {"kind": SECRET}},
        {"amount": 1, "unknown": SECRET},
    ],
)
async def test_invalid_input_is_not_repeated(body: Any) -> None:
    response = await send("POST", "/orders/1", json=body)
    assert_problem(response, 422)
    assert SECRET not in response.text


async def test_invalid_path_and_query_values_are_not_repeated() -> None:
    response = await send("POST", f"/orders/{SECRET}?dry_run={SECRET}", json={"amount": 1})
    assert_problem(response, 422)
    assert SECRET not in response.text


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (f'{{"amount": {SECRET}'.encode(), 422),
        (b"", 422),
        (b"null", 422),
        (b'{"amount": 1, "amount": 1e999}', 422),
        (b'{"amount": ' + b"9" * 5000 + b"}", 400),
        (b'{"amount":' * 100_000, 400),
        (b"[" * 100_000 + b"]" * 100_000, 400),
        (b"\xff\xfe\xfd", 400),
    ],
)
async def test_a_body_that_is_no_json_or_too_deep_is_a_problem_and_not_repeated(
    content: bytes, status: int
) -> None:
    response = await send(
        "POST", "/orders/1", content=content, headers={"Content-Type": "application/json"}
    )
    assert_problem(response, status)
    assert SECRET not in response.text


async def test_half_a_surrogate_pair_in_a_name_is_invalid_input() -> None:
    response = await send(
        "POST",
        "/orders/1",
        content=b'{"amount": 1, "\\ud800": 1}',
        headers={"Content-Type": "application/json"},
    )
    [error] = assert_problem(response, 422)["errors"]
    assert error["pointer"] == "/body"


@pytest.mark.standard("RFC 9457 3.2")
async def test_a_pointer_is_escaped_and_bounded() -> None:
    body = {"amount": 1, "a/b~c": 1, "x" * 10_000: 1}
    document = assert_problem(await send("POST", "/orders/1", json=body), 422)
    assert [error["pointer"] for error in document["errors"]] == [
        "/body/a~1b~0c",  # RFC 6901 section 3
        "/body/" + "x" * MAX_POINTER_PART_LENGTH,
    ]


async def test_a_body_with_a_thousand_mistakes_gets_a_short_answer() -> None:
    response = await send("POST", "/orders/1", json={"amount": 1, "sizes": ["x"] * 1000})
    assert len(assert_problem(response, 422)["errors"]) == MAX_REPORTED_ERRORS
    assert len(response.content) < 4096


@pytest.mark.standard("RFC 9457 5")
async def test_an_unexpected_exception_is_a_500_without_details_and_logged_with_them() -> None:
    with capture_logs() as logs:
        response = await send("GET", f"/broken?code={SECRET}")
    document = assert_problem(response, 500)
    assert document["type"] == "urn:problem:internal-error"
    assert SECRET not in response.text
    assert "RuntimeError" not in response.text
    [line] = logs
    assert (line["event"], line["path"], line["error"]) == (
        "request.failed",
        "/broken",
        "RuntimeError",
    )
    assert isinstance(line["exc_info"], RuntimeError)


def test_a_problem_that_quotes_what_has_no_utf8_can_still_be_rendered() -> None:
    response = problem_response(Problem(400, "bad-name", "no \ud800 here"))
    assert json.loads(bytes(response.body))["detail"] == "no \ud800 here"


def test_a_problem_reads_as_a_sentence_in_a_log() -> None:
    assert str(Problem(409, "in-use", "choose another name")) == "409 in-use: choose another name"
