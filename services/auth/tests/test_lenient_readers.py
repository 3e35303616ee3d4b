"""What only a lenient reader takes for something else counts for nothing."""

import base64
from collections.abc import Sequence

import httpx
import pytest
from auth_answers import problem_page
from auth_harness import INTERNAL, INTROSPECTION_CLIENT, ISSUER, AuthUnderTest, form_of

ON_ONE_SERVER = pytest.mark.asyncio(loop_scope="module")
FORM = b"application/x-www-form-urlencoded"
Lines = Sequence[tuple[bytes, bytes]]


def refused(response: httpx.Response, error: str, status: int = 400) -> None:
    assert (response.status_code, response.json()["error"]) == (status, error), response.text


@ON_ONE_SERVER
@pytest.mark.parametrize(
    "content_types",
    [
        [FORM + b"\xa0"],
        [b"\x85" + FORM],
        [FORM + b"\x1f"],
        [b"\xa0" + FORM + b"; charset=utf-8"],
        [FORM, FORM],
        [FORM, b"text/plain"],
        [b"text/plain", FORM],
        [FORM + b", text/plain"],
    ],
    ids=ascii,
)
async def test_a_form_is_one_by_its_one_exact_media_type(
    shared: AuthUnderTest, content_types: Sequence[bytes]
) -> None:
    body = f"grant_type=refresh_token&refresh_token=x&client_id={shared.client_id}"
    headers = [(b"content-type", content_type) for content_type in content_types]
    refused(await shared.anyone.post("/token", content=body, headers=headers), "invalid_request")
    right = [(b"content-type", b"Application/X-WWW-Form-Urlencoded ; charset=utf-8")]
    refused(await shared.anyone.post("/token", content=body, headers=right), "invalid_grant")


@ON_ONE_SERVER
@pytest.mark.parametrize(
    "body",
    [
        b'{"redirect_uris": ["https://a.example/"], "redirect_uris": ["https://b.example/"]}',
        b'{"redirect_uris": ["https://a.example/"], "jwks": {"keys": [], "keys": []}}',
        b'{"redirect_uris": ["https://a.example/"], "x": NaN}',
        b'{"redirect_uris": ["https://a.example/"], "x": -Infinity}',
        b'{"redirect_uris": ["https://a.example/"], "x": 1e999}',
        b'\xef\xbb\xbf{"redirect_uris": ["https://a.example/"]}',
        '{"redirect_uris": ["https://a.example/"]}'.encode("utf-16"),
        '{"redirect_uris": ["https://a.example/"]}'.encode("utf-32-le"),
        b'{"redirect_uris": ["https://a.example/"], "x": ' + b"[" * 20 + b"]" * 20 + b"}",
    ],
    ids=lambda body: ascii(body)[:60],
)
async def test_a_registration_that_two_parsers_read_differently_is_refused(
    shared: AuthUnderTest, body: bytes
) -> None:
    headers = {"content-type": "application/json"}
    response = await shared.anyone.post("/register", content=body, headers=headers)
    refused(response, "invalid_client_metadata")
    right = await shared.anyone.post(
        "/register", content=b'{"redirect_uris": ["https://a.example/"], "x": 1e9}', headers=headers
    )
    assert right.status_code == 201


@ON_ONE_SERVER
@pytest.mark.parametrize(
    "value",
    [
        b"Basic \xa0%s",
        b"Basic %s\x85",
        b"Basic \x1f%s",
        b"Basic\xa0%s",
        b"Basic\t%s",
        b"Basic %s,",
        b"Basic %s %s",
        b"\xa0Basic %s",
    ],
    ids=ascii,
)
async def test_a_credential_is_its_exact_bytes(shared: AuthUnderTest, value: bytes) -> None:
    pair = base64.b64encode(":".join(INTROSPECTION_CLIENT).encode())
    header = value.replace(b"%s", pair)
    introspect = shared.anyone.post
    response = await introspect(
        f"{INTERNAL}/introspect",
        data={"token": "x"},
        headers=httpx.Headers([(b"authorization", header)]),
    )
    refused(response, "invalid_client", 401)
    right = await introspect(
        f"{INTERNAL}/introspect",
        data={"token": "x"},
        headers=httpx.Headers([(b"authorization", b"basic   " + pair)]),
    )
    assert right.json() == {"active": False}


@ON_ONE_SERVER
@pytest.mark.parametrize(
    "lines",
    [
        [(b"origin", ISSUER.encode()), (b"origin", b"https://evil.example")],
        [(b"origin", b"https://evil.example"), (b"origin", ISSUER.encode())],
        [(b"origin", ISSUER.encode() + b"\xa0")],
        [(b"origin", ISSUER.upper().encode())],
        [(b"sec-fetch-site", b"same-origin"), (b"sec-fetch-site", b"cross-site")],
        [(b"sec-fetch-site", b"cross-site"), (b"sec-fetch-site", b"same-origin")],
        [(b"sec-fetch-site", b"same-origin\x85")],
        [(b"sec-fetch-site", b"Same-Origin")],
        [(b"sec-fetch-site", b"")],
    ],
    ids=ascii,
)
async def test_a_form_from_another_origin_is_not_hidden_by_a_second_line(
    shared: AuthUnderTest, lines: Lines
) -> None:
    browser = shared.new_browser()
    consent = await shared.authorize(browser)
    form = {**form_of(consent), "decision": "allow"}
    response = await browser.post("/consent", data=form, headers=httpx.Headers(list(lines)))
    if any(name == b"sec-fetch-site" for name, _ in lines):
        assert response.status_code == 403  # before anything of the form is looked at
    else:
        problem_page(response)
    assert (await browser.post("/consent", data=form)).status_code == 303


@ON_ONE_SERVER
@pytest.mark.parametrize("host", [b"[", b"a/authorize?", b"a/callback#", b"\xff", b"a:b", b"]["])
async def test_no_host_and_no_query_makes_an_answer_another_one(
    shared: AuthUnderTest, host: bytes
) -> None:
    messages = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b""}

    async def send(message: dict[str, object]) -> None:
        messages.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/token",
        "query_string": b"\xff\xfe=" + host,
        "headers": [(b"host", host)],
    }
    await shared.apps[ISSUER](scope, receive, send)  # type: ignore[arg-type]
    assert messages[0]["status"] == 400
    assert b"invalid_request" in messages[1]["body"]  # type: ignore[operator]
