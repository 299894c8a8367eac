"""Server times of a run: two looks at pg_stat_statements, matched with the recording's classes."""

from __future__ import annotations

import struct

from otterflow.dbms.postgresql.statements.classes import fingerprint
from otterflow.workloads.replay.replayer.postgresql import wire
from otterflow.workloads.replay.replayer.postgresql.server_times import ABSENT
from otterflow.workloads.replay.replayer.server_times import (
    RESET,
    Counters,
    ServerTime,
    ServerTimes,
    times_between,
)

SHAPES = {
    "77": fingerprint("SELECT a FROM t WHERE id = 5"),
    "look": fingerprint("SELECT b FROM t WHERE id IN (1, 2)"),
    "one": fingerprint("SELECT c FROM t"),
    "other": fingerprint("SELECT c FROM t"),
}


def _counters(**changes: tuple[str, int, float]) -> Counters:
    times = {key[1:]: ServerTime(calls, total_ms) for key, (_, calls, total_ms) in changes.items()}
    return Counters(times, {key[1:]: text for key, (text, _, _) in changes.items()})


def test_a_class_is_found_by_the_servers_number_or_by_its_text() -> None:
    before = _counters(q77=("", 10, 100.0), q1=("", 1, 5.0), q5=("", 9, 9.0))
    after = _counters(
        q77=("anything", 30, 140.0),
        q1=("SELECT b FROM t WHERE id IN ($1)", 4, 8.0),
        q2=("select b from t where id in ($1, $2, $3)", 1, 7.0),
        q3=("SELECT c FROM t", 3, 3.0),
        q4=("SELECT now()", 3, 3.0),
        q5=("SELECT b FROM t WHERE id IN ($1)", 9, 9.0),
    )
    times = times_between(before, after, SHAPES, fingerprint)
    assert times.classes == {"77": ServerTime(20, 40.0), "look": ServerTime(4, 10.0)}
    assert times.ambiguous == 1, "two classes have the text of query 3"
    assert times.record_of("look") == {"calls": 4, "seconds": 0.01, "mean_ms": 2.5}
    assert times.record_of("one") is None
    assert times.to_record() == {
        "read": True, "why_not": None, "classes": 2, "seconds": 0.05, "evicted": 0, "ambiguous": 1,
    }  # fmt: skip


def test_what_cannot_be_told_is_said() -> None:
    assert times_between(Counters(why_not=ABSENT), Counters(), SHAPES, fingerprint) == ServerTimes(why_not=ABSENT)
    reset = times_between(_counters(q77=("", 10, 1.0)), _counters(q77=("", 3, 1.0)), SHAPES, fingerprint)
    assert (reset.why_not, reset.classes) == (RESET, {})
    evicted = times_between(Counters(evicted=5), Counters(evicted=7), SHAPES, fingerprint)
    assert evicted.to_record()["evicted"] == 2


def test_the_values_of_a_row() -> None:
    body = struct.pack("!H", 3) + struct.pack("!i", 2) + "é".encode() + struct.pack("!i", -1) + struct.pack("!i", 0)
    assert wire.values_of_row(body) == ["é", None, ""]
