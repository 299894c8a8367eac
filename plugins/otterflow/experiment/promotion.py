"""What is to be promoted, and the proposal that a person is asked about: what would change on the target, and why.

A proposal is plain JSON, as the repository keeps it; the question's text is made of it. Whether it still holds after
the answer is seen by making it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from otterflow.dbms.base import Dbms
from otterflow.errors import InvalidInput, Problem
from otterflow.experiment.arms import configurations
from otterflow.experiment.arms import problems as value_problems
from otterflow.experiment.changes import changed
from otterflow.experiment.comparison import BASELINE
from otterflow.experiment.frozen import plan_of
from otterflow.experiment.nights import known_nights
from otterflow.experiment.promotion_form import WINNER, PromotionForm
from otterflow.experiment.summary import VALUE_COLUMNS, value_text
from otterflow.experiment.translation import Machine, ToCarry, Translation, translate
from otterflow.experiment.typed import facts_of, live_settings_of
from otterflow.knobs.catalog import KnobCatalog

if TYPE_CHECKING:
    from datetime import datetime

    from otterflow.repository import Experiment, Repository

RELOAD, RESTART = "reload", "restart"
_GIVEN = "given"


@dataclass(frozen=True)
class Finding:
    """What is to be promoted, where it comes from, and what is known of it, in a sentence or two.

    `kept` are knobs that were tuned and left at their baseline's value: those stay on the target as they are.
    `compared` is the experiment's comparison, as the proposal has it.
    """

    measured: ToCarry
    label: str
    experiment: str = ""
    evidence: str = ""
    kept: tuple[str, ...] = ()
    compared: Mapping[str, Any] | None = None


def finding(repository: Repository, form: PromotionForm, here: Machine, dbms: Dbms, catalog: KnobCatalog) -> Finding:
    """What the form asks for. Raises InvalidInput where there is nothing to promote, or not from that DBMS."""
    if form.configuration:
        return _given(form.configuration, here, dbms, catalog)
    name = form.experiment or newest_proposed(repository, form.schedule)
    experiment = repository.experiment(name)
    if experiment.baseline is None:
        raise InvalidInput(Problem("experiment", f"{name!r} has not looked at its target", "choose one with a result"))
    if experiment.dbms != dbms.name:
        found = f"{name!r} tuned {experiment.dbms}, and target {form.target!r} is of dbms {dbms.name}"
        raise InvalidInput(Problem("experiment", found, "choose an experiment on the same DBMS"))
    config = _configuration(repository, experiment, form.which)
    differing = {knob: value for knob, value in config.items() if experiment.baseline.get(knob) != value}
    if not differing:
        found = f"{form.which} of {name!r} is what was in force before"
        raise InvalidInput(Problem("which", found, "there is nothing to promote"))
    live = live_settings_of(experiment)
    machine = Machine(facts_of(experiment), live, dbms.settings.major(live))
    return Finding(
        ToCarry(differing, machine, plan_of(experiment).benchmark.kind.value),
        f"{form.which if not form.which.isdigit() else f'trial {form.which}'} of experiment {name}",
        name,
        str((experiment.outcome or {}).get("verdict", "")),
        tuple(knob for knob in config if knob not in differing),
        _compared(experiment, form.which),
    )


def _compared(experiment: Experiment, which: str) -> dict[str, Any] | None:
    """The comparison's arms against the baseline, and which of them is proposed; None where nothing was compared."""
    result = experiment.outcome or {}
    comparison = result.get("comparison") or {}
    rows = [
        {
            "arm": arm,
            "value": value_text(median(comparison["values"][arm]), result["unit"]),
            "ratio": ratio["ratio"],
            "low": ratio["low"],
            "high": ratio["high"],
        }
        for arm, ratio in (comparison.get("ratios") or {}).items()
    ]
    if not rows:
        return None
    proposed = result["winner"] if which == WINNER else which
    return {"objective": result["objective"], "benchmark": result["benchmark"], "rows": rows, "proposed": proposed}


def newest_proposed(repository: Repository, schedule: str) -> str:
    """The newest experiment of a schedule whose winner was proposed. Raises InvalidInput where there is none."""
    for night in reversed(known_nights(repository, schedule)):
        if night.then == "proposed":
            return night.experiment
    found = f"no night of {schedule!r} has proposed anything"
    raise InvalidInput(Problem("schedule", found, "name an experiment, or wait for a night with a winner"))


