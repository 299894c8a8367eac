"""What the demo shows: values, estimates, plain lines said once, and the summary."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from otterflow.experiment.summary import arm_rows
from otterflow.measures.objective import Objective
from otterflow.repository import ExperimentState, Measurement, Trial, TrialKind, TrialState
from stack.view import PlainLines, live_view, show, summary, time_text, value_text
from stack.watch import Progress

START = datetime(2026, 1, 1, tzinfo=UTC)


def trial(iteration: int, value: float | None, state: TrialState = TrialState.ok, took_s: float = 30) -> Trial:
    begin = START + timedelta(minutes=iteration)
    return Trial(
        experiment="demo",
        iteration=iteration,
        attempt=1,
        kind=[TrialKind.baseline, TrialKind.rules, TrialKind.model][min(iteration, 2)],
        state=state,
        wanted={},
        objective=value,
        seed=0,
        seconds={"benchmark": 20.0},
        started_at=begin,
        ended_at=begin + timedelta(seconds=took_s) if state.ended else None,
    )


def turn(number: int, arm: str, value: float | None, at_s: float) -> Measurement:
    state = TrialState.ok if value else TrialState.failed
    return Measurement(1, number, arm, value, {}, state, START + timedelta(seconds=at_s))


PROGRESS = Progress(
    "demo",
    Objective.run_time,
    iterations=4,
    final_rounds=5,
    elapsed_s=83.4,
    state=ExperimentState.running,
    doing="benchmark (7 s)",
    trials=[trial(0, 4.0), trial(1, 2.5), trial(2, None, TrialState.crashed), trial(3, None, TrialState.running)],
)


def shown(renderable: Any) -> str:
    console = Console(file=io.StringIO(), width=120, soft_wrap=False)
    console.print(renderable)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("value", "objective", "text"),
    [
        (4.0, Objective.run_time, "4 s"),
        (4.126, Objective.run_time, "4.13 s"),
        (12345.6, Objective.throughput, "12,346 /s"),
        (0.0421, Objective.latency_p95, "0.0421 ms"),
        (None, Objective.throughput, "-"),
    ],
)
def test_values_have_their_unit(value: float | None, objective: Objective, text: str) -> None:
    assert value_text(value, objective) == text


@pytest.mark.parametrize(("seconds", "text"), [(None, "..."), (0, "0:00"), (59.6, "1:00"), (754, "12:34")])
def test_times(seconds: float | None, text: str) -> None:
    assert time_text(seconds) == text


def test_best_so_far_follows_the_objectives_direction() -> None:
    trials = [trial(0, 4.0), trial(1, 2.5), trial(2, 3.0)]
    assert [replace(PROGRESS, trials=trials).best_until(i) for i in range(3)] == [4.0, 2.5, 2.5]
    upwards = replace(PROGRESS, trials=trials, objective=Objective.throughput)
    assert [upwards.best_until(i) for i in range(3)] == [4.0, 4.0, 4.0]
    assert replace(PROGRESS, trials=[trial(0, None, TrialState.failed)]).best_until(0) is None


def test_time_left_counts_trials_and_the_comparison() -> None:
    assert PROGRESS.seconds_left == 1 * 30 + 15 * 20.0
    turns = [turn(1, "baseline", 4.0, 0), turn(1, "rules", 2.0, 10), turn(1, "best", 2.0, 20)]
    finishing = replace(PROGRESS, state=ExperimentState.finishing, measurements=turns)
    assert finishing.seconds_left == 12 * 10.0
    two_arms = [turn(1, "baseline", 4.0, 0), turn(1, "rules", 2.0, 10), turn(2, "rules", 2.0, 20)]
    assert replace(finishing, measurements=two_arms).seconds_left == 7 * 10.0
    assert replace(PROGRESS, trials=[]).seconds_left is None
    assert replace(PROGRESS, state=ExperimentState.finished).seconds_left is None


def test_live_view_has_a_row_for_each_trial_and_says_what_is_going_on() -> None:
    text = shown(live_view(PROGRESS))
    assert "run_time (less is better)" in text
    rows = [line for line in text.splitlines() if "/4" in line]
    assert len(rows) == 4
    assert "crashed" in rows[2]
    assert "2.5 s" in rows[2]
    assert "Trial 4 of 4: benchmark (7 s). Elapsed 1:23, left about 5:30." in text


def test_plain_lines_say_everything_once() -> None:
    lines = PlainLines()
    first = lines.new(PROGRESS)
    assert [line.split("]")[1].split()[0] for line in first] == ["running", "trial", "trial", "trial"]
    assert lines.new(PROGRESS) == []
    turns = [turn(1, "rules", 2.0, 0), turn(1, "best", None, 10)]
    more = lines.new(replace(PROGRESS, state=ExperimentState.finishing, measurements=turns))
    assert len(more) == 3
    assert "finishing" in more[0]
    assert "comparison, round 1  rules" in more[1]
    assert " - " in more[2]


def test_without_a_terminal_the_last_look_is_returned_and_lines_are_whole() -> None:
    console = Console(file=io.StringIO(), width=40, soft_wrap=True)
    last = replace(PROGRESS, state=ExperimentState.finished)
    assert show(iter([PROGRESS, last]), console) is last
    assert isinstance(console.file, io.StringIO)
    assert all(line.startswith("[1:23] ") for line in console.file.getvalue().splitlines())
    with pytest.raises(ValueError, match="nothing to show"):
        show(iter([]), console)


RESULT: dict[str, Any] = {
    "verdict": "The best configuration found is in force.",
    "objective": "run_time",
    "unit": "s",
    "benchmark": "analytics",
    "baseline": 4.0,
    "rules": 2.5,
    "best": 2.0,
    "installed": "best",
    "comparison": {
        "values": {"baseline": [4.1, 4.0, 3.9], "rules": [2.4, 2.5, 2.6], "best": [2.0, 2.0]},
        "ratios": {
            "rules": {"ratio": 1.6, "low": 1.5, "high": 1.7, "rounds": 5},
            "best": {"ratio": 2.0, "low": None, "high": None, "rounds": 2},
        },
    },
    "changed_knobs": [{"knob": "shared_buffers", "before": "128MB", "after": "4GB", "does": "", "restart": True}],
}


def test_summary_shows_ratios_and_changed_knobs() -> None:
    lines = shown(summary(RESULT)).splitlines()
    found = {name: next(line for line in lines if name in line) for name in ("baseline", "rules", "best", "shared_")}
    assert "4 s" in found["baseline"]
    assert "1.50 to 1.70" in found["rules"]
    assert "best (in force)" in found["best"]
    assert "2.00" in found["best"]
    assert "128MB" in found["shared_"]
    assert "4GB" in found["shared_"]


def test_each_row_is_of_what_that_configuration_measured() -> None:
    """Where the rules won, the result's `best` is theirs."""
    arms = {"baseline": [4.0, 4.0], "rules": [2.5, 2.5], "best": [2.7, 2.9]}
    lost = {**RESULT, "best": 2.5, "installed": "rules", "comparison": {**RESULT["comparison"], "values": arms}}
    lines = shown(summary(lost)).splitlines()
    assert "2.8 s" in next(line for line in lines if "best" in line)
    assert "2.5 s" in next(line for line in lines if "rules (in force)" in line)
    same = {**lost, "comparison": {"values": {"baseline": [4.0], "rules": [2.5]}, "ratios": {}}}
    assert "2.5 s" in next(line for line in shown(summary(same)).splitlines() if "best" in line)


