"""An experiment that follows an alike one begins with what was best there: the recommend task on a repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from otterflow.operators.connections import open_repository
from otterflow.operators.recommend import RecommendOperator
from otterflow.repository import Repository
from tests.captured import CAPTURED, add_trial, make_experiment

ROWS = json.loads((Path(__file__).parents[1] / "knobs" / "pg_settings_15.json").read_text())
FACTS = {"ram_bytes": 8 * 2**30, "cores": 4, "disk": "ssd", "max_connections": 100}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setenv("OTTERFLOW_HOME", str(tmp_path))
    monkeypatch.delenv("OTTERFLOW_TARGETS_DIR", raising=False)
    monkeypatch.setenv("OTTERFLOW_EXPERIENCE_DIR", str(tmp_path / "packs"))
    return open_repository()


def third_trial(repository: Repository, **form: Any) -> dict[str, Any]:
    """What the recommend task plans after the baseline and the rules of an experiment."""
    spec = {"experiment": "now", "target": "example_command", "benchmark": "pgbench_tpcb", "iterations": 16, **form}
    make_experiment(repository, "now", 0, ended=False, target="example_command", spec={**spec, "reference_every": 0})
    repository.prepare_experiment(
        "now", space=CAPTURED["space"], baseline=CAPTURED["configurations"][0], baseline_file="", facts=FACTS,
        rules=CAPTURED["configurations"][1], versions={}, hardware={}, catalog_hash="c",
        live={row["name"]: row for row in ROWS},
    )  # fmt: skip
    for iteration in range(2):
        add_trial(repository, "now", iteration, iteration)
    repository.hold_target("example_command", "now")
    return dict(RecommendOperator(task_id="recommend", experiment="now", iteration=1).execute({"run_id": "now-0001"}))


@pytest.mark.slow
def test_the_best_of_a_finished_alike_experiment_is_tried_after_the_rules(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    make_experiment(repository, "other_benchmark", 16, benchmark="pgbench_ro", first=0)
    make_experiment(repository, "before", 14, first=2)
    planned = third_trial(repository)
    assert planned["reasons"]["idea"] == "warm start: the best of experiment before, by a model of its trials"
    assert planned["reasons"]["past"] == [{"experiment": "before"}]
    assert repository.trial("now", 2).reasons == planned["reasons"]
    taken = planned["configuration"]
    known = [v for c, v in zip(CAPTURED["configurations"], CAPTURED["values"], strict=True) if c == taken]
    middle = sorted(CAPTURED["values"])[8]
    assert known, "a configuration that was measured there"
    assert known[0] > middle
    assert "warm start: the best of experiment before" in capsys.readouterr().out


@pytest.mark.slow
def test_an_experiment_under_way_teaches_nothing(repository: Repository) -> None:
    make_experiment(repository, "elsewhere", 16, ended=False)
    assert third_trial(repository)["reasons"]["idea"].startswith("design")


@pytest.mark.slow
@pytest.mark.parametrize("transfer", [True, False])
def test_without_experiments_of_ones_own_the_best_of_a_pack_is_tried_unless_the_form_says_no(
    transfer: bool, repository: Repository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OTTERFLOW_EXPERIENCE_DIR")
    reasons = third_trial(repository, transfer=transfer)["reasons"]
    logged = capsys.readouterr().out
    assert (reasons.get("past") == [{"experiment": "experience/postgresql_tpcc"}]) is transfer
    assert (
        "experience/postgresql_tpcc has 100 modelled trials of TPC-C, transactions a second on" in logged
    ) is transfer
    assert ("warm start: the best of experiment experience/postgresql_tpcc" in logged) is transfer


@pytest.mark.slow
def test_a_broken_pack_is_logged_and_the_next_trial_planned(
    repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "packs").mkdir()
    (tmp_path / "packs" / "broken.json").write_text("{")
    assert third_trial(repository)["reasons"]["idea"].startswith("design")
    assert "a pack is left out: broken.json: (whole file): " in capsys.readouterr().out
