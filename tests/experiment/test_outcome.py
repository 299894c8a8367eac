"""What `result.json` and the log of `report` say of an experiment: readable, explained, and kept over a resume."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from otterflow.experiment.outcome import outcome
from otterflow.experiment.plan import Plan, load_plan
from otterflow.experiment.spec import ExperimentSpec
from otterflow.experiment.summary import report, verdict
from otterflow.operators.connections import open_repository
from otterflow.operators.report import write_result
from otterflow.repository import Repository
from otterflow.repository.records import Measurement, TrialState
from tests.repository.samples import new_experiment, prepare

SETTINGS = Path(__file__).parents[1] / "knobs" / "pg_settings_15.json"
FORM: dict[str, Any] = {"experiment": "e", "target": "example_command", "benchmark": "analytics", "iterations": 5}
BASELINE = {"shared_buffers": 16384, "work_mem": 4096, "random_page_cost": 4.0}
BEST = {"shared_buffers": 262144, "work_mem": 65536, "random_page_cost": 4.0}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A repository with an experiment whose best configuration is in force."""
    monkeypatch.setenv("OTTERFLOW_HOME", str(tmp_path))
    monkeypatch.delenv("OTTERFLOW_TARGETS_DIR", raising=False)
    found = open_repository()
    spec = ExperimentSpec.from_params(FORM)
    found.create_experiment(
        new_experiment("e", target=spec.target, benchmark=spec.benchmark, objective="run_time", spec=spec.record())
    )
    live = {row["name"]: row for row in json.loads(SETTINGS.read_text())}
    prepare(found, "e", live=live, rules=BASELINE, baseline=BASELINE, baseline_file="work_mem = 4MB\n")
    found.record_last_good("e", configuration=BEST, file="shared_buffers = 2GB\n")
    found.plan_trial("e", 0, kind="baseline", wanted=BASELINE, repairs=[], reasons={}, seed=0)
    found.begin_try("e", 0)
    found.record_result("e", 0, result={"metrics": {"orders_waiting": 3.0}}, objective=4.0, repeats=[4.0])
    found.end_trial("e", 0, "ok")
    return found


def turns(**values: list[float]) -> list[Measurement]:
    """The measurements of a comparison, the user's metric with each."""
    return [
        Measurement(1, n, arm, v, {"metrics": {"orders_waiting": 10.0 * v}}, TrialState.ok, datetime.now(UTC))
        for arm, of in values.items()
        for n, v in enumerate(of, 1)
    ]


def failed_turn() -> Measurement:
    return Measurement(1, 4, "best", None, {"message": "out of memory"}, TrialState.crashed, datetime.now(UTC))


def result_of(repository: Repository, measurements: list[Measurement]) -> dict[str, Any]:
    arms = {"baseline": BASELINE, "best": BEST}
    plan: Plan = load_plan(ExperimentSpec.from_params(FORM))
    return outcome(repository.experiment("e"), plan, repository.trials("e"), measurements, arms, BEST)


WON = turns(baseline=[4.0, 8.0, 4.1, 4.2], best=[2.0, 4.1, 2.0, 2.1])


def test_the_log_says_the_verdict_the_values_the_knobs_how_to_undo_and_where_the_file_is(
    repository: Repository,
) -> None:
    said = report(result_of(repository, WON), "/srv/otterflow/results/e/result.json")
    first, *rest = said.splitlines()
    assert first.startswith("The best configuration found is in force: run_time 2.05 s instead of 4.15 s, 2.00 times b")
    assert "over 4 rounds in turns" in first
    table = next(line for line in rest if line.split()[:1] == ["best"])
    assert table.split()[3:6] == ["2.05", "s", "2.00"]
    assert [line.split() for line in rest if line.startswith("  shared_buffers")] == [
        ["shared_buffers", "128MB", "2GB"]
    ]
    assert [line.split() for line in rest if line.startswith("  work_mem")] == [["work_mem", "4MB", "64MB"]]
    assert "trigger undo_tuning with target 'example_command' and experiment 'e'" in said
    assert "into /srv/otterflow/knobs.conf on the target and restart the server" in said
    assert said.endswith("/srv/otterflow/results/e/result.json on the machine that ran this task")


def test_the_result_has_readable_units_beside_raw_values_and_says_how_its_ratio_is_made(
    repository: Repository,
) -> None:
    result = result_of(repository, WON)
    assert result["best_configuration"] == BEST
    assert result["knobs"]["shared_buffers"] == {
        "unit": "8kB", "baseline": "128MB", "best": "2GB", "in_force": "2GB",
    }  # fmt: skip
    assert result["knobs"]["work_mem"]["unit"] == "kB"
    assert result["knobs"]["random_page_cost"]["unit"] == ""
    assert result["ratio"] != result["baseline"] / result["best"]
    assert "geometric mean of the ratios within each round" in result["how_to_read"]["ratio"]
    assert result["undo"]["text"] == "work_mem = 4MB\n"


