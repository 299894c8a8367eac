"""A backfill by Airflow's own command over intervals of a small recording, on a target that is held at first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from stack.lab import Lab
from tests.e2e.backfills import (
    DAG,
    backfill,
    end,
    recording_id,
    runs,
    starts,
    verdict_of_all,
    write_files,
    write_recordings,
    write_targets,
)
from tests.e2e.folders import lab_folder, stopped_at_the_end
from tests.e2e.watching import states, wait_for
from tests.operators.conftest import small_benchmarks
from tests.operators.test_experiment_in_process import in_force_on
from tests.operators.test_replay_in_process import COPY, ROWS, load
from tests.repository.samples import new_experiment

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

RECORDED = 3
"""Intervals with a recording; there is one more without."""
STARTS = starts(RECORDED + 1)


def files(folder: Path) -> Path:
    """The include folder: small benchmarks, and what a backfill needs."""
    include = small_benchmarks(folder)
    write_files(include, "postgresql", {"bigger": {"work_mem": "64MB"}})
    return include


def prepare(lab: Lab) -> None:
    """The copy, the two target files, and the recordings."""
    write_targets(lab)
    with lab.host.cluster.connect("postgres") as connection:
        connection.execute(f"CREATE DATABASE {COPY}")
    with lab.host.cluster.connect(COPY) as connection:
        connection.execute(f"CREATE TABLE stock AS SELECT i AS id, 1000 AS n FROM generate_series(1, {ROWS}) i")
    write_recordings(lab, "postgresql", STARTS[:RECORDED], load())


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with lab_folder() as folder:
        lab = Lab(folder / "lab", backfills=True, environment={"OTTERFLOW_INCLUDE_DIR": str(files(folder))})
        lab.root.mkdir()
        lab.root.chmod(0o755)
        with stopped_at_the_end(lab):
            lab.host.start()
            prepare(lab)
            lab.start(print)
            yield lab


def test_a_backfill_waits_for_its_target_and_each_interval_has_its_verdict(lab: Lab) -> None:
    client, name = lab.airflow.client, f"replay-{recording_id(STARTS[0])}"
    before = in_force_on(lab.host)
    lab.repository.create_experiment(new_experiment("night", target="staging"))
    lab.repository.hold_target("staging", "night")
    around_the_ends = STARTS[0] + timedelta(minutes=30), STARTS[-1] + timedelta(minutes=90)
    backfill(lab, *around_the_ends)

    def waits() -> bool:
        known = {run["dag_run_id"] for run in client.dag_runs("tuning_experiment")}
        return name in known and states(lab, "tuning_experiment", name)["check_target"] == "deferred"

    wait_for("check_target is deferred", waits)
    assert "held by 'night'" in lab.repository.experiment(name).message
    lab.repository.release_target("staging", "night")

    found = end(lab, STARTS)
    for start in STARTS[:RECORDED]:
        run_id = found[f"{start:%Y-%m-%dT%H:%M}"]["dag_run_id"]
        (verdict,) = client.xcom(DAG, run_id, "verdict")
        assert verdict["recording"] == recording_id(start)
        assert verdict["believed"] is True, verdict
        assert {arm: len(values) for arm, values in verdict["arms"].items()} == {"baseline": 3, "bigger": 3}
    without = found[f"{STARTS[-1]:%Y-%m-%dT%H:%M}"]["dag_run_id"]
    assert set(states(lab, DAG, without).values()) == {"skipped"}
    assert "there is no recording" in "\n".join(client.task_log(DAG, without, "check_interval"))
    assert lab.repository.holder("staging") is None
    assert in_force_on(lab.host) == before, "a backfill installs nothing"


def test_one_verdict_is_made_of_all(lab: Lab) -> None:
    (told,) = verdict_of_all(lab)
    assert (told["verdict"]["candidate"], told["verdict"]["judged"]) == ("bigger", RECORDED)
    assert [interval["recording"] for interval in told["intervals"]] == [recording_id(s) for s in STARTS[:RECORDED]]


def test_a_run_that_is_cleared_measures_again_and_keeps_the_old_result(lab: Lab) -> None:
    client, name = lab.airflow.client, f"replay-{recording_id(STARTS[0])}"
    run_id = runs(lab)[f"{STARTS[0]:%Y-%m-%dT%H:%M}"]["dag_run_id"]
    old = lab.repository.experiment(name).outcome
    client.clear(DAG, run_id)
    wait_for("it is begun again", lambda: f"{name}-2" in {e.name for e in lab.repository.experiments()})
    end(lab, STARTS)
    assert client.xcom(DAG, run_id, "verdict")[0]["experiment"] == f"{name}-2"
    assert lab.repository.experiment(name).outcome == old


def test_an_interval_that_was_not_recorded_is_asked_of_the_recordings_dag(lab: Lab) -> None:
    """Which finds here that the source has no such database; the replay is skipped and says where to look."""
    client, start = lab.airflow.client, STARTS[-1]
    made = f"for-replay-{recording_id(start)}"
    run_id = runs(lab)[f"{start:%Y-%m-%dT%H:%M}"]["dag_run_id"]
    assert "record_shop is paused" in "\n".join(client.task_log(DAG, run_id, "make_recording"))
    client.unpause("record_shop")
    client.clear(DAG, run_id)

    def ended() -> bool:
        known = {run["dag_run_id"]: run["state"] for run in client.dag_runs("record_shop")}
        return known.get(made) == "failed"

    wait_for("the recording's Dag has tried", ended)
    said = "\n".join(client.task_log("record_shop", made, "check"))
    assert (
        f"recording {recording_id(start)}: from {start.isoformat()} to {(start + timedelta(hours=1)).isoformat()}"
        in said
    )
    assert 'database "shop" does not exist' in said
    end(lab, STARTS)
    assert states(lab, DAG, run_id)["make_recording"] == "success"
    assert states(lab, DAG, run_id)["check_interval"] == "skipped"
    assert "the log of make_recording says whether it could be made" in "\n".join(
        client.task_log(DAG, run_id, "check_interval")
    )
