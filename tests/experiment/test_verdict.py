"""Over all intervals: what may be said, what may not, and that nothing but the measurements decides it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from otterflow.experiment.comparison import Ratio, improvement, widened
from otterflow.experiment.interval import IntervalVerdict
from otterflow.experiment.verdict import Answer, Rule, shares, table, verdict_of
from tests.bench.verdict.simulation import Truth, answers

BEGIN = datetime(2026, 11, 29, 2, tzinfo=UTC)


def interval(number: int, ratio: float | None, half: float = 0.02, **more: Any) -> IntervalVerdict:
    """An interval with the half width of its interval, in per cent of the ratio."""
    start = BEGIN + timedelta(hours=number)
    low, high = (None, None) if ratio is None else (ratio * (1 - half), ratio * (1 + half))
    fields: dict[str, Any] = {
        "recording": f"shop-{start:%Y%m%dT%H%MZ}", "start": start, "end": start + timedelta(hours=1),
        "experiment": f"replay-{number}", "candidate": "winner", "arms": {}, "ratio": ratio, "low": low, "high": high,
        "rounds": 5, "errors": {}, "divergence": [], "worst_class": None,
    }  # fmt: skip
    return IntervalVerdict(**fields | more)


def told(*ratios: float | None, rule: Rule | None = None, **more: Any) -> Any:
    return verdict_of("winner", [interval(i, ratio, **more) for i, ratio in enumerate(ratios)], rule or Rule())


def test_yes_takes_better_overall_and_no_interval_that_may_be_worse() -> None:
    found = told(1.10, 1.15, 1.12, 1.08, 1.11)
    assert found.answer is Answer.yes
    assert found.sentence.startswith("Yes: winner is 1.112 times as good (95 % interval 1.0")
    assert found.sentence.endswith("over 5 intervals and is nowhere worse by more than 5 %.")
    assert found.ratio == pytest.approx(math.prod([1.10, 1.15, 1.12, 1.08, 1.11]) ** 0.2)
    assert (found.better, found.worse, found.judged, found.intervals) == (1.0, 0.0, 5, 5)
    assert found.worst["recording"] == "shop-20261129T0500Z"
    assert shares(found) == (
        "5 of 5 intervals were judged: 100% better beyond chance, 0% worse; the worst is shop-20261129T0500Z, "
        "1.080 times as good (95 % interval 1.058 to 1.102)."
    )
    assert shares(told()) == "None of 0 intervals was judged."


def test_what_varies_between_intervals_widens_the_interval_however_sure_each_is() -> None:
    calm, wild = told(1.1, 1.11, 1.09, half=0.001), told(0.8, 1.1, 1.5, half=0.001)
    assert calm.low > 1
    assert wild.low < 1 < wild.high
    assert wild.answer is Answer.no, "in one interval it is worse by 20 %, beyond doubt"
    by_the_mean = told(0.8, 1.1, 1.5, half=0.001, rule=Rule(nowhere_worse_percent=None))
    assert by_the_mean.answer is Answer.open
    assert "is not shown to be better overall" in by_the_mean.sentence


@pytest.mark.parametrize(
    ("ratios", "more", "answer", "says"),
    [
        ((1.3, 1.3, 0.85), {}, Answer.no, "is worse by more than 5 % in shop-20261129T0400Z, 0.850 times as good"),
        ((0.9, 0.91, 0.92), {}, Answer.no, "is worse overall, 0.910 times as good"),
        ((1.1, 1.11, 1.12), {"half": 0.2}, Answer.open, "is not shown to be within 5 % of the baseline in shop-"),
        ((1.1, 1.2), {}, Answer.open, "was tried in 2 intervals, and 3 are the least"),
        ((1.1, 1.11, 1.12, None, None), {}, Answer.open, "a ratio to believe in only 3 of 5 intervals"),
        ((), {}, Answer.open, "a ratio to believe in only 0 of 0 intervals"),
    ],
)
def test_no_and_nobody_can_tell(ratios: Any, more: Any, answer: Answer, says: str) -> None:
    found = told(*ratios, **more)
    assert found.answer is answer, found.sentence
    assert says in found.sentence


def test_a_candidate_that_fails_in_an_interval_is_refused_and_one_that_was_not_measured_is_not() -> None:
    good = [interval(i, 1.1 + i / 100) for i in range(8)]
    spoilt = interval(9, None, why_not="the candidate crashed in round 1: out of memory", spoilt=True)
    found = verdict_of("winner", [*good, spoilt], Rule())
    assert found.answer is Answer.no
    assert "failed in interval shop-20261129T1100Z (the candidate crashed in round 1: out of memory)" in found.sentence
    lost = replace(spoilt, why_not="the arms have not done the same work", spoilt=False)
    assert verdict_of("winner", [*good, lost], Rule()).answer is Answer.yes
    assert verdict_of("winner", [*good, lost], Rule(judged_percent=100)).answer is Answer.open


def test_an_interval_that_is_not_believed_weighs_nothing() -> None:
    good = [interval(i, 1.1 + i / 100) for i in range(4)]
    with_it = verdict_of("winner", [*good, interval(9, 5.0, why_not="cut short")], Rule())
    assert (with_it.ratio, with_it.low) == (
        verdict_of("winner", good, Rule()).ratio,
        verdict_of("winner", good, Rule()).low,
    )


@pytest.mark.parametrize("seed", range(30))
def test_properties(seed: int) -> None:
    """Order does not matter; turned upside down, the ratio is its inverse; a stricter rule never turns no into yes."""
    rng = np.random.default_rng(seed)
    ratios = np.exp(0.1 * rng.standard_normal(rng.integers(3, 9))).tolist()
    found = told(*ratios)
    shuffled = [interval(int(i), ratios[i]) for i in rng.permutation(len(ratios))]
    again = verdict_of("winner", shuffled, Rule())
    assert (again.answer, again.worst) == (found.answer, found.worst)
    assert again.ratio == pytest.approx(found.ratio)
    upside_down = told(*[1 / ratio for ratio in ratios])
    assert upside_down.ratio == pytest.approx(1 / found.ratio)
    assert (upside_down.low, upside_down.high) == (pytest.approx(1 / found.high), pytest.approx(1 / found.low))
    assert found.low < found.ratio < found.high
    assert 0 <= found.better + found.worse <= 1
    if found.answer is not Answer.yes:
        assert told(*ratios, rule=Rule(nowhere_worse_percent=1)).answer is not Answer.yes
    json.dumps(found.record(), allow_nan=False)


def test_one_of_many_has_the_interval_that_it_would_have_had_among_them() -> None:
    baseline, other = {1: 10.0, 2: 11.0, 3: 9.0}, {1: 12.0, 2: 12.5, 3: 10.0}
    alone = improvement(baseline, other, maximise=True)
    among = improvement(baseline, other, maximise=True, comparisons=7)
    assert alone is not None
    assert among is not None
    found = widened(alone, 7)
    assert (found.low, found.high) == pytest.approx((among.low, among.high))
    assert widened(Ratio(1.0, None, None, 1), 7).low is None
    linear = improvement({1: -1.0, 2: 0.5, 3: 2.0}, {1: 1.0, 2: 2.0, 3: 2.5}, maximise=True)
    same = improvement({1: -1.0, 2: 0.5, 3: 2.0}, {1: 1.0, 2: 2.0, 3: 2.5}, maximise=True, comparisons=7)
    assert linear is not None
    assert same is not None
    assert widened(linear, 7).low == pytest.approx(same.low)


@pytest.mark.slow
@pytest.mark.parametrize("between", [0.0, 0.1])
@pytest.mark.parametrize("intervals", [3, 8])
def test_on_a_flat_truth_a_yes_is_rare(intervals: int, between: float) -> None:
    """2.5 % by theory; the bench has the large numbers."""
    rule = Rule(nowhere_worse_percent=None)
    assert answers(Truth(between=between), rule, intervals, 3, runs=150, seed=1)[Answer.yes] <= 0.07


def test_a_real_gain_is_found_and_a_real_loss_in_one_interval_too() -> None:
    assert answers(Truth(gain=1.2, noise=0.01), Rule(), 5, 5, runs=20, seed=1)[Answer.yes] > 0.9
    assert answers(Truth(gain=1.2, noise=0.01, in_one=0.8), Rule(), 5, 5, runs=20, seed=1)[Answer.no] > 0.9


def test_the_table_has_a_row_for_each_interval_in_the_order_of_time() -> None:
    rows = table(
        [
            interval(3, None, why_not="the baseline crashed in round 1"),
            interval(1, 1.2, worst_class={"class": "SELECT a FROM b", "ratio": 0.9}, errors={"winner": 3}),
            interval(2, 1.01),
        ]
    ).splitlines()
    assert [row.split()[0] for row in rows[1:]] == [f"shop-20261129T0{hour}00Z" for hour in (3, 4, 5)]
    assert "1.200" in rows[1]
    assert "0.90 SELECT a FROM b" in rows[1]
    assert "winner 3" in rows[1]
    assert rows[1].endswith("better")
    assert rows[2].endswith("within chance")
    assert rows[3].endswith("not judged: the baseline crashed in round 1")


def test_an_interval_that_was_not_recorded_whole_is_told_beside_its_ratio() -> None:
    whole, partly = interval(0, 1.10), interval(1, 1.12, incomplete="the log is empty")
    assert (whole.remark, partly.remark) == ("better", "better; not all of the interval was recorded: the log is empty")
    assert "not all of the interval was recorded" in table([whole, partly])
    found = verdict_of("winner", [whole, partly, interval(2, 1.1)], Rule())
    assert found.incomplete == 1
    assert shares(found).endswith(" Of 1 not all was recorded.")
    assert interval(0, None, why_not="no rounds").remark == "not judged: no rounds"
