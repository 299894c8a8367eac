"""Experiments on sysbench and on a command of one's own, with the real operators, and a benchmark that is not there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from otterflow.operators.connections import open_repository
from stack.host import DatabaseHost
from tests.operators.harness import FAILED, SUCCESS, Dags, Run

pytestmark = pytest.mark.integration

OWN: dict[str, Any] = {
    "name": "own",
    "title": "own",
    "kind": "mixed",
    "objective": "latency_p95",
    "workload": {
        "driver": "command",
        "load": 'psql --no-psqlrc --quiet --command="CREATE TABLE numbers AS SELECT $OTTERFLOW_SCALE AS n"',
        "run": "psql --no-psqlrc --quiet --output=/dev/null --command='SELECT n FROM numbers'; sleep 1; echo RESULT",
        "measures": ["latency_p95"],
        "bytes_per_scale": 8192,
    },
    "warmup_s": 0,
    "duration_s": 1,
    "load_timeout_s": 30,
    "run_timeout_s": 30,
}
RESULT = '{"latency_ms": {"p95": 4.5}, "errors": 0, "transactions": 10, "seconds": 1.0}'


def explain(runs: list[Run]) -> str:
    return "\n".join(f"{r.run_id}: {r.states} {r.errors}" for r in runs)


def shipped(name: str) -> Path:
    return Path(os.environ["OTTERFLOW_INCLUDE_DIR"]) / "benchmarks" / f"{name}.yaml"


def test_an_experiment_on_sysbench(lab: DatabaseHost, dags: Dags, params: dict[str, Any]) -> None:
    path = shipped("sysbench_oltp_read_write")
    record = yaml.safe_load(path.read_text())
    record["workload"] |= {"tables": 2, "table_size": 5000, "rand_type": "uniform", "threads": 2}
    path.write_text(yaml.safe_dump(record | {"warmup_s": 1, "duration_s": 2}))
    runs = dags.follow("tuning_experiment", params | {"benchmark": path.stem, "iterations": 1})
    assert all(run.state == SUCCESS for run in runs), explain(runs)
    trials = open_repository().trials(params["experiment"])
    assert [trial.state for trial in trials] == ["ok"]
    for trial in trials:
        assert trial.result is not None
        assert {"mean", "p50", "p95", "p99"} <= trial.result["latency_ms"].keys()
        assert trial.objective == trial.result["throughput"] > 0
    assert not list(Path(lab.target.work_dir).glob("jobs/*/")), "job folders are left, password files in them"


@pytest.mark.parametrize(
    ("printed", "state", "said"),
    [
        (RESULT, "ok", ""),
        ("-1", "failed", "no JSON object: '-1'"),
    ],
)
def test_a_command_of_ones_own(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any], printed: str, state: str, said: str
) -> None:
    workload = OWN["workload"] | {"run": OWN["workload"]["run"].replace("echo RESULT", f"echo '{printed}'")}
    shipped("own").write_text(yaml.safe_dump(OWN | {"workload": workload}))
    runs = dags.follow("tuning_experiment", params | {"benchmark": "own", "iterations": 1})
    assert runs[0].state == SUCCESS, explain(runs)
    trial = open_repository().trials(params["experiment"])[0]
    assert trial.state == state, explain(runs)
    assert said in (trial.message or "")


def test_benchbase_that_is_not_installed_is_named(lab: DatabaseHost, dags: Dags, params: dict[str, Any]) -> None:
    run = dags.run("tuning_experiment", params | {"benchmark": "benchbase_tpcc"})
    assert run.states["check_target"] == FAILED
    said = str(run.errors["check_target"])
    assert "benchmark benchbase_tpcc: needs " in said
    assert "/opt/benchbase-postgres/benchbase.jar, not found on the driver host" in said
