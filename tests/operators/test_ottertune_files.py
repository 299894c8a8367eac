"""A trial that was really measured, written as OtterTune's four files and read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from otterflow.experiment.loop import history
from otterflow.measures.goal import Goal
from otterflow.measures.objective import Objective
from otterflow.operators.connections import open_repository
from otterflow.ottertune.counters import GLOBAL_VIEWS, LOCAL_VIEWS
from tests.operators.harness import Dags

pytestmark = pytest.mark.integration

VIEWS = {*GLOBAL_VIEWS, *(view for views in LOCAL_VIEWS.values() for view in views), "pg_stat_database_all"}


def test_a_measured_trial_goes_out_and_comes_back(dags: Dags, params: dict[str, Any], tmp_path: Path) -> None:
    measured = {**params, "benchmark": "pgbench_tpcb", "iterations": 2, "knob_set": "core"}
    for run in dags.follow("tuning_experiment", measured, most=3):
        assert not run.errors, run.errors
    out = tmp_path / "out"
    conf = {"experiment": params["experiment"], "folder": str(out), "iteration": None}
    written = dags.run("export_ottertune", conf).returned["export_sets"]
    assert len(written["written"]) == 2
    report = dags.run("import_ottertune", {"folder": str(out), "experiment": "again"}).returned["import_sets"]
    assert report["left_out"] == []
    assert report["unread"] == []

    repository = open_repository()
    here, there = repository.trials(params["experiment"]), repository.trials("again")
    for first, second in zip(here, there, strict=True):
        tuned, read = first.in_force or {}, second.in_force or {}
        varied = tuned.keys() & read.keys()
        assert len(varied) > 3
        assert {name: read[name] for name in varied} == {name: tuned[name] for name in varied}
        compared = {name: value for name, value in first.metrics.items() if name.partition(".")[0] in VIEWS}
        assert set(compared) == {n for n in second.metrics if n.partition(".")[0] != "pg_stat_database_conflicts"}
        for name, value in compared.items():
            assert second.metrics[name] == pytest.approx(value, rel=1e-3, abs=1e-6), name
        assert second.objective == pytest.approx(first.metrics["pg_stat_database_all.xact_commit"], rel=1e-3)
        assert first.result is not None
        assert second.result is not None
        made, counted = first.result["transactions"], second.result["transactions"]
        assert made <= counted < 1.5 * made + 100, "the window holds the connecting, and what the server does itself"
    told = history(repository.experiment("again"), there, Goal(Objective.throughput))
    assert [trial.state for trial in told] == ["ok", "ok"]
