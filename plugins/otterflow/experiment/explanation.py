"""Why a configuration is tried next, in the objective's own unit: for the trial's record, and a table for the log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from otterflow.dbms.base import Spelling
from otterflow.knobs.setting import LiveSetting
from otterflow.measures.scale import Scale

if TYPE_CHECKING:
    from otterflow.tuner import Incumbent, Outlook, Suggestion

_SHOWN, _LEADING = 12, 6


def record(suggestion: Suggestion, scale: Scale, unit: str, best: Incumbent | None) -> dict[str, Any]:
    """The tuner's reasons as plain JSON, with what it expects in the objective's `unit`.

    `predicted` is `{"value", "low", "high", "unit"}` (90 % interval, on the machine as it was at the first trial), and
    `incumbent` what the model thinks of the best so far. Each of `moved` gets `gain_percent`, what that knob's move
    alone is expected to bring.
    """
    reasons = dict(suggestion.reasons)
    for name in ("crash_probability", "feasible_probability"):
        if (probability := getattr(suggestion, name)) is not None:
            reasons[name] = round(float(probability), 4)
    if best is not None and best.std is not None:
        reasons["incumbent"] = _figures(scale, unit, best.mean, best.std) | {"feasible": best.feasible}
    if suggestion.predicted_mean is None or suggestion.predicted_std is None:
        return reasons
    mean, std = suggestion.predicted_mean, suggestion.predicted_std
    reasons |= {"predicted_mean": round(mean, 6), "predicted_std": round(std, 6)}
    reasons["predicted"] = _figures(scale, unit, mean, std)
    against = mean if best is None else best.mean
    if best is not None:
        reasons["predicted"]["gain_percent"] = round(100 * scale.gain(mean, best.mean), 2)
    reasons["moved"] = [
        move | {"gain_percent": round(100 * scale.gain(against + move["gain"], against), 2)} if "gain" in move else move
        for move in reasons.get("moved", [])
    ]
    return reasons


def _figures(scale: Scale, unit: str, mean: float, std: float) -> dict[str, Any]:
    low, high = scale.interval(mean, std)
    value = scale.value(mean)
    return {"value": _short(value), "low": _short(low), "high": _short(high), "unit": unit}


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def outlook_record(left: Outlook | None, scale: Scale, below_percent: float | None) -> dict[str, Any]:
    """What is still to be gained, in per cent of the incumbent, as plain JSON; {} where nothing can be said.

    `probability_below` is that of less than `below_percent`, if that is given.
    """
    if left is None:
        return {}
    gains = [100 * scale.gain(left.incumbent + float(gain), left.incumbent) for gain in left.gains]
    said: dict[str, Any] = {
        "expected_percent": round(sum(gains) / len(gains), 2),
        "median_percent": round(gains[len(gains) // 2], 2),
        "likely_below_percent": round(gains[int(0.9 * (len(gains) - 1))], 2),
    }
    if below_percent is not None:
        below = sum(gain < below_percent for gain in gains) / len(gains)
        said |= {"below_percent": below_percent, "probability_below": round(below, 3)}
    return said


def outlook_text(said: Mapping[str, Any]) -> str:
    """One line of an outlook's record."""
    if not said:
        return "too few trials to say what is left to be gained"
    text = (
        f"still to be gained: {said['expected_percent']:.1f} % expected, less than "
        f"{said['likely_below_percent']:.1f} % with probability 0.9"
    )
    if "below_percent" in said:
        text += f", less than {said['below_percent']:g} % with probability {said['probability_below']:.2f}"
    return text


def table(
    config: Mapping[str, Any],
    against: Mapping[str, Any],
    live: Mapping[str, LiveSetting],
    reasons: Mapping[str, Any],
    spelling: Spelling,
) -> str:
    """The log's table: the idea, what is expected, and the knobs that differ from `against`, the telling ones first."""
    return "\n".join(_expected(reasons) + _moves(config, against, live, reasons, spelling))


def _expected(reasons: Mapping[str, Any]) -> list[str]:
    rows = []
    if "predicted" in reasons:
        gain = reasons["predicted"].get("gain_percent")
        rows.append(("predicted", _span(reasons["predicted"]) + ("" if gain is None else f", {gain:+.1f} %")))
    if "incumbent" in reasons:
        broken = "" if reasons["incumbent"]["feasible"] else "; it breaks a constraint, as all tried do"
        rows.append(("best so far", _span(reasons["incumbent"]) + broken))
    if "crash_probability" in reasons:
        rows.append(("may crash", f"{100 * reasons['crash_probability']:.0f} %"))
    if "feasible_probability" in reasons:
        rows.append(("keeps constraints", f"{100 * reasons['feasible_probability']:.0f} %"))
    if leading := reasons.get("leading_knobs"):
        rows.append(("leading knobs", ", ".join(leading[:_LEADING]) + (", ..." if len(leading) > _LEADING else "")))
    if past := [f"{one['experiment']} ({one['weight']:.2f})" for one in reasons.get("past", ()) if "weight" in one]:
        rows.append(("learned from", ", ".join(past)))
    return [f"  {reasons.get('idea', 'no reason is recorded')}", *(f"  {name:18} {text}" for name, text in rows)]


def _span(figures: Mapping[str, Any]) -> str:
    unit = f" {figures['unit']}" if figures["unit"] else ""
    value, low, high = (_readable(figures[name]) for name in ("value", "low", "high"))
    return f"{value}{unit} ({low} to {high} with 90 %)"


def _readable(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _moves(
    config: Mapping[str, Any],
    against: Mapping[str, Any],
    live: Mapping[str, LiveSetting],
    reasons: Mapping[str, Any],
    spelling: Spelling,
) -> list[str]:
    gains = {move["knob"]: move.get("gain_percent") for move in reasons.get("moved", [])}
    changed = [name for name in config if config[name] != against.get(name)]
    changed.sort(key=lambda name: list(gains).index(name) if name in gains else len(gains))
    if not changed:
        return ["  no knob differs from the best so far"]
    rows = [("knob", "best so far", "next", "alone")]
    for name in changed[:_SHOWN]:
        gain = gains.get(name)
        old = spelling.display(against[name], live[name]) if name in against else ""
        rows.append((name, old, spelling.display(config[name], live[name]), "" if gain is None else f"{gain:+.1f} %"))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        f"  {name:{widths[0]}}  {old:>{widths[1]}} -> {new:<{widths[2]}}  {gain:>{widths[3]}}".rstrip()
        for name, old, new, gain in rows
    ]
    hidden = len(changed) - _SHOWN
    return [*lines, f"  and {hidden} more"] if hidden > 0 else lines
