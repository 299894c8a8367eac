"""What all intervals together say of a candidate: a ratio with its interval, and yes, no, or that nobody can tell.

The user's rule asks two things: is the candidate better overall, and is it nowhere worse by more than so much? Each can
be shown, be refuted, or stay open; *yes* takes both shown, *no* one of them refuted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from otterflow.experiment.comparison import LEAST_ROUNDS, Ratio, improvement, widened
from otterflow.experiment.interval import IntervalVerdict
from otterflow.experiment.summary import aligned

COLUMNS = ("interval", "times better", "95 % interval", "rounds", "worst class", "errors", "remark")

_SHOWN = 40
"""So much of a statement's text is shown in a row."""


class Answer(StrEnum):
    """What the rule says."""

    yes = "yes"
    no = "no"
    open = "cannot be judged"


class Rule(BaseModel):
    """When a candidate is good enough, as the user sets it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    better_overall: bool = True
    """It must be better over all intervals, beyond chance."""
    nowhere_worse_percent: Annotated[float, Field(gt=0, lt=100)] | None = 5.0
    """In no interval may it be worse by more than this; None: that does not matter."""
    judged_percent: Annotated[float, Field(gt=0, le=100)] = 80.0
    """Of the intervals at least so many must have a ratio to believe."""

    def words(self) -> str:
        """The rule as a person says it."""
        parts = ["better overall"] if self.better_overall else []
        if self.nowhere_worse_percent is not None:
            parts.append(f"nowhere worse by more than {self.nowhere_worse_percent:g} %")
        return " and ".join(parts) or "no demand"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Over all intervals. `better` and `worse` are the shares of judged intervals beyond chance on either side.

    `low` and `high` are the 95 % interval of the geometric mean over intervals like these; None below three. `worst` is
    the interval with the lowest ratio. `incomplete` is how many of the recordings do not hold all of their interval.
    """

    candidate: str
    answer: Answer
    sentence: str
    ratio: float | None
    low: float | None
    high: float | None
    intervals: int
    judged: int
    better: float
    worse: float
    worst: dict[str, Any] | None
    incomplete: int
    rule: dict[str, Any]

    def record(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


def verdict_of(candidate: str, intervals: Sequence[IntervalVerdict], rule: Rule) -> Verdict:
    """The verdict over all `intervals`, each of which counts alike.

    The mean's interval is Student's t on the intervals' own ratios (of logarithms). So it holds what varies between
    intervals as well as what varies within, and speaks of intervals like these, not of these alone.
    """
    judged = [(interval, ratio) for interval in intervals if (ratio := interval.as_ratio) is not None]
    whole = _overall([ratio for _, ratio in judged])
    worst = min(judged, key=lambda pair: pair[1].ratio, default=None)
    answer, because = _answer(intervals, judged, whole, rule)
    share = 1 / max(len(judged), 1)
    return Verdict(
        candidate=candidate,
        answer=answer,
        sentence=f"{str(answer).capitalize()}: {candidate} {because}.",
        ratio=None if whole is None else whole.ratio,
        low=None if whole is None else whole.low,
        high=None if whole is None else whole.high,
        intervals=len(intervals),
        judged=len(judged),
        better=share * sum(ratio.beyond_noise for _, ratio in judged),
        worse=share * sum(ratio.high is not None and ratio.high < 1 for _, ratio in judged),
        worst=None if worst is None else {"recording": worst[0].recording, **worst[1].as_dict()},
        incomplete=sum(1 for interval in intervals if interval.incomplete),
        rule=rule.model_dump(),
    )


def _overall(ratios: Sequence[Ratio]) -> Ratio | None:
    """The geometric mean with its interval: a comparison whose rounds are the intervals."""
    return improvement(
        dict.fromkeys(range(len(ratios)), 1.0), {i: r.ratio for i, r in enumerate(ratios)}, maximise=True
    )


Judged = Sequence[tuple[IntervalVerdict, Ratio]]


def _answer(
    intervals: Sequence[IntervalVerdict], judged: Judged, whole: Ratio | None, rule: Rule
) -> tuple[Answer, str]:
    """The answer, and why, as the rest of a sentence that begins with the candidate's name."""
    refuted: list[str] = []
    lacking: list[str] = []
    for found in (_spoilt(intervals), _overall_found(whole, rule), _nowhere_worse(judged, rule)):
        if found is not None:
            (refuted if found[0] else lacking).append(found[1])
    if refuted:
        return Answer.no, "; it ".join(refuted)
    least = rule.judged_percent / 100 * len(intervals)
    if len(judged) < least or not judged:
        lacking.insert(0, f"has a ratio to believe in only {len(judged)} of {len(intervals)} intervals")
    if lacking:
        return Answer.open, "; it ".join(lacking)
    shown = [f"is {_times(whole)} over {len(judged)} intervals" if whole is not None else ""]
    if rule.nowhere_worse_percent is not None:
        shown.append(f"is nowhere worse by more than {rule.nowhere_worse_percent:g} %")
    return Answer.yes, " and ".join(shown)


def _spoilt(intervals: Sequence[IntervalVerdict]) -> tuple[bool, str] | None:
    """Where the candidate itself kept an interval from being judged."""
    spoilt = [interval for interval in intervals if interval.spoilt]
    if not spoilt:
        return None
    more = f", and {len(spoilt) - 1} more" if len(spoilt) > 1 else ""
    return True, f"failed in interval {spoilt[0].recording}{more} ({spoilt[0].why_not})"


def _overall_found(whole: Ratio | None, rule: Rule) -> tuple[bool, str] | None:
    """Whether "better overall" is refuted (True) or open (False), and what is known; None where it is shown."""
    if not rule.better_overall or whole is None or whole.beyond_noise:
        return None
    if whole.low is None or whole.high is None:
        return False, f"was tried in {whole.rounds} intervals, and {LEAST_ROUNDS} are the least that can be generalised"
    if whole.high < 1:
        return True, f"is worse overall, {_times(whole)}"
    return False, f"is not shown to be better overall, {_times(whole)}"


def _nowhere_worse(judged: Judged, rule: Rule) -> tuple[bool, str] | None:
    """As `_overall_found`, of "nowhere worse by more than x %".

    To refute it, one interval must be beyond chance among all that were looked at (Bonferroni); to show it, each must
    be by itself, for a candidate that is worse somewhere has to pass there too.
    """
    if rule.nowhere_worse_percent is None:
        return None
    limit = 1 - rule.nowhere_worse_percent / 100
    for interval, ratio in judged:
        high = widened(ratio, len(judged)).high
        if high is not None and high < limit:
            return (
                True,
                f"is worse by more than {rule.nowhere_worse_percent:g} % in {interval.recording}, {_times(ratio)}",
            )
    doubtful = [(interval, ratio) for interval, ratio in judged if ratio.low is None or ratio.low < limit]
    if not doubtful:
        return None
    interval, ratio = min(doubtful, key=lambda pair: pair[1].low or 0.0)
    more = len(doubtful) - 1
    others = f", nor in {more} other{'s' * (more > 1)}" if more else ""
    return False, (
        f"is not shown to be within {rule.nowhere_worse_percent:g} % of the baseline in {interval.recording}, "
        f"{_times(ratio)}{others}; more rounds, or longer intervals, would tell"
    )


def _times(ratio: Ratio) -> str:
    interval = "" if ratio.low is None else f" (95 % interval {ratio.low:.3f} to {ratio.high:.3f})"
    return f"{ratio.ratio:.3f} times as good{interval}"


def shares(found: Verdict) -> str:
    """How many intervals were beyond chance on either side, and which was the worst, in a sentence."""
    if found.worst is None:
        return f"None of {found.intervals} intervals was judged."
    worst = Ratio(**{name: found.worst[name] for name in ("ratio", "low", "high", "rounds")})
    partly = f" Of {found.incomplete} not all was recorded." if found.incomplete else ""
    return (
        f"{found.judged} of {found.intervals} intervals were judged: {found.better:.0%} better beyond chance, "
        f"{found.worse:.0%} worse; the worst is {found.worst['recording']}, {_times(worst)}.{partly}"
    )


def table(intervals: Sequence[IntervalVerdict]) -> str:
    """The intervals as plain text, in the order of time, for a log."""
    return "\n".join(aligned(COLUMNS, [_cells(i) for i in sorted(intervals, key=lambda i: i.start)]))


def _cells(interval: IntervalVerdict) -> tuple[str, ...]:
    worst = interval.worst_class
    return (
        interval.recording,
        "-" if interval.ratio is None else f"{interval.ratio:.3f}",
        "-" if interval.low is None or interval.high is None else f"{interval.low:.3f} to {interval.high:.3f}",
        str(interval.rounds),
        "-" if worst is None else f"{worst['ratio']:.2f} {_short(worst.get('text') or worst['class'])}",
        interval.all_errors,
        interval.remark,
    )


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _SHOWN else f"{words[: _SHOWN - 1]}…"
