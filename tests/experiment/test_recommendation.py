"""From an experiment's records to its next trial: what is asked of the tuner, and what is recorded of its answer."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from otterflow.experiment.plan import Plan
from otterflow.experiment.recommendation import best_configuration, recommendation, what_is_left
from otterflow.experiment.spec import ExperimentSpec
from otterflow.measures.formula import constraints
from otterflow.measures.goal import Goal
from otterflow.measures.objective import Objective
from otterflow.repository import Experiment, Trial
from tests.records import experiment, trial

SPACE = [
    {"name": "work_mem", "type": "integer", "min": 64, "max": 65536, "scale": "log", "default": 4096},
    {"name": "random_page_cost", "type": "real", "min": 1.0, "max": 8.0, "default": 4.0},
    {"name": "jit", "type": "boolean", "default": True},
]
BASELINE = {"work_mem": 4096, "random_page_cost": 4.0, "jit": True}
ROWS = json.loads((Path(__file__).parents[1] / "knobs" / "pg_settings_15.json").read_text())
LIMITS = constraints(["latency_p99 < 10"], {"latency_p99": "number"})


def found(**spec: Any) -> Experiment:
    facts = {"ram_bytes": 8 * 2**30, "cores": 4, "disk": "ssd", "max_connections": 100}
    live = {row["name"]: row for row in ROWS}
    return experiment(
        {"iterations": 20, "reference_every": 0, **spec}, space=SPACE, baseline=BASELINE, facts=facts, live=live
    )


def plan(of: Experiment, goal: Goal | None = None) -> Plan:
    spec = ExperimentSpec.from_params(of.spec)
    target = SimpleNamespace(dbms="postgresql")
    return Plan(spec, target, None, goal or Goal(Objective.throughput), None)  # type: ignore[arg-type]


def measured(n_trials: int, *, p99_of: Any = lambda config: 5.0) -> list[Trial]:
    """Random trials of a server that is fastest with much memory and without jit, 1 % noise."""
    rng = np.random.default_rng(0)
    trials = []
    for i in range(n_trials):
        config = dict(BASELINE)
        if i:
            config = {"work_mem": int(2 ** rng.uniform(6, 16)), "random_page_cost": float(rng.uniform(1, 8))}
            config["jit"] = bool(rng.integers(2))
        speed = 1000 * math.exp(0.1 * math.log2(config["work_mem"]) - 0.3 * config["jit"] + 0.01 * rng.normal())
        kind = "model" if i else "baseline"
        trials.append(trial(i, speed, p99=p99_of(config), kind=kind, wanted=config, in_force=config))
    return trials


@pytest.mark.slow
def test_a_suggestion_is_recorded_with_what_it_is_expected_to_bring() -> None:
    chosen = recommendation(found(), plan(found()), measured(12), 12)
    assert chosen.kind == "model"
    assert chosen.configuration["work_mem"] > 8192
    said = json.loads(json.dumps(chosen.reasons))
    assert said["predicted"]["unit"] == "1/s"
    assert said["predicted"]["low"] < said["predicted"]["value"] < said["predicted"]["high"]
    assert 2000 < said["incumbent"]["value"] < 6000
    assert 0 <= said["crash_probability"] <= 1
    lines = chosen.table.splitlines()
    assert lines[0].strip() == said["idea"]
    assert any(line.split()[0] == "work_mem" and line.endswith("%") for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["lhs", "random", "forest", "gpr"])
def test_the_algorithm_of_the_form_is_the_one_that_is_asked(algorithm: str) -> None:
    asked = found(algorithm=algorithm)
    chosen = recommendation(asked, plan(asked), measured(8), 8)
    assert chosen.reasons["idea"].startswith(f"{algorithm}: ")
    assert chosen.table.splitlines()[0].startswith(f"  {algorithm}: ")


@pytest.mark.slow
def test_what_breaks_a_constraint_is_never_the_best() -> None:
    def p99_of(config: dict[str, Any]) -> float:
        return 20.0 if config["work_mem"] > 2048 else 5.0

    trials = measured(14, p99_of=p99_of)
    free, bound = plan(found()), plan(found(), Goal(Objective.throughput, LIMITS))
    assert best_configuration(found(), free, trials)["work_mem"] > 2048
    assert best_configuration(found(), bound, trials)["work_mem"] <= 2048
    chosen = recommendation(found(), bound, trials, 14)
    assert 0 <= chosen.reasons["feasible_probability"] <= 1
    assert "keeps constraints" in chosen.table


@pytest.mark.slow
def test_what_is_left_is_said_once_there_is_a_model() -> None:
    of = found(stop_below_percent=5)
    assert what_is_left(of, plan(of), measured(3)) == {}
    left = what_is_left(of, plan(of), measured(16))
    assert left["below_percent"] == 5
    assert 0 <= left["probability_below"] <= 1
    assert 0 < left["expected_percent"] < 100
    assert "below_percent" not in what_is_left(found(), plan(found()), measured(16))


@pytest.mark.slow
def test_an_objective_to_minimise_is_predicted_in_its_own_unit() -> None:
    slow = [trial(t.iteration, 1e6 / t.objective, kind=t.kind, wanted=t.wanted) for t in measured(12) if t.objective]
    chosen = recommendation(found(), plan(found(), Goal(Objective.latency_p99)), slow, 12)
    assert chosen.configuration["work_mem"] > 8192
    assert chosen.reasons["predicted"]["unit"] == "ms"
    assert 100 < chosen.reasons["predicted"]["value"] < 500


@pytest.mark.slow
def test_a_reference_trial_is_made_when_it_is_due() -> None:
    of = found(reference_every=4)
    first, second = (recommendation(of, plan(of), measured(n), n) for n in (4, 8))
    assert [r.kind for r in (first, second)] == ["reference", "reference"]
    assert first.configuration == BASELINE
    assert second.configuration == best_configuration(of, plan(of), measured(8))
