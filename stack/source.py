"""A load that is to be recorded: a server with users, and five minutes of them, each unlike the others."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from stack.host import DatabaseHost
from stack.postgres import DATABASE, ROLE, PrivateCluster
from stack.processes import StackError

SCALE = 1
CLIENTS = 4
TELLING = """\
# What a server is set to whose own log is to be recorded: docs/recordings.md.
log_min_duration_statement = 0
log_parameter_max_length_on_error = -1
log_line_prefix = '%m|%u|%d|%c|%v|%e|%Q|'
compute_query_id = on
"""
SCRIPTS = {
    "bands": "SELECT bid, abalance / 100 AS band, count(*), avg(abalance) FROM pgbench_accounts GROUP BY 1, 2 "
    "ORDER BY 4 DESC LIMIT 10;\n",
    "days": "SELECT bid, day, avg(abalance) FILTER (WHERE aid % 3 = day), max(abalance) FILTER (WHERE aid % 7 > day), "
    "count(*) FROM pgbench_accounts, generate_series(1, (SELECT 2)) AS day WHERE aid % 20 < 5 GROUP BY 1, 2 "
    "ORDER BY 3 DESC LIMIT 10;\n",
}
"""Reports, beside what pgbench has of its own. `days` is thought to read 500 times the days that it does, and so is
compiled for longer than it runs: what a night has to find out."""


@dataclass(frozen=True)
class Hour:
    """An hour of the source's day, in a minute: transactions a second, and the weight of each kind of them."""

    name: str
    rate: int
    weights: Mapping[str, int]


DAY = (
    Hour("early", 30, {"select-only": 178, "simple-update": 17, "bands": 3, "days": 2}),
    Hour("morning", 50, {"select-only": 180, "simple-update": 118, "bands": 1, "days": 1}),
    Hour("noon", 60, {"select-only": 200, "tpcb-like": 398, "days": 2}),
    Hour("afternoon", 40, {"select-only": 198, "tpcb-like": 196, "bands": 4, "days": 2}),
    Hour("evening", 20, {"select-only": 168, "simple-update": 20, "bands": 9, "days": 3}),
)
LENGTH = timedelta(minutes=1)
_REST_S = 2.0
"""So long before an hour ends its clients leave."""


def make_data(host: DatabaseHost) -> None:
    """Load the source's data, and have its log tell what its users do from now on."""
    cluster = host.cluster
    _run(cluster, "pgbench", "--initialize", "--quiet", f"--scale={SCALE}", DATABASE)
    host.user.write_file(cluster.knobs_file, TELLING, 0o644)
    with cluster.connect() as connection:
        connection.execute("SELECT pg_reload_conf()")


def copy_data(source: PrivateCluster, staging: PrivateCluster, folder: Path) -> None:
    """Have the staging server hold what the source holds now."""
    dump = folder / "copy.dump"
    _run(source, "pg_dump", "--format=custom", f"--file={dump}", DATABASE)
    try:
        _run(staging, "pg_restore", "--no-owner", "--exit-on-error", f"--dbname={DATABASE}", str(dump))
    finally:
        dump.unlink()


def next_start(now: datetime) -> datetime:
    """When the day may begin: a whole minute, some seconds away at least."""
    return (now + timedelta(minutes=1, seconds=5)).replace(second=0, microsecond=0)


def live(cluster: PrivateCluster, hour: Hour, begin: datetime, folder: Path) -> None:
    """One hour of the source's users, from `begin` on."""
    for name, text in SCRIPTS.items():
        (folder / f"{name}.sql").write_text(text)
    kinds = [
        f"--file={folder / name}.sql@{weight}" if name in SCRIPTS else f"--builtin={name}@{weight}"
        for name, weight in hour.weights.items()
    ]
    time.sleep(max(0.0, (begin - datetime.now(begin.tzinfo)).total_seconds()))
    seconds = (begin + LENGTH - datetime.now(begin.tzinfo)).total_seconds() - _REST_S
    _run(
        cluster, "pgbench", "--no-vacuum", "--protocol=prepared", f"--client={CLIENTS}", f"--rate={hour.rate}",
        f"--time={seconds:.0f}", *kinds, DATABASE,
    )  # fmt: skip


def _run(cluster: PrivateCluster, program: str, *arguments: str) -> None:
    done = subprocess.run(
        [str(cluster.bin_dir / program), "--host", cluster.host, "--port", str(cluster.port), "--username", ROLE,
         *arguments],
        env={"PGPASSWORD": cluster.password, "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise StackError(f"{program} failed:\n{done.stderr[-2000:]}")
