"""VS Code and Cursor: states as long as a URL, and several redirect URIs in one registration."""

from dataclasses import replace
from typing import Any

import httpx
import pytest
from e2e.clients.known_clients import (
    CURSOR,
    CURSOR_REDIRECT_URIS,
    CURSOR_REGISTRATION,
    STAYS_SIGNED_IN,
    VSCODE_REGISTERED,
    VSCODE_STATE,
    VSCODE_WEB,
)
from e2e.clients.profile import ClientProfile
from e2e.clients.scripted_client import ScriptedClient, refusal_of

ANOTHER_PORT = "http://127.0.0.1:60127/"
INSIDERS = "https://insiders.vscode.dev/redirect"


async def test_one_registration_of_cursors_serves_all_its_three_redirect_uris(install: Any) -> None:
    cursor: ScriptedClient = await install(CURSOR)
    await cursor.connect()
    registered = cursor.client_id
    for redirect_uri in CURSOR_REDIRECT_URIS:
        cursor.profile = replace(CURSOR, redirect_uri=redirect_uri)
        await cursor.sign_in()
    assert cursor.client_id == registered


@pytest.mark.parametrize("application_type", ["native", "web"])
async def test_cursor_registers_whatever_it_says_about_its_type(
    install: Any, application_type: str
) -> None:
    # Reports differ on what it says, and on whether it says anything.
    registration = dict(CURSOR_REGISTRATION) | {"application_type": application_type}
    await (await install(replace(CURSOR, registration=registration))).connect()


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "unheardof://anysphere.cursor-mcp/oauth/callback",
        "javascript:alert(1)",
        "file:///etc/passwd",
    ],
)
async def test_a_scheme_that_is_not_allowed_spoils_the_whole_registration(
    install: Any, http: httpx.AsyncClient, redirect_uri: str
) -> None:
    client: ScriptedClient = await install(CURSOR)
    await client.discover()
    body = dict(CURSOR_REGISTRATION) | {"redirect_uris": [*CURSOR_REDIRECT_URIS, redirect_uri]}
    response = await http.post(client.metadata["registration_endpoint"], json=body)
    assert refusal_of(response) == (400, "invalid_redirect_uri")


@pytest.mark.parametrize("redirect_uri", [ANOTHER_PORT, INSIDERS])
async def test_vs_code_answers_at_another_port_and_at_its_preview_too(
    install: Any, redirect_uri: str
) -> None:
    await (await install(replace(VSCODE_REGISTERED, redirect_uri=redirect_uri))).connect()


async def test_a_grant_type_that_nobody_has_here_is_left_out_and_not_refused(install: Any) -> None:
    client: ScriptedClient = await install(VSCODE_REGISTERED)
    await client.discover()
    assert (await client.register())["grant_types"] == STAYS_SIGNED_IN


@pytest.mark.parametrize("profile", [VSCODE_WEB, VSCODE_REGISTERED], ids=str)
async def test_a_state_of_several_kilobytes_comes_back_as_it_was_sent(
    install: Any, profile: ClientProfile
) -> None:
    longer = VSCODE_STATE * 4
    assert len(longer) > 5000
    await (await install(replace(profile, state=longer))).connect()
