"""What came of an experiment, as `result.json` says it. `otterflow.experiment.summary` says the same to people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import TYPE_CHECKING, Any

from otterflow.dbms.base import Spelling
from otterflow.experiment.changes import changed
from otterflow.experiment.comparison import BASELINE, BEST, REDUCED, RULES, Ratio, distinct
from otterflow.experiment.loop import REMARKS, relative_gains, split
from otterflow.experiment.plan import Plan
from otterflow.experiment.standing import standing, values_by_arm
from otterflow.experiment.summary import verdict
from otterflow.experiment.typed import live_settings_of
from otterflow.knobs.setting import LiveSetting
from otterflow.measures.formula import Formula
from otterflow.measures.objective import Objective
from otterflow.measures.quiet import HOST_WORK

if TYPE_CHECKING:
    from otterflow.repository import Experiment, Measurement, Trial


HOW_TO_READ = {
    "baseline, rules, best, reduced": "medians of the comparison's turns, in `unit`; where the reduced configuration "
    "has won, it is the best here, and under `ratio` and `best_configuration`",
    "ratio": "best against baseline, above 1 is better: the geometric mean of the ratios within each round, where the "
    "machine's drift is the same for both; so it is not the quotient of the medians",
    "configurations": "values of knobs are in the server's own unit, which `knobs` names beside readable values",
    "compared": "the arms' names where the form gave them: then nothing was searched, and nothing is installed",
    "comparison.decided": "why the comparison ended before its most rounds; null where it made them all, or its time "
    "was up",
    "comparison.best_over_rules": "as `ratio`, of best against rules: where it is not above 1 beyond chance, and the "
    "rules beat the baseline, the rules win, for they are simpler",
    "comparison.best_over_reduced": "as `ratio`, of what the search found against the same without the knobs that are "
    "not missed: unless it is above 1 beyond chance, and by more than the gain that matters, the reduced one wins",
    "ablation": "which of the changed knobs went back to the baseline after the search, and what each is worth in per "
    "cent of the objective, with 90 % from low to high; tested: by a measurement of this knob alone; else by the model",
    "comparison.faults": "the arms that cannot win, for one of their turns failed by a fault of their own",
    "comparison.disturbed, trials.disturbed": "runs beside which the host worked for others more than usual, all "
    "tries of them; they are kept",
    "trials.relative": "the gain over the baseline with the machine's drift taken out: 1.2 is 20 % better",
    "remarks": "of the baseline's trial and the best one's: what speaks against their numbers",
    "run": "1, and one more for each time the experiment was resumed; result.json is of the newest",
}
"""What `result.json` says of its own figures."""


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
    nothing beat the baseline beyond noise, what the search thought best; `installed` says which is in force: the
    `winner`, or the baseline where the winner is only proposed. Raw values of knobs are in the server's units; `knobs`
    names the units, with readable values beside them.
    """
    values = values_by_arm(measurements)
    stands = standing(measurements, plan.goal, plan.spec.looks)
    found = stands.ratios
    medians = {arm: median(of.values()) for arm, of in values.items() if of}
    measured = [t.objective for t in trials if t.kind == "baseline" and t.objective is not None]
    baseline = medians.get(BASELINE, measured[0] if measured else None)
    won = stands.winner
    best_arm = (_likeliest(arms, found) if plan.spec.arms else distinct(arms)[BEST]) if won == BASELINE else won
    best_ratio = found.get(best_arm)
    installed, before = (dict(experiment.last_good.configuration) if experiment.last_good else {}), experiment.baseline
    if not plan.spec.install:
        installed, before = dict(arms[won]), dict(arms[BASELINE])  # proposed: what would change
    live = live_settings_of(experiment)
    result = {
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
        "reduced": medians.get(REDUCED),
        "ratio": best_ratio.ratio if best_ratio else 1.0,
        "best_configuration": dict(arms[best_arm]),
        "installed": won if plan.spec.install else BASELINE,
        "winner": won,
        "in_force": dict(in_force),
        "changed_knobs": [asdict(c) for c in changed(installed, before or {}, live, plan.dbms, plan.catalog)],
        "compared": list(arms) if plan.spec.arms else None,
        "comparison": {
            "values": {arm: [of[r] for r in sorted(of)] for arm, of in values.items()},
            "ratios": {arm: ratio.as_dict() for arm, ratio in found.items() if ratio},
            "best_over_rules": _as_dict(stands.over_rules.get(BEST)),
            "best_over_reduced": _as_dict(stands.over_reduced),
            "decided": stands.decided,
            "most_rounds": plan.spec.final_rounds,
            "gain_that_matters_percent": plan.spec.gain_that_matters_percent,
            "breaks_a_constraint": sorted(stands.broken),
            "faults": dict(stands.faulty),
            "disturbed": _disturbed_turns(measurements),
            "metrics": _metrics_by_arm(measurements),
        },
        "ablation": _ablation(experiment, plan, trials),
        "remarks": _remarks(trials, {arm: arms[arm] for arm in (BASELINE, best_arm) if arm in arms}),
        "knobs": _readable({**arms, "in_force": in_force}, live, plan.dbms.spelling),
        "undo": {
            "knobs_file": plan.target.knobs_file,
            "text": experiment.baseline_file or "",
            "then": "reload the server" if plan.is_live else "restart the server",
        },
        "trials": _trials(trials, plan.objective),
        "seed": experiment.seed,
        "versions": experiment.versions,
        "hardware": experiment.hardware,
        "catalog_hash": experiment.catalog_hash,
        "code_version": experiment.code_version,
        "finished_because": experiment.finished_because,
        "run": experiment.comparison,
        "how_to_read": HOW_TO_READ,
    }
    return {"verdict": verdict(result), **result}


