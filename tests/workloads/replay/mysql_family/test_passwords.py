"""How a password is shown, checked as a server does it."""

from __future__ import annotations

import base64
import hashlib
import random

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from otterflow.workloads.replay.replayer.mysql_family.passwords import ANSWERS, caching_sha2, ed25519, native

SCRAMBLE = bytes(range(60, 80))
STORED = bytes.fromhex("14E65567ABDB5135D0CFD9A70B3032C179A49EE7")
"""What `SELECT PASSWORD('secret')` gives."""
PUBLIC = base64.b64decode("ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY=")
"""What `SELECT ed25519_password('secret')` gives, by MariaDB's manual."""


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(("password", "is_right"), [(b"secret", True), (b"Secret", False)])
def test_native(password: bytes, is_right: bool) -> None:
    answer = native(password, SCRAMBLE + b"\0")
    once = _xor(answer, hashlib.sha1(SCRAMBLE + STORED).digest())
    assert (hashlib.sha1(once).digest() == STORED) == is_right


@pytest.mark.parametrize(("password", "is_right"), [(b"secret", True), (b"Secret", False)])
def test_caching_sha2(password: bytes, is_right: bool) -> None:
    stored = hashlib.sha256(hashlib.sha256(b"secret").digest()).digest()
    answer = caching_sha2(password, SCRAMBLE + b"\0")
    once = _xor(answer, hashlib.sha256(stored + SCRAMBLE).digest())
    assert (hashlib.sha256(once).digest() == stored) == is_right


def test_ed25519_by_the_public_key_of_the_manual() -> None:
    scramble = bytes(range(32))
    key = Ed25519PublicKey.from_public_bytes(PUBLIC)
    key.verify(ed25519(b"secret", scramble), scramble)
    with pytest.raises(InvalidSignature):
        key.verify(ed25519(b"Secret", scramble), scramble)
    assert ANSWERS["client_ed25519"](b"secret", scramble + b"\0") == ed25519(b"secret", scramble)


def test_ed25519_signs_as_others_do_with_a_key() -> None:
    chance = random.Random(1)
    for _ in range(5):
        seed, message = chance.randbytes(32), chance.randbytes(32)
        assert ed25519(seed, message) == Ed25519PrivateKey.from_private_bytes(seed).sign(message)


def test_no_password() -> None:
    assert (native(b"", SCRAMBLE), caching_sha2(b"", SCRAMBLE)) == (b"", b"\0")
