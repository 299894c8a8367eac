"""The table of experiments on real servers."""

from __future__ import annotations

from typing import Any

from otterflow.settings import include_dir
from otterflow.workloads.definition import benchmarks
from tests.bench.real.cases import CASES
from tests.bench.real.table import table, trials_needed


def test_every_case_is_a_benchmark_that_ships_for_its_dbms() -> None:
    shipped = benchmarks(include_dir() / "benchmarks")
    for name, case in CASES.items():
        loaded = shipped[case.benchmark].workload.dbms
        assert loaded is None or case.dbms in loaded, name


def trials(*gains: float | None) -> list[dict[str, Any]]:
    return [{"relative": gain} for gain in gains]


def test_the_first_trial_that_is_nearly_the_best_is_counted() -> None:
    assert trials_needed(trials(1.0, None, 1.9, 2.0)) == 3
    assert trials_needed(trials(None)) is None


def test_a_row_has_the_ratios_with_their_intervals_and_none_where_there_is_none() -> None:
    ratio = {"ratio": 1.5, "low": 1.25, "high": 1.75, "rounds": 4}
    result = {
        "case": "tpcc", "told": "30 s instead of 60", "memory": 768_000_000, "knob_set": "core", "start": "cold",
        "winner": "rules", "took_s": 600.0, "trials": trials(1.0, 1.5),
        "comparison": {"ratios": {"rules": ratio}, "values": {"baseline": [1, 2], "rules": [2, 3]},
                       "best_over_rules": None},
    }  # fmt: skip
    row = table({"one": result}).splitlines()[-1]
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "tpcc (30 s instead of 60)", "0.77 GB", "core", "cold", "1.50 [1.25, 1.75]", "the rules are the best", "-",
        "rules", "2", "2", "10",
    ]  # fmt: skip
