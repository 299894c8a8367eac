"""The whole stack on a MariaDB: one short experiment by Airflow's own tasks, from an empty server to the winner."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest

from stack.lab import MariadbLab
from tests.benchmarks import changed_benchmarks
from tests.e2e.folders import lab_folder, stopped_at_the_end
from tests.e2e.test_whole_stack import finishes, states
from tests.e2e.watching import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

BENCHMARK = "sysbench_oltp_read_write"


SMALL = {
    BENCHMARK: {
        "workload": {"tables": 2, "table_size": 10_000, "rand_type": "uniform", "threads": 4},
        "warmup_s": 1,
        "duration_s": 3,
    }
}
"""Loaded and run in seconds."""


@pytest.fixture(scope="module")
def lab() -> Iterator[MariadbLab]:
    with lab_folder() as folder:
        environment = {"OTTERFLOW_INCLUDE_DIR": str(changed_benchmarks(folder, SMALL))}
        lab = MariadbLab(folder / "lab", environment=environment)
        with patch.dict(os.environ, environment), stopped_at_the_end(lab):
            lab.start(print)
            yield lab


def in_force(lab: MariadbLab) -> dict[str, str]:
    with lab.host.mariadb.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SHOW GLOBAL VARIABLES")
        rows: Any = cursor.fetchall()
        return {row["Variable_name"]: row["Value"] for row in rows}


def test_three_trials_end_with_the_winner_in_force(lab: MariadbLab) -> None:
    client = lab.airflow.client
    form = {
        "experiment": "maria", "target": "demo", "benchmark": BENCHMARK, "iterations": 3, "restore_every": 2,
        "reference_every": 0, "final_rounds": 3, "ablation_percent": 0, "quiet_gate": False,
    }  # fmt: skip
    client.trigger("tuning_experiment", form, "maria")
    experiment = finishes(lab, "maria")
    assert experiment.state == "finished", experiment.message
    wait_for("the last run ends", lambda: client.dag_run("tuning_finish", "maria-finish-1")["state"] == "success", 180)
    trials = lab.repository.trials("maria")
    assert [t.state for t in trials] == ["ok"] * 3, [t.message for t in trials]
    assert [t.kind for t in trials][:2] == ["baseline", "rules"]
    assert states(lab, "tuning_iteration", "maria-0002")["restore"] == "success"
    assert trials[1].wanted != trials[0].wanted
    shown, outcome = in_force(lab), experiment.outcome
    assert outcome["in_force"]
    for knob, value in outcome["in_force"].items():
        if not isinstance(value, bool | float):
            assert shown[knob] == str(value), knob
    assert outcome["installed"] in {"baseline", "rules", "best"}
    assert lab.repository.holder("demo") is None
    assert lab.host.mariadb.is_running
