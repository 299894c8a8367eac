"""Everything that can be wrong with a target, made wrong for real; each refused with a sentence naming the field."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from otterflow.errors import InvalidInput
from otterflow.operators.connections import open_repository
from stack.host import SQL_CONN_ID, SSH_CONN_ID, DatabaseHost
from tests.operators.harness import Dags

pytestmark = pytest.mark.integration

Refuse = Any


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


def change_connection(monkeypatch: pytest.MonkeyPatch, conn_id: str, **changes: Any) -> None:
    name = f"AIRFLOW_CONN_{conn_id.upper()}"
    record = json.loads(os.environ[name])
    extra = record.get("extra", {}) | changes.pop("extra", {})
    monkeypatch.setenv(name, json.dumps(record | changes | ({"extra": extra} if extra else {})))


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


def test_a_wrong_host_key(refused: Refuse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    other = " ".join((tmp_path / "other.pub").read_text().split()[:2])
    change_connection(monkeypatch, SSH_CONN_ID, extra={"host_key": other})
    message = refused()
    assert "private.yaml: ssh_conn_id" in message
    assert "another key" in message
    assert "`host_key`" in message


def test_an_sshd_that_is_not_there(refused: Refuse, monkeypatch: pytest.MonkeyPatch) -> None:
    change_connection(monkeypatch, SSH_CONN_ID, port=1)
    message = refused()
    assert "private.yaml: ssh_conn_id" in message
    assert "127.0.0.1:1" in message


def test_a_wrong_password_is_named_and_never_shown(refused: Refuse, monkeypatch: pytest.MonkeyPatch) -> None:
    change_connection(monkeypatch, SQL_CONN_ID, password="not-this-one")
    message = refused()
    assert "private.yaml: sql_conn_id" in message
    assert "password authentication failed" in message
    assert "not-this-one" not in message


def test_a_connection_that_airflow_does_not_have(refused: Refuse, retarget: Any) -> None:
    retarget(sql_conn_id="nowhere")
    message = refused()
    assert "sql_conn_id: Airflow has no connection 'nowhere'" in message
    assert "AIRFLOW_CONN_NOWHERE" in message


def test_a_knobs_file_that_is_not_included(refused: Refuse, retarget: Any, lab: DatabaseHost) -> None:
    path = str(lab.cluster.config_dir / "elsewhere.conf")
    retarget(knobs_file=path)
    message = refused()
    assert f"knobs_file: {path} is not read by the server" in message
    assert "include_if_exists" in message


def test_several_faults_are_reported_at_once(
    refused: Refuse, retarget: Any, lab: DatabaseHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lab.cluster.connect("postgres") as connection:
        connection.execute("ALTER SYSTEM SET work_mem = '5MB'")
    retarget(
        log_file="/nowhere/postgresql.log",
        bin_dir="/nowhere/bin",
        snapshot={"dir": "/proc/snapshots", "method": "dump"},
    )
    message = refused()
    for part in ("log_file", "bin_dir", "pg_dump", "snapshot.dir", "work_mem", "ALTER SYSTEM RESET work_mem"):
        assert part in message, part


def test_a_database_that_is_somebody_elses(refused: Refuse, lab: DatabaseHost) -> None:
    with lab.cluster.connect("postgres") as connection:
        connection.execute("COMMENT ON DATABASE bench IS NULL")
    with lab.cluster.connect("bench") as connection:
        connection.execute("CREATE TABLE customers ()")
    try:
        message = refused()
    finally:
        with lab.cluster.connect("bench") as connection:
            connection.execute("DROP TABLE customers")
    assert "database: 'bench' holds" in message
    assert "name an empty or a new database" in message


@pytest.fixture
def small_file_system(lab: DatabaseHost) -> Iterator[Path]:
    """A file system of 8 MiB that the servers' user may write."""
    folder = lab.root / "small"
    folder.mkdir(exist_ok=True)
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system takes root")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8M,mode=0777", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_file_system_that_is_too_small(refused: Refuse, retarget: Any, small_file_system: Path) -> None:
    retarget(snapshot={"dir": f"{small_file_system}/snapshots", "method": "dump"})
    message = refused(restore_every=1)
    assert "disk space" in message
    assert str(small_file_system) in message
    assert "needs" in message
    assert not (small_file_system / "snapshots").exists()


def change_catalog(name: str, **changes: Any) -> None:
    path = Path(os.environ["OTTERFLOW_INCLUDE_DIR"]) / "knob_catalogs" / "postgresql.yaml"
    record = yaml.safe_load(path.read_text())
    entry = [k for k in record["knobs"] if k["name"] == name][-1]  # the newest of several versions
    entry.update(changes)
    path.write_text(yaml.safe_dump(record))


def test_a_catalog_range_outside_the_servers(refused: Refuse) -> None:
    change_catalog("effective_io_concurrency", min="5000", max="9000")
    message = refused()
    assert "effective_io_concurrency" in message
    assert "5000 to 9000" in message
    assert "0 to 1000" in message


def test_an_enum_value_that_does_not_exist(refused: Refuse) -> None:
    change_catalog("wal_compression", values=["off", "brotli"])
    message = refused()
    assert "wal_compression" in message
    assert "brotli" in message


def test_an_unknown_or_locked_knob(refused: Refuse) -> None:
    message = refused("check_experiment", extra_knobs=["work_memory"])
    assert "extra_knobs: 'work_memory'" in message
    message = refused(extra_knobs=["synchronous_commit"], experiment="another")
    assert "extra_knobs: 'synchronous_commit' is locked" in message
    assert "risks_allowed" in message


def test_a_target_file_with_a_wrong_key(refused: Refuse, retarget: Any) -> None:
    retarget(restart_command="reboot")
    message = refused("check_experiment")
    assert "private.yaml: restart_command" in message
