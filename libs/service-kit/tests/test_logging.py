"""The lines of a process: JSON in production, readable in development, in both without secrets."""

import json
import logging
from typing import Any

import pytest
import structlog

from service_kit.logging import configure_logging

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
OPAQUE = "hunter2-hunter2"

pytestmark = pytest.mark.usefixtures("restored_logging")
modes = pytest.mark.parametrize("development", [False, True], ids=["production", "development"])


def fail_with_secrets() -> None:
    presented = OPAQUE
    raise ValueError(f"no grant for mcprt_4f5e6d at /callback?code=a1b2 ({len(presented)})")


def fail_because_of_secrets() -> None:
    try:
        fail_with_secrets()
    except ValueError as error:
        raise RuntimeError(f"refused Bearer {JWT}") from error


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    output = capsys.readouterr()
    assert output.out == ""
    return [json.loads(line) for line in output.err.splitlines()]


def test_in_production_a_line_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(service="auth", development=False)
    structlog.get_logger("auth.flow").info("grant.revoked", grant_id="g-1", text="two\nlines")
    [line] = lines(capsys)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "grant.revoked",
        "grant_id": "g-1",
        "text": "two\nlines",
        "level": "info",
        "logger": "auth.flow",
        "service": "auth",
    }


def test_libraries_lines_have_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(service="auth", development=False)
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        logging.getLogger("some.library").warning("%s of %d", "one", 2)
    [line] = lines(capsys)
    assert (line["event"], line["logger"], line["level"], line["service"], line["request_id"]) == (
        "one of 2",
        "some.library",
        "warning",
        "auth",
        "r-1",
    )


def test_in_development_a_line_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(service="auth", development=True)
    structlog.get_logger("auth.flow").info("grant.revoked", path="/a\nb")
    [line] = capsys.readouterr().err.splitlines()
    assert "grant.revoked" in line
    assert r"path='/a\nb'" in line, "a caller's line break does not make a line"


@modes
def test_a_level_can_be_chosen(capsys: pytest.CaptureFixture[str], development: bool) -> None:
    configure_logging(service="auth", development=development, level="WARNING")
    structlog.get_logger("a").info("hidden")
    structlog.get_logger("a").warning("shown")
    text = capsys.readouterr().err
    assert "shown" in text
    assert "hidden" not in text


@modes
def test_secrets_in_members_and_messages_are_hidden(
    capsys: pytest.CaptureFixture[str], development: bool
) -> None:
    configure_logging(service="auth", development=development)
    structlog.get_logger("a").info(
        f"got {JWT}", client_secret=OPAQUE, answer={"headers": [{"cookie": OPAQUE}]}
    )
    logging.getLogger("httpx").info("GET %s", "https://as.example/callback?code=a1b2&state=c3d4")
    logging.getLogger("h").info({"authorization": f"Basic {JWT}"})
    text = capsys.readouterr().err
    for secret in (JWT, OPAQUE, "a1b2", "c3d4"):
        assert secret not in text
    assert text.count("[redacted]") == 6


@modes
@pytest.mark.parametrize("origin", ["structlog", "library"])
def test_a_traceback_is_shown_without_secrets_and_without_local_variables(
    capsys: pytest.CaptureFixture[str], development: bool, origin: str
) -> None:
    configure_logging(service="auth", development=development)
    try:
        fail_because_of_secrets()
    except RuntimeError as error:
        if origin == "library":
            logging.getLogger("uvicorn.error").exception("failed")
        else:
            structlog.get_logger("a").error("failed", exc_info=error)
    text = capsys.readouterr().err
    for shown in ("fail_because_of_secrets", "fail_with_secrets", "RuntimeError", "ValueError"):
        assert shown in text
    for secret in (JWT, OPAQUE, "4f5e6d", "a1b2"):
        assert secret not in text


def test_an_exception_group_is_shown_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(service="auth", development=False)
    group = ExceptionGroup("two failures", [ValueError("mcpat_4f5e6d"), KeyError(JWT)])
    structlog.get_logger("a").error("failed", exc_info=group)
    text = capsys.readouterr().err
    assert "two failures" in text
    assert "4f5e6d" not in text
    assert JWT not in text


@modes
def test_an_exception_as_a_member_is_shown_without_secrets(
    capsys: pytest.CaptureFixture[str], development: bool
) -> None:
    configure_logging(service="auth", development=development)
    structlog.get_logger("a").error("failed", error=ValueError(f"no {JWT}"), body=b"mcpat_4f5e6d")
    text = capsys.readouterr().err
    assert "ValueError" in text
    assert JWT not in text
    assert "4f5e6d" not in text


@modes
def test_a_record_that_cannot_be_rendered_is_named_and_not_dumped(
    capsys: pytest.CaptureFixture[str], development: bool
) -> None:
    configure_logging(service="auth", development=development)
    logging.getLogger("some.library").info("%d attempts", OPAQUE)
    text = capsys.readouterr().err
    assert text.startswith(f"a log record of {__file__}:")
    assert text.endswith(" is lost: TypeError\n")
    assert OPAQUE not in text


def test_uvicorns_own_access_log_which_has_queries_is_off(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging(service="auth", development=False)
    logging.getLogger("uvicorn.access").error("GET /callback?code=a1b2")
    assert lines(capsys) == []