@pytest.mark.parametrize("installed", ["rules", "baseline"])
def test_rules_that_are_the_best_have_one_row_with_their_figures(installed: str) -> None:
    """They were measured once for both, so a row of its own would have no ratio."""
    comparison = {
        "values": {"baseline": [4.0, 4.2], "rules": [2.4, 2.5]},
        "ratios": {"rules": {"ratio": 1.65, "low": 1.5, "high": 1.8, "rounds": 5}},
    }
    knobs = {"work_mem": {"unit": "kB", "baseline": "4MB", "rules": "64MB", "best": "64MB"}}
    both = {**RESULT, "best": 2.45, "installed": installed, "comparison": comparison, "knobs": knobs}
    rows = [line.split("│")[1:-1] for line in shown(summary(both)).splitlines() if line.startswith("│")]
    named = [[cell.strip() for cell in row] for row in rows if len(row) == 4]
    mark = {installed: " (in force)"}
    assert named == [
        [f"baseline{mark.get('baseline', '')}", "4.1 s", "1.00", ""],
        [f"rules and best{mark.get('rules', '')}", "2.45 s", "1.65", "1.50 to 1.80"],
    ]


def test_a_best_of_its_own_that_gave_no_number_keeps_its_row() -> None:
    comparison = {"values": {"baseline": [4.0], "rules": [2.4]}, "ratios": {}, "faults": {"best": "crashed in round 1"}}
    knobs = {"work_mem": {"unit": "kB", "baseline": "4MB", "rules": "64MB", "best": "1GB"}}
    lost = {**RESULT, "installed": "baseline", "comparison": comparison, "knobs": knobs}
    assert [row.name for row in arm_rows(lost)] == ["baseline (in force)", "rules", "best"]


def test_summary_of_an_experiment_that_found_nothing() -> None:
    text = shown(summary({**RESULT, "installed": "baseline", "changed_knobs": []}))
    assert "baseline (in force)" in text
    assert RESULT["verdict"] in text
    assert "Changed knobs" not in text
