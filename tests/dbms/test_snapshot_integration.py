from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from otterflow.dbms.host_probe import parse_probe
from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.dbms.postgresql.checks import problems
from otterflow.dbms.postgresql.database import MARK, comment_sql, create_sql, drop_sql
from otterflow.dbms.postgresql.probe import probe_command
from otterflow.dbms.postgresql.service import start_command
from otterflow.dbms.postgresql.snapshot import (
    NOT_POSSIBLE,
    parse_snapshot_state,
    restore_snapshot,
    snapshot_dir,
    snapshot_state_command,
    take_snapshot,
)
from otterflow.dbms.postgresql.target import PostgresqlTarget
from otterflow.dbms.snapshot_folder import left_on_host_command
from otterflow.dbms.target import Target
from otterflow.remote.job import JobEnd, JobPaths, RemoteJob
from otterflow.remote.script import JobScript
from otterflow.remote.session import Completed, Session
from stack.host import DatabaseHost
from tests.dbms.conftest import Query
from tests.remote.conftest import client_of

pytestmark = pytest.mark.integration

Run = Callable[[str], Completed]
Work = Callable[[JobScript], JobEnd]

PROPERTIES_SQL = """
SELECT pg_get_userbyid(d.datdba) AS owner, d.encoding, d.datcollate, d.datctype, d.datconnlimit,
       (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(d.datacl) a) AS acl,
       (SELECT jsonb_object_agg(setrole, setconfig) FROM pg_db_role_setting WHERE setdatabase = d.oid) AS settings
  FROM pg_database d WHERE datname = current_database()
"""
SUM_SQL = "SELECT count(*) AS rows, sum(a) AS total, max(b) AS last FROM kept"


def with_method(target: Target, method: str) -> Target:
    return PostgresqlTarget.model_validate(
        target.model_dump() | {"snapshot": {"dir": target.snapshot.dir, "method": method}}
    )


def empty(folder: Path, host: DatabaseHost) -> None:
    shutil.rmtree(folder)
    host.user.make_dir(folder)


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
    empty(clean_host.snapshot_dir, clean_host)
    query("DROP TABLE IF EXISTS kept, added")
    query("CREATE TABLE kept AS SELECT a, md5(a::text) AS b FROM generate_series(1, 20000) a")
    query("CREATE INDEX ON kept (a)")
    query("COMMENT ON DATABASE bench IS 'otterflow data 1234 fresh'")
    query("ALTER DATABASE bench SET work_mem = '5MB'")
    query("""ALTER DATABASE bench SET search_path = "$user", public, 'it''s; "here"'""")
    query("ALTER ROLE otterflow IN DATABASE bench SET application_name = ':database''s'")
    query("GRANT TEMP ON DATABASE bench TO pg_monitor")
    yield query
    empty(clean_host.snapshot_dir, clean_host)
    clean_host.cluster.start()
    with clean_host.cluster.connect() as connection:
        connection.execute("DROP TABLE IF EXISTS kept, added CASCADE")
        connection.execute("COMMENT ON DATABASE bench IS NULL")
        connection.execute("ALTER DATABASE bench RESET ALL")
        connection.execute("ALTER ROLE otterflow IN DATABASE bench RESET ALL")
        connection.execute("REVOKE ALL ON DATABASE bench FROM pg_monitor")


def databases(host: DatabaseHost) -> set[str]:
    with host.cluster.connect("postgres") as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database WHERE NOT datistemplate")}


@pytest.mark.parametrize("method", ["dump", "copy"])
def test_data_comes_back_as_it_was(
    method: str, run: Run, work: Work, data: Query, connect: Callable[[], Query], target: Target,
    access: DatabaseAccess, clean_host: DatabaseHost,
) -> None:  # fmt: skip
    target = with_method(target, method)
    before, properties = data(SUM_SQL), data(PROPERTIES_SQL)
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
    assert again(PROPERTIES_SQL) == properties
    assert again("SELECT to_regclass('added') AS added") == [{"added": None}]
    assert again("SELECT shobj_description(oid, 'pg_database') AS text FROM pg_database WHERE datname = 'bench'") == [
        {"text": "otterflow data 1234 fresh"}
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
    run: Run, work: Work, data: Query, connect: Callable[[], Query], target: Target, access: DatabaseAccess
) -> None:
    assert work(take_snapshot(target, access, "whole")).ok
    broken = PostgresqlTarget.model_validate(target.model_dump() | {"bin_dir": "/opt/nothing"})
    assert not work(take_snapshot(broken, access, "half")).ok
    # Interrupted between the two renames, the one before is under its other name.
    kept = Path(snapshot_dir(target))
    kept.rename(f"{kept}.old")
    assert not work(take_snapshot(broken, access, "half")).ok
    state = parse_snapshot_state(run(snapshot_state_command(target)).stdout)
    assert state is not None
    assert state.fingerprint == "whole"
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]
    assert connect()("SELECT count(*) AS rows FROM kept") == [{"rows": 20000}]