def test_the_users_own_metrics_are_in_the_result_of_each_trial_and_arm(repository: Repository) -> None:
    result = result_of(repository, WON)
    assert result["trials"][0]["metrics"] == {"orders_waiting": 3.0}
    assert result["comparison"]["metrics"] == {
        "baseline": {"orders_waiting": pytest.approx(41.5)},
        "best": {"orders_waiting": pytest.approx(20.5)},
    }


def test_where_nothing_beat_the_baseline_the_verdict_says_so_and_gives_the_ratio(repository: Repository) -> None:
    repository.record_last_good("e", configuration=BASELINE, file="")
    result = result_of(repository, turns(baseline=[4.0, 4.1, 3.9], best=[4.1, 4.0, 4.2]))
    assert result["verdict"].startswith("Nothing beat the baseline beyond noise: best was 0.9")
    assert "go back" not in report(result), "there is nothing to undo"
    assert verdict(result_of(repository, [])).startswith("Nothing was compared")


@pytest.mark.parametrize(
    ("measurements", "why"),
    [
        (
            turns(baseline=[4.0, 4.1], best=[2.0, 2.1]),
            "best was 1.98 times better over 2 rounds in turns; three rounds",
        ),
        (
            [*turns(baseline=[4.0, 4.1, 4.2], best=[2.0, 2.1, 2.0]), failed_turn()],
            "and cannot win: crashed in round 4: out of memory; the baseline is in force",
        ),
    ],
)
def test_the_verdict_says_why_a_better_configuration_did_not_win(
    repository: Repository, measurements: list[Measurement], why: str
) -> None:
    assert why in result_of(repository, measurements)["verdict"]


def test_a_resume_does_not_overwrite_the_earlier_result(repository: Repository, tmp_path: Path) -> None:
    first = result_of(repository, WON)
    write_result(tmp_path / "results", first)
    repository.set_experiment_state("e", "finished")
    repository.extend("e", iterations=9, time_budget_min=None)
    second = result_of(repository, WON)
    newest = write_result(tmp_path / "results", second)
    assert (first["run"], second["run"]) == (1, 2)
    assert json.loads(newest.read_text()) == second
    assert json.loads((tmp_path / "results" / "result-1.json").read_text()) == first


RULES = {"shared_buffers": 65536, "work_mem": 4096, "random_page_cost": 1.1}


def compared(repository: Repository, measurements: list[Measurement], **form: object) -> dict[str, Any]:
    """What came of three arms."""
    plan = load_plan(ExperimentSpec.from_params(FORM | form))
    arms = {"baseline": BASELINE, "rules": RULES, "best": BEST}
    return outcome(repository.experiment("e"), plan, repository.trials("e"), measurements, arms, BEST)


def test_of_two_that_beat_the_baseline_the_better_is_called_the_best(repository: Repository) -> None:
    result = compared(
        repository, turns(baseline=[4.0, 4.1, 4.2, 4.1], rules=[1.0, 1.1, 1.05, 1.0], best=[2.0, 2.1, 2.0, 2.1])
    )
    assert result["installed"] == "rules"
    assert result["best_configuration"] == RULES
    assert (result["baseline"], result["rules"], result["best"]) == pytest.approx((4.1, 1.025, 1.025))
    assert result["ratio"] == result["comparison"]["ratios"]["rules"]["ratio"] > 3.9
    assert result["comparison"]["values"]["best"] == [2.0, 2.1, 2.0, 2.1]


def test_where_the_best_is_not_better_than_the_rules_beyond_chance_the_rules_win_and_it_is_said(
    repository: Repository,
) -> None:
    alike = turns(baseline=[4.0, 4.1, 4.2, 4.1], rules=[2.0, 2.1, 2.0, 2.1], best=[2.1, 1.9, 1.9, 2.1])
    result = compared(repository, alike)
    assert result["installed"] == "rules"
    assert result["comparison"]["best_over_rules"]["ratio"] > 1
    assert "was 1.03 times the rules'" in result["verdict"]
    assert result["verdict"].endswith("not better beyond chance, so the simpler one wins.")
    clear = turns(baseline=[4.0, 4.1, 4.2, 4.1], rules=[2.0, 2.1, 2.0, 2.1], best=[1.0, 1.1, 1.0, 1.1])
    told = compared(repository, clear)
    assert told["installed"] == "best"
    assert "simpler" not in told["verdict"]


