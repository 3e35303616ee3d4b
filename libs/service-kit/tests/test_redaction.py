"""What a log line must not show, by name and by shape, and what it must go on showing."""

import time
from typing import Any

import pytest

from service_kit.redaction import MAX_DEPTH, REDACTED, redact

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
SECRET = "hunter2-hunter2"


def redacted(**event: Any) -> dict[str, Any]:
    return dict(redact(None, "info", event))


@pytest.mark.parametrize(
    "name",
    [
        "client_secret",
        "clientSecret",
        "password",
        "passwd",
        "authorization",
        "Authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "cookies",
        "code",
        "codes",
        "authorization_code",
        "authorizationCode",
        "authCode",
        "device_code",
        "user_code",
        "raw_code",
        "code_verifier",
        "verifier",
        "client_assertion",
        "nonce",
        "state",
        "upstream_state",
        "handle",
        "raw_handle",
        "refresh_handle",
        "handles",
        "token",
        "tokens",
        "access_token",
        "accessToken",
        "refresh_token",
        "id_token",
        "credentials",
        "api_key",
        "x-api-key",
        "private_key",
        "auth_encryption_keys",
        "COOKIE_ENCRYPTION_KEY",
    ],
)
def test_a_text_under_a_secret_name_is_hidden(name: str) -> None:
    assert redacted(**{name: SECRET}) == {name: REDACTED}
    assert redacted(**{name: [SECRET]}) == {name: REDACTED}
    assert redacted(**{name: SECRET.encode()}) == {name: REDACTED}
    assert redacted(headers={name: SECRET}) == {"headers": {name: REDACTED}}
    assert redacted(items=[{"deep": ({name: SECRET},)}]) == {
        "items": [{"deep": [{name: REDACTED}]}]
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status_code", "200"),
        ("error_code", "invalid_grant"),
        ("reason_code", "timeout"),
        ("exit_code", "69"),
        ("country_code", "CH"),
        ("code_challenge_method", "S256"),
        ("token_type", "Bearer"),
        ("token_endpoint", "https://as.example/token"),
        ("token_endpoint_auth_method", "client_secret_basic"),
        ("authorization_endpoint", "https://as.example/authorize"),
        ("statement", "SELECT 1"),
        ("estate", "green"),
        ("barcode", "4711"),
        ("encode", "utf-8"),
        ("client_id", "agent"),
        ("grant_id", "0190-7c0b"),
        ("kid", "key-1"),
        ("event", "token.refused"),
    ],
)
def test_a_text_under_a_harmless_name_is_shown(name: str, value: str) -> None:
    assert redacted(**{name: value}) == {name: value}


