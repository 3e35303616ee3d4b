"""The demo believes nothing: an answer that is not as it must be becomes a failure."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from local_stack.agent import Exchange
from local_stack.narration import Narrator
from local_stack.services import StackConfig
from local_stack.transcript import Transcript

ISSUER = "http://localhost:8080"
MCP_URL = "http://localhost:8081/mcp"
RESOURCE_METADATA = "http://localhost:8081/.well-known/oauth-protected-resource/mcp"


@pytest.fixture
def output() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def transcript(output: io.StringIO) -> Transcript:
    return Transcript(Console(file=output, width=200))


@pytest.fixture
def narrator(transcript: Transcript, tmp_path: Path) -> Narrator:
    return Narrator(transcript, StackConfig(tmp_path), "Demo agent")


def make_exchange(url: str, body: dict[str, Any], **changes: Any) -> Exchange:
    values: dict[str, Any] = {
        "method": "GET",
        "url": url,
        "request_headers": {},
        "request_body": b"",
        "status": 200,
        "headers": {"cache-control": "no-store"},
        "body": json.dumps(body).encode(),
    }
    return Exchange(**(values | changes))


def test_a_right_answer_is_told_without_a_failure(
    narrator: Narrator, transcript: Transcript, output: io.StringIO
) -> None:
    document = {"resource": MCP_URL, "authorization_servers": [ISSUER]}
    narrator.exchange(make_exchange(RESOURCE_METADATA, document))
    assert transcript.failures == ()
    assert transcript.steps == 1
    assert MCP_URL in output.getvalue()


def test_another_authorization_server_is_a_failure(
    narrator: Narrator, transcript: Transcript
) -> None:
    document = {"resource": MCP_URL, "authorization_servers": [f"{ISSUER}/"]}
    narrator.exchange(make_exchange(RESOURCE_METADATA, document))
    assert len(transcript.failures) == 1


@pytest.mark.parametrize("token", ["eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln", ""])
def test_anything_but_a_handle_from_the_token_endpoint_is_a_failure(
    narrator: Narrator, transcript: Transcript, token: str
) -> None:
    narrator.exchange(make_exchange(f"{ISSUER}/token", {"access_token": token}))
    assert len(transcript.failures) == 1


def test_a_request_that_is_not_part_of_the_story_is_a_failure(
    narrator: Narrator, transcript: Transcript
) -> None:
    narrator.exchange(make_exchange(f"{ISSUER}/admin", {}))
    assert len(transcript.failures) == 1


def test_handles_are_shortened_wherever_they_appear(
    narrator: Narrator, output: io.StringIO
) -> None:
    handle = "mcpat_" + "A" * 49
    narrator.exchange(
        make_exchange(f"{ISSUER}/token", {"access_token": handle, "scope": f"odd {handle}"})
    )
    assert "mcpat_AAAA…" in output.getvalue()
    assert "A" * 10 not in output.getvalue()
