"""What it costs a server to have its log tell a load: processor time, throughput, and bytes of log.

    python -m tests.bench.recorded.cost --rounds 5 --seconds 6

pgbench's own loads in turns, the order reversed from round to round, with logging as it is by default, as a recording
asks for it (`window`, `server_log`), and of one transaction in ten (`transaction_sample`); csvlog by the collector.
"""

from __future__ import annotations

import argparse
import re
import subprocess
from dataclasses import dataclass
from statistics import median

import psutil

from stack.postgres import DATABASE, ROLE, PrivateCluster
from tests.bench.private_server import private_cluster

WAYS = {
    "off": {"log_min_duration_statement": "-1", "log_transaction_sample_rate": "0"},
    "all": {"log_min_duration_statement": "0", "log_transaction_sample_rate": "0"},
    "one in ten": {"log_min_duration_statement": "-1", "log_transaction_sample_rate": "0.1"},
}
LOADS = {"select-only": 1, "tpcb-like": 7}
"""pgbench's loads, and how many statements a transaction has."""


@dataclass(frozen=True)
class Cost:
    """Of one run: for a statement the server's microseconds and its bytes of log; and statements a second."""

    cpu_us: float
    log_bytes: float
    per_s: float


def main() -> None:
    """Print a row for each load and way."""
    parser = argparse.ArgumentParser(description="What recording costs the server.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=6)
    asked = parser.parse_args()
    with private_cluster() as cluster:
        with cluster.connect() as sql:
            sql.execute("ALTER SYSTEM SET logging_collector = on")
            sql.execute("ALTER SYSTEM SET log_destination = 'csvlog'")
            sql.execute("ALTER SYSTEM SET compute_query_id = on")
        cluster.restart()
        _pgbench(cluster, "--initialize", "--quiet", "--scale=10")
        print("| load | logged | processor time, us | bytes of log | statements per second | by those of off |")
        print("|---|---|---|---|---|---|")
        for load in LOADS:
            _measure(cluster, load, asked.rounds, asked.seconds)


def _measure(cluster: PrivateCluster, load: str, rounds: int, seconds: int) -> None:
    costs: dict[str, list[Cost]] = {way: [] for way in WAYS}
    for number in range(rounds):
        for way in list(WAYS)[:: -1 if number % 2 else 1]:
            costs[way].append(_cost(cluster, load, way, seconds))
    for way, found in costs.items():
        cpu, log_bytes = [each.cpu_us for each in found], median(each.log_bytes for each in found)
        share = median(each.per_s / off.per_s for each, off in zip(found, costs["off"], strict=True))
        print(
            f"| {load} | {way} | {median(cpu):.1f} ({min(cpu):.1f} to {max(cpu):.1f}) | {log_bytes:.0f} | "
            f"{median(each.per_s for each in found):,.0f} | {share:.2f} |"
        )


def _cost(cluster: PrivateCluster, load: str, way: str, seconds: int) -> Cost:
    with cluster.connect() as sql:
        for name, value in WAYS[way].items():
            sql.execute(f"ALTER SYSTEM SET {name} = {value}")
        sql.execute("SELECT pg_reload_conf(), pg_sleep(0.5)")
        sql.execute("CHECKPOINT")
    cpu_s, log_bytes = _cpu_s(cluster), _log_bytes(cluster)
    said = _pgbench(
        cluster, "--no-vacuum", "--protocol=prepared", "--client=2", f"--time={seconds}", f"--builtin={load}"
    )
    (transactions,) = re.findall(r"transactions actually processed: (\d+)", said)
    statements = int(transactions) * LOADS[load]
    return Cost(
        (_cpu_s(cluster) - cpu_s) / statements * 1e6,
        (_log_bytes(cluster) - log_bytes) / statements,
        statements / seconds,
    )


def _cpu_s(cluster: PrivateCluster) -> float:
    """Of the postmaster, of its children that live, and of those that have ended."""
    postmaster = psutil.Process(cluster.pid)
    own = postmaster.cpu_times()
    living = [child.cpu_times() for child in postmaster.children()]
    ended = own.children_user + own.children_system
    total: float = ended + sum(times.user + times.system for times in (own, *living))
    return total


def _log_bytes(cluster: PrivateCluster) -> int:
    return sum(path.stat().st_size for path in (cluster.data_dir / "log").glob("*.csv"))


def _pgbench(cluster: PrivateCluster, *arguments: str) -> str:
    where = ["-h", cluster.host, "-p", str(cluster.port), "-U", ROLE, DATABASE]
    done = subprocess.run(
        [str(cluster.bin_dir / "pgbench"), *arguments, *where], capture_output=True, text=True, check=True,
        env={"PGPASSWORD": cluster.password, "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    return done.stdout


if __name__ == "__main__":
    main()
