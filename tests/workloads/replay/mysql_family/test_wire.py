"""Messages as bytes."""

from __future__ import annotations

import pytest

from otterflow.workloads.replay.replayer.mysql_family import wire


@pytest.mark.parametrize("more", [-2, -1, 0, 1, 2**24, 2**25])
def test_long_statements_are_sent_in_several_packets(more: int) -> None:
    """As many bytes as a packet has at most are followed by another, be it an empty one."""
    text = b"x" * (wire.FULL + more)
    sent, at, found, number, length = wire.query(text), 0, b"", 0, wire.FULL
    while at < len(sent):
        assert length == wire.FULL
        length = int.from_bytes(sent[at : at + 3], "little")
        assert sent[at + 3] == number
        found += sent[at + 4 : at + 4 + length]
        number, at = number + 1, at + 4 + length
    assert length < wire.FULL
    assert found == b"\x03" + text


def test_settings_of_a_session() -> None:
    assert wire.set_session({}) == b"SET NAMES utf8mb4"
    assert wire.set_session({"max_statement_time": "60.5", "time_zone": "+00:00", "sql_mode": "it's"}) == (
        b"SET NAMES utf8mb4, SESSION max_statement_time = 60.5, SESSION time_zone = '+00:00', "
        b"SESSION sql_mode = 'it''s'"
    )
    for name, value in ("a b", "1"), ("a", "\\"), ("a", "\0"), ("", "1"), ("1a", "1"):
        with pytest.raises(ValueError, match="no variable of a session, or cannot be set"):
            wire.set_session({name: value})


@pytest.mark.parametrize(
    ("body", "number", "end"),
    [
        (b"\x00", 0, 1), (b"\xfa", 250, 1), (b"\xfc\xfb\x00", 251, 3), (b"\xfd\x00\x00\x01", 65536, 4),
        (b"\xfe\x00\x00\x00\x01\x00\x00\x00\x00", 2**24, 9),
    ],
)  # fmt: skip
def test_numbers(body: bytes, number: int, end: int) -> None:
    assert wire.read_number(body) == (number, end)
    assert wire.read_number(b"xx" + body + b"x", 2) == (number, end + 2)


def test_errors_with_and_without_a_state() -> None:
    assert wire.read_error(b"\xff\x15\x04#28000Access denied") == (1045, "28000", "Access denied")
    assert wire.read_error(b"\xff\x10\x04Too many connections") == (1040, "08004", "Too many connections")


def test_values_of_a_row() -> None:
    long = b"\xfc\x2c\x01" + b"y" * 300
    assert wire.values_of_row(b"\x01x\xfb\x00" + long + b"\x02\xe9\xc3") == ["x", None, "", "y" * 300, "\udce9\udcc3"]