def _configuration(repository: Repository, experiment: Experiment, which: str) -> dict[str, Any]:
    result = experiment.outcome
    if which.isdigit():
        trial = repository.trial(experiment.name, int(which))
        if trial.state != "ok":
            found = f"trial {which} of {experiment.name!r} is {trial.state}"
            raise InvalidInput(Problem("which", found, "choose one that was measured"))
        return dict(trial.in_force or trial.wanted)
    if which == "rules":
        return dict(experiment.rules or {})
    if result is None:
        found = f"{experiment.name!r} is {experiment.state} and has no result"
        raise InvalidInput(Problem("experiment", found, "wait for its end, or name a trial's number in which"))
    if which == WINNER and result["winner"] == BASELINE:
        found = f"nothing beat the baseline of {experiment.name!r} beyond noise"
        raise InvalidInput(Problem("which", found, "there is no winner; best, rules or a trial's number is not proven"))
    return dict(result["best_configuration"])


def _given(config: Mapping[str, Any], here: Machine, dbms: Dbms, catalog: KnobCatalog) -> Finding:
    """A configuration that a person has written down. Raises InvalidInput that lists every wrong value."""
    tunable = catalog.tunable(here.version)
    wrong = [
        Problem(f"configuration: {knob}", "is not a knob that is tuned on this server", "leave it out")
        for knob in config
        if knob not in here.live or knob not in tunable
    ]
    if not wrong:
        wrong = [
            Problem(p.field.replace(f"arms: {_GIVEN}.", "configuration: "), p.found, p.advice)
            for p in value_problems({_GIVEN: config}, here.live, dbms.spelling)
        ]
    if wrong:
        raise InvalidInput(wrong)
    values = configurations({_GIVEN: config}, {}, here.live, dbms.spelling)[_GIVEN]
    return Finding(ToCarry(values), "the configuration given in the form", evidence="It was not measured.")


def proposal(
    asked: Finding, form: PromotionForm, here: Machine, dbms: Dbms, catalog: KnobCatalog, file: str
) -> dict[str, Any]:
    """What would change on the target, as plain JSON. `file` is the text of its knobs file now.

    `changes` have `knob`, `before` and `after` (raw values in the server's unit) with `shown_before`, `shown_after`,
    `restart`, `why`, `does` and `risk`. `left` are the knobs that do not carry over. `compared` has the `rows` of the
    experiment's comparison (`arm`, `value` as text, `ratio`, `low`, `high`) and which arm is `proposed`; None where
    nothing was compared. Raises InvalidInput where nothing would change.
    """
    translated = translate(asked.measured, here, dbms, catalog, restart=form.restart)
    if not translated.carried:
        reasons = "; ".join(f"{each.knob}: {each.why}" for each in translated.left)
        found = f"nothing would change on {form.target!r}{': ' + reasons if reasons else ''}"
        raise InvalidInput(Problem("target", found, "all that carries over has its value there already"))
    changes = _changes(translated, here, dbms, catalog)
    return {
        "label": asked.label,
        "experiment": asked.experiment,
        "evidence": asked.evidence,
        "compared": None if asked.compared is None else dict(asked.compared),
        "changes": changes,
        "left": [{"knob": each.knob, "value": each.value, "why": each.why} for each in translated.left],
        "same": list(translated.same),
        "kept": list(asked.kept),
        "how": RESTART if any(change["restart"] for change in changes) else RELOAD,
        "file": file,
    }


def _changes(translated: Translation, here: Machine, dbms: Dbms, catalog: KnobCatalog) -> list[dict[str, Any]]:
    carried = {each.knob: each for each in translated.carried}
    return [
        {
            "knob": change.knob,
            "before": here.live[change.knob].value,
            "after": carried[change.knob].value,
            "shown_before": change.before,
            "shown_after": change.after,
            "restart": not here.live[change.knob].takes_reload,
            "why": carried[change.knob].why,
            "does": change.does,
            "risk": risk.value if (risk := carried[change.knob].risk) else "",
        }
        for change in changed(translated.config, {}, here.live, dbms, catalog)
    ]


def before_of(proposed: Mapping[str, Any]) -> dict[str, Any]:
    """The values in force before, of the knobs that a proposal changes."""
    return {change["knob"]: change["before"] for change in proposed["changes"]}


def oldest_told(told: Iterable[tuple[datetime, Mapping[str, Any]]]) -> dict[str, Any]:
    """Of each knob the value in force before all changes: the oldest of those that were found, each with its time."""
    values: dict[str, Any] = {}
    for _, found in sorted(told, key=lambda pair: pair[0], reverse=True):
        values |= found
    return values


