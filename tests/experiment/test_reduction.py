"""From an experiment's records to the trials that send knobs home, the comparison's arms, and what the result says."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from otterflow.experiment import loop
from otterflow.experiment.ablation import Ablation
from otterflow.experiment.comparison import BASELINE, BEST, REDUCED, RULES
from otterflow.experiment.plan import Plan
from otterflow.experiment.recommendation import Recommendation
from otterflow.experiment.reduction import ablation_of, ablation_record, arms, next_ablation
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
    {"name": "seq_page_cost", "type": "real", "min": 1.0, "max": 8.0, "default": 1.0},
]
BEFORE: dict[str, Any] = {"work_mem": 4096, "random_page_cost": 4.0, "jit": True, "seq_page_cost": 1.0}
ROWS = json.loads((Path(__file__).parents[1] / "knobs" / "pg_settings_15.json").read_text())
FOUND: dict[str, Any] = {"work_mem": 60000, "random_page_cost": 2.0, "jit": False, "seq_page_cost": 3.0}
"""What the search found: of its changes only those of work_mem and jit are worth something."""
IDLE = {"random_page_cost": 4.0, "seq_page_cost": 1.0}


def made_up(**spec: Any) -> Experiment:
    facts = {"ram_bytes": 8 * 2**30, "cores": 4, "disk": "ssd", "max_connections": 100}
    live = {row["name"]: row for row in ROWS}
    form = {"iterations": 20, "reference_every": 0, **spec}
    return experiment(form, space=SPACE, baseline=BEFORE, facts=facts, live=live)


def plan(of: Experiment, goal: Goal | None = None) -> Plan:
    spec = ExperimentSpec.from_params(of.spec)
    target = SimpleNamespace(dbms="postgresql")
    return Plan(spec, target, None, goal or Goal(Objective.throughput), None)  # type: ignore[arg-type]


def speed(config: dict[str, Any], luck: float = 0.0) -> float:
    return 1000 * math.exp(0.1 * math.log2(config["work_mem"]) - 0.3 * config["jit"] + 0.01 * luck)


def searched() -> list[Trial]:
    rng = np.random.default_rng(0)
    trials = [trial(0, speed(BEFORE, 0.3), kind="baseline", wanted=BEFORE)]
    for i in range(1, 19):
        config = {
            "work_mem": int(2 ** rng.uniform(6, 15)), "random_page_cost": float(rng.uniform(1, 8)),
            "jit": bool(rng.integers(2)), "seq_page_cost": float(rng.uniform(1, 8)),
        }  # fmt: skip
        trials.append(trial(i, speed(config, float(rng.normal())), wanted=config))
    return [*trials, trial(19, speed(FOUND, 0.5), wanted=FOUND)]


def ablation_trial(iteration: int, home: dict[str, Any], value: float | None = -1.0, **more: Any) -> Trial:
    config = FOUND | home
    gave = speed(config) if value == -1.0 else value
    return trial(iteration, gave, kind="ablation", wanted=config, reasons={loop.SENT_HOME: sorted(home)}, **more)


@pytest.mark.slow
def test_the_first_trial_measures_the_best_again_and_the_second_sends_a_group_home() -> None:
    of = made_up()
    first = next_ablation(of, plan(of), searched())
    assert isinstance(first, Recommendation)
    assert (first.kind, first.configuration, first.reasons[loop.SENT_HOME]) == ("ablation", FOUND, [])
    again = [*searched(), ablation_trial(20, {})]
    second = next_ablation(of, plan(of), again)
    assert isinstance(second, Recommendation)
    home = second.reasons[loop.SENT_HOME]
    assert {"random_page_cost", "seq_page_cost"} == set(home)
    assert second.configuration == FOUND | IDLE
    assert second.reasons["idea"] == (
        "ablation: 2 of 4 changed knobs go back to the baseline: random_page_cost, seq_page_cost"
    )
    assert 0.4 <= second.reasons["nothing_lost_probability"] <= 1
    json.dumps(second.reasons)
    assert "expected to lose" in second.table


@pytest.mark.slow
def test_what_is_not_missed_is_an_arm_more_and_the_best_stays_what_the_search_found() -> None:
    of = made_up()
    trials = [*searched(), ablation_trial(20, {}), ablation_trial(21, IDLE), ablation_trial(22, IDLE)]
    found = arms(of, plan(of), trials)
    assert list(found) == [BASELINE, BEST, REDUCED]
    assert found[BEST] == FOUND, "a trial of the ablation is not the search's best"
    assert found[REDUCED] == FOUND | IDLE
    assert list(arms(of, plan(of), trials[:-2])) == [BASELINE, BEST]
    said = json.loads(json.dumps(ablation_record(of, plan(of), trials)))
    assert {row["knob"] for row in said["dropped"]} == set(IDLE)
    assert {row["knob"] for row in said["kept"]} == {"work_mem", "jit"}
    assert (said["trials"], said["most_trials"], said["changed"], said["left"]) == (3, 6, 4, 2)
    assert said["kept"][0]["percent"] > said["kept"][1]["percent"] > 20, "those worth most come first"
    assert said["loss"]["low"] < 0 < said["loss"]["high"]
    for row in said["kept"] + said["dropped"]:
        assert row["low"] <= row["percent"] <= row["high"]
        assert row["why"]


@pytest.mark.slow
def test_a_reduced_configuration_that_is_the_rules_is_no_arm_of_its_own() -> None:
    of = made_up()
    ruled = FOUND | IDLE
    trials = searched()
    trials[1] = trial(1, speed(ruled), kind="rules", wanted=ruled)
    found = arms(of, plan(of), [*trials, ablation_trial(20, IDLE), ablation_trial(21, IDLE)])
    assert REDUCED not in found
    assert found[RULES] == ruled


@pytest.mark.slow
def test_a_knob_that_was_sent_home_alone_has_its_measured_effect() -> None:
    of = made_up()
    trials = [*searched(), ablation_trial(20, {"jit": True}), ablation_trial(21, IDLE | {"work_mem": 4096})]
    said = ablation_record(of, plan(of), trials)
    assert said is not None
    rows = {row["knob"]: row for row in said["kept"]}
    assert rows["jit"]["tested"]
    assert rows["jit"]["why"].startswith("at home alone it is missed")
    assert rows["jit"]["percent"] == pytest.approx(35, abs=5)
    assert not rows["work_mem"]["tested"]
    assert "with random_page_cost, seq_page_cost at home" in rows["work_mem"]["why"]
    assert said["loss"] is None


@pytest.mark.slow
def test_a_crash_keeps_its_knobs_where_they_are() -> None:
    of = made_up()
    trials = [*searched(), ablation_trial(20, {}), ablation_trial(21, IDLE, None), ablation_trial(22, IDLE, None)]
    further = next_ablation(of, plan(of), trials)
    if isinstance(further, Recommendation):
        assert not set(IDLE) <= set(further.reasons[loop.SENT_HOME])
    assert REDUCED not in arms(of, plan(of), trials)
    said = ablation_record(of, plan(of), trials)
    assert said is not None
    assert "there was no value" in next(row for row in said["kept"] if row["knob"] == "seq_page_cost")["why"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["baseline", "rules"])
def test_what_nobody_searched_for_is_not_made_smaller(kind: str) -> None:
    of = made_up()
    trials = searched()[:10]
    if kind == "rules":
        trials += [trial(10, speed(FOUND), kind="rules", wanted=FOUND)]
        assert "the rules'" in str(next_ablation(of, plan(of), trials))
    else:
        slow = [trial(t.iteration, 100.0, wanted=t.wanted) for t in trials[1:]]
        assert next_ablation(of, plan(of), [trials[0], *slow]) == "the best configuration is the baseline"
    assert isinstance(ablation_of(of, plan(of), searched()), Ablation)


@pytest.mark.slow
def test_a_best_that_breaks_a_constraint_is_left_as_it_is() -> None:
    of = made_up()
    bound = Goal(Objective.throughput, constraints(["latency_p99 < 1"], {"latency_p99": "number"}))
    assert next_ablation(of, plan(of, bound), searched()) == "the best configuration breaks a constraint"


@pytest.mark.slow
def test_less_is_better_for_a_latency_and_its_effects_are_gains_all_the_same() -> None:
    of = made_up()
    turned = [
        trial(t.iteration, 1e6 / t.objective, kind=t.kind.value, wanted=t.wanted, reasons=t.reasons)
        for t in [*searched(), ablation_trial(20, {"jit": True})]
        if t.objective
    ]
    said = ablation_record(of, plan(of, Goal(Objective.latency_p99)), turned)
    assert said is not None
    assert next(row for row in said["kept"] if row["knob"] == "jit")["percent"] == pytest.approx(35, abs=5)
