from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from otterflow.dbms.access import DatabaseAccess
from otterflow.dbms.postgresql.service import start_command
from otterflow.dbms.postgresql.snapshot import (
    NOT_POSSIBLE,
    JobScript,
    parse_snapshot_state,
    restore_snapshot,
    snapshot_dir,
    snapshot_state_command,
    take_snapshot,
)
from otterflow.remote.job import JobEnd, JobPaths, RemoteJob
from otterflow.remote.session import Completed, Session
from otterflow.target import Target
from stack.host import DatabaseHost
from tests.dbms.conftest import Query
from tests.remote.conftest import client_of

pytestmark = pytest.mark.integration

Run = Callable[[str], Completed]
Work = Callable[[JobScript], JobEnd]

SUM_SQL = "SELECT count(*) AS rows, sum(a) AS total, max(b) AS last FROM kept"


def with_method(target: Target, method: str) -> Target:
    return Target.model_validate(target.model_dump() | {"snapshot": {"dir": target.snapshot.dir, "method": method}})


@pytest.fixture
def work(clean_host: DatabaseHost) -> Iterator[Work]:
    """Runs a script as a remote job and waits for its end."""
    jobs: list[RemoteJob] = []

    def run_job(script: JobScript) -> JobEnd:
        paths = JobPaths(str(clean_host.work_dir), f"snapshot-{len(jobs)}")
        job = RemoteJob(lambda: Session(lambda: client_of(clean_host.sshd)), paths)
        jobs.append(job)
        job.start_or_attach(script.script, script.files, 120)
        return job.wait(print, poll_s=0.1)

    yield run_job
    for job in jobs:
        job.kill()
        job.cleanup()
        job.close()


@pytest.fixture
def data(clean_host: DatabaseHost, query: Query) -> Iterator[Query]:
    query("DROP TABLE IF EXISTS kept, added")
    query("CREATE TABLE kept AS SELECT a, md5(a::text) AS b FROM generate_series(1, 20000) a")
    query("CREATE INDEX ON kept (a)")
    query("COMMENT ON DATABASE bench IS 'the benchmark''s'")
    query("ALTER DATABASE bench SET work_mem = '5MB'")
    yield query
    shutil.rmtree(clean_host.snapshot_dir)
    clean_host.user.make_dir(clean_host.snapshot_dir)
    clean_host.cluster.start()
    with clean_host.cluster.connect() as connection:
        connection.execute("DROP TABLE IF EXISTS kept, added")
        connection.execute("COMMENT ON DATABASE bench IS NULL")
        connection.execute("ALTER DATABASE bench RESET ALL")


@pytest.mark.parametrize("method", ["dump", "copy"])
def test_data_comes_back_as_it_was(
    method: str, run: Run, work: Work, data: Query, connect: Callable[[], Query], target: Target,
    access: DatabaseAccess, clean_host: DatabaseHost,
) -> None:  # fmt: skip
    target = with_method(target, method)
    before = data(SUM_SQL)
    assert parse_snapshot_state(run(snapshot_state_command(target)).stdout) is None
    taken = work(take_snapshot(target, access, "mark-1"))
    assert taken.ok, taken.log_tail
    state = parse_snapshot_state(run(snapshot_state_command(target)).stdout)
    assert state is not None
    assert state.fingerprint == "mark-1"
    assert state.size_bytes > 10_000
    assert clean_host.cluster.is_running

    alter = connect()
    alter("DELETE FROM kept WHERE a % 2 = 0")
    alter("CREATE TABLE added (x int)")
    alter("ALTER SYSTEM SET jit = off")
    clean_host.user.write_file(clean_host.cluster.knobs_file, "work_mem = 9MB\n")
    restored = work(restore_snapshot(target, access, "mark-1"))
    assert restored.ok, restored.log_tail
    assert clean_host.cluster.is_running is (method == "dump")
    assert run(start_command(target)).exit_code == 0

    again = connect()
    assert again(SUM_SQL) == before
    assert again("SELECT to_regclass('added') AS added") == [{"added": None}]
    assert again("SELECT shobj_description(oid, 'pg_database') AS text FROM pg_database WHERE datname = 'bench'") == [
        {"text": "the benchmark's"}
    ]
    assert again("SHOW work_mem") == [{"work_mem": "5MB"}]
    assert again("SELECT reltuples::int AS rows FROM pg_class WHERE relname = 'kept'") in (
        [{"rows": 20000}],
        [{"rows": -1}],
    )
    # The configuration is today's, not the snapshot's.
    assert "jit = 'off'" in (clean_host.cluster.data_dir / "postgresql.auto.conf").read_text()
    assert clean_host.cluster.knobs_file.read_text() == "work_mem = 9MB\n"
    left = {path.name for path in clean_host.cluster.root.iterdir() if "otterflow" in path.name}
    assert left == set()


