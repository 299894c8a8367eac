"""The parts of an experiment's page, each as plain data from the repository's records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from otterflow.errors import InvalidInput
from otterflow.experiment.comparison import BASELINE
from otterflow.experiment.loop import OUTLOOK
from otterflow.experiment.repeated import Looks
from otterflow.experiment.standing import ratios, values_by_arm
from otterflow.experiment.summary import arm_rows
from otterflow.experiment.typed import spec_of
from otterflow.experiment.window import of_tasks
from otterflow.report.effects import effects
from otterflow.report.plots import ForestRow, TrialPoint
from otterflow.repository import Experiment, Measurement, ModelKind, ModelScope, Repository, Trial
from otterflow.web.rendering import part, short
from otterflow.web.shown import KnobTexts, Yardstick, change, has_report, knob_rows

Gains = Mapping[int, float]
_MOST_KNOBS = 12


def run_of(experiment: Experiment) -> dict[str, str] | None:
    """The run that acts for the experiment, or did last; None where none is recorded."""
    dag_id, _, run = experiment.run.partition("/")
    return {"dag": dag_id, "run": run} if run else None


def best_so_far(trials: Sequence[Trial], gained: Gains, told: Yardstick) -> dict[str, Any] | None:
    """The best measured trial: by its gain without drift where that is known, else by its value."""
    measured = [t for t in trials if t.state == "ok" and t.objective is not None]
    if not measured:
        return None

    def worth(trial: Trial) -> float:
        value = float(trial.objective or 0.0)
        return gained.get(trial.iteration, value if told.maximise else -value)

    best = max(measured, key=worth)
    return {"iteration": best.iteration, "value": best.objective, "gain": gained.get(best.iteration), "trial": best}


def under_way(trials: Sequence[Trial]) -> dict[str, Any] | None:
    """The trial that runs or is planned, and which of its tasks are done."""
    open_ = [trial for trial in trials if not trial.state.ended]
    if not open_:
        return None
    trial = open_[-1]
    tasks = list(of_tasks(trial.seconds))
    return {"iteration": trial.iteration, "state": trial.state.value, "kind": trial.kind.value, "tasks": tasks}


def left_to_gain(trials: Sequence[Trial]) -> dict[str, Any] | None:
    """What the last trial left to be gained, in per cent; None while nobody can tell."""
    said = [trial.reasons[OUTLOOK] for trial in trials if trial.reasons.get(OUTLOOK)]
    return dict(said[-1]) if said else None


def trials_as_points(
    experiment: Experiment, trials: Sequence[Trial], gained: Gains, told: Yardstick, drift: str, base: str
) -> dict[str, Any]:
    """What `trials_plot` draws: values as measured, or with `drift` `out` gains over the baseline."""
    out = drift == "out" and bool(gained)
    points = [
        TrialPoint(
            iteration=trial.iteration,
            value=_shown(trial, gained, out),
            state=trial.state.value,
            kind=trial.kind.value,
            told=_told(trial, gained, told),
            href=f"{base}/experiment/{part(experiment.name)}/trial/{trial.iteration}",
        )
        for trial in trials
        if trial.state.ended
    ]
    first = next((point for point in points if point.kind == BASELINE and point.value is not None), None)
    return {
        "points": points,
        "title": f"Trials of {experiment.name}",
        "unit": "x baseline" if out else told.unit,
        "maximise": True if out else told.maximise,
        "lines": {BASELINE: first.value} if first else {},
    }


def _shown(trial: Trial, gained: Gains, out: bool) -> float | None:
    if trial.state != "ok":
        return None
    return gained.get(trial.iteration) if out else trial.objective


def _told(trial: Trial, gained: Gains, told: Yardstick) -> str:
    value = "no value" if trial.objective is None else f"{short(trial.objective)} {told.unit}".strip()
    gain = gained.get(trial.iteration)
    more = "" if gain is None else f", {100 * (gain - 1):+.1f} % against the baseline"
    state = "" if trial.state == "ok" else f", {trial.state.value}"
    return f"trial {trial.iteration}, {trial.kind.value}: {value}{more}{state}"


def trial_rows(trials: Sequence[Trial], gained: Gains) -> list[dict[str, Any]]:
    """The trials as a table, the newest first."""
    return [
        {
            "iteration": trial.iteration,
            "kind": trial.kind.value,
            "state": trial.state.value,
            "value": trial.objective,
            "gain": gained.get(trial.iteration),
            "idea": str(trial.reasons.get("idea", "")),
            "message": trial.message,
            "took_s": sum(of_tasks(trial.seconds).values()) or None,
        }
        for trial in reversed(trials)
    ]


def forest_rows(experiment: Experiment, turns: Sequence[Measurement], told: Yardstick) -> list[ForestRow]:
    """The comparison's arms with their intervals; while it runs, by the rounds that there are."""
    found = _ratios(experiment, turns, told)
    won = (experiment.outcome or {}).get("winner")
    return [
        ForestRow(arm, ratio["ratio"], ratio.get("low"), ratio.get("high"), bold=arm == won)
        for arm, ratio in found.items()
    ]


