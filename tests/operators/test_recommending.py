"""The recommend task on a repository's records: what it plans, records and skips; no host is there to be touched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException, DagRunTriggerException

from otterflow.experiment.loop import NO_FURTHER, OUTLOOK, SEARCH_ENDED, SENT_HOME
from otterflow.operators.connections import open_repository
from otterflow.operators.next_iteration import NextIterationOperator
from otterflow.operators.recommend import RecommendOperator
from otterflow.repository import Repository
from tests.captured import CAPTURED, add_trial, make_experiment
from tests.operators.harness import context

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


def recommend(repository: Repository, iteration: int = DONE - 1) -> dict[str, Any]:
    task = RecommendOperator(task_id="recommend", experiment="now", iteration=iteration)
    return dict(task.execute({"run_id": f"now-{iteration:04d}"}))


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


@pytest.mark.slow
def test_an_early_end_is_said_by_the_task_and_plans_nothing(repository: Repository) -> None:
    begin(repository, stop_below_percent=900.0, stop_confidence=0.5)
    with pytest.raises(AirflowSkipException, match="no further trial: less than 900 % is still to be gained"):
        recommend(repository)
    assert len(repository.trials("now")) == DONE
    assert repository.trial("now", DONE - 1).reasons[OUTLOOK]["probability_below"] >= 0.5


def handed_on(repository: Repository, iteration: int = DONE - 1) -> tuple[str | None, str | None]:
    """The Dag and the run that next_iteration triggers."""
    repository.name_heir("now", "adhoc_airflow/no_run", f"adhoc_airflow/now-{iteration:04d}", state="running")
    repository.take_lease("now", f"adhoc_airflow/now-{iteration:04d}")
    task = NextIterationOperator(task_id="next_iteration", experiment="now", iteration=iteration)
    with pytest.raises(DagRunTriggerException) as triggered:
        task.execute(context(run_id=f"now-{iteration:04d}"))
    return triggered.value.trigger_dag_id, triggered.value.dag_run_id


@pytest.mark.slow
def test_the_trials_that_send_knobs_home_follow_the_search(repository: Repository) -> None:
    begin(repository, iterations=DONE, ablation_percent=40.0)
    said = recommend(repository)
    assert (said["iteration"], said["kind"], said["reasons"][SENT_HOME]) == (DONE, "ablation", [])
    reasons = repository.trial("now", DONE - 1).reasons
    assert reasons[SEARCH_ENDED] == f"all {DONE} iterations are done"
    assert reasons[NO_FURTHER] is None
    assert recommend(repository)["configuration"] == said["configuration"], "asked again it says the same"
    assert handed_on(repository) == ("tuning_iteration", f"now-{DONE:04d}")


@pytest.mark.slow
def test_when_the_trials_that_send_knobs_home_are_made_the_finish_follows(repository: Repository) -> None:
    begin(repository, iterations=DONE, ablation_percent=15.0)
    repository.add_reasons("now", DONE - 1, {SEARCH_ENDED: f"all {DONE} iterations are done"})
    add_trial(repository, "now", DONE, DONE, kind="ablation")
    with pytest.raises(AirflowSkipException, match="then 1 trials sent knobs home: 1 trials may do so"):
        recommend(repository, DONE)
    assert handed_on(repository, DONE) == ("tuning_finish", "now-finish-1")
    assert repository.experiment("now").finished_because == (
        f"all {DONE} iterations are done; then 1 trials sent knobs home: 1 trials may do so (15 % of {DONE})"
    )


@pytest.mark.slow
@pytest.mark.parametrize("stopped", [True, False])
def test_none_sends_knobs_home_where_the_form_says_so_or_a_stop_is_asked_for(
    repository: Repository, stopped: bool
) -> None:
    begin(repository, iterations=DONE, ablation_percent=40.0 if stopped else 0.0)
    if stopped:
        repository.request_stop("now", "by hand")
    why = "a stop was requested: by hand" if stopped else f"all {DONE} iterations are done"
    with pytest.raises(AirflowSkipException, match=f"no further trial: {why}"):
        recommend(repository)
    assert len(repository.trials("now")) == DONE
    assert handed_on(repository) == ("tuning_finish", "now-finish-1")
    assert repository.experiment("now").finished_because == why


@pytest.mark.slow
def test_a_stop_between_two_tasks_makes_no_trial_that_was_planned(repository: Repository) -> None:
    begin(repository, iterations=DONE, ablation_percent=40.0)
    recommend(repository)
    repository.request_stop("now", "by hand")
    assert handed_on(repository) == ("tuning_finish", "now-finish-1")
    assert repository.experiment("now").finished_because == "a stop was requested: by hand"
