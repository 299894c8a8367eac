"""Which experiments of the repository are told to the tuner, in which order, and that the next trial takes them up."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from otterflow.experiment.spec import ExperimentSpec
from otterflow.learning.past_experiments import MOST_READ, Other, past_experiments, worth_reading
from otterflow.measures.goal import Direction, Goal, goal
from otterflow.measures.objective import Objective
from otterflow.repository import Experiment, Trial
from otterflow.repository.records import ExperimentState, TrialKind, TrialState
from otterflow.tuner import suggest
from otterflow.tuner.trial import check_trials

SPACE: list[dict[str, Any]] = [
    {"name": "work_mem", "type": "integer", "min": 64, "max": 1_000_000, "scale": "log", "default": 4096},
    {"name": "jit", "type": "boolean", "default": True},
]
OTHER_SPACE = [{"name": "bgwriter_delay", "type": "integer", "min": 10, "max": 10_000, "default": 200}]
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
THROUGHPUT = Goal(Objective.throughput)


def experiment(name: str, day: int = 0, **known: Any) -> Experiment:
    form = {"experiment": name, "target": known.get("target", "t"), "benchmark": known.get("benchmark", "b")}
    return replace(
        Experiment(
            name=name, target="t", dbms="postgresql", benchmark="b", objective="throughput", seed=0, code_version="",
            comparison=1,
            spec=ExperimentSpec.from_params(form).record(), state=ExperimentState.finished, message="",
            stop_requested=False, stop_reason="", space=SPACE, baseline={"work_mem": 4096, "jit": True},
            baseline_file="", rules=None, facts={}, live={}, versions={}, hardware={}, catalog_hash="",
            last_good=None, outcome=None, created_at=BEGIN + timedelta(days=day), started_at=BEGIN, ended_at=None,
        ),
        **known,
    )  # fmt: skip


def throughput(config: dict[str, Any]) -> float:
    """Best with jit off and a work_mem of 65,536."""
    return 100.0 * math.exp(-0.05 * (math.log2(config["work_mem"]) - 16) ** 2 - 0.3 * config["jit"])


def trials_of(name: str, configs: list[dict[str, Any]], blocks_of: float = 1.0) -> list[Trial]:
    """Trials with a metric that is `blocks_of` times the work_mem."""
    return [
        Trial(
            experiment=name, iteration=i, attempt=1, kind=TrialKind.baseline if i == 0 else TrialKind.model, seed=0,
            wanted=config, in_force=config | {"port": 5432}, state=TrialState.ok, objective=throughput(config),
            result={"throughput": throughput(config)}, metrics={"blks_hit": blocks_of * config["work_mem"]},
        )
        for i, config in enumerate(configs)
    ]  # fmt: skip


CONFIGS = [{"work_mem": 2**power, "jit": jit} for power in range(7, 19, 2) for jit in (True, False)]
BASELINE = [{"work_mem": 4096, "jit": True}]


def other(found: Experiment, blocks_of: float = 1.0) -> Other:
    return Other(found, trials_of(found.name, CONFIGS, blocks_of), THROUGHPUT)


def names(found: list[Any]) -> list[str]:
    return [one.name for one in found]


def test_the_likeliest_are_read_first_and_only_those_that_can_teach() -> None:
    now = experiment("now", state=ExperimentState.running)
    others = [
        now,
        experiment("running", state=ExperimentState.running),
        experiment("no_shared_knob", space=OTHER_SPACE),
        experiment("other_objective", objective="latency_p99"),
        experiment("other_benchmark", benchmark="c"),
        experiment("older"),
        experiment("newer", day=2),
        experiment("newest_elsewhere", day=3, target="u"),
        experiment("stopped", day=1, state=ExperimentState.stopped),
    ]
    assert names(worth_reading(now, others)) == [
        "newer", "stopped", "older", "newest_elsewhere", "other_benchmark", "other_objective",
    ]  # fmt: skip
    assert len(worth_reading(now, [experiment(f"e{i}") for i in range(50)])) == MOST_READ


@pytest.mark.slow
def test_among_those_of_one_benchmark_the_nearest_workload_comes_first() -> None:
    now = experiment("now")
    others = [other(experiment("far", day=2), 1000.0), other(experiment("near"), 1.0)]
    trials = trials_of("now", BASELINE)
    assert names(past_experiments(now, trials, THROUGHPUT, others, ["blks_hit"])) == ["near", "far"]
    assert names(past_experiments(now, trials, THROUGHPUT, others, [])) == ["far", "near"]  # the newer


def test_what_is_told_is_what_the_tuner_takes() -> None:
    (past,) = past_experiments(experiment("now"), [], THROUGHPUT, [other(experiment("then"))], ["blks_hit"])
    check_trials(past.space, past.trials)
    assert past.trials[0].config == CONFIGS[0]  # what was in force, of the knobs that were tuned
    assert past.trials[0].value == pytest.approx(math.log(throughput(CONFIGS[0])))
    assert past.metrics is not None
    assert len(past.metrics) == len(past.trials)


def test_an_experiment_with_too_few_measurements_or_unreadable_records_is_left_out() -> None:
    short = Other(experiment("short"), trials_of("short", CONFIGS[:2]), THROUGHPUT)
    odd = other(experiment("odd", space=[{"name": "work_mem", "type": "colour", "default": "red"}]))
    limited = goal("throughput", Direction.own, ["errors < 5"], None)
    old = Other(experiment("old"), trials_of("old", CONFIGS), limited)  # results without the number of errors
    assert past_experiments(experiment("now"), [], THROUGHPUT, [short, odd, old], []) == []


def test_a_new_experiment_begins_with_the_best_of_one_that_was_alike() -> None:
    now, trials = experiment("now"), trials_of("now", BASELINE)
    past = past_experiments(now, trials, THROUGHPUT, [other(experiment("then"))], ["blks_hit"])
    (told,) = past_experiments(
        now, [], THROUGHPUT, [Other(now, trials_of("now", [*BASELINE, *CONFIGS[:3]]), THROUGHPUT)], []
    )
    first = suggest(told.space, told.trials[:1], past=past)
    assert first.reasons["past"] == [{"experiment": "then"}]
    assert first["jit"] is False
    assert throughput(dict(first)) > 0.8 * 100
