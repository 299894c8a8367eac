"""The window of a night: its end by the wall clock, over both changes of it, and what still fits into it."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from otterflow.experiment import loop
from otterflow.experiment.window import Needs, needs, reason_rounds_take_too_long, reason_to_end_rounds, window_from
from tests.records import experiment, trial

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("opens", "until", "closes", "hours"),
    [
        ("2026-11-20T22:30", "05:30", "2026-11-21T04:30", 7),
        ("2026-11-20T01:00", "05:30", "2026-11-20T04:30", 4.5),
        ("2026-11-20T05:30", "05:30", "2026-11-21T04:30", 24),
        ("2026-03-28T22:30", "05:30", "2026-03-29T03:30", 6),  # the spring's change takes an hour
        ("2026-10-24T22:30", "05:30", "2026-10-25T04:30", 8),  # the autumn's gives one
        ("2026-03-28T22:30", "02:30", "2026-03-29T01:30", 4),  # 02:30 is left out: half an hour past the change
        ("2026-10-24T22:30", "02:30", "2026-10-25T00:30", 4),  # 02:30 comes twice: the first
    ],
)
def test_a_window_closes_when_the_wall_clock_says_so(opens: str, until: str, closes: str, hours: float) -> None:
    window = window_from(at(opens), time.fromisoformat(until), BERLIN)
    assert window.closes == datetime.fromisoformat(closes).replace(tzinfo=UTC)
    assert window.hours == hours
    assert not window.is_open(window.closes)
    assert window.is_open(window.opens)


def test_what_a_trial_and_the_finish_take_is_the_longest_seen() -> None:
    trials = [
        trial(0, 1.0, seconds={"restore": 50.0, "restart": 4.0, "benchmark": 60.0, "benchmark.window": 55.0}),
        trial(1, 1.0, seconds={"restart": 30.0, "benchmark": 62.0, "recommend": 8.0}),
    ]
    found = needs(trials, repeats=2)
    assert found.trial_s == pytest.approx((50 + 30 + 62 + 8) * 1.15)
    assert found.turn_s == 50 + 30 + 31
    assert found.finish_s(5) == 5 * 3 * 111 + 30 + 60
    assert needs([], repeats=1).trial_s == 0


def test_no_trial_is_begun_that_would_not_be_over_with_the_comparison() -> None:
    spec = {
        "iterations": 50,
        "ablation_percent": 0,
        "final_rounds": 5,
        "stop_at": (NOW + timedelta(minutes=40)).isoformat(),
    }
    needed = Needs(trial_s=300, turn_s=100, installing_s=90)  # 5 min, and 26.5 min for the finish
    begun = experiment(spec)
    assert loop.reason_to_finish(begun, 3, NOW, None, needed) is None
    later = NOW + timedelta(minutes=9)
    reason = loop.reason_to_finish(begun, 3, later, None, needed)
    assert reason == (
        "the window closes at 2026-11-20T03:40+00:00, in 31.0 min: another trial would take about 5.0 min and the "
        "final comparison 26.5 min"
    )
    assert loop.reason_to_finish(experiment({"iterations": 50}), 3, later, None, needed) is None


def test_time_is_left_for_the_trials_that_send_knobs_home_and_for_one_more_arm() -> None:
    needed = Needs(trial_s=300, turn_s=100, installing_s=90)
    spec = {"iterations": 50, "ablation_percent": 20, "final_rounds": 5}
    # A tenth trial, two that send knobs home, five rounds of four turns, and the installing: 15 + 33.3 + 1.5 minutes.
    minutes = 3 * 5 + (5 * 4 * 100 + 90) / 60
    fits, late = (
        experiment({**spec, "stop_at": (NOW + timedelta(minutes=minutes + more)).isoformat()}) for more in (0.1, -0.1)
    )
    assert loop.reason_to_finish(fits, 9, NOW, None, needed) is None
    reason = str(loop.reason_to_finish(late, 9, NOW, None, needed))
    assert "about 5.0 min, 2 to send knobs home 10.0 min and the final comparison 34.8 min" in reason
    assert loop.reason_to_end_ablation(late, 10, 0, NOW, needed) is None, "the time is theirs"
    later = NOW + timedelta(minutes=10.1)
    assert "the window closes" in str(loop.reason_to_end_ablation(late, 10, 1, later, needed))


def test_no_round_is_begun_that_would_not_be_over() -> None:
    needed = Needs(trial_s=300, turn_s=100, installing_s=90)
    closes = NOW + timedelta(seconds=390)
    assert reason_to_end_rounds(NOW, closes, needed, 3, 0) is None
    late = reason_to_end_rounds(NOW + timedelta(seconds=1), closes, needed, 3, 2)
    assert late is not None
    assert late.endswith("so the comparison ends after 2 rounds; 3 are the least that can have a winner")
    assert str(reason_to_end_rounds(closes, closes, needed, 2, 4)).endswith("the comparison ends after 4 rounds")


def test_a_comparison_ends_before_a_round_that_would_take_it_past_its_minutes() -> None:
    """Four rounds of three turns of 20 s: 4 minutes, and a fifth would take a fifth one."""
    ended = [NOW + timedelta(seconds=20 * turn) for turn in range(1, 13)]
    now = ended[-1]
    assert reason_rounds_take_too_long(now, ended, 4, 5) is None
    late = reason_rounds_take_too_long(now, ended, 4, 4.9)
    assert late is not None
    assert "may take 4.9 minutes (final_min) and has taken 4.0 min" in late
    assert late.endswith("another round would take about 1.0 min, so it ends after 4 rounds")
    assert reason_rounds_take_too_long(now, ended[:6], 2, 0.1) is None, "three rounds are the least that says anything"
