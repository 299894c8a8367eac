"""A load that fights for rows, replayed at its recorded pace, for an hour or more: it must come to its end by itself.

    python -m tests.bench.recorded.contended --seconds 3600

32 sessions, and all that makes one wait for another: rows that are updated in any order (deadlocks), rows that are held
for a while, longer than `lock_timeout` now and then, advisory locks, a lock of the whole table, serializable
transactions that fail, and a queue with SKIP LOCKED. Of every statement it must be known what became of it.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from otterflow.dbms.postgresql.statements.classes import Classes
from otterflow.dbms.statement import Statement
from otterflow.workloads.recording.manifest import Origin
from otterflow.workloads.recording.writing import RecordingWriter
from otterflow.workloads.replay.replayer.programs import replay
from otterflow.workloads.replay.replayer.settings import CLOCK, ReplaySettings
from stack.postgres import DATABASE, PrivateCluster
from tests.bench.private_server import access_to, private_cluster

SESSIONS, HOT, ADVISORY = 32, 12, 5
EACH_PER_S = 1.0
"""Transactions that a session begins each second, where none makes it wait."""
LOCK_TIMEOUT_MS = 5_000

Step = tuple[float, str]
"""Seconds after the step before it, and the statement."""


@dataclass(frozen=True)
class Kind:
    """One kind of transaction: how often it is drawn, and its steps."""

    weight: float
    steps: Callable[[random.Random], list[Step]]


def _two_rows(chance: random.Random) -> list[Step]:
    one, other = chance.sample(range(1, HOT + 1), 2)
    return [(0.0, "BEGIN"), (0.001, _update(one)), (chance.uniform(0.005, 0.08), _update(other)), (0.001, "COMMIT")]


def _held(chance: random.Random) -> list[Step]:
    row = chance.randint(1, HOT)
    asked = f"SELECT n FROM hot WHERE id = {row} FOR UPDATE"
    return [(0.0, "BEGIN"), (0.001, asked), (chance.uniform(0.05, 0.5), _update(row)), (0.001, "COMMIT")]


def _held_for_long(chance: random.Random) -> list[Step]:
    held_s = LOCK_TIMEOUT_MS / 1000 * chance.uniform(1.2, 1.6)
    return [(0.0, "BEGIN"), (0.001, _update(chance.randint(1, HOT))), (held_s, "ROLLBACK")]


def _advisory(chance: random.Random) -> list[Step]:
    keys = chance.sample(range(ADVISORY), 2)
    locks = [(chance.uniform(0.001, 0.02), f"SELECT pg_advisory_xact_lock({key})") for key in keys]
    return [(0.0, "BEGIN"), *locks, (0.005, "COMMIT")]


def _whole_table(chance: random.Random) -> list[Step]:
    lock = "LOCK TABLE hot IN SHARE ROW EXCLUSIVE MODE"
    return [(0.0, "BEGIN"), (0.001, lock), (chance.uniform(0.1, 0.5), "COMMIT")]


def _serializable(chance: random.Random) -> list[Step]:
    begin, read = "BEGIN ISOLATION LEVEL SERIALIZABLE", "SELECT sum(n) FROM hot"
    return [(0.0, begin), (0.001, read), (chance.uniform(0.001, 0.05), _update(HOT + 1)), (0.001, "COMMIT")]


def _queue(chance: random.Random) -> list[Step]:
    take = "DELETE FROM queue WHERE id = (SELECT id FROM queue ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)"
    put = f"INSERT INTO queue (what) VALUES ('{chance.random():.6f}')"
    return [(0.0, "BEGIN"), (0.001, take), (chance.uniform(0.001, 0.05), put), (0.001, "COMMIT")]


def _update(row: int) -> str:
    return f"UPDATE hot SET n = n + 1 WHERE id = {row}"


KINDS = (
    Kind(60, _two_rows),
    Kind(10, _held),
    Kind(0.2, _held_for_long),
    Kind(10, _advisory),
    Kind(0.1, _whole_table),
    Kind(10, _serializable),
    Kind(10, _queue),
)


def contended(seconds: float, each_per_s: float = EACH_PER_S, seed: int = 0) -> Iterator[Statement]:
    """The statements of all sessions, one session after the other; the same for the same arguments."""
    for number in range(SESSIONS):
        yield from _session(number, seconds, each_per_s, seed)


def _session(number: int, seconds: float, each_per_s: float, seed: int) -> Iterator[Statement]:
    chance = random.Random(f"{seed} {number}")
    at_s, transaction, weights = chance.uniform(0, 1 / each_per_s), 0, [kind.weight for kind in KINDS]
    while at_s < seconds:
        transaction += 1
        for after_s, text in chance.choices(KINDS, weights)[0].steps(chance):
            at_s += after_s
            yield Statement(f"s{number}", at_s, text, transaction, duration_ms=0.5)
        at_s += chance.expovariate(each_per_s)


def prepare(cluster: PrivateCluster) -> None:
    """The tables, and deadlocks that are found soon."""
    with cluster.connect() as sql:
        sql.execute("CREATE TABLE hot AS SELECT id, 0 AS n FROM generate_series(1, 1000) id")
        sql.execute("ALTER TABLE hot ADD PRIMARY KEY (id)")
        sql.execute("CREATE TABLE queue (id bigserial PRIMARY KEY, what text)")
        sql.execute("INSERT INTO queue (what) SELECT 'first' FROM generate_series(1, 1000)")
        sql.execute("ALTER SYSTEM SET deadlock_timeout = '200ms'")
        sql.execute("SELECT pg_reload_conf()")


def replayed(
    cluster: PrivateCluster, folder: Path, seconds: float, each_per_s: float, processes: int | None
) -> dict[str, Any]:
    """Record so many seconds of it, replay them at their pace, and see that all of it has ended.

    Raises AssertionError where the replay was cut, or a statement has no end.
    """
    start = datetime(2026, 11, 29, 2, tzinfo=UTC)
    origin = Origin("private", "postgresql", DATABASE, start, start + timedelta(seconds=seconds + 60), "by_hand")
    with RecordingWriter(folder / "recording", origin, Classes(), max_bytes=2 * 10**9, keep_free_bytes=10**9) as writer:
        for statement in contended(seconds, each_per_s):
            writer.add(statement)
        writer.finish()
    password = folder / "password"
    password.touch(0o600)
    password.write_text(cluster.password + "\n")
    access = access_to(cluster)
    record: dict[str, Any] = replay(
        ReplaySettings(
            recording=str(folder / "recording"), result_file=str(folder / "result.json"), host=access.host,
            port=access.port, user=access.user, database=access.database, password_file=str(password),
            deadline_s=2 * seconds + 120, processes=processes, schedule=CLOCK, lock_timeout_ms=LOCK_TIMEOUT_MS,
            progress_s=60.0,
        )
    )  # fmt: skip
    assert record["cut"] is None, f"the replay was ended from outside: {record['cut']}"
    statements = record["statements"]
    known = statements["done"] + statements["skipped_after_an_error"]
    assert (known, statements["not_sent"]) == (statements["to_send"], 0), f"what became of some is not known: {record}"
    return record


def main() -> None:
    """Replay, and print what came of it."""
    parser = argparse.ArgumentParser(description="A load that fights for rows, replayed at its pace to its end.")
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--each-per-s", type=float, default=EACH_PER_S, help="transactions of each of 32 sessions")
    parser.add_argument("--processes", type=int, help="of the replayer; as many as it takes if not given")
    arguments = parser.parse_args()
    with private_cluster() as cluster, tempfile.TemporaryDirectory(prefix="otterflow-contended-") as folder:
        prepare(cluster)
        begun_s = time.monotonic()
        record = replayed(cluster, Path(folder), arguments.seconds, arguments.each_per_s, arguments.processes)
        statements, late = record["statements"], record["lateness_ms"]
        print(
            f"{arguments.seconds:g} s recorded, {record['seconds']:.0f} s replayed "
            f"({time.monotonic() - begun_s:.0f} s with the recording): {statements['to_send']:,} statements, "
            f"{statements['done']:,} done, {statements['skipped_after_an_error']:,} left out after an error, errors "
            f"{record['errors']}; latency {record['latency_ms']}; late {late}; replayer {record['replayer']}"
        )


if __name__ == "__main__":
    main()
