"""Envelope encryption: what opens, what does not, and what an error may say."""

import base64

import pytest

from auth_server.storage.encryption import (
    DecryptionFailed,
    Encryption,
    KeyRing,
    UnknownEncryptionKey,
)

KEY = bytes(range(100, 132))
OLD_KEY = bytes(range(200, 232))


@pytest.fixture
def blob(encryption: Encryption) -> bytes:
    return encryption.encrypt(b"a secret", row_id="row-1", purpose="tokens")


def test_a_value_opens_for_the_same_row_and_purpose(encryption: Encryption, blob: bytes) -> None:
    assert encryption.decrypt(blob, row_id="row-1", purpose="tokens") == b"a secret"


def test_an_empty_value_opens_too(encryption: Encryption) -> None:
    blob = encryption.encrypt(b"", row_id="row-1", purpose="tokens")
    assert encryption.decrypt(blob, row_id="row-1", purpose="tokens") == b""


@pytest.mark.parametrize(
    ("row_id", "purpose"),
    [("row-2", "tokens"), ("row-1", "nonce"), ("row-1t", "okens"), ("", "row-1tokens")],
)
def test_a_value_does_not_open_for_another_row_or_purpose(
    encryption: Encryption, blob: bytes, row_id: str, purpose: str
) -> None:
    with pytest.raises(DecryptionFailed):
        encryption.decrypt(blob, row_id=row_id, purpose=purpose)


def test_equal_values_encrypt_differently(encryption: Encryption, blob: bytes) -> None:
    again = encryption.encrypt(b"a secret", row_id="row-1", purpose="tokens")
    header = 2 + len("test-key")
    # Neither nonce, wrapped key nor ciphertext are the same.
    for start, end in ((0, 12), (12, 60), (60, 72), (72, None)):
        assert blob[header:][start:end] != again[header:][start:end]


def test_the_format_is_versioned_and_names_the_key(blob: bytes) -> None:
    assert blob[:10] == b"\x01\x08test-key"
    assert len(blob) == 10 + 12 + 48 + 12 + len(b"a secret") + 16


def test_every_flipped_bit_is_noticed(encryption: Encryption, blob: bytes) -> None:
    for position in range(len(blob)):
        altered = bytearray(blob)
        altered[position] ^= 1
        with pytest.raises((DecryptionFailed, UnknownEncryptionKey)):
            encryption.decrypt(bytes(altered), row_id="row-1", purpose="tokens")


def test_every_truncation_is_noticed(encryption: Encryption, blob: bytes) -> None:
    for length in range(len(blob)):
        with pytest.raises((DecryptionFailed, UnknownEncryptionKey)):
            encryption.decrypt(blob[:length], row_id="row-1", purpose="tokens")


def test_a_payload_does_not_open_with_the_wrapped_key_of_another_value(
    encryption: Encryption, blob: bytes
) -> None:
    other = encryption.encrypt(b"a secret", row_id="row-1", purpose="tokens")
    mixed = blob[: 10 + 60] + other[10 + 60 :]
    with pytest.raises(DecryptionFailed):
        encryption.decrypt(mixed, row_id="row-1", purpose="tokens")


def test_the_first_key_encrypts_and_an_old_key_still_decrypts() -> None:
    before = Encryption(KeyRing([("old", OLD_KEY)]))
    after = Encryption(KeyRing([("new", KEY), ("old", OLD_KEY)]))
    old_blob = before.encrypt(b"a secret", row_id="row", purpose="tokens")
    assert after.decrypt(old_blob, row_id="row", purpose="tokens") == b"a secret"
    new_blob = after.encrypt(b"a secret", row_id="row", purpose="tokens")
    assert new_blob[2:5] == b"new"


def test_a_key_that_left_the_ring_is_named(blob: bytes) -> None:
    with pytest.raises(UnknownEncryptionKey, match="test-key") as caught:
        Encryption(KeyRing([("new", KEY)])).decrypt(blob, row_id="row-1", purpose="tokens")
    assert caught.value.key_id == "test-key"


def test_another_key_under_the_same_id_does_not_open(blob: bytes) -> None:
    with pytest.raises(DecryptionFailed):
        Encryption(KeyRing([("test-key", KEY)])).decrypt(blob, row_id="row-1", purpose="tokens")


def test_a_ring_is_read_from_text() -> None:
    text = f"new:{base64.b64encode(KEY).decode()}, old:{base64.b64encode(OLD_KEY).decode()}"
    parsed = Encryption(KeyRing.parse(text))
    made = Encryption(KeyRing([("old", OLD_KEY)]))
    blob = made.encrypt(b"a secret", row_id="row", purpose="tokens")
    assert parsed.decrypt(blob, row_id="row", purpose="tokens") == b"a secret"
    assert parsed.encrypt(b"", row_id="row", purpose="tokens")[2:5] == b"new"


ENCODED = base64.b64encode(KEY).decode()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "key 1: it must be written id:base64"),
        (ENCODED, "key 1: it must be written id:base64"),
        (f"one:{ENCODED},", "key 2: it must be written id:base64"),
        (f"one:{ENCODED[:-4]}", "key 1: it must have 32 bytes, not 30"),
        (f"one:{ENCODED[:-1]}", "key 1: what follows the id is not base64"),
        (f"one:{ENCODED[:20]}\u00e9", "key 1: what follows the id is not base64"),
        (f":{ENCODED}", "key 1: its id must be 1 to 32"),
        (f"{ENCODED}:one", "key 1: "),
        (f"{'a' * 33}:{ENCODED}", "key 1: its id must be 1 to 32"),
        (f"\u0661:{ENCODED}", "key 1: its id must be 1 to 32"),
        (
            f"one:{ENCODED},one:{base64.b64encode(OLD_KEY).decode()}",
            "key 2: an earlier key has the same id",
        ),
        (f"one:{ENCODED},two:{ENCODED}", "two keys of the ring are the same"),
    ],
)
def test_an_unusable_ring_is_refused_without_showing_key_material(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        KeyRing.parse(text)
    assert ENCODED[:12] not in str(caught.value)


def test_an_empty_ring_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        KeyRing([])


def test_no_repr_shows_a_key() -> None:
    encryption = Encryption(KeyRing([("new", KEY), ("old", OLD_KEY)]))
    assert repr(encryption) == "Encryption(KeyRing(new, old))"