def after_of(proposed: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a proposal is to bring about."""
    return {change["knob"]: change["after"] for change in proposed["changes"]}


def moved_since(asked: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What has changed on the server between the question and now, each in a sentence; nothing where all holds."""
    found = []
    if asked["file"] != now["file"]:
        found.append("the knobs file has another text than when it was asked")
    then, ours = ({change["knob"]: change for change in each["changes"]} for each in (asked, now))
    for knob in {**then, **ours}:
        one, other = then.get(knob), ours.get(knob)
        if one is None or other is None:
            where = "is to be changed now, and was not asked about" if one is None else "would not be changed any more"
            found.append(f"{knob} {where}")
        elif one["before"] != other["before"]:
            found.append(f"{knob} was {one['shown_before']} and is {other['shown_before']} now")
        elif one["after"] != other["after"]:
            found.append(f"{knob} was to be {one['shown_after']} and would be {other['shown_after']} now")
    if not found and asked["how"] != now["how"]:
        found.append(f"it was to take a {asked['how']} and would take a {now['how']} now")
    return found


def subject(form: PromotionForm, proposed: Mapping[str, Any]) -> str:
    """The question in a line."""
    number = len(proposed["changes"])
    knobs = f"{number} knob{'' if number == 1 else 's'}"
    return f"Change {knobs} on {form.target}, by a {proposed['how']}?"


def body(form: PromotionForm, proposed: Mapping[str, Any], *, picture: str = "", page: str = "") -> str:
    """The question as Markdown: where it comes from, what would change, what would not, and what happens then.

    `picture` is the address of what was compared, drawn; `page` that of the experiment's page.
    """
    parts = [f"**{_text(proposed['label'])}**, for target **{_text(form.target)}**."]
    parts += [_text(said) for said in (proposed["evidence"],) if said]
    parts += _evidence(proposed.get("compared"), picture)
    parts += [f"[All that was tried, and why]({page})"] if page and proposed["experiment"] else []
    parts += [f"Why: {_text(form.why)}"] if form.why else []
    parts.append(_change_table(proposed["changes"]))
    if proposed["left"]:
        rows = [(each["knob"], each["value"], each["why"]) for each in proposed["left"]]
        parts.append("Does not carry over:\n\n" + table(("knob", "measured", "why not"), rows))
    if proposed["same"]:
        parts.append(f"Has its value there already: {', '.join(map(_text, proposed['same']))}.")
    if proposed["kept"]:
        parts.append(f"Tuned, left as it was, and so not touched here: {', '.join(map(_text, proposed['kept']))}.")
    return "\n\n".join([*parts, _what_happens(form, proposed)]) + "\n"


def _evidence(compared: Mapping[str, Any] | None, picture: str) -> list[str]:
    """What was compared, as a table and as a picture."""
    if not compared:
        return []
    rows = [
        (
            row["arm"] + (" (proposed)" if row["arm"] == compared["proposed"] else ""),
            row["value"],
            f"{row['ratio']:.2f}",
            "" if row["low"] is None else f"{row['low']:.2f} to {row['high']:.2f}",
        )
        for row in compared["rows"]
    ]
    title = f"{compared['objective']} of {compared['benchmark']}, each against the baseline in turns"
    parts = [f"{_text(title)}:\n\n{table(VALUE_COLUMNS, rows)}"]
    return [*parts, f"![{_text(title)}]({picture})"] if picture else parts


def _change_table(changes: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            change["knob"],
            change["shown_before"],
            change["shown_after"],
            RESTART if change["restart"] else RELOAD,
            change["why"] + (f"; RISK: {change['risk']}" if change["risk"] else ""),
        )
        for change in changes
    ]
    return table(("knob", "in force", "would be", "takes a", "how it came about"), rows)


def _what_happens(form: PromotionForm, proposed: Mapping[str, Any]) -> str:
    restarts = proposed["how"] == RESTART
    how = "The server is **restarted**, which ends every session" if restarts else "The server is only reloaded"
    again = ", by a restart if the change took one" if restarts else ""
    return (
        f"After *Approve*: what is in force is looked at again; {form.windows} windows of the live load are watched; "
        f"then the change is made and read back, and {form.windows} windows more are watched. {how}. If the load fares "
        f"worse beyond noise, or a constraint breaks, the former configuration comes back by itself{again}. At any "
        f"time: trigger `rollback` with target {_text(form.target)}."
    )


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table in Markdown; what is in its cells stays text."""
    lines = [header, ["---"] * len(header), *([_text(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(value: Any) -> str:
    """A text that Markdown shows as it is, on one line."""
    flat = " ".join(str(value).split())
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#~" else c for c in flat)
