"""Runs benchmarks on a private PostgreSQL, the default and the rule-based configuration in turn, and prints a table.

    python -m tests.bench.noise sysbench_point_select ycsb_a --rounds 5 --warmup 10 --duration 60

Each measurement is a trial's: the server restarted with the configuration, warm-up, run, and a result that is believed.
The coefficient of variation is the sample standard deviation by the mean. The ratio is the median of the rounds' own
ratios, above 1 where the rules are better: the two of a round are neighbours, so a machine that drifts from round to
round spoils it less than a ratio of medians. The data are loaded once for each benchmark.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean, median, stdev

import psutil
from psycopg.rows import dict_row

from otterflow import settings
from otterflow.dbms.access import DatabaseAccess
from otterflow.dbms.postgresql import configuration_file
from otterflow.dbms.postgresql.settings import SETTINGS_SQL
from otterflow.errors import BenchmarkFailed
from otterflow.knobs import rules
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.live import LiveSetting
from otterflow.workloads.base import Workload, plan, workload_for
from otterflow.workloads.definition import Benchmark, load_benchmark
from otterflow.workloads.job import JobScript
from otterflow.workloads.result import believe
from stack.postgres import DATABASE, ROLE, PrivateCluster
from stack.users import server_user

CONFIGURATIONS = ("default", "rules")


def main() -> None:
    """Measure the benchmarks that are named, one after the other."""
    arguments = _arguments()
    with _cluster() as cluster:
        print("| benchmark | objective | default | CV | rules | CV | ratio | from, to |")
        print("|---|---|---|---|---|---|---|---|")
        for name in arguments.benchmarks:
            benchmark = load_benchmark(settings.include_dir() / "benchmarks" / f"{name}.yaml")
            print(_row(benchmark, _measure(cluster, benchmark, arguments)), flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Noise of benchmarks, and the default against the rules.")
    parser.add_argument("benchmarks", nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--warmup", type=float, help="seconds; the benchmark's own if not given")
    parser.add_argument("--duration", type=float, help="seconds; the benchmark's own if not given")
    return parser.parse_args()


@contextmanager
def _cluster() -> Iterator[PrivateCluster]:
    folder = Path(tempfile.mkdtemp(prefix="otterflow-noise-"))
    folder.chmod(0o755)  # the server's user has to pass
    cluster = PrivateCluster(folder / "pg", server_user())
    try:
        cluster.user.make_dir(folder / "pg", 0o755)
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder)


def _measure(cluster: PrivateCluster, benchmark: Benchmark, arguments: argparse.Namespace) -> dict[str, list[float]]:
    """The objective's value of each round, by configuration."""
    workload = workload_for(benchmark)
    pgpass = f"{cluster.host}:{cluster.port}:*:{ROLE}:{cluster.password}\n"
    access = DatabaseAccess(cluster.host, cluster.port, ROLE, DATABASE, pgpass)
    knobs = {"default": "", "rules": _rules(cluster, benchmark)}
    _restart(cluster, knobs["default"])
    with cluster.connect("postgres") as connection:
        connection.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {DATABASE}")
    _run(workload.load(access, str(cluster.bin_dir)))
    values: dict[str, list[float]] = {name: [] for name in CONFIGURATIONS}
    for number in range(arguments.rounds):
        for name in CONFIGURATIONS:
            _restart(cluster, knobs[name])
            values[name].append(_one(workload, benchmark, access, str(cluster.bin_dir), arguments, seed=number))
            print(f"{benchmark.name}, round {number + 1}, {name}: {values[name][-1]:.6g}", file=sys.stderr, flush=True)
    return values


def _one(
    workload: Workload,
    benchmark: Benchmark,
    access: DatabaseAccess,
    bin_dir: str,
    arguments: argparse.Namespace,
    seed: int,
) -> float:
    asked = plan(benchmark, arguments.warmup, arguments.duration, seed)
    warm_up = workload.warm_up(access, asked, bin_dir)
    if warm_up is not None:
        _run(warm_up)
    results, log = _run(workload.run(access, asked, bin_dir))
    result = workload.parse(results, log)
    believe(result, benchmark, asked)
    return benchmark.objective.read(result)


def _rules(cluster: PrivateCluster, benchmark: Benchmark) -> str:
    """The knobs file of the rule-based configuration for this machine and this kind of workload."""
    with cluster.connect("postgres") as connection, connection.cursor(row_factory=dict_row) as cursor:
        live = {row["name"]: LiveSetting.from_row(row) for row in cursor.execute(SETTINGS_SQL.encode()).fetchall()}
    facts = HostFacts(
        ram_bytes=psutil.virtual_memory().total,
        cores=len(os.sched_getaffinity(0)),
        disk="ssd",
        max_connections=int(live["max_connections"].value),
    )
    version = int(live["server_version_num"].value) // 10_000
    ruled = rules.rule_based(facts, benchmark.kind.value, live, server_version=version)
    return configuration_file.render(ruled.config, live, header="the rules")


def _restart(cluster: PrivateCluster, knobs: str) -> None:
    cluster.user.write_file(cluster.knobs_file, knobs)
    cluster.restart()


def _run(job: JobScript) -> tuple[dict[str, str], str]:
    """A job as the driver host runs it: its results and its log."""
    with tempfile.TemporaryDirectory(prefix="otterflow-noise-job-") as folder:
        for name, text in job.files.items():
            path = Path(folder) / name
            path.touch(0o600)
            path.write_text(text)
        done = subprocess.run(
            ["bash", "-c", job.script], cwd=folder, capture_output=True, text=True, timeout=job.timeout_s, check=False
        )
        log = done.stdout + done.stderr
        if done.returncode != 0:
            raise BenchmarkFailed(f"a job ended with exit code {done.returncode}:\n{log[-2000:]}")
        found = [Path(folder) / name for name in job.results]
        return {path.name: path.read_text() for path in found if path.exists()}, log


def _row(benchmark: Benchmark, values: dict[str, list[float]]) -> str:
    """One line of the table: medians, variations, and the rounds' ratios."""
    better = [ruled / default for default, ruled in zip(values["default"], values["rules"], strict=True)]
    ratios = sorted(ratio if benchmark.objective.maximise else 1 / ratio for ratio in better)
    cells = [benchmark.name, f"{benchmark.objective.value}, {benchmark.objective.unit}"]
    for name in CONFIGURATIONS:
        variation = stdev(values[name]) / fmean(values[name]) if len(values[name]) > 1 else 0.0
        cells += [f"{median(values[name]):,.4g}", f"{100 * variation:.0f} %"]
    return f"| {' | '.join([*cells, f'{median(ratios):.2f}', f'{ratios[0]:.2f} to {ratios[-1]:.2f}'])} |"


if __name__ == "__main__":
    main()
