"""What the replayer itself can send, by one process and by two, and whether a load that fights for rows ever hangs it.

    python -m tests.bench.recorded.limits --minutes 3

The first is look-ups by key of 8 sessions as fast as possible; the second, sessions that update two of twenty rows in
a random order, replayed and as a mix, with lock waits and deadlocks.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from otterflow.dbms.postgresql.statements.classes import Classes
from otterflow.dbms.statement import Statement
from otterflow.workloads.recording.manifest import Origin
from otterflow.workloads.recording.writing import RecordingWriter
from otterflow.workloads.replay.replayer.programs import mix, replay
from otterflow.workloads.replay.replayer.settings import MixSettings, ReplaySettings
from stack.postgres import DATABASE, PrivateCluster
from tests.bench.private_server import access_to, private_cluster

ORIGIN = Origin(
    "private", "postgresql", DATABASE, datetime(2026, 11, 29, 2, tzinfo=UTC), datetime(2026, 11, 29, 3, tzinfo=UTC),
    "by_hand",
)  # fmt: skip
LOOK_UPS, SESSIONS, HOT = 160_000, 8, 20


def main() -> None:
    """Print a line for each run."""
    parser = argparse.ArgumentParser(description="Limits of the replayer, and loads that fight for rows.")
    parser.add_argument("--minutes", type=float, default=3.0, help="of the fight, for replay and mix each")
    minutes = parser.parse_args().minutes
    with private_cluster() as cluster, tempfile.TemporaryDirectory(prefix="otterflow-limits-") as folder:
        with cluster.connect() as sql:
            sql.execute("CREATE TABLE look (id int PRIMARY KEY, name text)")
            sql.execute("INSERT INTO look SELECT n, 'name ' || n FROM generate_series(1, 100000) n")
            sql.execute(
                "CREATE TABLE hot (id int PRIMARY KEY, n int); INSERT INTO hot SELECT generate_series(1, 1000), 0"
            )
            sql.execute("ALTER SYSTEM SET deadlock_timeout = '50ms'")
            sql.execute("SELECT pg_reload_conf()")
        _limits(cluster, Path(folder))
        _fights(cluster, Path(folder), 60 * minutes)


def _limits(cluster: PrivateCluster, folder: Path) -> None:
    _record(folder, _look_ups())
    for processes in (1, 2, 1, 2):
        told = _told(cluster, folder, processes)
        for name, record in (
            ("replay", replay(ReplaySettings(**told, schedule="fast"))),
            ("mix", mix(MixSettings(**told, clients=SESSIONS, duration_s=8.0))),
        ):
            shares = [each["cpu_share"] for each in _part(record, "replayer")["processes"]]
            print(
                f"look-ups, {name}, {processes} processes: {record['statements_per_s']} statements/s, cores {shares}, "
                f"median {_part(record, 'latency_ms')['p50']} ms, driven {record['driven']}"
            )


def _fights(cluster: PrivateCluster, folder: Path, seconds: float) -> None:
    _record(folder, _fight())
    begun_s, errors, replays = time.perf_counter(), 0, 0
    while time.perf_counter() - begun_s < seconds:
        record = replay(ReplaySettings(**_told(cluster, folder, 1 + replays % 2), schedule="fast"))
        assert record["cut"] is None, "a replay hung"
        errors, replays = errors + sum(_part(record, "errors").values()), replays + 1
    print(f"fights: {replays} replays in {time.perf_counter() - begun_s:.0f} s, {errors} errors, none hung")
    record = mix(MixSettings(**_told(cluster, folder, 2), clients=16, duration_s=seconds))
    print(
        f"fights, mix: {record['transactions']} transactions in {record['seconds']} s, errors {record['errors']}, "
        f"unfinished {_part(record, 'statements')['unfinished']}, cut {record['cut']}"
    )


def _look_ups() -> Iterator[Statement]:
    chance = random.Random(1)
    text = "SELECT name FROM look WHERE id = $1"
    for number in range(LOOK_UPS):
        values = (str(chance.randint(1, 100_000)),)
        yield Statement(f"s{number % SESSIONS}", number / 10_000, text, None, values, "look", 0.04)


def _fight() -> Iterator[Statement]:
    chance = random.Random(2)
    for number in range(8_000):
        session, at_s = f"s{number % 16}", number / 1000
        pair = chance.sample(range(1, HOT + 1), 2)
        texts = ["BEGIN", *(f"UPDATE hot SET n = n + 1 WHERE id = {row}" for row in pair), "COMMIT"]
        for place, text in enumerate(texts):
            yield Statement(session, at_s + place / 10_000, text, number // 16 + 1, duration_ms=0.5)


def _record(folder: Path, statements: Iterator[Statement]) -> None:
    shutil.rmtree(folder / "recording", ignore_errors=True)
    with RecordingWriter(folder / "recording", ORIGIN, Classes(), max_bytes=10**9, keep_free_bytes=0) as writer:
        for statement in statements:
            writer.add(statement)
        writer.finish()


def _told(cluster: PrivateCluster, folder: Path, processes: int) -> dict[str, Any]:
    access, password = access_to(cluster), folder / "password"
    password.write_text(cluster.password + "\n")
    password.chmod(0o600)
    return {
        "recording": str(folder / "recording"), "result_file": str(folder / "result.json"), "host": access.host,
        "port": access.port, "user": access.user, "database": access.database, "password_file": str(password),
        "deadline_s": 600.0, "processes": processes,
    }  # fmt: skip


def _part(record: dict[str, object], name: str) -> dict[str, Any]:
    part = record[name]
    if not isinstance(part, dict):
        raise TypeError(name)
    return part


if __name__ == "__main__":
    main()
