"""SCRAM-SHA-256 without channel binding (RFC 5802, RFC 7677), as PostgreSQL asks for a password with it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import unicodedata

MECHANISM = b"SCRAM-SHA-256"


class ScramError(Exception):
    """The server's answer is not what SCRAM allows, or the server does not know the password itself."""


class Scram:
    """The client's side of one authentication: `first`, `final`, `check`, in this order."""

    def __init__(self, password: str, nonce: str | None = None) -> None:
        self._password = unicodedata.normalize("NFKC", password).encode("utf-8", "surrogateescape")
        self._nonce = nonce or secrets.token_urlsafe(18)
        # PostgreSQL takes the user of the startup message and not this one.
        self._bare = f"n=,r={self._nonce}"
        self._signature = b""

    def first(self) -> bytes:
        """The client's first message."""
        return b"n,," + self._bare.encode()

    def final(self, server_first: bytes) -> bytes:
        """The client's last message, in answer to the server's first."""
        parts = _parts(server_first)
        nonce, salt, iterations = parts.get("r", ""), parts.get("s", ""), parts.get("i", "")
        if not nonce.startswith(self._nonce) or not salt or not iterations.isdigit():
            raise ScramError("the server's first message of SCRAM is wrong")
        salted = hashlib.pbkdf2_hmac("sha256", self._password, base64.b64decode(salt), int(iterations))
        key = _hmac(salted, b"Client Key")
        without_proof = f"c=biws,r={nonce}"
        message = ",".join((self._bare, server_first.decode(), without_proof)).encode()
        proof = bytes(a ^ b for a, b in zip(key, _hmac(hashlib.sha256(key).digest(), message)))
        self._signature = _hmac(_hmac(salted, b"Server Key"), message)
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def check(self, server_final: bytes) -> None:
        """Raises ScramError for a server that does not know the password."""
        told = base64.b64decode(_parts(server_final).get("v", ""))
        if not hmac.compare_digest(told, self._signature):
            raise ScramError("the server could not show that it knows the password")


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


def _parts(message: bytes) -> dict[str, str]:
    return {part[:1]: part[2:] for part in message.decode("utf-8", "replace").split(",")}
