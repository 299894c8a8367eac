"""Experiments on a mix of pgbench scripts, with the real operators: an objective of one type, and data found wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from otterflow.operators.connections import open_repository
from stack.host import DatabaseHost
from tests.operators.harness import SUCCESS, Dags, Run

pytestmark = pytest.mark.integration


def explain(runs: list[Run]) -> str:
    return "\n".join(f"{r.run_id}: {r.states} {r.errors}" for r in runs)


@pytest.fixture
def ycsb(lab: DatabaseHost) -> Path:
    """The folder of YCSB's SQL, whose workloads A and D have 1,000 records and last a second each."""
    folder = Path(os.environ["OTTERFLOW_INCLUDE_DIR"]) / "benchmarks"
    for name in ("ycsb_a", "ycsb_d"):
        path = folder / f"{name}.yaml"
        record = yaml.safe_load(path.read_text())
        record["workload"] |= {"scale": 1, "clients": 4, "latency_sample": 1.0}
        path.write_text(yaml.safe_dump(record | {"warmup_s": 0, "duration_s": 1}))
    return folder / "ycsb"


@pytest.mark.usefixtures("ycsb")
def test_the_latency_of_one_type_is_an_objective(dags: Dags, params: dict[str, Any]) -> None:
    form = {
        "benchmark": "ycsb_a",
        "iterations": 1,
        "objective": "types.update.p95",
        "direction": "minimise",
        "constraints": ["types.read.p95 < 10000"],
    }
    runs = dags.follow("tuning_experiment", params | form)
    assert all(run.state == SUCCESS for run in runs), explain(runs)
    (trial,) = open_repository().trials(params["experiment"])
    assert trial.state == "ok"
    assert trial.result is not None
    assert set(trial.result["types"]) == {"read", "update"}
    assert trial.objective == trial.result["types"]["update"]["p95"] > 0


def test_data_that_are_wrong_after_the_run_fail_the_trial(ycsb: Path, dags: Dags, params: dict[str, Any]) -> None:
    (ycsb / "check.sql").write_text("SELECT 'there are new records' FROM usertable HAVING count(*) > 1000 * :scale;\n")
    runs = dags.follow("tuning_experiment", params | {"benchmark": "ycsb_d", "iterations": 1})
    assert runs[0].state == SUCCESS, explain(runs)
    (trial,) = open_repository().trials(params["experiment"])
    assert (trial.state, trial.result) == ("failed", None), explain(runs)
    assert "the data are wrong after the run: there are new records" in (trial.message or "")
