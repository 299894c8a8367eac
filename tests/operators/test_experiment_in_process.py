"""A whole experiment with the real operators on a real PostgreSQL behind a real sshd; only Airflow is left out."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from stack.host import DatabaseHost
from tests.operators.harness import SUCCESS, Dags, Run

pytestmark = pytest.mark.integration

INCLUDE = Path(__file__).resolve().parents[2] / "include"


@pytest.fixture(scope="session")
def dags() -> Dags:
    return Dags()


@pytest.fixture
def lab(
    clean_host: DatabaseHost, host_environment: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> DatabaseHost:
    """The database host with a repository of its own and the shipped benchmarks made small."""
    small = tmp_path / "include"
    shutil.copytree(INCLUDE, small)
    for name, changes in {
        "analytics": {"workload": {"scale": 1}, "passes": 1},
        "pgbench_tpcb": {"workload": {"scale": 1}, "warmup_s": 1, "duration_s": 3},
    }.items():
        path = small / "benchmarks" / f"{name}.yaml"
        record = yaml.safe_load(path.read_text())
        record["workload"].update(changes.pop("workload"))
        path.write_text(yaml.safe_dump(record | changes))
    monkeypatch.setenv("OTTERFLOW_INCLUDE_DIR", str(small))
    monkeypatch.setenv("OTTERFLOW_HOME", str(tmp_path / "home"))
    return clean_host


def repository() -> Any:
    from otterflow.operators.connections import open_repository

    return open_repository()


def params(lab: DatabaseHost, **fields: Any) -> dict[str, Any]:
    return {
        "experiment": "in-process",
        "target": lab.name,
        "benchmark": "analytics",
        "iterations": 4,
        "restore_every": 0,
        "reference_every": 0,
        "final_rounds": 2,
        **fields,
    }


def explain(runs: list[Run]) -> str:
    return "\n".join(f"{r.run_id}: {r.states} {r.errors}" for r in runs)


def test_four_trials_end_with_the_winner_in_force(lab: DatabaseHost, dags: Dags) -> None:
    runs = dags.follow("tuning_experiment", params(lab))
    assert [r.run_id for r in runs] == [
        "manual",
        *(f"in-process-{i:04d}" for i in range(4)),
        "in-process-finish-1",
    ], explain(runs)
    assert all(r.state == SUCCESS for r in runs), explain(runs)
    for t in repository().trials("in-process"):
        print(t.iteration, t.kind, t.objective, t.seconds)
    experiment = repository().experiment("in-process")
    assert experiment.state == "finished"
    trials = repository().trials("in-process")
    assert [t.state for t in trials] == ["ok"] * 4
    assert [t.kind for t in trials][:2] == ["baseline", "rules"]
    outcome = experiment.outcome
    assert outcome is not None
    with lab.cluster.connect("postgres") as connection:
        rows = connection.execute("SELECT name, setting FROM pg_settings").fetchall()
    in_force = dict(rows)
    for knob, value in outcome["in_force"].items():
        shown = {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value
        assert in_force[knob] in (str(shown), f"{value:g}" if isinstance(value, float) else str(shown)), knob
