"""Who may call: every rule for access tokens, seen from outside."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey, RSAKey

PROBLEM = "application/problem+json"
AUDIENCE = "https://todo.api.com"

OpenClient = Callable[[str | None], httpx.AsyncClient]
Make = Callable[[Any], str]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """Tokens are the same on both databases."""
    return sqlite_url


def encode(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def unsigned(issuer: Any) -> str:
    header = encode(b'{"alg":"none","typ":"JWT","kid":"rsa-1"}')
    return f"{header}.{encode(json.dumps(issuer.claims()).encode())}."


def unsigned_with_rest(issuer: Any) -> str:
    return f"{unsigned(issuer)}{issuer.token().rpartition('.')[2]}"


def signed_with_the_public_key(issuer: Any) -> str:
    header = encode(b'{"alg":"HS256","typ":"JWT","kid":"rsa-1"}')
    signing_input = f"{header}.{encode(json.dumps(issuer.claims()).encode())}"
    secret: bytes = issuer.rsa_key.as_pem(private=False)
    return f"{signing_input}.{encode(hmac.digest(secret, signing_input.encode(), hashlib.sha256))}"


def with_other_claims(issuer: Any) -> str:
    header, _, signature = issuer.token().split(".")
    return f"{header}.{encode(json.dumps(issuer.claims(sub='bob')).encode())}.{signature}"


def with_header(header: bytes) -> Make:
    return lambda issuer: ".".join([encode(header), *str(issuer.token()).split(".")[1:]])


def forged(issuer: Any) -> str:
    own_key: str = issuer.token(key=RSAKey.generate_key(2048, {"kid": "rsa-1"}))
    return own_key


def with_its_own_key(issuer: Any) -> str:
    key = RSAKey.generate_key(2048, {"kid": "own"})
    token: str = issuer.token(key=key, header={"jwk": key.as_dict(private=False)})
    return token


def by_an_encryption_key(issuer: Any) -> str:
    key = RSAKey.generate_key(2048, {"kid": "enc-1"})
    issuer.published.append(RSAKey.import_key(key.as_dict(private=False), {"use": "enc"}))
    token: str = issuer.token(key=key)
    return token


def by_another_curve(issuer: Any) -> str:
    key = ECKey.generate_key("P-384", {"kid": "p384"})
    issuer.published.append(key)
    token: str = issuer.token(header={"kid": "p384"}, key=issuer.ec_key)
    return token


ACCEPTED: dict[str, Make] = {
    "RS256": lambda i: i.token(),
    "ES256": lambda i: i.token(key=i.ec_key),
    "typ at+jwt": lambda i: i.token(header={"typ": "at+jwt"}),
    "typ application/AT+JWT": lambda i: i.token(header={"typ": "application/AT+JWT"}),
    "typ jwt": lambda i: i.token(header={"typ": "jwt"}),
    "no typ": lambda i: i.token(header={"typ": ...}),
    "unknown header parameters": lambda i: i.token(header={"pi.atm": "1", "x5t": "abc"}),
    "aud as string": lambda i: i.token(aud=AUDIENCE),
    "aud among others": lambda i: i.token(aud=["https://other.example", AUDIENCE]),
    "scope as array": lambda i: i.token(scope=["todo_api:read", "todo_api:write"]),
    "no optional claims": lambda i: i.token(client_id=..., iat=...),
    "sub beyond ASCII": lambda i: i.token(sub="José García"),
    "issuer's clock 30 s ahead": lambda i: i.token(nbf=i.issued() + 30, iat=i.issued() + 30),
    "exp with a fraction": lambda i: i.token(exp=i.issued() + 0.5),
    "10 KB": lambda i: i.token(padding="x" * 8000),
}

REFUSED: dict[str, Make] = {
    "one part": lambda _: "x",
    "three parts of nothing": lambda _: "a.b.c",
    "not ASCII": lambda _: "é.é.é",
    "five parts": lambda i: i.token() + ".e30.e30",
    "a control character": lambda i: i.token() + "\x7f",
    "base64 padding": lambda i: i.token().replace(".", "=."),
    "too long": lambda i: i.token(padding="x" * 16_384),
    "header a number": with_header(b"1"),
    "header a string": with_header(b'"alg"'),
    "header an array": with_header(b'["alg"]'),
    "header a nesting bomb": with_header(b"[" * 2000),
    "header without alg": with_header(b'{"kid":"rsa-1"}'),
    "alg an array": with_header(b'{"alg":["RS256"],"kid":"rsa-1"}'),
    "claims not JSON": lambda i: i.sign("not JSON"),
    "claims a nesting bomb": lambda i: i.sign("[" * 5000),
    "claims an array": lambda i: i.sign("[]"),
    "claims a string": lambda i: i.sign('"sub"'),
    "alg none": unsigned,
    "alg none with a signature": unsigned_with_rest,
    "HS256 with the public key": signed_with_the_public_key,
    "RS512": lambda i: i.token(header={"alg": "RS512"}),
    "other claims": with_other_claims,
    "a forger's key": forged,
    "an encryption key": by_an_encryption_key,
    "an unfit curve": by_another_curve,
    "kid of a key of another type": lambda i: i.token(header={"kid": "ec-1"}),
    "EC signature with kid of RSA": lambda i: i.token(key=i.ec_key, header={"kid": "rsa-1"}),
    "unknown kid": lambda i: i.token(header={"kid": "unknown"}),
    "no kid": lambda i: i.token(header={"kid": ...}),
    "empty kid": lambda i: i.token(header={"kid": ""}),
    "kid a number": lambda i: i.token(header={"kid": 1}),
    "its own key": with_its_own_key,
    "crit": lambda i: i.token(header={"crit": ["exp"], "exp": 1}),
    "empty crit": lambda i: i.token(header={"crit": []}),
    "crit b64": lambda i: i.token(header={"crit": ["b64"], "b64": True}),
    "b64": lambda i: i.token(header={"b64": True}),
    "typ of a logout token": lambda i: i.token(header={"typ": "logout+jwt"}),
    "typ of a proof": lambda i: i.token(header={"typ": "dpop+jwt"}),
    "empty typ": lambda i: i.token(header={"typ": ""}),
    "typ null": lambda i: i.token(header={"typ": None}),
    "typ an array": lambda i: i.token(header={"typ": ["JWT"]}),
    "no iss": lambda i: i.token(iss=...),
    "another environment": lambda i: i.token(iss="https://auth.pingone.eu/other/as"),
    "iss with a slash more": lambda i: i.token(iss=i.claims()["iss"] + "/"),
    "iss an array": lambda i: i.token(iss=[i.claims()["iss"]]),
    "no aud": lambda i: i.token(aud=...),
    "empty aud": lambda i: i.token(aud=[]),
    "aud of an ID token": lambda i: i.token(aud="mcp-server"),
    "aud that begins like ours": lambda i: i.token(aud=AUDIENCE + ".evil.example"),
    "aud a list in a string": lambda i: i.token(aud=f"https://other.example {AUDIENCE}"),
    "aud with a number": lambda i: i.token(aud=[AUDIENCE, 1]),
    "aud an object": lambda i: i.token(aud={AUDIENCE: True}),
    "no exp": lambda i: i.token(exp=...),
    "exp now": lambda i: i.token(exp=i.issued()),
    "expired": lambda i: i.token(exp=i.issued() - 1),
    "exp a string": lambda i: i.token(exp=str(i.issued() + 60)),
    "exp true": lambda i: i.token(exp=True),
    "exp null": lambda i: i.token(exp=None),
    "exp infinite": lambda i: i.token(exp=float("inf")),
    "exp not a number": lambda i: i.token(exp=float("nan")),
    "exp beyond all dates": lambda i: i.token(exp=10**400),
    "nbf 31 s ahead": lambda i: i.token(nbf=i.issued() + 31),
    "iat 31 s ahead": lambda i: i.token(iat=i.issued() + 31),
    "iat a string": lambda i: i.token(iat="now"),
    "nbf negative": lambda i: i.token(nbf=-1),
    "no sub": lambda i: i.token(sub=...),
    "sub null": lambda i: i.token(sub=None),
    "empty sub": lambda i: i.token(sub=""),
    "blank sub": lambda i: i.token(sub=" "),
    "sub a number": lambda i: i.token(sub=1),
    "sub with NUL": lambda i: i.token(sub="ali\x00ce"),
    "sub with half a character": lambda i: i.token(sub="ali\ud800ce"),
    "sub too long": lambda i: i.token(sub="a" * 256),
    "scope an object": lambda i: i.token(scope={"todo_api:read": True}),
    "scope with a number": lambda i: i.token(scope=["todo_api:read", 1]),
    "client_id a number": lambda i: i.token(client_id=1),
}


@pytest.mark.standard("RFC 9068 2.1 alg", "RFC 9068 4 audience")
@pytest.mark.parametrize("make", ACCEPTED.values(), ids=ACCEPTED)
async def test_a_token_of_the_issuer_for_this_api_is_accepted(
    issuer: Any, open_client: OpenClient, make: Make
) -> None:
    response = await open_client(make(issuer)).get("/api/todos")
    assert response.status_code == 200


@pytest.mark.standard(
    "RFC 6750 3.1 invalid_token",
    "RFC 9068 2.1 alg",
    "RFC 9068 4 issuer",
    "RFC 9068 4 audience",
    "RFC 9068 4 signature",
    "RFC 9068 4 expiry",
    "RFC 9068 4 errors",
    "RFC 9068 5",
    "RFC 9068 5 subject",
    "RFC 9700 4.6",
    "OAuth 2.1 5.2",
)
@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED)
async def test_any_other_token_is_refused_with_401_invalid_token(
    issuer: Any, anyone: httpx.AsyncClient, make: Make
) -> None:
    token = make(issuer)
    response = await anyone.get(
        "/api/todos", headers=[(b"authorization", f"Bearer {token}".encode())]
    )
    assert response.status_code == 401
    assert response.headers["content-type"] == PROBLEM
    assert response.headers["www-authenticate"].startswith(
        'Bearer realm="todo-api", error="invalid_token", '
    )
    assert token not in response.text


@pytest.mark.standard("RFC 6750 3.1 no error", "RFC 6750 3 todo-api")
@pytest.mark.parametrize("header", [None, "Basic YTpi", "DPoP x.y.z", "Bearerx.y.z", "", "Token x"])
async def test_a_request_without_a_bearer_token_is_challenged_without_an_error_code(
    anyone: httpx.AsyncClient, header: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}
    response = await anyone.get("/api/todos", headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="todo-api"'
    assert response.headers["content-type"] == PROBLEM


@pytest.mark.standard("RFC 6750 2.1")
@pytest.mark.parametrize("scheme", ["bearer ", "BEARER ", "BeArEr   "])
async def test_the_scheme_is_case_insensitive(
    issuer: Any, anyone: httpx.AsyncClient, scheme: str
) -> None:
    headers = {"Authorization": scheme + issuer.token()}
    assert (await anyone.get("/api/todos", headers=headers)).status_code == 200


@pytest.mark.standard("RFC 6750 3.1 invalid_request")
async def test_two_authorization_headers_are_refused_with_400(
    issuer: Any, anyone: httpx.AsyncClient
) -> None:
    twice = [("Authorization", f"Bearer {issuer.token()}")] * 2
    response = await anyone.get("/api/todos", headers=twice)
    assert response.status_code == 400
    assert (
        response.headers["www-authenticate"] == 'Bearer realm="todo-api", error="invalid_request"'
    )


async def test_nobody_is_told_anything_about_the_body_or_the_todo_before_signing_in(
    anyone: httpx.AsyncClient,
) -> None:
    json_type = {"Content-Type": "application/json"}
    for response in (
        await anyone.post("/api/todos", content=b"{", headers=json_type),
        await anyone.get("/api/todos?limit=0"),
        await anyone.get("/api/todos/1"),
        await anyone.patch("/api/todos/1", content=b"{", headers=json_type),
        await anyone.delete("/api/todos/1", headers={"If-Match": "nonsense"}),
    ):
        assert response.status_code == 401


@pytest.mark.standard("RFC 9068 4 expiry")
async def test_a_token_that_was_accepted_is_refused_from_its_expiry_on(
    issuer: Any, open_client: OpenClient, clock: Any
) -> None:
    client = open_client(issuer.token(exp=issuer.issued() + 20))
    assert (await client.get("/api/todos")).status_code == 200
    clock.advance(19.9)
    assert (await client.get("/api/todos")).status_code == 200
    clock.advance(0.1)
    assert (await client.get("/api/todos")).status_code == 401


async def test_two_tokens_are_never_taken_for_each_other(
    issuer: Any, alice: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    for _ in range(2):
        await alice.post("/api/todos", json={"text": "by alice"})
        assert (await bob.get("/api/todos")).json()["todos"] == []
    assert issuer.fetched.count(issuer.metadata["jwks_uri"]) == 1
