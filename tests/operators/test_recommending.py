"""The recommend task on a repository's records: what it plans, records and skips; no host is there to be touched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from otterflow.experiment.loop import OUTLOOK
from otterflow.operators.connections import open_repository
from otterflow.operators.recommend import RecommendOperator
from otterflow.repository import Repository
from tests.captured import CAPTURED, add_trial, make_experiment

ROWS = json.loads((Path(__file__).parents[1] / "knobs" / "pg_settings_15.json").read_text())
FACTS = {"ram_bytes": 8 * 2**30, "cores": 4, "disk": "ssd", "max_connections": 100}
DONE = 8


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setenv("OTTERFLOW_HOME", str(tmp_path))
    monkeypatch.delenv("OTTERFLOW_TARGETS_DIR", raising=False)
    return open_repository()


def begin(repository: Repository, **form: Any) -> None:
    """An experiment under way, with the first trials of the capture."""
    spec = {"experiment": "now", "target": "example_command", "benchmark": "pgbench_tpcb", "iterations": 16, **form}
    make_experiment(repository, "now", 0, ended=False, target="example_command", spec={**spec, "reference_every": 0})
    repository.prepare_experiment(
        "now", space=CAPTURED["space"], baseline=CAPTURED["configurations"][0], baseline_file="", facts=FACTS,
        rules=CAPTURED["configurations"][1], versions={}, hardware={}, catalog_hash="c",
        live={row["name"]: row for row in ROWS},
    )  # fmt: skip
    for iteration in range(DONE):
        add_trial(repository, "now", iteration, iteration)
    repository.hold_target("example_command", "now")


def recommend(repository: Repository) -> dict[str, Any]:
    task = RecommendOperator(task_id="recommend", experiment="now", iteration=DONE - 1)
    return dict(task.execute({"run_id": f"now-{DONE - 1:04d}"}))


@pytest.mark.slow
def test_the_next_trial_is_planned_and_what_is_left_is_recorded_with_the_last(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    begin(repository)
    said = recommend(repository)
    planned = repository.trial("now", DONE)
    assert (planned.wanted, planned.reasons, planned.kind) == (said["configuration"], said["reasons"], "model")
    left = repository.trial("now", DONE - 1).reasons[OUTLOOK]
    assert left["expected_percent"] > 0
    logged = capsys.readouterr().out
    assert "still to be gained: " in logged
    assert "predicted" in logged


@pytest.mark.slow
@pytest.mark.parametrize("transfer", [True, False])
def test_other_experiments_are_asked_unless_the_form_says_no(repository: Repository, transfer: bool) -> None:
    make_experiment(repository, "before", 16)
    begin(repository, transfer=transfer)
    reasons = recommend(repository)["reasons"]
    told = "past" in reasons or "before" in reasons["idea"]
    assert told is transfer


def test_an_early_end_is_said_by_the_task_and_plans_nothing(repository: Repository) -> None:
    begin(repository, stop_below_percent=900.0, stop_confidence=0.5)
    with pytest.raises(AirflowSkipException, match="no further trial: less than 900 % is still to be gained"):
        recommend(repository)
    assert len(repository.trials("now")) == DONE
    assert repository.trial("now", DONE - 1).reasons[OUTLOOK]["probability_below"] >= 0.5
