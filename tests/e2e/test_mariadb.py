"""The whole stack on a MariaDB: one short experiment by Airflow's own tasks, from an empty server to the winner."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from otterflow.settings import include_dir
from stack.lab import MariadbLab
from stack.processes import belonging_to
from tests.e2e.test_whole_stack import finishes, states, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

BENCHMARK = "sysbench_oltp_read_write"


def small_benchmarks(folder: Path) -> Path:
    """The shipped files, with one that is loaded and run in seconds."""
    include = folder / "include"
    shutil.copytree(include_dir(), include)
    path = include / "benchmarks" / f"{BENCHMARK}.yaml"
    record = yaml.safe_load(path.read_text())
    record["workload"] |= {"tables": 2, "table_size": 10_000, "rand_type": "uniform", "threads": 4}
    path.write_text(yaml.safe_dump(record | {"warmup_s": 1, "duration_s": 3}))
    return include


@pytest.fixture(scope="module")
def lab() -> Iterator[MariadbLab]:
    folder = Path(tempfile.mkdtemp(prefix="otterflow-e2e-"))
    folder.chmod(0o755)
    kept = os.environ.get("OTTERFLOW_INCLUDE_DIR")
    include = str(small_benchmarks(folder))
    os.environ["OTTERFLOW_INCLUDE_DIR"] = include
    lab = MariadbLab(folder / "lab", environment={"OTTERFLOW_INCLUDE_DIR": include})
    try:
        lab.start(print)
        yield lab
    finally:
        lab.stop()
        assert not belonging_to(lab.root), "nothing is left running"
        shutil.rmtree(folder)
        if kept is None:
            del os.environ["OTTERFLOW_INCLUDE_DIR"]
        else:
            os.environ["OTTERFLOW_INCLUDE_DIR"] = kept


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
