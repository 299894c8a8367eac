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
import sys
from statistics import fmean, median, stdev

import psutil
from psycopg.rows import dict_row

from otterflow import settings
from otterflow.dbms.postgresql import configuration_file, rules
from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.dbms.postgresql.dbms import DBMS
from otterflow.dbms.postgresql.rows import from_row
from otterflow.dbms.postgresql.settings import SETTINGS_SQL
from otterflow.knobs.facts import HostFacts
from otterflow.workloads.base import Workload, plan, workload_for
from otterflow.workloads.belief import believe
from otterflow.workloads.definition import Benchmark, load_benchmark
from stack.postgres import DATABASE, PrivateCluster
from tests.bench.private_server import access_to, private_cluster, restart, run_job

CONFIGURATIONS = ("default", "rules")


def main() -> None:
    """Measure the benchmarks that are named, one after the other."""
    arguments = _arguments()
    with private_cluster() as cluster:
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


def _measure(cluster: PrivateCluster, benchmark: Benchmark, arguments: argparse.Namespace) -> dict[str, list[float]]:
    """The objective's value of each round, by configuration."""
    workload = workload_for(benchmark, DBMS)
    access = access_to(cluster)
    knobs = {"default": "", "rules": _rules(cluster, benchmark)}
    restart(cluster, knobs["default"])
    with cluster.connect("postgres") as connection:
        connection.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {DATABASE}")
    run_job(workload.load(access, str(cluster.bin_dir)))
    values: dict[str, list[float]] = {name: [] for name in CONFIGURATIONS}
    for number in range(arguments.rounds):
        for name in CONFIGURATIONS:
            restart(cluster, knobs[name])
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
        run_job(warm_up)
    results, log = run_job(workload.run(access, asked, bin_dir))
    result = workload.parse(results, log)
    believe(result, benchmark, asked)
    return benchmark.objective.read(result)


def _rules(cluster: PrivateCluster, benchmark: Benchmark) -> str:
    """The knobs file of the rule-based configuration for this machine and this kind of workload."""
    with cluster.connect("postgres") as connection, connection.cursor(row_factory=dict_row) as cursor:
        live = {row["name"]: from_row(row) for row in cursor.execute(SETTINGS_SQL.encode()).fetchall()}
    facts = HostFacts(
        ram_bytes=psutil.virtual_memory().total,
        cores=len(os.sched_getaffinity(0)),
        disk="ssd",
        max_connections=int(live["max_connections"].value),
    )
    version = int(live["server_version_num"].value) // 10_000
    ruled = rules.rule_based(facts, benchmark.kind.value, live, server_version=version)
    return configuration_file.render(ruled.config, live, header="the rules")


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
