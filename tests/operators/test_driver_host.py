"""A load that is recorded on one machine, streamed to another of another user, and replayed from there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from otterflow.hosts.jobs import JobOutcome, Jobs
from otterflow.operators.connections import open_repository
from otterflow.remote.script import JobScript
from stack.host import SSH_CONN_ID, DatabaseHost
from stack.processes import belonging_to, end_all
from tests.operators.another_host import UserElsewhere, another_host
from tests.operators.harness import SUCCESS, Dags
from tests.operators.recording_lab import RecordingLab, end_after, pgbench_tables, recording_lab
from tests.operators.test_replay_in_process import COPY, REPLAY, explain

pytestmark = pytest.mark.integration


@pytest.fixture
def copied(lab: DatabaseHost) -> Iterator[None]:
    """Pgbench's tables in the source's database, and a copy of that."""
    with pgbench_tables(lab):
        with lab.cluster.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {COPY} TEMPLATE bench")
        yield
        with lab.cluster.connect("postgres") as connection:
            connection.execute(f"DROP DATABASE {COPY} WITH (FORCE)")


@pytest.fixture
def elsewhere(lab: DatabaseHost) -> Iterator[tuple[Path, UserElsewhere]]:
    with another_host(lab.root) as (root, user):
        yield root, user
        end_all(belonging_to(root))


@pytest.fixture
def apart(
    lab: DatabaseHost, copied: None, elsewhere: tuple[Path, UserElsewhere], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[RecordingLab]:  # fmt: skip
    """The source, and a staging target whose driver host is the other machine."""
    root, user = elsewhere
    with recording_lab(lab, tmp_path, monkeypatch, at=root, user=user, kind=RecordingLab) as apart:
        path = apart.folder / "targets" / "staging.yaml"
        staging = {
            "ssh_conn_id": SSH_CONN_ID, "driver_ssh_conn_id": "staging_ssh", "database": COPY, "is_a_copy": True,
            "work_dir": str(lab.work_dir),
        }  # fmt: skip
        path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | staging))
        apart.define()
        yield apart


def test_a_load_is_recorded_here_and_replayed_from_there(
    lab: DatabaseHost, apart: RecordingLab, elsewhere: tuple[Path, UserElsewhere], dags: Dags, params: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    root, user = elsewhere
    assert user.uid != lab.user.uid
    apart.tell()
    start = datetime.now(UTC)
    transactions = apart.run_load(100)
    record = apart.all(apart.begin(start, end_after(start)))
    folder = Path(record.path)
    assert folder.is_relative_to(root)
    assert {path.stat().st_uid for path in (folder, *folder.iterdir())} == {user.uid}
    apart.opened(record)
    assert list((lab.work_dir / "recordings").iterdir()) == [], "nothing of it stays on the source"

    (apart.folder / "targets" / "shop.yaml").unlink()  # one server plays both parts, and a source is not replayed on
    monkeypatch.setenv("AIRFLOW_CONN_STAGING_SQL", json.dumps(lab.sql_connection))
    workload = REPLAY["workload"] | {"recording": record.path}
    file = Path(os.environ["OTTERFLOW_INCLUDE_DIR"]) / "benchmarks" / "replayed.yaml"
    file.write_text(yaml.safe_dump(REPLAY | {"workload": workload}))
    seen: set[tuple[int, bool]] = set()
    run = Jobs.run

    def looked_at(self: Jobs, name: str, job: JobScript, **how: Any) -> JobOutcome:
        done = run(self, name, job, **how)
        if how.get("on_driver"):  # the job's folder is on the other machine alone, and that user's
            folder = f"{params['experiment']}.{name}"
            seen.add(((user.own / "jobs/jobs" / folder).stat().st_uid, (lab.work_dir / "jobs" / folder).exists()))
        return done

    monkeypatch.setattr(Jobs, "run", looked_at)
    form = params | {"target": "staging", "benchmark": "replayed", "iterations": 2, "restore_every": 1}
    runs = dags.follow("tuning_experiment", form)
    assert all(run.state == SUCCESS for run in runs), explain(runs)
    trials = open_repository().trials(form["experiment"])
    assert [trial.state for trial in trials] == ["ok"] * 2, [trial.message for trial in trials]
    for trial in trials:
        assert trial.result is not None
        assert trial.result["replay"]["errors"] == {}
        assert trial.result["transactions"] >= transactions
    assert seen == {(user.uid, False)}