def _as_dict(ratio: Ratio | None) -> dict[str, Any] | None:
    return ratio.as_dict() if ratio else None


def _ablation(experiment: Experiment, plan: Plan, trials: Sequence[Trial]) -> dict[str, Any] | None:
    """What came of sending knobs home; None where no trial did. Only then is the tuner's model wanted."""
    if not split(trials)[1]:
        return None
    from otterflow.experiment.reduction import ablation_record

    return ablation_record(experiment, plan, trials)


def _likeliest(arms: Mapping[str, Any], found: Mapping[str, Ratio | None]) -> str:
    """Of given arms, the one that looked best."""
    ratios = {arm: ratio.ratio for arm in arms if (ratio := found.get(arm)) is not None}
    return max(ratios, key=lambda arm: ratios[arm], default=BASELINE)


def _readable(
    configurations: Mapping[str, Mapping[str, Any]], live: Mapping[str, LiveSetting], spelling: Spelling
) -> dict[str, dict[str, str]]:
    """Each knob's values in the DBMS's spelling (`128MB`), and the unit that the raw numbers are in ("" for none)."""
    names = dict.fromkeys(name for config in configurations.values() for name in config)
    return {
        name: {"unit": live[name].unit or ""}
        | {arm: spelling.display(config[name], live[name]) for arm, config in configurations.items() if name in config}
        for name in names
        if name in live
    }


def _metrics_by_arm(measurements: Sequence[Measurement]) -> dict[str, dict[str, float]]:
    """The user's own metrics: the median of each arm's turns."""
    values: dict[str, dict[str, list[float]]] = {}
    for m in measurements:
        for name, value in m.result.get("metrics", {}).items() if m.value is not None else ():
            values.setdefault(m.arm, {}).setdefault(name, []).append(value)
    return {arm: {name: median(of) for name, of in metrics.items()} for arm, metrics in values.items()}


def _remarks(trials: Sequence[Trial], arms: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """What the newest measured trial of each arm's configuration says against its own numbers."""
    found = {}
    for arm, config in arms.items():
        own = [t for t in trials if t.objective is not None and dict(config) in (dict(t.wanted), t.in_force)]
        if own and own[-1].reasons.get(REMARKS):
            found[arm] = list(own[-1].reasons[REMARKS])
    return found


def _disturbed(result: Mapping[str, Any] | None) -> str | None:
    """What the host did for others beside a run, where that was too much."""
    found = (result or {}).get(HOST_WORK, {}).get("disturbed")
    return None if found is None else str(found)


def _disturbed_turns(measurements: Sequence[Measurement]) -> list[dict[str, Any]]:
    """The turns that stayed disturbed, however often they were measured; they count like the others."""
    return [
        {"round": m.round, "arm": m.arm, "by": found}
        for m in measurements
        if m.value is not None and (found := _disturbed(m.result)) is not None
    ]


def _trials(trials: Sequence[Trial], objective: Objective | Formula) -> list[dict[str, Any]]:
    """The ended trials; `relative` is the gain over the baseline, drift taken out (1.2: 20 % better)."""
    ended = [t for t in trials if t.state.ended]
    return [
        {
            "iteration": t.iteration,
            "kind": t.kind.value,
            "state": t.state.value,
            "value": t.objective,
            "relative": None if relative is None else round(relative, 4),
            "metrics": (t.result or {}).get("metrics", {}),
            "disturbed": _disturbed(t.result),
            "load_1m": t.host.get("host.load_1m"),
            "configuration": t.in_force or t.wanted,
            "seconds": t.seconds,
            "message": t.message,
        }
        for t, relative in zip(ended, relative_gains(ended, objective), strict=True)
    ]
