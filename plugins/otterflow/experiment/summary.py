"""What came of an experiment, for people: a sentence, the table of values, the changed knobs, and how to go back.

Everything is read from the experiment's result (`experiment.outcome`), so the log of a task, the demo's terminal and
`result.json` cannot say different things.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from otterflow.experiment.comparison import ARMS, REDUCED

VALUE_COLUMNS = ("configuration", "median", "times better", "95 % interval")
KNOB_COLUMNS = ("knob", "before", "now")

_OF_ARM = {
    "rules": "The rules' configuration",
    "best": "The best configuration found",
    REDUCED: "The best configuration found, without the knobs that are not missed,",
}

Result = Mapping[str, Any]


@dataclass(frozen=True)
class ArmRow:
    """A row of the comparison's table; every field is text for a person."""

    name: str
    value: str
    better: str
    interval: str

    def cells(self) -> tuple[str, ...]:
        """The row under `VALUE_COLUMNS`."""
        return self.name, self.value, self.better, self.interval


def value_text(value: float | None, unit: str) -> str:
    """A value of the objective with its unit, or a dash."""
    if value is None:
        return "-"
    digits = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{digits} {unit}".replace(" 1/s", " /s").strip()


def arm_rows(result: Result) -> list[ArmRow]:
    """Baseline, rules, best, and reduced where there is one: each one's median, and its ratio to the baseline.

    Where the search found nothing better than the rules, they are the best, and were measured once: one row for both.
    """
    if _rules_are_the_best(result):
        return [_arm_row(result, "baseline"), _arm_row(result, "rules", called="rules and best")]
    if compared := result.get("compared"):
        return [_arm_row(result, arm) for arm in compared]
    return [_arm_row(result, arm) for arm in (*ARMS, REDUCED) if arm in ARMS or result.get(arm) is not None]


def _rules_are_the_best(result: Result) -> bool:
    if "best" in result["comparison"]["values"]:
        return False
    knobs = result.get("knobs", {}).values()
    return any("rules" in knob for knob in knobs) and all(knob.get("best") == knob.get("rules") for knob in knobs)


def _arm_row(result: Result, arm: str, called: str = "") -> ArmRow:
    ratio, values = result["comparison"]["ratios"].get(arm), result["comparison"]["values"]
    is_in_force = arm == result["installed"] and not result.get("compared")
    name = (called or arm) + (" (in force)" if is_in_force else "")
    if arm in result["comparison"].get("breaks_a_constraint", ()):
        name += ", breaks a constraint"
    told = result.get(arm)
    unchanged = "1.00" if told is not None and told == result["baseline"] else "-"
    own = median(values[arm]) if values.get(arm) else told  # the result's best is that of whatever won
    better = f"{ratio['ratio']:.2f}" if ratio else unchanged
    return ArmRow(name, value_text(own, result["unit"]), better, _interval(ratio) if ratio else "")


def _interval(ratio: Mapping[str, Any]) -> str:
    return "" if ratio["low"] is None else f"{ratio['low']:.2f} to {ratio['high']:.2f}"


def knob_rows(result: Result) -> list[tuple[str, ...]]:
    """The changed knobs under `KNOB_COLUMNS`, in the DBMS's own spelling."""
    return [tuple(str(row[key]) for key in ("knob", "before", "after")) for row in result["changed_knobs"]]


def verdict(result: Result) -> str:
    """What is in force now and why, in one sentence."""
    arm, ratios = result["installed"], result["comparison"]["ratios"]
    if not result["comparison"]["values"]:
        return "Nothing was compared, for nothing but the baseline was measured; the baseline is in force."
    proposed = result.get("winner", arm)
    if result.get("compared"):
        return f"{_of_given_arms(result, proposed)}; nothing is installed: what was in force before is in force again."
    if arm == "baseline" and proposed != arm:
        now, before = _value_of(result, proposed), _value_of(result, arm)
        return (
            f"{_OF_ARM[proposed]} is proposed and not installed: {result['objective']} {now} instead of {before}"
            f", {_times(ratios[proposed])}; the baseline is in force.{_simpler_wins(result, proposed)}"
            f"{_sent_home(result, proposed)}"
        )
    if arm == "baseline":
        return f"{_why_the_baseline(result)}; the baseline is in force, and no knob is changed."
    now, before = _value_of(result, arm), _value_of(result, "baseline")
    better = f", {_times(ratios[arm])}" if ratios.get(arm) else ""
    said = f"{_OF_ARM[arm]} is in force: {result['objective']} {now} instead of {before}{better}."
    return said + _simpler_wins(result, arm) + _sent_home(result, arm)


def _simpler_wins(result: Result, won: str) -> str:
    """A sentence where the rules won beside a best that looked better and might have won; else nothing."""
    comparison = result["comparison"]
    over = comparison.get("best_over_rules")
    out = {*comparison.get("faults", ()), *comparison.get("breaks_a_constraint", ())}
    if won != "rules" or over is None or over["ratio"] <= 1 or "best" in out:
        return ""
    interval = f" ({_interval(over)})" if over["low"] is not None else ""
    return (
        f" The best configuration found was {over['ratio']:.2f} times the rules'{interval}, which is not better beyond "
        "chance, so the simpler one wins."
    )


