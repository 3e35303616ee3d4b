"""The control endpoints: strict about what they are told, exact about what they saw."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from pingone_simulator.settings import DEFAULT_ISSUER, SimulatorSettings
from pingone_simulator.testing import Clock, RelyingParty

DEADLINE_SECONDS = 30.0


async def published_keys(party: RelyingParty) -> KeySet:
    response = await party.browser.get(f"{party.issuer}/jwks")
    return KeySet.import_key_set(response.json())


@pytest.mark.parametrize(
    "fault",
    [
        {},
        {"kind": "error"},
        {"kind": "unknown", "endpoint": "token"},
        {"kind": "error", "endpoint": "nowhere"},
        {"kind": "error", "endpoint": "token", "status": 200},
        {"kind": "error", "endpoint": "token", "status": "503"},
        {"kind": "error", "endpoint": "token", "times": 0},
        {"kind": "error", "endpoint": "token", "surprise": 1},
        {"kind": "slow", "endpoint": "token", "seconds": 0},
        {"kind": "slow", "endpoint": "token", "seconds": 3600},
        {"kind": "hold", "endpoint": "token", "when": "later"},
        {"kind": "wrong_nonce", "endpoint": "jwks"},
        {"kind": "reset", "endpoint": "token", "grant_type": "password"},
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused(
    party: RelyingParty, fault: dict[str, object]
) -> None:
    assert (await party.control("POST", "/faults", fault)).status_code == 422
    assert (await party.control("PUT", "/faults", {"faults": [fault]})).status_code == 422
    assert (await party.control("GET", "/faults")).json() == {"faults": []}


async def test_faults_are_listed_with_what_is_left_of_them(party: RelyingParty) -> None:
    fault = {"kind": "error", "endpoint": "jwks", "status": 503, "when": "before", "times": 2}
    put = await party.control("PUT", "/faults", {"faults": [fault]})
    assert put.json() == {"faults": [fault]}

    await party.browser.get(f"{party.issuer}/jwks")
    assert (await party.control("GET", "/faults")).json() == {"faults": [fault | {"times": 1}]}

    assert (await party.control("PUT", "/faults", {"faults": []})).json() == {"faults": []}


async def test_there_are_only_so_many_faults_at_once(party: RelyingParty) -> None:
    faults = [{"kind": "hold", "endpoint": "token"}] * 50
    assert (await party.control("PUT", "/faults", {"faults": faults})).status_code == 200

    assert (await party.control("POST", "/faults", faults[0])).status_code == 409
    assert (await party.control("PUT", "/faults", {"faults": faults * 2})).status_code == 409


async def test_nothing_is_controlled_below_the_issuers_path(party: RelyingParty) -> None:
    for path in ("faults", "requests", "policy", "signing-key"):
        assert (await party.browser.get(f"{party.issuer}/{path}")).status_code == 404


async def test_access_tokens_can_be_made_short_lived(party: RelyingParty) -> None:
    answer = await party.control("PATCH", "/policy", {"access_token_seconds": 5})

    assert answer.json() == {"access_token_seconds": 5, "refresh_grace_seconds": 0}
    assert (await party.obtain_tokens())["expires_in"] == 5


async def test_the_grace_for_a_rotated_refresh_token_can_be_changed(
    party: RelyingParty, clock: Clock
) -> None:
    refresh_token = (await party.obtain_tokens())["refresh_token"]
    await party.control("PATCH", "/policy", {"refresh_grace_seconds": 60})
    await party.refresh(refresh_token)

    clock.advance(seconds=59)
    assert (await party.refresh(refresh_token)).status_code == 200
    clock.advance(seconds=1)
    assert (await party.refresh(refresh_token)).status_code == 400
    [family] = (await party.control("GET", "/requests")).json()["families"]
    assert (family["refreshes"], family["replays"], family["is_live"]) == (2, 2, False)


@pytest.mark.parametrize(
    "body", [{"access_token_seconds": 0}, {"refresh_grace_seconds": "9"}, {"seconds": 1}]
)
async def test_a_policy_that_makes_no_sense_is_refused(
    party: RelyingParty, body: dict[str, object]
) -> None:
    assert (await party.control("PATCH", "/policy", body)).status_code == 422


async def test_a_rotated_key_leaves_old_tokens_valid_while_it_is_still_published(
    party: RelyingParty,
) -> None:
    before = await party.obtain_tokens()
    rotated = await party.control("POST", "/signing-key", {"keep_old": True})
    after = await party.obtain_tokens()

    keys = await published_keys(party)
    assert keys.keys[0].kid == rotated.json()["kid"]
    for tokens in (before, after):
        jwt.decode(tokens["access_token"], keys, algorithms=["RS256"])
    # The old ID token still ends the session it names.
    assert (await party.signoff(id_token_hint=before["id_token"])).status_code == 200


async def test_a_key_that_is_gone_verifies_nothing_any_more(party: RelyingParty) -> None:
    before = await party.obtain_tokens()
    await party.control("POST", "/signing-key", {"keep_old": False})
    after = await party.obtain_tokens()

    keys = await published_keys(party)
    assert len(keys.keys) == 1
    jwt.decode(after["access_token"], keys, algorithms=["RS256"])
    with pytest.raises((JoseError, ValueError)):
        jwt.decode(before["access_token"], keys, algorithms=["RS256"])


async def test_a_person_can_be_signed_off_everywhere(party: RelyingParty) -> None:
    refresh_token = (await party.obtain_tokens())["refresh_token"]

    assert (await party.control("POST", "/people/bob/sign-off")).status_code == 204
    assert party.simulator.is_family_live(refresh_token)
    assert (await party.control("POST", "/people/alice/sign-off")).status_code == 204

    assert (await party.refresh(refresh_token)).json()["error"] == "invalid_grant"
    assert (await party.authorize()).status_code == 200  # asked to sign on again


async def test_refresh_tokens_can_die_without_the_session(party: RelyingParty) -> None:
    refresh_token = (await party.obtain_tokens())["refresh_token"]

    await party.control("POST", "/people/alice/revoke-refresh-tokens")

    assert (await party.refresh(refresh_token)).json()["error"] == "invalid_grant"
    assert (await party.authorize()).status_code == 302  # the session goes on


@pytest.mark.parametrize("act", ["sign-off", "revoke-refresh-tokens"])
async def test_nobody_unknown_can_be_acted_upon(party: RelyingParty, act: str) -> None:
    assert (await party.control("POST", f"/people/mallory/{act}")).status_code == 404


async def test_requests_are_counted_by_endpoint_and_grant_type(party: RelyingParty) -> None:
    tokens = await party.obtain_tokens()
    await party.refresh(tokens["refresh_token"])
    await party.refresh("not-a-refresh-token")

    seen: dict[str, Any] = (await party.control("GET", "/requests")).json()
    assert seen["endpoints"] == {"authorize": 1, "sign-on": 1, "token": 3}
    assert seen["grant_types"] == {"authorization_code": 1, "refresh_token": 2}
    [family] = seen["families"]
    assert (family["username"], family["refresh_requests"], family["refreshes"]) == ("alice", 1, 1)

    await party.control("DELETE", "/requests")
    assert (await party.control("GET", "/requests")).json()["endpoints"] == {}


async def test_requests_of_one_session_can_be_asked_for(party: RelyingParty) -> None:
    await party.obtain_tokens()
    [family] = (await party.control("GET", "/requests")).json()["families"]

    of_it = await party.control("GET", f"/requests?sid={family['sid']}")
    of_another = await party.control("GET", "/requests?sid=another")

    assert of_it.json()["families"] == [family]
    assert of_another.json()["families"] == []


async def test_what_was_seen_tells_no_token(party: RelyingParty) -> None:
    tokens = await party.obtain_tokens()

    text = (await party.control("GET", "/requests")).text

    assert not [token for token in tokens.values() if str(token) in text and len(str(token)) > 20]


@pytest.fixture
def process() -> Iterator[str]:
    """The simulator as a process of its own, on a real socket: its base URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    inherited = {name: value for name, value in os.environ.items() if "SIMULATOR_" not in name}
    environment = {**inherited, "SIMULATOR_PORT": str(port)}
    command = [sys.executable, "-m", "pingone_simulator"]
    base = f"http://127.0.0.1:{port}"
    with subprocess.Popen(  # noqa: S603  (our own module)
        command, env=environment, stderr=subprocess.DEVNULL
    ) as started:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not _is_ready(base):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield base
        started.terminate()


async def test_a_reset_reaches_the_client_as_a_reset_and_the_next_request_is_answered(
    process: str,
) -> None:
    jwks = f"{process}{SimulatorSettings(issuer=DEFAULT_ISSUER).issuer_path}/jwks"
    async with httpx.AsyncClient(timeout=DEADLINE_SECONDS, trust_env=False) as http:
        for when in ("before", "after"):
            fault = {"kind": "reset", "endpoint": "jwks", "when": when, "times": 1}
            (await http.post(f"{process}/faults", json=fault)).raise_for_status()
            with pytest.raises(httpx.ReadError):
                await http.get(jwks)
            assert (await http.get(jwks)).status_code == 200
        assert (await http.get(f"{process}/requests")).json()["endpoints"] == {"jwks": 4}


def _is_ready(base: str) -> bool:
    try:
        return httpx.get(f"{base}/readyz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
