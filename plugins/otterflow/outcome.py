"""What came of an experiment, as `result.json` says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from otterflow.comparison import BASELINE, BEST, RULES, Ratio, distinct, improvement, winner
from otterflow.experiment import Plan
from otterflow.goal import Goal
from otterflow.knobs.explain import changed
from otterflow.loop import live_settings_of, scoring
from otterflow.workloads.formula import Formula
from otterflow.workloads.objective import Objective

if TYPE_CHECKING:
    from otterflow.repository import Experiment, Measurement, Trial


def values_by_arm(measurements: Sequence[Measurement]) -> dict[str, dict[int, float]]:
    """The comparison's values: arm to round to value; turns that failed are left out."""
    values: dict[str, dict[int, float]] = {}
    for m in measurements:
        if m.value is not None:
            values.setdefault(m.arm, {})[m.round] = m.value
    return values


def broken_arms(measurements: Sequence[Measurement], goal: Goal) -> set[str]:
    """The arms that break a constraint by its mean slack over the comparison's rounds.

    A turn is shorter than a trial, so its result may lack a number; such a constraint is not judged here.
    """
    slacks: dict[tuple[str, int], list[float]] = {}
    for m in measurements:
        for position, slack in enumerate(goal.slacks(m.result) if m.value is not None else ()):
            if slack is not None:
                slacks.setdefault((m.arm, position), []).append(slack)
    return {arm for (arm, _), values in slacks.items() if fmean(values) < 0}


def ratios(measurements: Sequence[Measurement], objective: Objective | Formula) -> dict[str, Ratio | None]:
    """Each arm against the baseline, pairwise within the rounds."""
    values = values_by_arm(measurements)
    baseline = values.get(BASELINE, {})
    return {arm: improvement(baseline, values.get(arm, {}), maximise=objective.maximise) for arm in (RULES, BEST)}


def outcome(
    experiment: Experiment,
    plan: Plan,
    trials: Sequence[Trial],
    measurements: Sequence[Measurement],
    arms: Mapping[str, Mapping[str, Any]],
    in_force: Mapping[str, Any],
) -> dict[str, Any]:
    """The design's `result.json`, with the comparison behind its figures.

    `baseline`, `rules` and `best` are medians of the final comparison in the objective's unit; `ratio` is best against
    baseline (larger than 1 is better) as the geometric mean of the rounds' ratios. `best` is the winner, or where
    nothing beat the baseline beyond noise, what the search thought best; `installed` says which is in force.
    """
    values = values_by_arm(measurements)
    found = ratios(measurements, plan.objective)
    medians = {arm: median(of.values()) for arm, of in values.items() if of}
    measured = [t.objective for t in trials if t.kind == "baseline" and t.objective is not None]
    baseline = medians.get(BASELINE, measured[0] if measured else None)
    broken = broken_arms(measurements, plan.goal)
    won = winner(found, broken)
    best_arm = distinct(arms)[BEST] if won == BASELINE else won
    best_ratio = found.get(best_arm)
    installed = dict(experiment.last_good.configuration) if experiment.last_good else {}
    live = live_settings_of(experiment)
    return {
        "experiment": experiment.name,
        "target": experiment.target,
        "benchmark": experiment.benchmark,
        "objective": plan.objective.value,
        "unit": plan.objective.unit,
        "maximise": plan.objective.maximise,
        "constraints": [constraint.text for constraint in plan.goal.constraints],
        "baseline": baseline,
        "rules": medians.get(distinct(arms).get(RULES, RULES)),
        "best": medians.get(best_arm, baseline),
        "ratio": best_ratio.ratio if best_ratio else 1.0,
        "best_configuration": dict(arms[best_arm]),
        "installed": won,
        "in_force": dict(in_force),
        "changed_knobs": [asdict(c) for c in changed(installed, experiment.baseline or {}, live, plan.catalog)],
        "comparison": {
            "values": {arm: [of[r] for r in sorted(of)] for arm, of in values.items()},
            "ratios": {arm: ratio.as_dict() for arm, ratio in found.items() if ratio},
            "breaks_a_constraint": sorted(broken),
        },
        "trials": _trials(trials, plan.objective),
        "seed": experiment.seed,
        "versions": experiment.versions,
        "hardware": experiment.hardware,
        "catalog_hash": experiment.catalog_hash,
        "code_version": experiment.code_version,
        "finished_because": experiment.message,
    }


def _trials(trials: Sequence[Trial], objective: Objective | Formula) -> list[dict[str, Any]]:
    """The ended trials; `relative` is the gain over the baseline, drift taken out (1.2: 20 % better)."""
    ended = [t for t in trials if t.state.ended]
    scale, scores = scoring(ended, objective)
    first = next((s for t, s in zip(ended, scores, strict=True) if t.kind == "baseline"), None)
    return [
        {
            "iteration": t.iteration,
            "kind": t.kind.value,
            "state": t.state.value,
            "value": t.objective,
            "relative": None if score is None or first is None else round(1.0 + scale.gain(score, first), 4),
            "load_1m": t.host.get("host.load_1m"),
            "configuration": t.in_force or t.wanted,
            "seconds": t.seconds,
            "message": t.message,
        }
        for t, score in zip(ended, scores, strict=True)
    ]