def test_a_dump_that_cannot_be_restored_is_told_when_it_is_taken_and_nothing_is_lost(
    work: Work, data: Query, connect: Callable[[], Query], target: Target, access: DatabaseAccess,
    clean_host: DatabaseHost,
) -> None:  # fmt: skip
    data("CREATE FUNCTION some_are_kept() RETURNS bool LANGUAGE sql AS 'SELECT count(*) > 0 FROM kept'")
    data("CREATE TABLE added (x int CHECK (some_are_kept()))")
    data("INSERT INTO added VALUES (1)")
    end = work(take_snapshot(target, access, "m"))
    assert not end.ok
    assert 'relation "kept" does not exist' in end.log_tail
    assert databases(clean_host) == {"postgres", "bench"}
    assert list(clean_host.snapshot_dir.iterdir()) == []
    again = connect()
    assert again("SELECT count(*) AS rows FROM kept") == [{"rows": 20000}]
    again("DROP TABLE added")
    again("DROP FUNCTION some_are_kept")


def test_a_restore_that_fails_leaves_the_database_as_it_was(
    work: Work, data: Query, connect: Callable[[], Query], target: Target, access: DatabaseAccess,
    clean_host: DatabaseHost,
) -> None:  # fmt: skip
    assert work(take_snapshot(target, access, "m")).ok
    alter = connect()
    alter("CREATE TABLE added AS SELECT 1 AS since")
    for file in (Path(snapshot_dir(target)) / "data").glob("*.dat*"):
        file.unlink()
    assert not work(restore_snapshot(target, access, "m")).ok
    assert databases(clean_host) == {"postgres", "bench"}
    assert alter("SELECT since FROM added") == [{"since": 1}], "nobody's session was ended either"


def test_a_restore_that_is_cut_off_at_any_point_is_simply_run_again(
    work: Work, data: Query, connect: Callable[[], Query], target: Target, access: DatabaseAccess,
    clean_host: DatabaseHost,
) -> None:  # fmt: skip
    assert work(take_snapshot(target, access, "m")).ok
    connect()("DELETE FROM kept WHERE a > 500")
    script = restore_snapshot(target, access, "m")
    rows = []
    for line in (
        "fill ",
        "vacuum_own",
        "  if put_in",
        "trap remove_new",
        "checkpoint_if",
    ):
        assert script.script.count(f"\n  {line}") == 1, line
        cut = script.script.replace(f"\n  {line}", f"\n  kill -KILL $$\n  {line}")
        assert work(JobScript(cut, script.files)).exit_code == 137, line
        rows += connect()("SELECT count(*)::int AS rows FROM kept")
    assert [row["rows"] for row in rows] == [500, 500, 500, 20000, 20000]
    end = work(script)
    assert end.ok, end.log_tail
    assert connect()("SELECT count(*) AS rows FROM kept") == [{"rows": 20000}]
    assert databases(clean_host) == {"postgres", "bench"}


def test_a_database_that_a_broken_restore_left_invalid_is_restored(
    work: Work, data: Query, connect: Callable[[], Query], target: Target, access: DatabaseAccess,
    clean_host: DatabaseHost,
) -> None:  # fmt: skip
    assert work(take_snapshot(target, access, "m")).ok
    with clean_host.cluster.connect("postgres") as connection:
        connection.execute("UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'bench'")
    with pytest.raises(psycopg.OperationalError, match="invalid database"):
        connect()
    end = work(restore_snapshot(target, access, "m"))
    assert end.ok, end.log_tail
    assert connect()("SELECT count(*) AS rows FROM kept") == [{"rows": 20000}]
    assert databases(clean_host) == {"postgres", "bench"}


