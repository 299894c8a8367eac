"""The report of an experiment: one HTML file that holds all it shows, for a colleague, a printer or a mail.

It needs no script and fetches nothing; its policy lets a browser do neither. Whatever is not of the template is
escaped by it. Everything is read from the experiment's record and its result, as `result.json` has it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otterflow.experiment import summary
from otterflow.experiment.frozen import plan_of
from otterflow.experiment.untuned import untuned
from otterflow.experiment.window import of_tasks
from otterflow.report.effects import KnobEffect, effects
from otterflow.report.noise import sentences
from otterflow.report.plots import (
    CSS,
    Effect,
    ForestRow,
    Svg,
    TrialPoint,
    effects_plot,
    forest_plot,
    trials_plot,
)

if TYPE_CHECKING:
    from jinja2 import Template

    from otterflow.repository import Experiment

TEMPLATE = Path(__file__).with_name("report.html")
_LONGEST_NAME = 63

Result = Mapping[str, Any]


def report_page(experiment: Experiment, result: Result) -> str:
    """The whole page. `result` is what `outcome` gave for the experiment.

    Raises InvalidInput where this version cannot read what was kept with the experiment.
    """
    plan = plan_of(experiment)
    known = effects(result)
    return _template().render(
        result=result,
        css=CSS,
        unit=_unit(result),
        facts=_facts(experiment, result, plan.dbms.title),
        verdict=[result["verdict"], second_sentence(result)],
        arms=[row.cells() for row in summary.arm_rows(result)],
        arm_columns=summary.VALUE_COLUMNS,
        forest=comparison_plot(result),
        how_it_ended=how_it_ended(result),
        knobs=_knobs(result, known),
        dropped=[effect for effect in known.values() if effect.dropped],
        effects=knob_effects_plot(known),
        trials=_trials(result),
        trials_picture=result_trials_plot(result),
        noise=sentences(result),
        left_out=left_out(result),
        untuned=untuned(experiment, plan),
        again=_again(experiment),
        undo=summary.undo(result),
    )


def second_sentence(result: Result) -> str:
    """How many knobs are changed, and whether that took a restart."""
    changed = result["changed_knobs"]
    if not changed:
        return "Every knob is as it was before the experiment."
    would = result.get("winner", result["installed"]) != result["installed"]
    restart = sum(row["restart"] for row in changed)
    verb = "would change" if would else "changed"
    return f"{len(changed)} of {len(result['knobs'])} tuned knobs {verb}; " + (
        "none of them takes a restart." if not restart else f"{restart} of them by a restart."
    )


def comparison_plot(result: Result) -> Svg | None:
    """The forest plot of the final comparison; None where nothing was compared."""
    ratios = result["comparison"]["ratios"]
    if not ratios:
        return None
    won = result.get("winner", result["installed"])
    rows = [
        ForestRow(arm, ratio["ratio"], ratio["low"], ratio["high"], bold=arm == won) for arm, ratio in ratios.items()
    ]
    rows += [
        ForestRow(arm, None, note=fault) for arm, fault in result["comparison"]["faults"].items() if arm not in ratios
    ]
    matters = result["comparison"].get("gain_that_matters_percent")
    title = f"Each configuration against the baseline, {result['objective']}"
    return forest_plot(rows, title=title, matters=matters / 100 if matters else None)


def how_it_ended(result: Result) -> str:
    """Why the comparison ended, and what the shaded band of its picture is; "" of a result that does not say."""
    comparison = result["comparison"]
    matters, decided = comparison.get("gain_that_matters_percent"), comparison.get("decided")
    said = f"It ended as it was decided: {decided}. " if decided else ""
    return said + (f"The shaded band is a gain of less than {matters:g} %, which does not matter." if matters else "")


def result_trials_plot(result: Result) -> Svg:
    """The trials as measured, with the medians of the comparison as level lines."""
    points = [
        TrialPoint(t["iteration"], t["value"], t["state"], t["kind"], told=_told(t, result["unit"]))
        for t in result["trials"]
    ]
    lines = {arm: result[arm] for arm in ("baseline", "rules", "best") if result.get(arm) is not None}
    return trials_plot(
        points, title=f"Trials, {result['objective']}", unit=_unit(result), maximise=result["maximise"], lines=lines
    )


def _unit(result: Result) -> str:
    """The objective's unit, as values have it behind them."""
    return summary.value_text(1.0, result["unit"]).removeprefix("1").strip()


