"""Measures configurations by a known load, by the replay of its recording and by its mix, and prints how they agree.

    python -m tests.bench.recorded tpcc pgbench_tpcb --rounds 2 --seconds 8

Every measurement begins with the data as they were loaded and the server restarted. In each round all configurations
are measured by all three, in an order that turns, so that what drifts with time is in all of them. A gain is the
throughput by the default's of the same round.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.private_server import private_cluster
from tests.bench.recorded.agreement import DEFAULT, gain_ratio, gains, rank_correlation
from tests.bench.recorded.known_load import KnownLoad

CONFIGURATIONS = {
    DEFAULT: "",
    "no wait for the disk": "synchronous_commit = off\n",
    "tiny buffers": "shared_buffers = '1MB'\n",
    "large buffers, rare checkpoints": "shared_buffers = '1GB'\nmax_wal_size = '8GB'\n",
    "checkpoints all the time": "max_wal_size = '32MB'\nmin_wal_size = '32MB'\n",
    "all three": "shared_buffers = '1GB'\nmax_wal_size = '8GB'\nsynchronous_commit = off\nwal_compression = off\n",
    "commits wait for others": "commit_delay = 10000\ncommit_siblings = 1\n",
    "plans for a slow disk": "random_page_cost = 40\nwork_mem = '64kB'\neffective_cache_size = '1MB'\n",
    "no index scans": "enable_indexscan = off\nenable_indexonlyscan = off\n",
}
SCALES = {"pgbench_tpcb": 10, "tpcc": 2}
MEASURES = ("load", "replay", "mix")

Measured = dict[str, list[dict[str, dict[str, Any]]]]
"""Of each measure, each round's results by configuration."""


def main() -> None:
    """Measure the loads that are named, one after the other."""
    arguments = _arguments()
    with private_cluster() as cluster, tempfile.TemporaryDirectory(prefix="otterflow-recorded-") as folder:
        for name in arguments.loads:
            known = KnownLoad(cluster, name, SCALES[name], Path(folder))
            known.load()
            manifest = known.record(arguments.record)
            print(f"\n{name}: {manifest.statements:,} statements, {manifest.transactions:,} transactions recorded\n")
            _print(_measure(known, arguments))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Agreement of replay and mix with the load that was recorded.")
    parser.add_argument("loads", nargs="+", choices=sorted(SCALES))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--record", type=float, default=6.0, help="seconds of the load that are recorded")
    parser.add_argument("--seconds", type=float, default=8.0, help="seconds of each measurement by load and mix")
    parser.add_argument("--warmup", type=float, default=2.0)
    parser.add_argument("--processes", type=int, help="of the replayer; as many as it takes if not given")
    return parser.parse_args()


def _measure(known: KnownLoad, arguments: argparse.Namespace) -> Measured:
    seconds, warmup_s, processes = arguments.seconds, arguments.warmup, arguments.processes
    ways: dict[str, Callable[[int], dict[str, Any]]] = {
        "load": lambda seed: known.by_itself(seconds, warmup_s, seed),
        "replay": lambda seed: known.by_replay(processes),
        "mix": lambda seed: known.by_mix(seconds, warmup_s, seed, processes),
    }
    measured: Measured = {measure: [] for measure in MEASURES}
    for number in range(arguments.rounds):
        for measure in MEASURES:
            measured[measure].append({})
        names = list(CONFIGURATIONS) if number % 2 == 0 else list(reversed(CONFIGURATIONS))
        for place, name in enumerate(names):
            for turn in range(len(MEASURES)):
                measure = MEASURES[(turn + place + number) % len(MEASURES)]
                known.restore(CONFIGURATIONS[name])
                begun_s = time.perf_counter()
                result = ways[measure](number + 1)
                measured[measure][-1][name] = result
                print(
                    f"round {number + 1}, {name}, {measure}: {result['throughput']:.1f} /s, driven {result['driven']}, "
                    f"errors {result['errors']}, {time.perf_counter() - begun_s:.0f} s",
                    file=sys.stderr, flush=True,
                )  # fmt: skip
    return measured


def _print(measured: Measured) -> None:
    shown = {
        measure: gains([{name: each["throughput"] for name, each in one.items()} for one in rounds])
        for measure, rounds in measured.items()
    }
    print("| configuration | gain by the load | by replay | by mix | replay's, mix's busiest process |")
    print("|---|---|---|---|---|")
    for name in CONFIGURATIONS:
        cells = [f"{shown[measure][name]:.2f}" for measure in MEASURES]
        busy = ", ".join(f"{measured[measure][-1][name]['replayer']['cpu_share']:.2f}" for measure in MEASURES[1:])
        print(f"| {' | '.join([name, *cells, busy])} |")
    for measure in MEASURES[1:]:
        ours, loads = shown[measure], shown["load"]
        correlation = rank_correlation(
            [ours[name] for name in CONFIGURATIONS], [loads[name] for name in CONFIGURATIONS]
        )
        print(f"\n{measure}: rank correlation {correlation:.2f}, ratio of gains {gain_ratio(ours, loads):.2f}")
    alone = [{name: each["throughput"] for name, each in one.items()} for one in measured["load"]]
    if len(alone) > 1:
        itself = rank_correlation(*([one[name] for name in CONFIGURATIONS] for one in (alone[0], alone[-1])))
        print(f"\nthe load's first round and its last: rank correlation {itself:.2f}")


if __name__ == "__main__":
    main()