def test_a_pg_restore_newer_than_the_server_leaves_out_what_that_does_not_know(
    work: Work, data: Query, connect: Callable[[], Query], target: Target, access: DatabaseAccess,
    clean_host: DatabaseHost,
) -> None:  # fmt: skip
    """As 17's does with `transaction_timeout` on 16: a line of its head is refused, and it goes no further."""
    folder, real = clean_host.root / "newer", Path(str(target.bin_dir))
    clean_host.user.make_dir(folder, 0o755)
    for program in ("pg_dump", "psql", "vacuumdb"):
        (folder / program).symlink_to(real / program)
    newer = clean_host.user.write_file(
        folder / "pg_restore",
        f"""#!/bin/bash
case " $* " in
  *" --file=- "*) {real}/pg_restore "$@" | sed 's/^SET lock_timeout = 0;/&\\nSET timeout_of_tomorrow = 0;/' ;;
  *) echo 'unrecognized configuration parameter "timeout_of_tomorrow"' >&2; exit 1 ;;
esac
""",
    )
    newer.chmod(0o755)
    target = PostgresqlTarget.model_validate(target.model_dump() | {"bin_dir": str(folder)})
    data("CREATE TABLE added AS SELECT 'SET timeout_of_tomorrow = 0;'::text AS line")
    try:
        taken = work(take_snapshot(target, access, "m"))
        assert taken.ok, taken.log_tail
        assert "the server, which has no timeout_of_tomorrow" in taken.log_tail
        connect()("TRUNCATE kept, added")
        assert work(restore_snapshot(target, access, "m")).ok
    finally:
        shutil.rmtree(folder)
    again = connect()
    assert again("SELECT count(*) AS rows FROM kept") == [{"rows": 20000}]
    assert again("SELECT line FROM added") == [{"line": "SET timeout_of_tomorrow = 0;"}], "data are not touched"


def test_a_restore_touches_no_database_of_somebody_else(
    work: Work, data: Query, connect: Callable[[], Query], target: Target, access: DatabaseAccess
) -> None:
    assert work(take_snapshot(target, access, "m")).ok
    alter = connect()
    alter("COMMENT ON DATABASE bench IS 'ours now'")
    alter("DELETE FROM kept")
    end = work(restore_snapshot(target, access, "m"))
    assert (end.exit_code, "is not what otterflow loaded" in end.log_tail) == (NOT_POSSIBLE, True)
    assert alter("SELECT count(*) AS rows FROM kept") == [{"rows": 0}]


@pytest.mark.parametrize("name", ["Bench-DB", '-it\'s "quoted" \\ $HOME %I :database é'])
def test_a_database_of_any_legal_name_is_kept_and_restored(
    name: str, work: Work, target: Target, access: DatabaseAccess, clean_host: DatabaseHost
) -> None:
    name = '-it\'s "quoted" \\ $HOME %I :database é'
    target = PostgresqlTarget.model_validate(target.model_dump() | {"database": name})
    with clean_host.cluster.connect("postgres") as connection:
        connection.execute(create_sql(name))
        connection.execute(comment_sql(name, f"{MARK} 1234 fresh"))
    try:
        with clean_host.cluster.connect(name) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS a")
        taken = work(take_snapshot(target, access.to(name), "m"))
        assert taken.ok, taken.log_tail
        with clean_host.cluster.connect(name) as connection:
            connection.execute("DELETE FROM kept")
        restored = work(restore_snapshot(target, access.to(name), "m"))
        assert restored.ok, restored.log_tail
        with clean_host.cluster.connect(name) as connection:
            assert connection.execute("SELECT a FROM kept").fetchall() == [(1,)]
        assert databases(clean_host) == {"postgres", "bench", name}
    finally:
        empty(clean_host.snapshot_dir, clean_host)
        with clean_host.cluster.connect("postgres") as connection:
            connection.execute(drop_sql(name))


