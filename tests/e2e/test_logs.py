"""What the services write down: who did what, and never anything that could be used."""

import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from local_stack.agent import Agent, AuthorizationRefused
from local_stack.browser import ALICE, Person

SECRET_PARAMETERS = {
    "access_token",
    "authorization_request",
    "code",
    "code_challenge",
    "code_verifier",
    "csrf_token",
    "nonce",
    "refresh_token",
    "state",
    "token",
}
# 256 random bits in base64url, whatever they are for, and any JSON Web Token.
LOOKS_SECRET = re.compile(r"[\w-]{43,}|eyJ[\w-]+\.[\w-]+")


@pytest.mark.standard("RFC 6749 10.3", "RFC 6750 5.3")
async def test_the_logs_hold_no_handle_token_code_cookie_or_key(
    world: Any, call: Any, eventually: Any
) -> None:
    await _live_a_whole_life(world, call)
    secrets = _secrets_of_stack(world) | {
        secret for agent in world.stack.agents for secret in _secrets_of(agent)
    }
    assert len(secrets) > 30

    async def revocation_is_logged() -> bool:
        return "/revoke" in _logs(world)["auth"]

    await eventually(revocation_is_logged)
    for name, text in _logs(world).items():
        assert "request" in text, f"{name} logged nothing"
        # Not `not any(...)` in one assertion: its failure would print the secrets.
        found = sum(secret in text for secret in secrets)
        assert found == 0, f"{name} logged {found} secrets"
        assert LOOKS_SECRET.search(text) is None, f"{name} logged something that looks secret"


async def _live_a_whole_life(world: Any, call: Any) -> None:
    agent = await world.agent(ALICE)
    async with agent.connect() as client:
        await call(client, "create_todo", text="Leave no trace")
        await call(client, "list_todos")
    tokens, client_id = agent.memory.tokens, agent.memory.client_info.client_id
    form = {
        "grant_type": "refresh_token",
        "refresh_token": tokens.refresh_token,
        "client_id": client_id,
    }
    token_endpoint = f"{world.stack.issuer}/token"
    assert (await agent.post(token_endpoint, form=form)).status == 200
    # Refusals are logged with more words than successes: here are some.
    await agent.post(token_endpoint, form=form | {"refresh_token": tokens.refresh_token + "x"})
    await agent.post(token_endpoint, form=form | {"client_id": "someone-else"})
    await agent.post(f"{agent.mcp_url}?access_token={tokens.access_token}", document={})
    denied = await world.agent(Person("bob", "bob", allows=False))
    with pytest.raises(BaseExceptionGroup) as caught:
        async with denied.connect():
            pass
    assert caught.group_contains(AuthorizationRefused)
    revoke = {"token": tokens.refresh_token, "client_id": client_id}
    assert (await agent.post(f"{world.stack.issuer}/revoke", form=revoke)).status == 200


def _secrets_of(agent: Agent) -> set[str]:
    pairs: list[tuple[str, str]] = []
    for exchange in agent.exchanges:
        pairs += exchange.form.items() if b"grant_type" in exchange.request_body else []
        pairs += ((name, str(value)) for name, value in exchange.received.items())
    for visit in agent.visits:
        for url in (*visit.redirects, visit.arrived_at):
            pairs += parse_qsl(urlsplit(url).query)
        for _, page in visit.pages:
            pairs += parse_qsl(urlsplit(page.url).query)
            pairs += (pair for form in page.forms for pair in form.values.items())
    secrets = {value for name, value in pairs if name in SECRET_PARAMETERS and value}
    return secrets | set(agent.browser.cookies.values())


def _secrets_of_stack(world: Any) -> set[str]:
    kept = json.loads((world.stack.config.state / "secrets.json").read_text())
    return {value.rpartition(":")[2] for value in kept.values()}


def _logs(world: Any) -> dict[str, str]:
    files = sorted(world.stack.config.logs.glob("*.log"))
    assert [file.stem for file in files] == ["auth", "mcp", "simulator", "todo-api"]
    return {file.stem: file.read_text() for file in files}