def _ratios(experiment: Experiment, turns: Sequence[Measurement], told: Yardstick) -> dict[str, dict[str, Any]]:
    kept = (experiment.outcome or {}).get("comparison", {}).get("ratios")
    if kept is not None:
        return {arm: ratio for arm, ratio in kept.items() if ratio}
    return {arm: r.as_dict() for arm, r in ratios(turns, told, _looks(experiment)).items() if r is not None}


def _looks(experiment: Experiment) -> Looks | None:
    """As the comparison itself looks; an imported experiment has no form, and its turns are looked at once."""
    try:
        return spec_of(experiment).looks
    except InvalidInput:
        return None


def arm_table(experiment: Experiment, turns: Sequence[Measurement], told: Yardstick) -> list[dict[str, str]]:
    """The arms' medians and ratios, as the report says them."""
    if experiment.outcome is not None:
        try:
            rows = arm_rows(experiment.outcome)
        except (LookupError, TypeError, AttributeError):  # an imported result has another shape
            return []
        return [{"name": r.name, "value": r.value, "better": r.better, "interval": r.interval} for r in rows]
    found = _ratios(experiment, turns, told)
    return [
        {
            "name": arm,
            "value": f"{short(median(values.values()))} {told.unit}".strip(),
            "better": f"{found[arm]['ratio']:.2f}" if arm in found else "-",
            "interval": _interval(found.get(arm)),
        }
        for arm, values in values_by_arm(turns).items()
        if values
    ]


def _interval(ratio: Mapping[str, Any] | None) -> str:
    return "" if ratio is None or ratio.get("low") is None else f"{ratio['low']:.2f} to {ratio['high']:.2f}"


def knobs(experiment: Experiment, trials: Sequence[Trial], gained: Gains) -> dict[str, Any]:
    """Each tuned knob under baseline, rules and best, by how much the best differs, and what its move is said to do."""
    outcome, texts = experiment.outcome or {}, KnobTexts(experiment)
    best = outcome.get("best_configuration") or best_configuration(trials, gained)
    columns = {BASELINE: experiment.baseline or {}, "rules": experiment.rules or {}}
    if best:
        columns["best" if outcome else "best so far"] = best
    tuned = {record.get("name") for record in experiment.space}
    rows = knob_rows({name: _only(values, tuned) for name, values in columns.items()}, texts, BASELINE)
    found = _effects(trials, outcome)
    for row in rows:
        row["effect"] = found.get(row["knob"]) if row["change"] else None
    return {"columns": list(columns), "rows": rows}


def best_configuration(trials: Sequence[Trial], gained: Gains) -> dict[str, Any] | None:
    """The configuration of the trial with the largest gain; None while none is known."""
    if not gained:
        return None
    top = max(gained, key=lambda iteration: gained[iteration])
    return next((trial.in_force or trial.wanted for trial in trials if trial.iteration == top), None)


def _only(values: Mapping[str, Any], names: set[Any]) -> dict[str, Any]:
    """Of a configuration what was tuned; all of it where nothing says what was."""
    return {name: value for name, value in values.items() if not names or name in names}