FOREIGN = {
    "a database": ("CREATE DATABASE shop", "DROP DATABASE shop", "database shop"),
    "a table in database postgres": (
        "CREATE TABLE public.orders ()", "DROP TABLE public.orders", "table public.orders in database postgres"
    ),
    "a replication slot": (
        "SELECT pg_create_physical_replication_slot('standby')",
        "SELECT pg_drop_replication_slot('standby')",
        "replication slot standby",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", FOREIGN)
def test_a_copy_is_neither_taken_nor_put_back_over_what_is_somebody_elses(
    what: str, work: Work, data: Query, target: Target, access: DatabaseAccess, clean_host: DatabaseHost
) -> None:
    target = with_method(target, "copy")
    make, drop, sentence = FOREIGN[what]
    assert work(take_snapshot(target, access, "m")).ok
    with clean_host.cluster.connect("postgres") as connection:
        connection.execute(make)
        try:
            ends = [work(restore_snapshot(target, access, "m")), work(take_snapshot(target, access, "other"))]
            connection.execute("SELECT 1")
        finally:
            connection.execute(drop)
    for end in ends:
        assert (end.exit_code, sentence in end.log_tail) == (NOT_POSSIBLE, True), end.log_tail
    assert [path.name for path in clean_host.cluster.root.iterdir() if "otterflow" in path.name] == []


CHANGES = {
    "role app": ("CREATE ROLE app", "DROP ROLE app"),
    "password of role otterflow": None,
    "membership of otterflow in pg_monitor": ("GRANT pg_monitor TO otterflow", "REVOKE pg_monitor FROM otterflow"),
    "settings of role otterflow": ("ALTER ROLE otterflow SET work_mem = '6MB'", "ALTER ROLE otterflow RESET ALL"),
    "database mould": ("CREATE DATABASE mould IS_TEMPLATE true", "ALTER DATABASE mould IS_TEMPLATE false"),
    "what is in database postgres": ("CREATE VIEW v AS SELECT 1", "DROP VIEW v"),
}


def test_a_copy_is_not_put_back_over_what_has_changed_since(
    work: Work, data: Query, target: Target, access: DatabaseAccess, clean_host: DatabaseHost
) -> None:
    target = with_method(target, "copy")
    assert work(take_snapshot(target, access, "m")).ok
    undo = [steps[1] for steps in CHANGES.values() if steps]
    with clean_host.cluster.connect("postgres") as connection:
        for steps in CHANGES.values():
            connection.execute(steps[0] if steps else set_password(clean_host))
        try:
            end = work(restore_snapshot(target, access, "m"))
            connection.execute("SELECT 1")
        finally:
            for step in [*undo, "DROP DATABASE mould"]:
                connection.execute(step)
    assert end.exit_code == NOT_POSSIBLE
    for name in CHANGES:
        assert name in end.log_tail, end.log_tail
    assert "which takes a new snapshot" in end.log_tail


def set_password(host: DatabaseHost) -> sql.Composed:
    """The same password once more: its salt is another."""
    return sql.SQL("ALTER ROLE otterflow PASSWORD {}").format(sql.Literal(host.cluster.password))


def test_a_restore_ends_the_sessions_that_hold_the_database(
    work: Work, data: Query, target: Target, access: DatabaseAccess, clean_host: DatabaseHost
) -> None:
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


def test_a_copy_that_has_lost_something_is_not_put_back(
    work: Work, data: Query, target: Target, access: DatabaseAccess, clean_host: DatabaseHost
) -> None:
    """The server would not start on it, and what it had would be gone by then."""
    target = with_method(target, "copy")
    assert work(take_snapshot(target, access, "m")).ok
    kept = Path(target.snapshot.dir) / f"{target.name}-copy" / "data"
    (kept / "global" / "pg_filenode.map").write_bytes(b"cut short")
    end = work(restore_snapshot(target, access, "m"))
    assert end.exit_code == NOT_POSSIBLE, end.log_tail
    assert "./global/pg_filenode.map; nothing was touched" in end.log_tail
    assert clean_host.cluster.is_running
    with clean_host.cluster.connect() as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (20000,)


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


KILL = "kill -KILL $$\n"
CUTS = {
    "before they change places": ("if ! exchange", f"{KILL}if ! exchange", 0),
    "when they have changed places": ('sync -f -- "$data"', f'{KILL}sync -f -- "$data"', 20000),
    "between two renames": (
        'if ! exchange "$aside" "$data"; then', f'if mv -T -- "$data" "$old"; then {KILL}', 0
    ),
}  # fmt: skip
"""Where a restore by copy is killed: what of its script becomes what, and how many rows there are afterwards."""


@pytest.mark.parametrize("where", CUTS)
def test_a_restore_by_copy_that_is_killed_leaves_a_server_that_starts(
    where: str, run: Run, work: Work, data: Query, connect: Callable[[], Query], target: Target, access: DatabaseAccess,
    clean_host: DatabaseHost,
) -> None:  # fmt: skip
    target = with_method(target, "copy")
    assert work(take_snapshot(target, access, "m")).ok
    connect()("TRUNCATE kept")
    script, (part, instead, rows) = restore_snapshot(target, access, "m"), CUTS[where]
    assert script.script.count(part) == 1
    assert work(JobScript(script.script.replace(part, instead), script.files)).exit_code == 137
    folder = clean_host.cluster.data_dir
    assert folder.exists() is (where != "between two renames"), "where a file system can, there is always one"
    if not folder.exists():
        (problem,) = problems(parse_probe(run(probe_command(target, [])).stdout), target, [], server_version=None)
        assert f"a restore that was cut off has left it as {folder}.otterflow-old" in str(problem)
    started = run(start_command(target))
    assert started.exit_code == 0, started.stderr
    assert connect()("SELECT count(*) AS rows FROM kept") == [{"rows": rows}]
    assert work(restore_snapshot(target, access, "m")).ok
    assert run(left_on_host_command(target)).stdout == ""
    assert run(start_command(target)).exit_code == 0
    assert connect()("SELECT count(*) AS rows FROM kept") == [{"rows": 20000}]


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