def _sent_home(result: Result, won: str) -> str:
    """A sentence on the knobs that went back to the baseline, or would have; nothing where none was sent home."""
    over, told = result["comparison"].get("best_over_reduced"), result.get("ablation")
    if not told or won not in ("best", REDUCED) or not told["dropped"]:
        return ""
    home = f"{len(told['dropped'])} of its {told['changed']} changed knobs"
    interval = (
        ""
        if over is None
        else f"{over['ratio']:.2f} times as good" + (f" ({_interval(over)})" if over["low"] is not None else "")
    )
    if won == REDUCED:
        with_them = f": with them it was {interval}, which is no gain that matters" if interval else ""
        return f" {home} are back at the baseline{with_them}."
    return f" With {home} back at the baseline it was worse: the whole is {interval}." if interval else ""


def _of_given_arms(result: Result, won: str) -> str:
    if won == "baseline":
        return _why_the_baseline(result)
    now, before = _value_of(result, won), _value_of(result, "baseline")
    times = _times(result["comparison"]["ratios"][won])
    return f"Configuration {won!r} beat the baseline: {result['objective']} {now} instead of {before}, {times}"


def _value_of(result: Result, arm: str) -> str:
    return next(row.value for row in arm_rows(result) if row.name.startswith(arm))


def _why_the_baseline(result: Result) -> str:
    comparison = result["comparison"]
    candidates = _candidates(result)
    best = next((arm for arm in candidates if comparison["ratios"].get(arm)), None)
    lost = next((arm for arm in candidates if arm in comparison.get("faults", {})), None)
    if best is None:
        fault = f": {lost} {comparison['faults'][lost]}" if lost else ""
        return f"Nothing could be compared with the baseline{fault}"
    ratio, times = comparison["ratios"][best], f"{best} was {_times(comparison['ratios'][best])}"
    if best in comparison.get("faults", {}):
        return f"{times}, and cannot win: {comparison['faults'][best]}"
    if best in comparison.get("breaks_a_constraint", ()):
        return f"{times}, and breaks a constraint"
    if ratio["low"] is None:
        return f"{times}; three rounds are the least that says anything (the form's final_rounds)"
    return f"Nothing beat the baseline beyond noise: {times}"


def _candidates(result: Result) -> Sequence[str]:
    """The arms beside the baseline, the best first."""
    if not result.get("compared"):
        return ("best", REDUCED, "rules")
    ratios = result["comparison"]["ratios"]
    others = [arm for arm in result["compared"] if arm != "baseline"]
    return sorted(others, key=lambda arm: -ratios[arm]["ratio"] if ratios.get(arm) else 0.0)


def _times(ratio: Mapping[str, Any]) -> str:
    interval, rounds = _interval(ratio), ratio["rounds"]
    over = f"over {rounds} rounds in turns" if rounds > 1 else "in one round"
    return (
        f"{ratio['ratio']:.2f} times better (95 % interval {interval}, {over})"
        if interval
        else (f"{ratio['ratio']:.2f} times better {over}")
    )


def undo(result: Result) -> str:
    """How to go back to the configuration before the experiment: by a Dag, and by hand."""
    back = result["undo"]
    return (
        f"To go back to the configuration before this experiment, trigger undo_tuning with target {result['target']!r} "
        f"and experiment {result['experiment']!r} (without an experiment: before otterflow's first one on the target). "
        f"By hand: put the text under `undo` in result.json into {back['knobs_file']} on the target and {back['then']}."
    )


def report(result: Result, file: str | None = None) -> str:
    """All of it as plain text for a task's log; `file` is where the whole result is, once it is written."""
    title = f"{result['objective']} of {result['benchmark']} on {result['target']}, measured again in turns"
    parts = [result["verdict"], "", title, *aligned(VALUE_COLUMNS, [row.cells() for row in arm_rows(result)])]
    parts += [] if (ended := _why_ended(result)) is None else ["", ended]
    for arm, remarks in result.get("remarks", {}).items():
        parts += ["", *(f"Of {arm}'s trial: {remark}." for remark in remarks)]
    if disturbed := result["comparison"].get("disturbed"):
        turns = ", ".join(f"{turn['arm']} in round {turn['round']}" for turn in disturbed)
        parts += ["", f"Disturbed by other work on the host, in all tries, and kept: {turns}."]
    if result["changed_knobs"]:
        is_proposed = result.get("winner", result["installed"]) != result["installed"]
        title = "Knobs that would change" if is_proposed else "Changed knobs"
        parts += ["", title, *aligned(KNOB_COLUMNS, knob_rows(result))]
        parts += [] if is_proposed else ["", undo(result)]
    if file is not None:
        parts += ["", f"Everything, with every trial: {file} on the machine that ran this task"]
    return "\n".join(parts)


def _why_ended(result: Result) -> str | None:
    """Why the comparison ended with the round that it did; None of a result that does not say, or compared nothing."""
    comparison = result["comparison"]
    if not comparison["values"] or comparison.get("gain_that_matters_percent") is None:
        return None
    rounds = max(len(of) for of in comparison["values"].values())
    if comparison["decided"]:
        return f"The comparison ended after {rounds} rounds, decided: {comparison['decided']}."
    return (
        f"The comparison ended undecided after {rounds} of at most {comparison['most_rounds']} rounds: a gain of "
        f"{comparison['gain_that_matters_percent']:g} % may still be there. More rounds (final_rounds) would tell."
    )


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table in plain text, each column as wide as its widest cell."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [header, *rows]
    ]
