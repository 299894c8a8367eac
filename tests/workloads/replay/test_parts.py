"""The replayer's parts by themselves: times, schedules, the spool, and what its settings refuse."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest

from otterflow.dbms.postgresql.statements.dialect import DIALECT
from otterflow.dbms.postgresql.statements.replaying import ZERO_BYTE
from otterflow.dbms.statement import Statement
from otterflow.dbms.statements import judging
from otterflow.errors import InvalidInput
from otterflow.workloads.replay.replayer import spool as spool_module
from otterflow.workloads.replay.replayer.answers import Access
from otterflow.workloads.replay.replayer.pace import Pace
from otterflow.workloads.replay.replayer.postgresql.connection import Connection
from otterflow.workloads.replay.replayer.ran import Ran, Used, joined
from otterflow.workloads.replay.replayer.settings import ReplaySettings, read_settings
from otterflow.workloads.replay.replayer.spool import Item, Spool, most_at_once
from otterflow.workloads.replay.replayer.tally import Tally, Times

SETTINGS: dict[str, Any] = {
    "recording": "r", "host": "h", "port": 5432, "user": "u", "database": "d", "result_file": "x", "deadline_s": 60,
}  # fmt: skip


def test_percentiles_are_off_by_half_a_percent_at_most() -> None:
    chance = random.Random(1)
    values = [chance.lognormvariate(0, 2) for _ in range(5000)]
    times = Times()
    for value in values:
        times.add(value)
    values.sort()
    for percent in (50, 95, 99):
        assert times.percentile(percent) == pytest.approx(values[5000 * percent // 100 - 1], rel=0.006)
    assert times.summary()["max"] == pytest.approx(values[-1], abs=1e-4)
    assert times.summary()["mean"] == pytest.approx(sum(values) / 5000, abs=1e-4)
    assert Times().summary() == {}


def test_a_class_with_few_calls_is_told_and_not_compared() -> None:
    tally = Tally()
    for _ in range(15):
        tally.add("often", 1.0, 2, None)
    for _ in range(14):
        tally.add("seldom", 5.0, 0, None)
    tally.add("seldom", 0.0, 0, "40P01")
    seldom, often = tally.classes_json()
    assert (seldom["class"], seldom["compared"], seldom["errors"]) == ("seldom", False, {"40P01": 1})
    assert (often["class"], often["compared"], often["rows"]) == ("often", True, 30)
    assert tally.done == 30


def _item(at_s: float, duration_ms: float | None = None, transaction: int | None = None) -> Item:
    return Item(at_s, "SELECT 1", transaction, None, None, duration_ms, "c")


def test_when_a_statement_is_due() -> None:
    clock, think, fast = (Pace(name, 2.0, 100.0) for name in ("clock", "think", "fast"))
    for pace in (clock, think, fast):
        pace.due(_item(1.0, 500.0), 100.0)
    assert clock.due(_item(3.0), 107.0) == 101.5
    assert think.due(_item(3.0), 107.0) == 107.75
    assert fast.due(_item(3.0), 107.0) == 107.0
    assert think.due(_item(2.0), 109.0) == 109.0, "no thought is negative"
    assert Pace("think", 2.0, 100.0).due(_item(3.0), 100.0) == 101.5, "a session begins by the clock"


def test_in_an_open_stream_a_transaction_begins_by_the_clock_and_thinks_within() -> None:
    pace = Pace("think", 2.0, 100.0, open_stream=True)
    assert pace.due(_item(1.0, 500.0, 1), 100.0) == 100.5
    assert pace.due(_item(3.0, 0.0, 1), 107.0) == 107.75
    assert pace.due(_item(4.0, 0.0, 2), 109.0) == 102.0, "whatever the one before it took"
    assert pace.due(_item(5.0), 109.0) == 102.5
    assert pace.due(_item(6.0), 109.0) == 103.0, "a statement by itself is a transaction"


def test_a_spool_gives_back_each_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "PIECE_STATEMENTS", 7)
    statements = [
        Statement(f"s{number % 3}", float(number), f"SELECT '\udce9{number}'", number, (None, "é"), "p", 1.0)
        for number in range(100)
    ]
    with Spool(str(tmp_path), DIALECT, "shop") as spool:
        spool.fill(statements)
        assert list(tmp_path.iterdir()) == [], "no name leads to it"
        assert [session.name for session in spool.sessions] == ["s0", "s1", "s2"]
        readers = [spool.items(session) for session in spool.sessions]
        read = [next(readers[number % 3]) for number in range(100)]
        assert [(item.text, item.parameters) for item in read] == [(each.text, [None, "é"]) for each in statements]
        assert spool.statements == spool.recorded == 100
        assert most_at_once(spool.sessions, 0) == 3


def test_how_many_sessions_were_open_at_once(tmp_path: Path) -> None:
    with Spool(str(tmp_path), DIALECT, "shop") as spool:
        spool.fill(Statement(f"s{number}", number * 2.0, "SELECT 1", duration_ms=1000.0) for number in range(10))
        assert most_at_once(spool.sessions, 0) == 1
        assert most_at_once(spool.sessions, 1.5) == 2


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (Statement("a", 0, "SELECT $1"), judging.VALUES),
        (Statement("a", 0, "SELECT $1, $2", parameters=("1",)), judging.VALUES),
        (Statement("a", 0, "SELECT $1, $2", parameters=("1", None)), None),
        (Statement("a", 0, "SELECT '$1'"), None),
        (Statement("a", 0, "PREPARE p AS SELECT $1"), None),
        (Statement("a", 0, "DO $$ BEGIN EXECUTE 'SELECT $1' USING 1; END $$"), None),
        (Statement("a", 0, "SELECT '\0'"), ZERO_BYTE),
    ],
)
def test_what_cannot_be_sent(tmp_path: Path, statement: Statement, reason: str | None) -> None:
    with Spool(str(tmp_path), DIALECT, "shop") as spool:
        spool.fill([statement])
        assert dict(spool.left_out) == ({reason: 1} if reason else {})


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"schedule": "slow"}, "schedule: 'slow'"),
        ({"factor": 0}, "factor: 0"),
        ({"factor": float("inf")}, "factor: inf"),
        ({"deadline_s": -1}, "deadline_s: -1"),
        ({"port": "5432"}, "port: '5432'"),
        ({"connections": 0}, "connections: 0"),
        ({"processes": 1.5}, "processes: 1.5"),
        ({"lock_timeout_ms": 0}, "lock_timeout_ms: 0"),
        ({"tls": "yes"}, "tls: 'yes'"),
        ({"pasword": "x"}, "pasword: it is not known"),
    ],
)
def test_settings_that_are_refused(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(SETTINGS | changes))
    with pytest.raises(InvalidInput) as refused:
        read_settings(path, ReplaySettings)
    assert named in str(refused.value)


def test_settings_that_are_missing(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text("{}")
    with pytest.raises(InvalidInput, match="recording: it is missing"):
        read_settings(path, ReplaySettings)
    path.write_text("[]")
    with pytest.raises(InvalidInput, match="no JSON object"):
        read_settings(path, ReplaySettings)
    with pytest.raises(InvalidInput, match="give a file of JSON"):
        read_settings(tmp_path / "absent", ReplaySettings)


def _ran(*shares: float, late_ms: float = 0.0) -> Ran:
    tally = Tally()
    for _ in range(50):
        tally.own_lateness.add(late_ms)
    return Ran(tally, 10.0, [Used(share, 50, late_ms) for share in shares], 1)


def test_a_replay_that_the_replayer_could_not_drive_says_so() -> None:
    assert _ran(0.97).not_driven(50.0) == ["the replayer's own processor time was 97% of a core"]
    assert "one of the replayer's 2 processes was 97%" in _ran(0.2, 0.97).not_driven(50.0)[0]
    assert "was sent more than 80 ms after it was due" in _ran(0.1, late_ms=80.0).not_driven(50.0)[0]
    assert _ran(0.1, late_ms=80.0).not_driven(None) == [], "nothing had a time"
    assert _ran(0.1, late_ms=40.0).not_driven(50.0) == []


def test_what_processes_counted_is_what_one_would_have_counted() -> None:
    chance = random.Random(2)
    whole, parts = Tally(), [Tally() for _ in range(3)]
    for number in range(3000):
        time_ms, error = chance.lognormvariate(0, 2), "40P01" if number % 100 == 0 else None
        for tally in (whole, parts[number % 3]):
            tally.add(f"c{number % 7}", time_ms, 2, error)
            tally.transactions.add(time_ms)
            tally.lateness.add(time_ms)
            tally.own_lateness.add(time_ms / 2)
    for number, part in enumerate(parts):
        part.skipped, part.not_sent, part.ended_by_replayer = number, 2 * number, 3 * number
    ran = joined(
        [Ran(part, 10.0 + n, [Used(n / 10, 1000, 1.0)], n, cut="x" if n == 2 else None) for n, part in enumerate(parts)]
    )
    both = (whole, ran.tally)
    assert len({json.dumps([each | {"seconds": 0} for each in tally.classes_json()]) for tally in both}) == 1
    for name in ("times", "transactions", "lateness", "own_lateness"):
        one, other = (getattr(tally, name).summary() for tally in both)
        assert one == pytest.approx(other)
    assert ran.tally.errors == {"40P01": 30}
    assert (ran.tally.skipped, ran.tally.not_sent, ran.tally.ended_by_replayer) == (3, 6, 9)
    assert (ran.seconds, ran.connections, ran.cut, ran.cpu_share) == (12.0, 3, "x", 0.2)


def test_messages_may_come_in_any_pieces() -> None:
    """Rows of any size are passed over, wherever the network cuts them."""
    row = b"D" + (4 + 1000).to_bytes(4, "big") + b"Z\x00\x00\x00\x05I" * 166 + b"xxxx"
    stream = row * 3 + b"C\x00\x00\x00\x0dSELECT 3\x00" + b"Z\x00\x00\x00\x05T"
    for size in (1, 2, 5, 6, 700, 1005, 5000):

        async def read(size: int = size) -> tuple[int, str]:
            connection = Connection(Access("h", 1, "u", "d"))
            connection._waiter = asyncio.get_running_loop().create_future()
            for place in range(0, len(stream), size):
                connection.data_received(stream[place : place + size])
            return (await connection._waiter).rows, connection.status

        assert asyncio.run(read()) == (3, "T")
