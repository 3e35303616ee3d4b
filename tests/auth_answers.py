"""The three ways in which an authorization ends, checked in full: code, error and problem page."""

from urllib.parse import parse_qsl, urlsplit

import httpx
from auth_harness import ISSUER, REDIRECT_URI, AuthUnderTest
from sqlalchemy import Table, func, select

PAGE_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
}


def answer_at_client(
    response: httpx.Response, *, redirect_uri: str = REDIRECT_URI, issuer: str = ISSUER
) -> dict[str, str]:
    """The parameters of the redirect to the client; it must be one that no cache and log keeps."""
    assert response.status_code == 303, f"{response.status_code}: {response.text[:500]}"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["referrer-policy"] == "no-referrer"
    location = response.headers["location"]
    separator = "&" if "?" in redirect_uri else "?"
    assert location.startswith(redirect_uri + separator), location
    added = location.removeprefix(redirect_uri + separator)
    pairs = parse_qsl(added, keep_blank_values=True, strict_parsing=True)
    answer = dict(pairs)
    assert len(answer) == len(pairs), f"repeated parameters: {pairs}"
    assert answer["iss"] == issuer
    return answer


def error_at_client(
    response: httpx.Response, *, state: str | None = "the-clients-state", **expected: str
) -> str:
    """The error code of a redirect to the client, which has `state` and `iss`, and no code."""
    answer = answer_at_client(response, **expected)
    assert answer.get("state") == state
    assert "code" not in answer
    assert answer["error_description"].isascii()  # RFC 6749 4.1.2.1
    return answer["error"]


def code_at_client(
    response: httpx.Response, *, state: str | None = "the-clients-state", **expected: str
) -> str:
    """The code of a redirect to the client, which has `state` and `iss`, and no error."""
    answer = answer_at_client(response, **expected)
    assert answer.get("state") == state
    assert "error" not in answer
    return answer["code"]


def problem_page(response: httpx.Response, status: int = 400) -> str:
    """The HTML of a page that ends an authorization without sending the browser anywhere."""
    assert response.status_code == status, f"{response.status_code}: {response.headers}"
    assert "location" not in response.headers
    assert "refresh" not in response.headers
    assert {name: response.headers.get(name) for name in PAGE_HEADERS} == PAGE_HEADERS
    assert "<form" not in response.text
    assert "What to do" in response.text
    return response.text


def outcome_page(response: httpx.Response) -> str:
    """The HTML of a page that says how a sign-in ended."""
    assert response.status_code == 200, f"{response.status_code}: {response.headers}"
    assert {name: response.headers.get(name) for name in PAGE_HEADERS} == PAGE_HEADERS
    assert "refresh" not in response.headers
    assert "<form" not in response.text
    return response.text


def host_of(response: httpx.Response) -> str:
    """Where a redirect leads."""
    assert response.has_redirect_location, f"{response.status_code}: {response.text[:500]}"
    return urlsplit(response.headers["location"]).netloc


async def count_rows(auth: AuthUnderTest, table: Table) -> int:
    """How many rows a table holds."""
    async with auth.resources.database.reading_connection() as connection:
        count: int = (
            await connection.execute(select(func.count()).select_from(table))
        ).scalar_one()
    return count
