"""ChatGPT, which signs its requests to the token endpoint, and Codex."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from e2e.clients.known_clients import CHATGPT, CODEX, CODEX_REGISTERED
from e2e.clients.scripted_client import ScriptedClient, accepted_tokens, refusal_of
from joserfc.jwk import RSAKey

from local_stack.browser import UnexpectedPage


async def test_the_metadata_offers_what_chatgpt_prefers_and_what_it_falls_back_to(
    install: Any,
) -> None:
    client: ScriptedClient = await install(CHATGPT)
    await client.discover()
    methods = client.metadata["token_endpoint_auth_methods_supported"]
    assert {"private_key_jwt", "none"} <= set(methods)
    assert "RS256" in client.metadata["token_endpoint_auth_signing_alg_values_supported"]


async def test_an_assertion_of_chatgpts_works_once(install: Any) -> None:
    client: ScriptedClient = await install(CHATGPT)
    await client.connect()
    assertion = client.assertion()
    tokens = accepted_tokens(await client.refresh_request(client_assertion=assertion))
    client.tokens = tokens
    again = await client.refresh_request(client_assertion=assertion)
    assert refusal_of(again) == (401, "invalid_client")
    accepted_tokens(await client.refresh_request())


async def test_an_assertion_for_the_token_endpoint_is_as_good_as_one_for_the_issuer(
    install: Any,
) -> None:
    client: ScriptedClient = await install(CHATGPT)
    await client.connect()
    assertion = client.assertion(aud=client.metadata["token_endpoint"])
    accepted_tokens(await client.refresh_request(client_assertion=assertion))


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://another.example.com"},
        {"iss": "https://chatgpt.com/oauth/codex/client.json"},
        {"sub": "somebody"},
        {"exp": 1},
        {"exp": 4_102_444_800},  # in the year 2100
        {"jti": None},
    ],
    ids=str,
)
async def test_an_assertion_that_says_something_else_is_invalid_client(
    install: Any, claims: dict[str, Any]
) -> None:
    client: ScriptedClient = await install(CHATGPT)
    await client.connect()
    refused = await client.refresh_request(client_assertion=client.assertion(**claims))
    assert refusal_of(refused) == (401, "invalid_client")
    accepted_tokens(await client.refresh_request())


async def test_who_only_knows_chatgpts_name_gets_nothing_for_its_code_or_handle(
    install: Any,
) -> None:
    client: ScriptedClient = await install(CHATGPT)
    await client.connect()
    impostor = replace(CHATGPT, signs_with=RSAKey.generate_key(2048, {"kid": "chatgpt-1"}))
    client.profile = impostor
    assert refusal_of(await client.refresh_request()) == (401, "invalid_client")
    client.profile = replace(CHATGPT, signs_with=None)
    assert refusal_of(await client.refresh_request()) == (401, "invalid_client")


async def test_an_unsigned_assertion_is_refused(install: Any) -> None:
    client: ScriptedClient = await install(CHATGPT)
    await client.connect()
    _, payload, _ = client.assertion().split(".")
    for header in ({"alg": "none"}, {"alg": "HS256", "kid": "chatgpt-1"}):
        encoded = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
        refused = await client.refresh_request(client_assertion=f"{encoded}.{payload}.AAAA")
        assert refusal_of(refused) == (401, "invalid_client")


async def test_codex_is_answered_at_the_path_it_registered_and_at_no_other(install: Any) -> None:
    another_port = CODEX_REGISTERED.redirect_uri.replace("63546", "40001")
    await (await install(replace(CODEX_REGISTERED, redirect_uri=another_port))).connect()
    another_path = another_port.replace("6MFBM1In3Ey-", "AAAAAAAAAAAA")
    with pytest.raises(UnexpectedPage, match="/authorize shows"):
        await (await install(replace(CODEX_REGISTERED, redirect_uri=another_path))).connect()


async def test_codex_at_localhost_is_known_by_its_document(install: Any) -> None:
    redirect_uri = CODEX.redirect_uri.replace("127.0.0.1", "localhost")
    await (await install(replace(CODEX, redirect_uri=redirect_uri))).connect()
