"""Experiments of a real capture: 16 configurations of a PostgreSQL under pgbench, with throughput and metrics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from otterflow.repository import Repository
from tests.repository.samples import new_experiment, prepare

CAPTURED = json.loads((Path(__file__).parent / "tuner" / "captured" / "pgbench_metrics.json").read_text())


def make_experiment(
    repository: Repository,
    name: str,
    n: int = 16,
    *,
    benchmark: str = "pgbench_tpcb",
    ended: bool = True,
    first: int = 0,
    **record: Any,
) -> None:
    """An experiment on the target `staging` with `n` trials of the capture, from the one numbered `first` on."""
    fields = {
        "target": "staging",
        "dbms": "postgresql",
        "benchmark": benchmark,
        "objective": "throughput",
        "seed": 0,
        "code_version": "1",
    }
    spec = {"experiment": name, "target": "staging", "benchmark": benchmark, "iterations": 16}
    repository.create_experiment(new_experiment(**{"name": name, "spec": spec, **fields, **record}))
    prepare(repository, name, space=CAPTURED["space"], baseline=CAPTURED["configurations"][0], catalog_hash="c")
    for iteration in range(n):
        add_trial(repository, name, iteration, first + iteration)
    repository.set_experiment_state(name, "finished" if ended else "running")


def add_trial(repository: Repository, name: str, iteration: int, row: int, kind: str = "design") -> None:
    """One more trial: the capture's `row`, measured and ended."""
    configuration, value = CAPTURED["configurations"][row], CAPTURED["values"][row]
    repository.plan_trial(name, iteration, kind=kind, wanted=configuration, repairs=[], reasons={}, seed=0)
    repository.begin_try(name, iteration)
    repository.record_in_force(name, iteration, configuration)
    repository.record_result(name, iteration, result={"throughput": value}, objective=value, repeats=[value])
    metrics = {metric: column[row] for metric, column in CAPTURED["metrics"].items() if column[row] is not None}
    repository.record_metrics(name, iteration, metrics, host={"host.load_1m": 1.0}, reset=[])
    repository.end_trial(name, iteration, "ok")
