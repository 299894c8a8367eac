"""The whole stack on a MariaDB, by Airflow's own tasks.

One short experiment from an empty server to the winner, and a backfill that tries a configuration on what was recorded.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest

from otterflow.experiment.comparison import BASELINE
from stack.lab import MariadbLab
from tests.benchmarks import changed_benchmarks
from tests.e2e.backfills import (
    DAG,
    backfill,
    end,
    starts,
    verdict_of_all,
    write_files,
    write_recordings,
    write_targets,
)
from tests.e2e.folders import lab_folder, stopped_at_the_end
from tests.e2e.test_whole_stack import finishes
from tests.e2e.watching import states, wait_for
from tests.operators.test_mariadb_replay_in_process import COPY, load, make_copy

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

BENCHMARK = "sysbench_oltp_read_write"


SMALL = {
    BENCHMARK: {
        "workload": {"tables": 2, "table_size": 10_000, "rand_type": "uniform", "threads": 4},
        "warmup_s": 1,
        "duration_s": 3,
    }
}
"""Loaded and run in seconds."""
CANDIDATES: dict[str, dict[str, Any]] = {
    "as_a_dba": {"innodb_buffer_pool_size": "64M", "tmp_table_size": "1G", "max_heap_table_size": 33554432},
    "by_habit": {"innodb_buffer_pool_size": "64MB", "tmp_table_size": "1GB", "max_heap_table_size": "32MB"},
}
"""One configuration in two spellings."""
STARTS = starts(3)
"""The last of these intervals has no recording."""


@pytest.fixture(scope="module")
def lab() -> Iterator[MariadbLab]:
    with lab_folder() as folder:
        include = changed_benchmarks(folder, SMALL)
        write_files(include, "mariadb", CANDIDATES, method="window")
        environment = {"OTTERFLOW_INCLUDE_DIR": str(include)}
        lab = MariadbLab(folder / "lab", backfills=True, environment=environment)
        lab.root.mkdir()
        lab.root.chmod(0o755)
        with patch.dict(os.environ, environment), stopped_at_the_end(lab):
            lab.host.start()
            write_targets(lab, method="dump")
            write_recordings(lab, "mariadb", STARTS[:-1], load())
            lab.start(print)
            yield lab


@pytest.fixture
def copy(lab: MariadbLab) -> Iterator[None]:
    """The data that are replayed on. A restore of the whole server, as of `demo`, would be refused beside them."""
    with lab.host.mariadb.connect(None) as connection, connection.cursor() as cursor:
        make_copy(cursor)
    yield
    with lab.host.mariadb.connect(None) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {COPY}")


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
    wait_for("the last run ends", lambda: client.dag_run("tuning_finish", "maria-finish-1")["state"] == "success")
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


@pytest.mark.usefixtures("copy")
def test_a_backfill_replays_each_interval_and_one_verdict_is_made_of_all(lab: MariadbLab) -> None:
    client, before = lab.airflow.client, in_force(lab)
    backfill(lab, STARTS[0], STARTS[-1])  # the beginnings, which a window's cron names
    found = end(lab, STARTS)
    for start in STARTS[:-1]:
        verdicts = client.xcom(DAG, found[f"{start:%Y-%m-%dT%H:%M}"]["dag_run_id"], "verdict")
        assert [verdict["candidate"] for verdict in verdicts] == list(CANDIDATES)
        for verdict in verdicts:
            assert verdict["believed"] is True, verdict
            assert {arm: len(values) for arm, values in verdict["arms"].items()} == {BASELINE: 3, "as_a_dba": 3}
    without = found[f"{STARTS[-1]:%Y-%m-%dT%H:%M}"]["dag_run_id"]
    assert set(states(lab, DAG, without).values()) == {"skipped"}
    said = "\n".join(client.task_log(DAG, without, "make_recording"))
    assert "method window records as time passes, and the interval is past" in said
    told = verdict_of_all(lab)
    assert [(each["verdict"]["candidate"], each["verdict"]["judged"]) for each in told] == [
        ("as_a_dba", 2), ("by_habit", 2),
    ]  # fmt: skip
    assert lab.repository.holder("staging") is None
    assert in_force(lab) == before, "a backfill installs nothing"
