"""Configurations that the user gives to be compared."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from otterflow.dbms.postgresql import spelling
from otterflow.errors import InvalidInput
from otterflow.experiment.arms import compared, configurations, knobs_of, problems
from otterflow.experiment.spec import ExperimentSpec
from otterflow.experiment.standing import ratios
from otterflow.experiment.summary import report, verdict
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Config
from otterflow.measures.objective import Objective
from otterflow.repository.records import Measurement, TrialState

FORM: dict[str, Any] = {"experiment": "e", "target": "t", "benchmark": "b", "install": False}
BIGGER: Config = {"work_mem": "64MB", "jit": False, "random_page_cost": 1, "wal_compression": True}


def spec(**fields: Any) -> ExperimentSpec:
    return ExperimentSpec.from_params({**FORM, **fields})


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"install": True}, "switch install off"),
        ({"arms": {"best": {"work_mem": 1}}}, "arms: best is what a search finds"),
        ({"arms": {"bigger": {}}}, "names no knob"),
        ({"arms": {"Not A Name": {"work_mem": 1}}}, "arms"),
        ({"arms": {"bigger": {"work mem": 1}}}, "arms"),
        ({"arms": {"bigger": {"work_mem": [1]}}}, "arms"),
        ({"stop_at": datetime(2026, 11, 29, tzinfo=UTC)}, "there are no trials"),
        ({"wait_min": -1}, "wait_min"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_name(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        spec(**{"arms": {"bigger": BIGGER}} | fields)


def test_what_was_given_is_kept_as_it_was_given() -> None:
    kept = spec(arms={"bigger": BIGGER})
    assert kept.record()["arms"] == {"bigger": BIGGER}
    assert ExperimentSpec.from_record(kept.record()) == kept
    assert spec(arms=None).arms == {}


def test_an_arm_is_what_is_in_force_and_what_it_says(live: Mapping[str, LiveSetting]) -> None:
    in_force = {"work_mem": 4096, "jit": True, "shared_buffers": 16384}
    arms: dict[str, Config] = {"bigger": BIGGER, "baseline": {"work_mem": 8192}}
    assert compared(arms) == ("baseline", "bigger")
    assert knobs_of(arms) == ("work_mem", "jit", "random_page_cost", "wal_compression")
    assert configurations(arms, in_force, live, spelling) == {
        "baseline": {"work_mem": 8192, "jit": True, "shared_buffers": 16384},
        "bigger": {
            "work_mem": 65536, "jit": False, "shared_buffers": 16384, "random_page_cost": 1.0, "wal_compression": "on",
        },
    }  # fmt: skip
    assert configurations({"bigger": BIGGER}, in_force, live, spelling)["baseline"] == in_force


def test_what_the_server_would_refuse_is_told_before_it_is_tried(live: Mapping[str, LiveSetting]) -> None:
    arms = {"bigger": {"work_mem": "4 elephants", "shared_buffers": 1, "jit": "perhaps", "random_page_cost": -1}}
    found = [str(problem) for problem in problems(arms, live, spelling)]
    assert [problem.partition(": ")[2].partition(":")[0] for problem in found] == [
        "bigger.work_mem", "bigger.shared_buffers", "bigger.jit", "bigger.random_page_cost",
    ]  # fmt: skip
    assert "the server takes 16 to" in found[1]
    assert problems({"bigger": BIGGER}, live, spelling) == []
    (of_another_dbms,) = problems({"bigger": {"work_mem": "64M"}}, live, spelling)
    assert str(of_another_dbms) == "arms: bigger.work_mem: of '64M', 'M' is not a unit of it; use 64MB"


def result(**values: list[float]) -> dict[str, Any]:
    """What `outcome` makes of a comparison of given arms, as far as people are told of it."""
    measured = [
        Measurement(1, n, arm, value, {}, TrialState.ok, datetime(2026, 1, 1, tzinfo=UTC))
        for arm, of in values.items()
        for n, value in enumerate(of, 1)
    ]
    found = {arm: ratio.as_dict() for arm, ratio in ratios(measured, Objective.throughput).items() if ratio}
    won = next((arm for arm, ratio in found.items() if (ratio["low"] or 0) > 1), "baseline")
    return {
        "objective": "throughput", "unit": "1/s", "benchmark": "b", "target": "t", "experiment": "e",
        "compared": list(values), "winner": won, "installed": "baseline", "baseline": 100.0, "rules": None,
        "best": 120.0, "changed_knobs": [], "comparison": {"values": values, "ratios": found, "faults": {}},
    }  # fmt: skip


def test_people_are_told_who_won_and_that_nothing_is_installed() -> None:
    told = result(baseline=[100, 101, 99], bigger=[120, 122, 118], smaller=[90, 91, 89])
    assert verdict(told).startswith(
        "Configuration 'bigger' beat the baseline: throughput 120 /s instead of 100 /s, 1.20"
    )
    assert verdict(told).endswith("nothing is installed: what was in force before is in force again.")
    rows = report({"verdict": verdict(told), **told}).splitlines()
    assert [row.split()[0] for row in rows[4:7]] == ["baseline", "bigger", "smaller"]
    assert "(in force)" not in "\n".join(rows)
    told = result(baseline=[100, 101, 99], bigger=[100, 103, 98])
    assert verdict(told).startswith("Nothing beat the baseline beyond noise: bigger was 1.00 times better")
