"""A backfill of `replay_shop`, as a user makes it: its files, its recordings, the command, and what comes of it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from otterflow.dbms.statement import Statement
from stack.lab import Lab, MariadbLab
from tests.e2e.watching import logs_of_failed, must_not_have_failed, wait_for
from tests.operators.test_replay_in_process import COPY, REPLAY
from tests.workloads.recording.samples import write
from tests.workloads.recording.test_definition import GOOD

DAG = "replay_shop"
FIRST = datetime.now(UTC).replace(hour=1, minute=0, second=0, microsecond=0) - timedelta(days=2)


def starts(count: int) -> list[datetime]:
    """When so many intervals of an hour begin, one after the other."""
    return [FIRST + timedelta(hours=hour) for hour in range(count)]


def recording_id(start: datetime) -> str:
    return f"shop-{start:%Y%m%dT%H%MZ}"


def write_files(include: Path, dbms: str, candidates: Mapping[str, Mapping[str, Any]], **recording: Any) -> None:
    """A benchmark that replays, a file of each configuration to try, and the recording's file, of three rounds."""
    (include / "benchmarks" / "replayed.yaml").write_text(yaml.safe_dump(REPLAY))
    for name, knobs in candidates.items():
        text = yaml.safe_dump({"name": name, "dbms": dbms, "knobs": dict(knobs)})
        (include / "configurations" / f"{name}.yaml").write_text(text)
    named = [f"configuration:{name}" for name in candidates]
    block = {"benchmark": "replayed", "candidates": named, "rounds": 3, "scheduled": False}
    shop = {"source": "production", "replay_on": "staging", "cron": "0 * * * *", "timezone": "UTC", "replay": block}
    (include / "recordings").mkdir(exist_ok=True)
    (include / "recordings" / "shop.yaml").write_text(yaml.safe_dump(GOOD | shop | recording))


def write_targets(lab: Lab | MariadbLab, **snapshot: str) -> None:
    """The source and the target: the lab's own server, and the copy in it, of which such a snapshot is taken."""
    record = yaml.safe_load((lab.host.targets_dir / "demo.yaml").read_text())
    for name in ("staging", "production"):
        own = {"name": name, "database": COPY, "is_a_copy": True, "snapshot": record["snapshot"] | snapshot}
        (lab.host.targets_dir / f"{name}.yaml").write_text(yaml.safe_dump(record | own))


def write_recordings(lab: Lab | MariadbLab, dbms: str, begins: Sequence[datetime], load: Iterable[Statement]) -> None:
    """A recording of the load for each interval, on the driver host, which is the same machine here."""
    folder = lab.host.root / "recordings"
    folder.mkdir()
    statements = sorted(load, key=lambda statement: statement.at_s)
    for start in begins:
        path = folder / recording_id(start)
        write(path, statements, dbms)
        for each in (folder, path, *path.iterdir()):
            os.chown(each, lab.host.user.uid, lab.host.user.gid)
        lab.repository.add_recording(
            recording_id(start), name="shop", target="staging", path=str(path), start=start,
            end=start + timedelta(hours=1), manifest={"complete": True},
        )  # fmt: skip


def backfill(lab: Lab | MariadbLab, first: datetime, last: datetime) -> None:
    """As a user does it in a shell, over what the cron names from `first` to `last`; the Dag is unpaused then."""
    wait_for("the Dag is parsed", lambda: DAG in lab.airflow.client.dags())
    dates = ["--from-date", first.isoformat(), "--to-date", last.isoformat()]
    command = ["airflow", "backfill", "create", "--dag-id", DAG, *dates, "--max-active-runs", "1"]

    def made() -> bool:
        done = subprocess.run(command, env=lab.airflow.environment(), capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        assert done.returncode == 0 or "database is locked" in said.lower(), said
        return done.returncode == 0

    wait_for("the backfill is made", made)
    lab.airflow.client.unpause(DAG)


def runs(lab: Lab | MariadbLab) -> dict[str, Any]:
    """The backfill's runs by the hour of their interval."""
    found = [run for run in lab.airflow.client.dag_runs(DAG) if run["run_type"] == "backfill"]
    return {run["data_interval_start"][:16]: run for run in found}


def end(lab: Lab | MariadbLab, begins: Sequence[datetime]) -> dict[str, Any]:
    """The runs of these intervals once all have succeeded; one that fails ends the wait with its logs."""

    def all_ended() -> Any:
        for start in begins:
            must_not_have_failed(lab, f"replay-{recording_id(start)}")
        found = runs(lab)
        for run in found.values():
            assert run["state"] != "failed", logs_of_failed(lab, DAG, run["dag_run_id"])
        return len(found) == len(begins) and all(run["state"] == "success" for run in found.values()) and found

    found: dict[str, Any] = wait_for("the backfill ends", all_ended, 900)
    return found


def verdict_of_all(lab: Lab | MariadbLab) -> list[dict[str, Any]]:
    """What `replay_verdict` has made of all intervals, a candidate each; its log says the same."""
    client = lab.airflow.client
    client.trigger("replay_verdict", {"recording": "shop"}, "all")
    wait_for("it ends", lambda: client.dag_run("replay_verdict", "all")["state"] == "success")
    told: list[dict[str, Any]] = client.xcom("replay_verdict", "all", "verdict")["candidates"]
    said = " ".join(" ".join(client.task_log("replay_verdict", "all", "verdict")).split())
    assert all(each["verdict"]["sentence"] in said for each in told), said
    return told
