"""What an import is for: a new experiment begins where OtterTune's results were best."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, cast

import pytest

from otterflow.experiment.frozen import goal_of
from otterflow.experiment.loop import history
from otterflow.experiment.spec import ExperimentSpec
from otterflow.knobs.space import KnobSpace
from otterflow.learning import stored_models
from otterflow.repository import Experiment, Repository
from otterflow.tuner import suggest
from tests.ottertune.sets import generated, imported
from tests.repository.samples import new_experiment, prepare

BUFFERS_MB = (128, 512, 1024, 2048, 4096, 6144)
COSTS = ("1.1", "2", "4")
TRIED = [{"shared_buffers": f"{mb}MB", "random_page_cost": cost} for cost in COSTS for mb in BUFFERS_MB]
NEW_SPACE: list[dict[str, Any]] = [
    {"name": "shared_buffers", "type": "integer", "min": 16384, "max": 1048576, "scale": "log", "default": 16384},
    {"name": "random_page_cost", "type": "real", "min": 0.5, "max": 8.0, "scale": "log", "default": 4.0},
    {"name": "jit", "type": "boolean", "default": True},
]
"""A newer server's space: `jit` was not there in 9.6."""


def commits(shared_buffers_mb: float, random_page_cost: float) -> int:
    """Best with 2 GB and random_page_cost 1.1."""
    far = (math.log2(shared_buffers_mb) - 11) ** 2 * 0.06 + math.log2(random_page_cost / 1.1) * 0.15
    return round(90_000 * math.exp(-far))


def with_a_baseline(repository: Repository) -> Experiment:
    """An experiment of ours with one trial, the baseline."""
    form = {"experiment": "now", "target": "staging", "benchmark": "tpcc", "objective": "throughput"}
    spec = ExperimentSpec.from_params(form)
    repository.create_experiment(
        new_experiment("now", target="staging", benchmark="tpcc", objective="throughput", spec=spec.record())
    )
    baseline = {knob["name"]: knob["default"] for knob in NEW_SPACE}
    prepare(repository, "now", space=NEW_SPACE, baseline=baseline, rules=baseline, versions={"major": 15})
    repository.plan_trial("now", 0, kind="baseline", wanted=baseline, repairs=[], reasons={}, seed=0)
    repository.begin_try("now", 0)
    repository.record_in_force("now", 0, baseline)
    repository.record_result("now", 0, result={"throughput": 150.0}, objective=150.0, repeats=[150.0])
    repository.end_trial("now", 0, "ok")
    return repository.experiment("now")


@pytest.mark.slow
def test_a_new_experiment_begins_with_the_best_that_ottertune_found(repository: Repository, tmp_path: Path) -> None:
    counts = [commits(float(t["shared_buffers"].removesuffix("MB")), float(t["random_page_cost"])) for t in TRIED]
    report = imported(repository, generated(tmp_path, TRIED, counts), experiment="tpcc-2018")
    assert len(report.imported) == len(TRIED)
    now = with_a_baseline(repository)
    its_goal = goal_of(now)
    assert its_goal is not None
    trials = repository.trials("now")
    known = stored_models.knowledge_for(repository, now, trials, its_goal)
    assert [past.name for past in known.past] == ["tpcc-2018"]
    suggestion = suggest(KnobSpace.from_records(now.space), history(now, trials, its_goal), past=known.past)
    assert suggestion.reasons["past"] == [{"experiment": "tpcc-2018"}]
    chosen = commits(cast(int, suggestion["shared_buffers"]) * 8 / 1024, float(suggestion["random_page_cost"]))
    assert chosen > 0.9 * max(counts)


@pytest.mark.slow
def test_models_are_refreshed_of_an_import_as_of_any_experiment(repository: Repository, tmp_path: Path) -> None:
    counts = [commits(float(t["shared_buffers"].removesuffix("MB")), float(t["random_page_cost"])) for t in TRIED]
    imported(repository, generated(tmp_path, TRIED, counts), experiment="tpcc-2018")
    refreshed = stored_models.refresh_workload(repository, "ottertune/tpcc/throughput")
    assert refreshed.experiments == ["tpcc-2018"]
    ranking = repository.model("ranking", scope="experiment", subject="tpcc-2018")
    assert ranking is not None