def test_the_report_says_why_the_comparison_ended(repository: Repository) -> None:
    assert "The comparison ended after 4 rounds, decided: best is better than the baseline." in report(
        result_of(repository, WON)
    )
    open_still = turns(baseline=[4.0, 4.9, 4.1, 4.2], best=[4.1, 4.1, 4.0, 4.9])
    told = report(result_of(repository, open_still))
    assert "ended undecided after 4 of at most 15 rounds: a gain of 3 % may still be there" in told
    assert "comparison ended" not in report(result_of(repository, []))


def test_where_the_best_is_the_rules_configuration_its_turns_are_the_rules_too(repository: Repository) -> None:
    plan = load_plan(ExperimentSpec.from_params(FORM))
    arms = {"baseline": BASELINE, "rules": BEST, "best": BEST}
    measured = turns(baseline=[4.0, 4.1, 4.2, 4.1], rules=[2.0, 2.1, 2.0, 2.1])
    result = outcome(repository.experiment("e"), plan, repository.trials("e"), measured, arms, BEST)
    assert result["installed"] == "rules"
    assert result["rules"] == result["best"] == pytest.approx(2.05)
    assert result["best_configuration"] == BEST


def test_an_arm_that_breaks_a_constraint_does_not_win_and_is_named(repository: Repository) -> None:
    won = turns(baseline=[4.0, 4.1, 4.2, 4.1], best=[2.0, 2.1, 2.0, 2.1])
    least = {"errors": 0, "transactions": 1, "seconds": 9.0}
    with_numbers = [replace(m, result=m.result | least | {"run_time_s": m.value}) for m in won]
    free = compared(repository, with_numbers)
    bound = compared(repository, with_numbers, constraints=["run_time > 3"])
    assert (free["installed"], free["comparison"]["breaks_a_constraint"]) == ("best", [])
    assert (bound["installed"], bound["comparison"]["breaks_a_constraint"]) == ("baseline", ["best"])
    assert bound["constraints"] == ["run_time > 3"]
    assert "constraint" in bound["verdict"]


def test_without_a_comparison_the_baseline_is_its_trials_value_and_nothing_is_better(repository: Repository) -> None:
    result = compared(repository, [])
    assert (result["baseline"], result["best"], result["rules"], result["ratio"]) == (4.0, 4.0, None, 1.0)
    assert result["installed"] == "baseline"
    assert result["comparison"]["values"] == {}


@pytest.mark.slow
def test_trials_that_ended_are_told_with_what_was_in_force_and_their_gain(repository: Repository) -> None:
    for iteration, (kind, wanted) in enumerate([("rules", RULES), ("model", BEST), ("model", BASELINE)], start=1):
        repository.plan_trial("e", iteration, kind=kind, wanted=wanted, repairs=[], reasons={}, seed=0)
        repository.begin_try("e", iteration)
    repository.record_result("e", 1, result={}, objective=2.0, repeats=[2.0])
    repository.end_trial("e", 1, "ok")
    repository.end_trial("e", 2, "crashed", message="out of memory")
    baseline, rules, crashed = compared(repository, [])["trials"]  # the fourth is under way
    assert [t["state"] for t in (baseline, rules, crashed)] == ["ok", "ok", "crashed"]
    assert (baseline["relative"], rules["value"]) == (1.0, 2.0)
    assert rules["relative"] == pytest.approx(2.0, abs=0.05)
    assert rules["configuration"] == RULES
    assert (crashed["value"], crashed["relative"], crashed["message"]) == (None, None, "out of memory")


def test_the_knobs_that_changed_are_those_in_force_and_not_the_baselines(repository: Repository) -> None:
    result = compared(repository, WON)
    assert [(c["knob"], c["before"], c["after"]) for c in result["changed_knobs"]] == [
        ("shared_buffers", "128MB", "2GB"),
        ("work_mem", "4MB", "64MB"),
    ]


@pytest.mark.slow
def test_what_speaks_against_a_trials_numbers_is_said_of_those_that_were_compared(repository: Repository) -> None:
    assert result_of(repository, WON)["remarks"] == {}
    repository.plan_trial("e", 1, kind="model", wanted=BEST, repairs=[], reasons={}, seed=0)
    repository.begin_try("e", 1)
    repository.record_result("e", 1, result={}, objective=2.0, repeats=[2.0])
    repository.end_trial("e", 1, "ok")
    repository.add_reasons("e", 1, {"remarks": ["the run was too short"]})
    result = result_of(repository, WON)
    assert result["remarks"] == {"best": ["the run was too short"]}
    assert "Of best's trial: the run was too short." in report(result).splitlines()
