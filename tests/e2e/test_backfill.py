"""A backfill by Airflow's own command over intervals of a small recording, on a target that is held at first."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from stack.lab import Lab
from tests.e2e.folders import lab_folder, stopped_at_the_end
from tests.e2e.watching import must_not_have_failed, states, wait_for
from tests.operators.conftest import small_benchmarks
from tests.operators.test_experiment_in_process import in_force_on
from tests.operators.test_replay_in_process import COPY, REPLAY, ROWS, load
from tests.repository.samples import new_experiment
from tests.workloads.recording.samples import write
from tests.workloads.recording.test_definition import GOOD

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

DAG = "replay_shop"
FIRST = datetime.now(UTC).replace(hour=1, minute=0, second=0, microsecond=0) - timedelta(days=2)
RECORDED = 3
"""Intervals with a recording; there is one more without."""
STARTS = [FIRST + timedelta(hours=hour) for hour in range(RECORDED + 1)]


def recording_id(start: datetime) -> str:
    return f"shop-{start:%Y%m%dT%H%MZ}"


def files(folder: Path) -> Path:
    """The include folder: a benchmark that replays, a configuration to try, and the recording's file."""
    include = small_benchmarks(folder)
    (include / "benchmarks" / "replayed.yaml").write_text(yaml.safe_dump(REPLAY))
    (include / "recordings").mkdir(exist_ok=True)
    (include / "configurations" / "bigger.yaml").write_text("{name: bigger, dbms: postgresql, knobs: {work_mem: 64MB}}")
    block = {"benchmark": "replayed", "candidates": ["configuration:bigger"], "rounds": 3, "scheduled": False}
    shop = {"source": "production", "replay_on": "staging", "cron": "0 * * * *", "timezone": "UTC", "replay": block}
    (include / "recordings" / "shop.yaml").write_text(yaml.safe_dump(GOOD | shop))
    return include


def prepare(lab: Lab) -> None:
    """The copy, the two target files, and the recordings on the driver host, which is the same machine here."""
    record = yaml.safe_load((lab.host.targets_dir / "demo.yaml").read_text())
    for name in ("staging", "production"):
        own = {"name": name, "database": COPY, "is_a_copy": True}
        (lab.host.targets_dir / f"{name}.yaml").write_text(yaml.safe_dump(record | own))
    with lab.host.cluster.connect("postgres") as connection:
        connection.execute(f"CREATE DATABASE {COPY}")
    with lab.host.cluster.connect(COPY) as connection:
        connection.execute(f"CREATE TABLE stock AS SELECT i AS id, 1000 AS n FROM generate_series(1, {ROWS}) i")
    folder = lab.host.root / "recordings"
    folder.mkdir()
    for start in STARTS[:RECORDED]:
        path = folder / recording_id(start)
        write(path, sorted(load(), key=lambda statement: statement.at_s))
        for each in (folder, path, *path.iterdir()):
            os.chown(each, lab.host.user.uid, lab.host.user.gid)
        lab.repository.add_recording(
            recording_id(start), name="shop", target="staging", path=str(path), start=start,
            end=start + timedelta(hours=1), manifest={"complete": True},
        )  # fmt: skip


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


