"""A database host with a repository of its own, and the shipped benchmarks made small."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from otterflow.errors import InvalidInput
from otterflow.experiment.comparison import schedule
from otterflow.hosts import turns, window
from otterflow.operators.connections import open_repository
from stack.host import SSH_CONN_ID, DatabaseHost
from stack.sshd import PrivateSshd
from tests.benchmarks import changed_benchmarks
from tests.operators.harness import Dags

Refuse = Any

INCLUDE = Path(__file__).resolve().parents[2] / "include"

SMALL: dict[str, dict[str, Any]] = {
    "analytics": {"workload": {"scale": 1}, "passes": 1},
    "pgbench_tpcb": {"workload": {"scale": 1, "clients": 2}, "warmup_s": 1, "duration_s": 3},
}


def small_benchmarks(folder: Path) -> Path:
    """A copy of `include/` whose benchmarks load and run in seconds."""
    return changed_benchmarks(folder, SMALL)


@pytest.fixture(scope="session")
def dags() -> Dags:
    """The project's Dags, parsed once."""
    return Dags()


@pytest.fixture
def lab(
    clean_host: DatabaseHost, host_environment: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> DatabaseHost:
    """The host with no data loaded, no snapshot and no job's folder, small benchmarks, and an empty repository."""
    clean_host.cluster.renew_database()
    for left in (clean_host.snapshot_dir, clean_host.work_dir / "jobs"):
        shutil.rmtree(left, ignore_errors=True)
    for folder in (clean_host.snapshot_dir, clean_host.work_dir):
        clean_host.user.make_dir(folder)
    monkeypatch.setenv("OTTERFLOW_INCLUDE_DIR", str(small_benchmarks(tmp_path)))
    monkeypatch.setenv("OTTERFLOW_HOME", str(tmp_path / "home"))
    return clean_host


@pytest.fixture
def all_rounds() -> None:
    """For tests that ask for it, the final comparison takes all its rounds."""


@pytest.fixture(autouse=True)
def one_round(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others look at something else, and one round of the final comparison is enough for them: no arm wins by it."""
    if "all_rounds" not in request.fixturenames:
        monkeypatch.setattr(turns, "schedule", lambda arms, rounds, seed: schedule(arms, 1, seed))


@pytest.fixture(autouse=True)
def counters_are_read(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """However late a busy machine reads them after a run of three seconds."""
    if request.node.get_closest_marker("integration"):
        monkeypatch.setattr(window, "LAG_S", 600.0)


@pytest.fixture
def params(lab: DatabaseHost) -> dict[str, Any]:
    """A short experiment's form."""
    return {
        "experiment": "in-process",
        "target": lab.name,
        "benchmark": "analytics",
        "iterations": 4,
        "restore_every": 0,
        "reference_every": 0,
        "final_rounds": 3,
        "ablation_percent": 0,
        "quiet_gate": False,
    }


@pytest.fixture
def refused(lab: DatabaseHost, dags: Dags, params: dict[str, Any]) -> Refuse:
    """Trigger an experiment with changed fields; the message of the task that refused it, with nothing held after."""

    def run(task: str = "check_target", **fields: Any) -> str:
        done = dags.run("tuning_experiment", {**params, **fields})
        assert done.states[task] == "failed", done.states
        assert isinstance(done.errors[task], InvalidInput), done.errors[task]
        assert done.states["start_iterations"] == "upstream_failed"
        assert open_repository().holder(lab.name) is None
        return str(done.errors[task])

    return run


@pytest.fixture
def retarget(lab: DatabaseHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Another target file of the same host, with changed fields."""

    def write(**changes: Any) -> None:
        record = yaml.safe_load((lab.targets_dir / f"{lab.name}.yaml").read_text())
        folder = tmp_path / "targets"
        folder.mkdir(exist_ok=True)
        (folder / f"{lab.name}.yaml").write_text(yaml.safe_dump(record | changes))
        monkeypatch.setenv("OTTERFLOW_TARGETS_DIR", str(folder))

    return write


@pytest.fixture
def other_sshd(
    db_host: DatabaseHost, host_environment: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., None]]:
    """Leads the SSH connection to another sshd of the same user, with settings and an environment of its own."""
    started: list[PrivateSshd] = []

    def lead(settings: dict[str, str], environment: dict[str, str] | None = None) -> None:
        folder = Path(tempfile.mkdtemp(prefix="sshd-", dir=db_host.root))
        sshd = PrivateSshd(folder, db_host.user, settings=settings, environment=environment)
        started.append(sshd)
        sshd.start()
        extra = {"key_file": str(sshd.key_file), "host_key": sshd.host_key}
        change_connection(monkeypatch, SSH_CONN_ID, port=sshd.port, extra=extra)

    yield lead
    for sshd in started:
        sshd.stop()


def change_connection(monkeypatch: pytest.MonkeyPatch, conn_id: str, **changes: Any) -> None:
    name = f"AIRFLOW_CONN_{conn_id.upper()}"
    record = json.loads(os.environ[name])
    extra = record.get("extra", {}) | changes.pop("extra", {})
    monkeypatch.setenv(name, json.dumps(record | changes | ({"extra": extra} if extra else {})))