@pytest.mark.parametrize("value", [None, True, False, 0, 200, 1.5])
def test_a_number_a_flag_and_nothing_are_shown_under_any_name(value: Any) -> None:
    assert redacted(code=value, token=value, tokens=value) == {
        "code": value,
        "token": value,
        "tokens": value,
    }


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mcpat_4f5e6d_7c-8b", REDACTED),
        ("mcprt_4f5e6d", REDACTED),
        ("mcpit_4f5e6d", REDACTED),
        ("the handle mcpat_4f5e6d expired", f"the handle {REDACTED} expired"),
        ("/todos/mcpat_4f5e6d/x", f"/todos/{REDACTED}/x"),
        (JWT, REDACTED),
        (f"the token {JWT}, please", f"the token {REDACTED}, please"),
        (f"%3D{JWT}", f"%3D{REDACTED}"),
        (JWT.rpartition(".")[0], REDACTED),
        (JWT.partition(".")[0], REDACTED),
        (f"{JWT}.a.b", REDACTED),  # JWE has five parts
        ("Bearer abc.DEF~1+/==", REDACTED),
        ("bearer 4f5e6d", REDACTED),
        ("BEARER\t4f5e6d", REDACTED),
        ("Bearer " + "x" * 20, REDACTED),
        ("Authorization: Basic Y2xpZW50OnNlY3JldA==", f"Authorization: {REDACTED}"),
        ("basic Y2xpZW50OnNlY3JldA==", REDACTED),
        ("{'Authorization': 'Bearer 4f5e6d'}", f"{{'Authorization': '{REDACTED}'}}"),
    ],
)
def test_a_credential_is_hidden_in_any_text(text: str, shown: str) -> None:
    assert redacted(event=text) == {"event": shown}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/callback?code=a1&state=b2", "/callback?code={0}&state={0}"),
        ("/callback?iss=x&code=a1 HTTP/1.1", "/callback?iss=x&code={0} HTTP/1.1"),
        ("https://a.example/cb#access_token=a1&x=y", "https://a.example/cb#access_token={0}&x=y"),
        ("code=a1&grant_type=authorization_code", "code={0}&grant_type=authorization_code"),
        ("b'code_verifier=a1&client_id=c'", "b'code_verifier={0}&client_id=c'"),
        ("/x?next=%2Fcb%3Fcode%3Da1%26state%3Db2", "/x?next=%2Fcb%3Fcode%3D{0}%26state%3D{0}"),
        ("/logout?id_token_hint=a1", "/logout?id_token_hint={0}"),
        ("/revoke?token=a1", "/revoke?token={0}"),
        ("?client_secret=a%2F1", "?client_secret={0}"),
        (
            '{"access_token": "a1", "token_type": "Bearer"}',
            '{{"access_token": "{0}", "token_type": "Bearer"}}',
        ),
        ('{"refresh_token":"a1"}', '{{"refresh_token":"{0}"}}'),
        (r'"{\"id_token\": \"a1\"}"', r'"{{\"id_token\": \"{0}\"}}"'),
        ("{'client_secret': 'a1'}", "{{'client_secret': '{0}'}}"),
        (
            "Tokens(refresh_token='a1', code='b2', scope='c')",
            "Tokens(refresh_token='{0}', code='{0}', scope='c')",
        ),
        ("Form(client_secret=b'a1')", "Form(client_secret=b'{0}')"),
    ],
)
def test_a_secret_member_is_hidden_in_urls_forms_and_documents(text: str, shown: str) -> None:
    assert redacted(event=text) == {"event": shown.format(REDACTED)}


@pytest.mark.parametrize(
    "text",
    [
        "Basic authentication failed",
        "the Bearer token is missing",
        'Bearer resource_metadata="https://mcp.example/x", scope="todos:read"',
        'Bearer error="insufficient_scope"',
        "basic scopes only",
        "exit code=1",
        "the state=ready",
        "status_code=200",
        "CLIENT_SECRET: is a placeholder",
        "client_secret: Field required",
        "/x?statement=1&encode=2&code_challenge_method=S256",
        '{"code": "INVALID_DATA"}',
        "client_secret_basic",
        "https://as.example/authorize?response_type=code&scope=a",
        "heyJude",
    ],
)
def test_ordinary_text_is_shown_as_it_is(text: str) -> None:
    assert redacted(event=text) == {"event": text}


class Connection:
    """An object that is not made for logs."""

    def __repr__(self) -> str:
        return f"<Connection {JWT}>"


@pytest.mark.parametrize(
    "value",
    [
        b"Bearer 4f5e6d",
        bytearray(b"mcpat_4f5e6d"),
        {"mcpat_4f5e6d"},
        frozenset({JWT}),
        ValueError(f"no such token: {JWT}"),
        Connection(),
        [Connection()],
        {"mcpat_4f5e6d": 1},
        {b"mcpat_4f5e6d": 1},
        {("a", "mcpat_4f5e6d"): 1},
    ],
)
def test_what_a_renderer_would_write_out_is_searched_too(value: Any) -> None:
    shown = repr(redacted(value=value))
    assert REDACTED in shown
    assert "4f5e6d" not in shown
    assert JWT not in shown


@pytest.mark.parametrize(
    "part", ["eyJ", "eyJaaaaaaaa.", "bearer ", "access_token ", "access_token='", "?code=%2", "%3D"]
)
def test_a_long_text_made_to_be_slow_is_searched_in_time(part: str) -> None:
    started = time.process_time()
    redacted(path=part * (500_000 // len(part)))
    assert time.process_time() - started < 2


def test_a_structure_that_contains_itself_ends() -> None:
    endless: list[Any] = ["mcpat_4f5e6d"]
    endless.append(endless)
    shown = repr(redacted(value=endless))
    assert "4f5e6d" not in shown
    assert shown.count(REDACTED) == MAX_DEPTH


def test_the_event_itself_is_left_alone() -> None:
    event = {"headers": {"cookie": SECRET}}
    redact(None, "info", event)
    assert event == {"headers": {"cookie": SECRET}}
