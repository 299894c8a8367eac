"""Everything that can be wrong with a target, made wrong for real; each refused with a sentence naming the field."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from otterflow.operators.connections import open_repository
from stack.host import SQL_CONN_ID, SSH_CONN_ID, DatabaseHost
from tests.operators.conftest import change_connection
from tests.operators.harness import Dags

pytestmark = pytest.mark.integration

Refuse = Any


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
        with lab.cluster.connect("postgres") as connection:  # without otterflow's mark, no other test could use it
            connection.execute("DROP DATABASE bench")
            connection.execute("CREATE DATABASE bench")
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


def test_a_server_newer_than_the_catalog_is_tuned_all_the_same(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The same as a new minor release, seen from the other side: a catalog that has not heard of it."""
    path = Path(os.environ["OTTERFLOW_INCLUDE_DIR"]) / "knob_catalogs" / "postgresql.yaml"
    record = yaml.safe_load(path.read_text())
    record["untuned"] = [f for f in record["untuned"] if f["family"] not in ("where clients connect", "libraries")]
    record["knobs"] = [k for k in record["knobs"] if k["name"] not in ("jit", "geqo")]
    core = next(k for k in record["knobs"] if k["name"] == "work_mem")
    record["knobs"].append({**core, "name": "work_mem_of_tomorrow"})
    path.write_text(yaml.safe_dump(record))
    change_catalog("commit_delay", unit="kB", min="1kB", max="10kB")  # of another set than the one that is tuned
    with caplog.at_level("INFO"):
        runs = dags.follow("tuning_experiment", {**params, "benchmark": "pgbench_tpcb", "iterations": 2})
    assert [run.state for run in runs] == ["success"] * len(runs)
    experiment = open_repository().experiment(params["experiment"])
    assert experiment.state == "finished"
    tuned = {record["name"] for record in experiment.space}
    assert "work_mem" in tuned
    assert {"jit", "work_mem_of_tomorrow"}.isdisjoint(tuned)
    assert "the catalog does not know; they are left alone: bonjour" in caplog.text
    assert "they are not tuned: work_mem_of_tomorrow" in caplog.text
    assert "commit_delay.unit: the catalog says 'kB', the server None" in caplog.text


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


def test_capture_settings_that_a_recording_has_left_on(refused: Refuse, lab: DatabaseHost) -> None:
    block = "# otterflow capture: begin; recording shop-20261129T0200Z, until 2026-11-29T03:00:00Z\n"
    block += "log_min_duration_statement = '0'\n# otterflow capture: end\n"
    lab.user.write_file(lab.cluster.knobs_file, block, 0o644)
    message = refused()
    assert "has the server log every statement for recording shop-20261129T0200Z" in message
    assert "clear the task `put_back`" in message
