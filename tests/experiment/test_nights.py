"""The table of nights, and when a night is short."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from otterflow.experiment.nights import mix_moved, moved, nights_of, table, why_short
from otterflow.repository.records import Experiment, ExperimentState
from tests.experiment.test_night_recording import manifest
from tests.records import BEGIN, experiment

LITTLE = "less than 3 % is still to be gained with probability 0.95 (stop_confidence 0.9); 1.0 % is expected"


def result(winner: str, baseline: float, best: float, *, trials: int = 9, install: bool = True) -> dict[str, Any]:
    return {
        "winner": winner,
        "installed": winner if install else "baseline",
        "baseline": baseline,
        "best": best,
        "trials": [{}] * trials,
        "comparison": {"ratios": {"best": {"ratio": best / baseline, "low": 1.02, "high": 1.5}}},
    }


def night(
    number: int,
    outcome: dict[str, Any] | None,
    because: str = "",
    name: str = "staging",
    recording: str | None = None,
) -> Experiment:
    found = experiment({"recording": recording} if recording else {}, finished_because=because)
    state = ExperimentState.finished if outcome else ExperimentState.failed
    return replace(
        found,
        name=f"{name}-2026112{number}",
        state=state,
        outcome=outcome,
        created_at=BEGIN + timedelta(days=number),
    )


def test_the_nights_are_a_table_with_gain_interval_and_why_each_ended() -> None:
    nights = nights_of(
        "staging",
        [
            night(1, None, "a stop was requested"),
            night(0, result("best", 100.0, 120.0), "the window closes"),
            night(2, result("best", 100.0, 110.0, install=False), LITTLE),
            night(3, result("baseline", 100.0, 90.0)),
            night(3, result("best", 1.0, 2.0), name="staging-other"),
        ],
    )
    assert [n.then for n in nights] == ["installed", "-", "proposed", "kept"]
    lines = table(nights).splitlines()
    assert lines[0].split() == "night experiment workload trials winner gain then why it ended".split()
    assert "2026-11-20" in lines[1]
    assert "+20.0 % (+2.0 to +50.0)" in lines[1]
    assert lines[1].rstrip().endswith("the window closes")
    assert nights[3].gain_percent is None  # the baseline has no gain over itself


def test_a_night_is_short_where_the_last_search_found_little_left_and_nothing_has_moved() -> None:
    workload = experiment({}).benchmark
    searched = night(0, result("best", 100.0, 120.0), LITTLE)
    assert why_short(nights_of("staging", []), workload) is None
    assert (
        why_short(nights_of("staging", [night(0, result("best", 100.0, 120.0), "the window closes")]), workload) is None
    )
    assert LITTLE in str(why_short(nights_of("staging", [searched]), workload))
    assert why_short(nights_of("staging", [searched]), "another") is None
    same = night(1, result("baseline", 118.0, 118.0, trials=2), "all 2 iterations are done")
    assert why_short(nights_of("staging", [searched, same]), workload) is not None
    other = night(2, result("baseline", 90.0, 90.0, trials=2), "all 2 iterations are done")
    nights = nights_of("staging", [searched, same, other])
    assert why_short(nights, workload) is None
    assert "gave 118 then and 90 in staging-20261122" in str(moved(nights[1], nights[2]))
    again = night(3, result("best", 90.0, 99.0), LITTLE)
    assert why_short(nights_of("staging", [searched, same, other, again]), workload) is not None


def test_of_two_recordings_the_mixes_are_compared_and_not_the_values() -> None:
    workload = experiment({}).benchmark
    manifests = {
        "shop-1": manifest(("SELECT a", 50, 5.0), ("UPDATE b", 50, 5.0)),
        "shop-2": manifest(("SELECT a", 520, 52.0), ("UPDATE b", 480, 48.0)),
        "shop-3": manifest(("SELECT a", 10, 5.0), ("UPDATE c", 90, 5.0)),
    }
    searched = night(0, result("best", 100.0, 120.0), LITTLE, recording="shop-1")
    same = night(1, result("baseline", 20.0, 20.0, trials=2), "all 2 iterations are done", recording="shop-2")
    nights = nights_of("staging", [searched, same])
    assert f"{workload} of shop-1" in table(nights)
    assert moved(nights[0], nights[1], manifests) is None
    assert why_short(nights, workload, "shop-1", manifests) is not None
    assert why_short(nights, workload, "shop-3", manifests) is None
    assert "of shop-2 and shop-3 differ in 90%: the workload has changed" in str(
        mix_moved("shop-2", "shop-3", manifests)
    )
    assert why_short(nights, workload, "shop-4", manifests) is None, "what is not known may be another workload"
    other = night(2, result("baseline", 20.0, 20.0, trials=2), "all 2 iterations are done", recording="shop-3")
    assert why_short(nights_of("staging", [searched, other]), workload, "shop-3", manifests) is None
