"""SCRAM as RFC 7677 shows it, and servers that cheat."""

from __future__ import annotations

import hashlib

import pytest

from otterflow.workloads.replay.replayer.postgresql import wire
from otterflow.workloads.replay.replayer.postgresql.scram import Scram, ScramError

# RFC 7677, section 3.
SERVER_FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"


class RfcScram(Scram):
    """The client of the RFC, whose user is named."""

    def __init__(self) -> None:
        super().__init__("pencil", nonce="rOprNGfwEbeRWgbNEkqO")
        self._bare = "n=user,r=rOprNGfwEbeRWgbNEkqO"


def test_the_exchange_of_the_rfc() -> None:
    client = RfcScram()
    assert client.first() == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    assert client.final(SERVER_FIRST) == (
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    client.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


def test_a_server_that_does_not_know_the_password() -> None:
    client = RfcScram()
    client.final(SERVER_FIRST)
    with pytest.raises(ScramError, match="could not show"):
        client.check(b"v=" + b"AAAA" * 10 + b"AAA=")


@pytest.mark.parametrize("first", [b"", b"r=other,s=W22Z,i=4096", SERVER_FIRST.replace(b"i=4096", b"i=x")])
def test_a_first_message_that_is_wrong(first: bytes) -> None:
    with pytest.raises(ScramError, match="first message"):
        RfcScram().final(first)


def test_md5_is_salted_twice() -> None:
    inner = hashlib.md5(b"secretbob").hexdigest()
    expected = hashlib.md5(inner.encode() + b"\x01\x02\x03\x04").hexdigest()
    assert wire.md5_password("bob", "secret", b"\x01\x02\x03\x04") == f"md5{expected}\0".encode()


def test_tags_and_errors() -> None:
    tags = (b"INSERT 0 5\0", b"SELECT 12\0", b"BEGIN\0", b"UPDATE 0\0")
    assert [wire.rows_of_tag(tag) for tag in tags] == [5, 12, 0, 0]
    assert wire.fields_of_error(b"SERROR\0C22012\0Mdivision by zero\0\0")["C"] == "22012"
