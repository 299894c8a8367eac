"""How a password is shown to a MariaDB or a MySQL, by the plugin that the server names.

Sources: "Native Authentication" and "Caching_sha2_password information" of MySQL's source documentation, and MariaDB's
manual of its ed25519 plugin, which signs by RFC 8032 with the SHA-512 of a password where others have that of a key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import lru_cache

NATIVE, CACHING_SHA2, ED25519 = "mysql_native_password", "caching_sha2_password", "client_ed25519"

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D2 = -121665 * pow(121666, -1, _P) * 2 % _P
_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202
_Y = 4 * pow(5, -1, _P) % _P

_Point = tuple[int, int, int, int]
"""Extended homogeneous coordinates X, Y, Z, T: x = X/Z, y = Y/Z, x y = T/Z."""
_BASE: _Point = (_X, _Y, 1, _X * _Y % _P)
_NEUTRAL: _Point = (0, 1, 1, 0)


def native(password: bytes, scramble: bytes) -> bytes:
    """The answer of `mysql_native_password`, whose scramble has 20 bytes."""
    if not password:
        return b""
    once = _sha1(password)
    return _xor(once, _sha1(scramble[:20] + _sha1(once)))


def caching_sha2(password: bytes, scramble: bytes) -> bytes:
    """The first answer of `caching_sha2_password`, which suffices where the server has the password in its cache."""
    if not password:
        return b"\0"
    once = hashlib.sha256(password).digest()
    return _xor(once, hashlib.sha256(hashlib.sha256(once).digest() + scramble[:20]).digest())


def ed25519(password: bytes, scramble: bytes) -> bytes:
    """The signature of a scramble. It takes some ten milliseconds of processor time, the first one twice that."""
    secret, prefix, public = _key(password)
    nonce = _number(prefix + scramble)
    point = _encoded(_times(nonce))
    proof = (nonce + _number(point + public + scramble) * secret) % _ORDER
    return point + proof.to_bytes(32, "little")


ANSWERS: Mapping[str, Callable[[bytes, bytes], bytes]] = {
    NATIVE: native,
    CACHING_SHA2: caching_sha2,
    ED25519: lambda password, scramble: ed25519(password, scramble[:32]),
}
"""What is answered to a scramble, by the name of the plugin."""


@lru_cache(maxsize=1)
def _key(password: bytes) -> tuple[int, bytes, bytes]:
    """What a password is in ed25519: the secret number, what goes into each nonce, the public key."""
    expanded = hashlib.sha512(password).digest()
    secret = int.from_bytes(expanded[:32], "little") & (2**254 - 8) | 2**254
    return secret, expanded[32:], _encoded(_times(secret))


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other))


def _number(data: bytes) -> int:
    return int.from_bytes(hashlib.sha512(data).digest(), "little") % _ORDER


def _plus(one: _Point, other: _Point) -> _Point:
    """The sum of two points, by RFC 8032, section 5.1.4."""
    x1, y1, z1, t1 = one
    x2, y2, z2, t2 = other
    a, b = (y1 - x1) * (y2 - x2), (y1 + x1) * (y2 + x2)
    c, d = t1 * _D2 * t2 % _P, 2 * z1 * z2
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(factor: int) -> _Point:
    """The base point so many times."""
    total, double = _NEUTRAL, _BASE
    while factor:
        if factor & 1:
            total = _plus(total, double)
        double = _plus(double, double)
        factor >>= 1
    return total


def _encoded(point: _Point) -> bytes:
    x, y, z, _ = point
    inverse = pow(z, -1, _P)
    return (y * inverse % _P | (x * inverse % _P & 1) << 255).to_bytes(32, "little")
