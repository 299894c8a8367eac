"""What each changed knob is worth, as an experiment's result says it: measured where there is a measurement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from otterflow.experiment.comparison import BEST, REDUCED

Result = Mapping[str, Any]


@dataclass(frozen=True)
class KnobEffect:
    """What a knob's change is worth in per cent of the objective, `low` to `high` with 90 %, both None if unknown.

    `measured` says that a trial had the knob back at the baseline's value; else a model of the trials predicts it.
    """

    knob: str
    percent: float
    low: float | None
    high: float | None
    measured: bool
    why: str
    dropped: bool
    """Whether it went back to the baseline's value, for it is not missed."""

    @property
    def words(self) -> str:
        """The effect as a person reads it."""
        interval = "" if self.low is None or self.high is None else f" ({self.low:+.1f} to {self.high:+.1f})"
        return f"{self.percent:+.1f} %{interval}, {'measured' if self.measured else 'predicted'}"


def effects(result: Result) -> dict[str, KnobEffect]:
    """By knob, those that matter first; none of a result that says nothing of single knobs, or of others than those.

    What is known is of the best configuration's knobs: the rules' values are others. A knob that could have gone back
    and has not, for the whole configuration has won, is one like the rest.
    """
    told = (result.get("ablation") or {}) if result.get("winner") in (BEST, REDUCED) else {}
    changed = {row["knob"] for row in result.get("changed_knobs") or ()}
    return {
        row["knob"]: KnobEffect(
            knob=row["knob"],
            percent=row["percent"],
            low=row.get("low"),
            high=row.get("high"),
            measured=bool(row.get("tested")),
            why=row.get("why", ""),
            dropped=kind == "dropped" and row["knob"] not in changed,
        )
        for kind in ("kept", "dropped")
        for row in told.get(kind, ())
    }