def knob_effects_plot(known: Mapping[str, KnobEffect], most: int = 20) -> Svg | None:
    """What the knobs that matter are worth, the `most` telling ones; None where nothing is known of single knobs."""
    told = [effect for effect in known.values() if not effect.dropped]
    shown = sorted(told, key=lambda effect: -abs(effect.percent))[:most]
    if not shown:
        return None
    bars = [Effect(e.knob, e.percent, e.low, e.high, measured=e.measured) for e in shown]
    return effects_plot(bars, title="What each changed knob is worth")


def left_out(result: Result) -> list[str]:
    """What the figures leave out, and why: arms that cannot win, and trials without a value."""
    comparison = result["comparison"]
    said = [f"{arm} cannot win: {fault}" for arm, fault in comparison["faults"].items()]
    said += [f"{arm} cannot win: it breaks a constraint" for arm in comparison["breaks_a_constraint"]]
    said += [
        f"Trial {trial['iteration']} has no value: it {trial['state'].replace('_', ' ')}"
        + (f" ({trial['message']})" if trial["message"] else "")
        for trial in result["trials"]
        if trial["state"] != "ok"
    ]
    return said


def _facts(experiment: Experiment, result: Result, dbms: str) -> list[tuple[str, str]]:
    """What was tuned, on what, for what."""
    better = "more is better" if result["maximise"] else "less is better"
    hardware, versions = result["hardware"], result["versions"]
    machine = [hardware.get(name) for name in ("cpu_model", "os", "kernel", "virtualization")]
    memory, cores = experiment.facts.get("ram_bytes"), experiment.facts.get("cores")
    machine += [f"{memory / 2**30:.1f} GiB for the server" if memory else None, f"{cores:g} cores" if cores else None]
    made = result["trials"]
    facts = [
        ("Server", f"{result['target']}: {versions.get('text') or dbms}"),
        ("Machine", ", ".join(str(said) for said in machine if said)),
        ("Load", result["benchmark"]),
        ("For", f"{result['objective']} ({better})" + _constraints(result["constraints"])),
        ("Knobs tuned", str(len(experiment.space))),
        ("Trials", f"{len(made)}, {sum(trial['state'] == 'ok' for trial in made)} of them with a value"),
        ("Ended because", result["finished_because"]),
        ("Began", _time(experiment.started_at)),
    ]
    return [(name, said) for name, said in facts if said]


def _constraints(constraints: Sequence[str]) -> str:
    return f", as long as {' and '.join(constraints)}" if constraints else ""


def _time(at: Any) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC") if at is not None else ""


def _knobs(result: Result, known: Mapping[str, KnobEffect]) -> list[dict[str, str]]:
    return [
        {
            "name": row["knob"],
            "before": row["before"],
            "after": row["after"],
            "effect": known[row["knob"]].words if row["knob"] in known else "not known by itself",
            "restart": "restart" if row["restart"] else "reload or new sessions",
            "does": row["does"],
        }
        for row in result["changed_knobs"]
    ]


def _trials(result: Result) -> list[tuple[str, ...]]:
    return [
        (
            str(trial["iteration"]),
            trial["kind"],
            trial["state"].replace("_", " "),
            summary.value_text(trial["value"], result["unit"]),
            "" if trial.get("relative") is None else f"{trial['relative']:.3f}",
            f"{sum(of_tasks(trial['seconds']).values()):.0f}",
            trial["message"],
        )
        for trial in result["trials"]
    ]


def _told(trial: Mapping[str, Any], unit: str) -> str:
    value = summary.value_text(trial["value"], unit)
    reason = f": {trial['message']}" if trial["message"] else ""
    return f"trial {trial['iteration']} ({trial['kind']}), {trial['state']}, {value}{reason}"


def _again(experiment: Experiment) -> dict[str, str]:
    """How to make the same experiment once more, under another name."""
    form = {**experiment.spec, "experiment": f"{experiment.name[: _LONGEST_NAME - 6]}-again"}
    return {
        "command": f"airflow dags trigger tuning_experiment --conf {shlex.quote(json.dumps(form))}",
        "seed": str(experiment.seed),
        "code": experiment.code_version,
        "catalog": experiment.catalog_hash[:16],
    }


def _printable(said: Any) -> Any:
    """Text without control characters, for which no document has a place."""
    if not isinstance(said, str) or hasattr(said, "__html__"):
        return said
    return "".join(letter if letter >= " " or letter in "\n\t" else "\ufffd" for letter in said)


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.from_string(TEMPLATE.read_text())
