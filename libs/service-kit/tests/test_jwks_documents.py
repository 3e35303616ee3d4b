"""What an issuer may publish: one key nobody can use does not spoil the others."""

from base64 import urlsafe_b64encode
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey
from structlog.testing import capture_logs

from service_kit.jwks_cache import MAX_AGE_SECONDS, JwksCache, JwksUnavailable, fixed_location

URL = "https://issuer.example/jwks"
SIGNING_KEY = ECKey.generate_key("P-256", {"kid": "good", "use": "sig"})
GOOD = dict(SIGNING_KEY.as_dict(private=False))
RSA = dict(RSAKey.generate_key(2048, {"kid": "rsa"}, private=False).as_dict())
# A modulus of 1024 bits; only its size is looked at.
WEAK_RSA = {**RSA, "kid": "bad", "n": urlsafe_b64encode(b"\xc1" * 128).decode().rstrip("=")}

UNUSABLE_KEYS: dict[str, Any] = {
    "no object": "key",
    "nothing": None,
    "empty": {},
    "unknown type": {"kty": "AKP", "kid": "bad", "alg": "ML-DSA-44", "pub": "AA"},
    "type of another type": {"kty": ["RSA"], "kid": "bad"},
    "unknown curve": {"kty": "EC", "kid": "bad", "crv": "P-999", "x": "AA", "y": "AA"},
    "unknown Edwards curve": {"kty": "OKP", "kid": "bad", "crv": "Ed1", "x": "AA"},
    "point off the curve": {**GOOD, "kid": "bad", "y": GOOD["x"]},
    "missing member": {"kty": "RSA", "kid": "bad", "n": "AQAB"},
    "no base64": {**RSA, "kid": "bad", "n": "***"},
    "not ASCII": {**RSA, "kid": "bad", "n": "\ud800"},
    "number for a text": {**RSA, "kid": "bad", "n": 65537},
    "kid that is no text": {**GOOD, "kid": 1},
    "weak RSA": WEAK_RSA,
    "symmetric": {"kty": "oct", "kid": "bad", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQ"},
    "for encryption": {**RSA, "kid": "bad", "use": "enc"},
}


def cache_of(*documents: dict[str, Any]) -> tuple[JwksCache, list[float]]:
    """Return a cache whose issuer publishes one document after the other, and its clock."""
    remaining = list(documents)
    clock = [0.0]

    async def fetch(url: str) -> dict[str, Any]:
        assert url == URL
        return remaining.pop(0)

    return JwksCache(fetch, fixed_location(URL), lambda: clock[0]), clock


def kids(key_set: KeySet) -> list[str | None]:
    return [key.kid for key in key_set.keys]


@pytest.mark.parametrize("unusable", UNUSABLE_KEYS.values(), ids=UNUSABLE_KEYS.keys())
async def test_a_key_that_cannot_verify_is_ignored_and_the_others_work(unusable: Any) -> None:
    cache, _ = cache_of({"keys": [unusable, GOOD, unusable]})
    with capture_logs() as logs:
        key_set = await cache.key_set_for("good")
    assert kids(key_set) == ["good"]
    assert [(line["event"], line["ignored"], line["used"]) for line in logs] == [
        ("jwks.keys_ignored", 2, 1)
    ]
    signed = jws.serialize_compact({"alg": "ES256", "kid": "good"}, b"payload", SIGNING_KEY)
    assert jws.deserialize_compact(signed, key_set, algorithms=["ES256"]).payload == b"payload"


async def test_an_encryption_key_of_the_same_name_does_not_hide_the_signing_key() -> None:
    cache, _ = cache_of({"keys": [{**RSA, "kid": "good", "use": "enc"}, GOOD]})
    assert [key.key_type for key in await cache.key_set_for("good")] == ["EC"]


async def test_every_asymmetric_kind_of_key_is_kept_and_members_nobody_knows_are_ignored() -> None:
    edwards = dict(OKPKey.generate_key("Ed25519", {"kid": "ed"}, private=False).as_dict())
    cache, _ = cache_of({"keys": [{**GOOD, "x-new": {"a": 1}}, RSA, edwards], "x-also-new": 1})
    with capture_logs() as logs:
        assert kids(await cache.key_set_for("ed")) == ["good", "rsa", "ed"]
    assert logs == []


async def test_a_key_without_kid_is_kept_for_tokens_without_kid() -> None:
    nameless = {name: value for name, value in GOOD.items() if name != "kid"}
    cache, _ = cache_of({"keys": [nameless]})
    assert len((await cache.key_set_for(None)).keys) == 1


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"keys": None},
        {"keys": {}},
        {"keys": "keys"},
        {"keys": []},
        {"keys": [None]},
        {"keys": [WEAK_RSA]},
        {"error": "not_found"},
        GOOD,
    ],
)
async def test_a_document_without_a_usable_key_is_an_outage_and_never_replaces_a_set(
    document: dict[str, Any],
) -> None:
    empty, _ = cache_of(document)
    with capture_logs() as logs, pytest.raises(JwksUnavailable):
        await empty.key_set_for("good")
    assert "jwks.unusable" in [line["event"] for line in logs]

    filled, clock = cache_of({"keys": [GOOD]}, document)
    await filled.key_set_for("good")
    clock[0] += MAX_AGE_SECONDS
    assert kids(await filled.key_set_for("good")) == ["good"]