@pytest.mark.parametrize("method", ["dump", "copy"])
def test_another_fingerprint_is_refused_before_anything_is_touched(
    method: str, work: Work, data: Query, connect: Callable[[], Query], target: Target, access: DatabaseAccess
) -> None:
    target = with_method(target, method)
    end = work(restore_snapshot(target, access, "mark-1"))
    assert end.exit_code == NOT_POSSIBLE
    assert "holds no snapshot mark-1; take one first" in end.log_tail
    assert work(take_snapshot(target, access, "mark-2")).ok
    assert work(restore_snapshot(target, access, "mark-1")).exit_code == NOT_POSSIBLE
    assert connect()("SELECT count(*) AS rows FROM kept") == [{"rows": 20000}]


def test_half_a_snapshot_is_none_and_the_whole_one_before_it_stays(
    run: Run, work: Work, data: Query, target: Target, access: DatabaseAccess
) -> None:
    assert work(take_snapshot(target, access, "whole")).ok
    broken = Target.model_validate(target.model_dump() | {"bin_dir": "/opt/nothing"})
    assert not work(take_snapshot(broken, access, "half")).ok
    state = parse_snapshot_state(run(snapshot_state_command(target)).stdout)
    assert state is not None
    assert state.fingerprint == "whole"
    assert [path.name for path in Path(snapshot_dir(target)).parent.iterdir()] == [Path(snapshot_dir(target)).name]


def test_a_restore_ends_the_sessions_that_hold_the_database(
    work: Work, data: Query, target: Target, access: DatabaseAccess, clean_host: DatabaseHost
) -> None:
    import psycopg

    assert work(take_snapshot(target, access, "m")).ok
    with clean_host.cluster.connect() as idle:
        end = work(restore_snapshot(target, access, "m"))
        assert end.ok, end.log_tail
        with pytest.raises(psycopg.OperationalError):
            idle.execute("SELECT 1")


def test_a_copy_that_fails_leaves_the_server_running(
    work: Work, data: Query, target: Target, access: DatabaseAccess, clean_host: DatabaseHost
) -> None:
    target = with_method(target, "copy")
    script = take_snapshot(target, access, "m")
    full = JobScript(script.script.replace("cp -a", "false -a"), script.files)
    assert not work(full).ok
    assert clean_host.cluster.is_running
    assert list(clean_host.snapshot_dir.iterdir()) == []


def test_a_swap_that_was_interrupted_is_mended(
    run: Run, work: Work, data: Query, target: Target, access: DatabaseAccess, clean_host: DatabaseHost
) -> None:
    target = with_method(target, "copy")
    assert work(take_snapshot(target, access, "m")).ok
    clean_host.cluster.stop()
    old = clean_host.cluster.data_dir.with_name(clean_host.cluster.data_dir.name + ".otterflow-old")
    clean_host.cluster.data_dir.rename(old)
    end = work(restore_snapshot(target, access, "m"))
    assert end.ok, end.log_tail
    assert run(start_command(target)).exit_code == 0
    assert not old.exists()


def test_tablespaces_and_another_cluster_are_refused(
    work: Work, data: Query, target: Target, access: DatabaseAccess, clean_host: DatabaseHost
) -> None:
    target = with_method(target, "copy")
    assert work(take_snapshot(target, access, "m")).ok
    control = Path(snapshot_dir(target)) / "data/global/pg_control"
    control.write_bytes(bytes(8) + control.read_bytes()[8:])
    end = work(restore_snapshot(target, access, "m"))
    assert (end.exit_code, "is a copy of another cluster" in end.log_tail) == (NOT_POSSIBLE, True)
    link = clean_host.cluster.data_dir / "pg_tblspc" / "16999"
    link.symlink_to("/tmp")
    try:
        end = work(take_snapshot(target, access, "m"))
    finally:
        link.unlink()
    assert (end.exit_code, "the cluster has tablespaces" in end.log_tail) == (NOT_POSSIBLE, True)
    assert clean_host.cluster.is_running