def backfill(lab: Lab) -> None:
    """As a user does it in a shell."""
    first, last = STARTS[0] + timedelta(minutes=30), STARTS[-1] + timedelta(minutes=90)  # around the intervals' ends
    dates = ["--from-date", first.isoformat(), "--to-date", last.isoformat()]
    command = ["airflow", "backfill", "create", "--dag-id", DAG, *dates, "--max-active-runs", "1"]

    def made() -> bool:
        done = subprocess.run(command, env=lab.airflow.environment(), capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        assert done.returncode == 0 or "database is locked" in said.lower(), said
        return done.returncode == 0

    wait_for("the backfill is made", made, 180)


def runs(lab: Lab) -> dict[str, Any]:
    """The backfill's runs by the hour of their interval."""
    found = [run for run in lab.airflow.client.dag_runs(DAG) if run["run_type"] == "backfill"]
    return {run["data_interval_start"][:16]: run for run in found}


def end(lab: Lab, count: int) -> dict[str, Any]:
    def all_ended() -> Any:
        for start in STARTS:
            must_not_have_failed(lab, f"replay-{recording_id(start)}")
        found = runs(lab)
        return len(found) == count and all(run["state"] in {"success", "failed"} for run in found.values()) and found

    found: dict[str, Any] = wait_for("the backfill ends", all_ended, 900)
    return found


def test_a_backfill_waits_for_its_target_and_each_interval_has_its_verdict(lab: Lab) -> None:
    client, name = lab.airflow.client, f"replay-{recording_id(STARTS[0])}"
    before = in_force_on(lab.host)
    wait_for("the Dag is parsed", lambda: DAG in client.dags(), 120)
    lab.repository.create_experiment(new_experiment("night", target="staging"))
    lab.repository.hold_target("staging", "night")
    client.unpause(DAG)
    backfill(lab)

    def waits() -> bool:
        known = {run["dag_run_id"] for run in client.dag_runs("tuning_experiment")}
        return name in known and states(lab, "tuning_experiment", name)["check_target"] == "deferred"

    wait_for("check_target is deferred", waits, 300)
    assert "held by 'night'" in lab.repository.experiment(name).message
    lab.repository.release_target("staging", "night")

    found = end(lab, len(STARTS))
    assert {run["state"] for run in found.values()} == {"success"}
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
    client = lab.airflow.client
    client.trigger("replay_verdict", {"recording": "shop"}, "all")
    wait_for("it ends", lambda: client.dag_run("replay_verdict", "all")["state"] == "success", 120)
    (told,) = client.xcom("replay_verdict", "all", "verdict")["candidates"]
    assert (told["verdict"]["candidate"], told["verdict"]["judged"]) == ("bigger", RECORDED)
    said = " ".join(" ".join(client.task_log("replay_verdict", "all", "verdict")).split())
    assert told["verdict"]["sentence"] in said
    assert [interval["recording"] for interval in told["intervals"]] == [recording_id(s) for s in STARTS[:RECORDED]]


def test_a_run_that_is_cleared_measures_again_and_keeps_the_old_result(lab: Lab) -> None:
    client, name = lab.airflow.client, f"replay-{recording_id(STARTS[0])}"
    run_id = runs(lab)[f"{STARTS[0]:%Y-%m-%dT%H:%M}"]["dag_run_id"]
    old = lab.repository.experiment(name).outcome
    client.clear(DAG, run_id)
    wait_for("it is begun again", lambda: f"{name}-2" in {e.name for e in lab.repository.experiments()}, 180)
    end(lab, len(STARTS))
    assert client.xcom(DAG, run_id, "verdict")[0]["experiment"] == f"{name}-2"
    assert lab.repository.experiment(name).outcome == old


def test_an_interval_that_was_not_recorded_is_asked_of_the_recordings_dag(lab: Lab) -> None:
    """Which finds here that the source is the staging server itself; the replay is skipped and says where to look."""
    client, start = lab.airflow.client, STARTS[-1]
    made = f"for-replay-{recording_id(start)}"
    run_id = runs(lab)[f"{start:%Y-%m-%dT%H:%M}"]["dag_run_id"]
    assert "record_shop is paused" in "\n".join(client.task_log(DAG, run_id, "make_recording"))
    client.unpause("record_shop")
    client.clear(DAG, run_id)

    def ended() -> bool:
        known = {run["dag_run_id"]: run["state"] for run in client.dag_runs("record_shop")}
        return known.get(made) == "failed"

    wait_for("the recording's Dag has tried", ended, 300)
    said = "\n".join(client.task_log("record_shop", made, "check"))
    assert (
        f"recording {recording_id(start)}: from {start.isoformat()} to {(start + timedelta(hours=1)).isoformat()}"
        in said
    )
    assert "is the same server as the source" in said
    end(lab, len(STARTS))
    assert states(lab, DAG, run_id)["make_recording"] == "success"
    assert states(lab, DAG, run_id)["check_interval"] == "skipped"
    assert "the log of make_recording says whether it could be made" in "\n".join(
        client.task_log(DAG, run_id, "check_interval")
    )