def _effects(trials: Sequence[Trial], outcome: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """By knob what its move gives in per cent: predicted by the model when it last moved it, measured where it was."""
    found: dict[str, dict[str, Any]] = {}
    for trial in trials:
        for move in trial.reasons.get("moved") or ():
            if isinstance(move, Mapping) and move.get("gain_percent") is not None:
                found[str(move.get("knob"))] = {"percent": float(move["gain_percent"]), "measured": False}
    told = effects(outcome).values()
    return found | {effect.knob: {"percent": effect.percent, "measured": effect.measured} for effect in told}


def leading_knobs(repository: Repository, experiment: Experiment, trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """Which knobs matter: shares of importance from the stored ranking, else the order that the tuner goes by."""
    model = repository.model(ModelKind.ranking, scope=ModelScope.experiment, subject=experiment.name)
    shares = dict(model.content.get("shares") or {}) if model else {}
    if shares:
        ordered = sorted(shares.items(), key=lambda item: -float(item[1]))[:_MOST_KNOBS]
        most = float(ordered[0][1]) or 1.0
        return [{"knob": k, "share": float(s), "of_most": round(100 * float(s) / most)} for k, s in ordered]
    named = [trial.reasons["leading_knobs"] for trial in trials if trial.reasons.get("leading_knobs")]
    return [{"knob": knob, "share": None, "of_most": None} for knob in (named[-1][:_MOST_KNOBS] if named else ())]


def upcoming(experiment: Experiment, trials: Sequence[Trial]) -> dict[str, Any] | None:
    """The configuration that is tried now or next, what it changes, and why."""
    open_ = [trial for trial in trials if not trial.state.ended]
    if not open_:
        return None
    trial, texts = open_[-1], KnobTexts(experiment)
    base = experiment.baseline or {}
    moves = {str(m.get("knob")): m for m in trial.reasons.get("moved") or () if isinstance(m, Mapping)}
    rows = [
        {
            "knob": knob,
            "before": texts(knob, base.get(knob)),
            "after": texts(knob, value),
            "change": change(base.get(knob), value),
            "gain": moves.get(knob, {}).get("gain_percent"),
        }
        for knob, value in trial.wanted.items()
        if base.get(knob) != value
    ]
    reasons = trial.reasons
    return {
        "iteration": trial.iteration,
        "kind": trial.kind.value,
        "idea": str(reasons.get("idea", "")),
        "predicted": reasons.get("predicted"),
        "incumbent": reasons.get("incumbent"),
        "crash": reasons.get("crash_probability"),
        "feasible": reasons.get("feasible_probability"),
        "past": [str(one.get("experiment")) for one in reasons.get("past") or () if isinstance(one, Mapping)],
        "rows": rows,
    }


def seconds_by_task(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """Where the time went: each task's seconds over all trials, the longest first."""
    spent: dict[str, list[float]] = {}
    for trial in trials:
        for task, duration in of_tasks(trial.seconds).items():
            spent.setdefault(task, []).append(duration)
    total = sum(map(sum, spent.values())) or 1.0
    rows = [
        {"task": task, "total_s": sum(of), "median_s": median(of), "percent": round(100 * sum(of) / total, 1)}
        for task, of in spent.items()
    ]
    return sorted(rows, key=lambda row: -float(row["total_s"]))


def actions(experiment: Experiment) -> list[dict[str, Any]]:
    """What a person may do now, each by a form of Airflow's: the Dag, and what its form is filled with."""
    name = experiment.name
    found: list[dict[str, Any]] = []
    if not experiment.state.ended:
        found.append(_action("Stop", "stop_experiment", {"experiment": name},
                             "ends after the trial under way, with the best so far in force"))  # fmt: skip
        return found
    form = {key: value for key, value in experiment.spec.items() if value is not None}
    planned = int(experiment.spec.get("iterations") or 0)
    found.append(_action("Resume", "tuning_experiment", {**form, "resume": True, "iterations": planned + 20},
                         "goes on with the trials that there are; Iterations is the new total"))  # fmt: skip
    found.append(_action("Tune again", "tuning_experiment", {**form, "experiment": f"{name}-again"[:63]},
                         "a new experiment by the same form"))  # fmt: skip
    if (experiment.outcome or {}).get("winner", BASELINE) != BASELINE:
        conf = {"experiment": name, "which": "winner"}
        does = "asks a person whether the winner is to go to the production target that you choose"
        found.append(_action("Propose for production", "promote_configuration", conf, does))
    if experiment.baseline_file is not None:
        found.append(_action("Undo", "undo_tuning", {"target": experiment.target, "experiment": name},
                             "puts back the configuration that was in force before"))  # fmt: skip
    found.append(_action("Export for OtterTune", "export_ottertune", {"experiment": name},
                         "writes the trials as OtterTune's files"))  # fmt: skip
    return found


def downloads(experiment: Experiment) -> list[dict[str, str]]:
    """What can be taken along: a title, the address behind the experiment's own, and what it is."""
    found: list[dict[str, str]] = []
    if has_report(experiment):
        found.append(_download("Report", "report.html", "the result in one file, to print, to mail, to keep"))
    best = (experiment.outcome or {}).get("best_configuration")
    for name, values, what in (
        ("best", best, "the best configuration as files for SQL, Ansible, Kubernetes, Terraform and others"),
        ("rules", experiment.rules, "the rules' configuration, as the same files"),
    ):
        if values and differs(experiment, values):
            found.append(_download(f"Export of {name}", f"export.zip?configuration={name}", what))
    return found


def differs(experiment: Experiment, values: Mapping[str, Any]) -> bool:
    """Whether a configuration is another one than before the experiment."""
    before = experiment.baseline or {}
    return any(before[knob] != value for knob, value in values.items() if knob in before)


def _download(title: str, address: str, what: str) -> dict[str, str]:
    return {"title": title, "address": address, "what": what}


def _action(title: str, dag: str, conf: Mapping[str, Any], does: str) -> dict[str, Any]:
    return {"title": title, "dag": dag, "conf": dict(conf), "does": does}
