"""Data kept and put back on a real server, by a dump and by a copy of the data directory."""

from __future__ import annotations

import gzip
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from otterflow.dbms.host_probe import parse_probe
from otterflow.dbms.mariadb.checks import CHECKS
from otterflow.dbms.mariadb.client import CLIENT
from otterflow.dbms.mariadb.data import DATA
from otterflow.dbms.mariadb.service import SERVICE
from otterflow.dbms.mariadb.target import MariadbTarget
from otterflow.dbms.mysql_family.access import DatabaseAccess
from otterflow.dbms.snapshot_folder import NOT_POSSIBLE
from otterflow.dbms.target import Target
from otterflow.dbms.values import DataState, Login, Query
from otterflow.remote.job import JobEnd, JobPaths, RemoteJob
from otterflow.remote.script import JobScript
from otterflow.remote.session import Completed, Session
from stack.mariadb import DATABASE, USER
from stack.mariadb_host import MariadbHost
from tests.dbms.mysql_family.conftest import nothing_kept
from tests.remote.conftest import client_of

pytestmark = pytest.mark.integration

Run = Callable[[str], Completed]
Work = Callable[[JobScript], JobEnd]
Open = Callable[[], Query]

SUM_SQL = "SELECT count(*) AS n, CAST(sum(a) AS SIGNED) AS total, max(b) AS last FROM kept"
METHODS = ["dump", "copy"]


def with_method(target: Target, method: str) -> Target:
    record = target.model_dump() | {"snapshot": {"dir": target.snapshot.dir, "method": method}}
    return MariadbTarget.model_validate(record)


@pytest.fixture
def access(clean_host: MariadbHost) -> DatabaseAccess:
    return CLIENT.access(login(clean_host), DATABASE)


def login(host: MariadbHost) -> Login:
    return Login(host.mariadb.host, host.mariadb.port, USER, host.mariadb.password, None, {}, "connection 'x'")


@pytest.fixture
def opened(clean_host: MariadbHost, target: Target) -> Iterator[Open]:
    """SQL in the database that is always there, each time on a connection of its own."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(CLIENT.open_query(login(clean_host), target))


@pytest.fixture
def work(clean_host: MariadbHost) -> Iterator[Work]:
    """Runs a script as a remote job and waits for its end."""
    jobs: list[RemoteJob] = []

    def run_job(script: JobScript) -> JobEnd:
        paths = JobPaths(str(clean_host.work_dir), f"snapshot-{len(jobs)}")
        job = RemoteJob(lambda: Session(lambda: client_of(clean_host.sshd)), paths)
        jobs.append(job)
        job.start_or_attach(script.script, script.files, 300)
        return job.wait(print, poll_s=0.1)

    yield run_job
    for job in jobs:
        job.kill()
        job.cleanup()
        job.close()


@pytest.fixture
def data(clean_host: MariadbHost, opened: Open) -> Iterator[Open]:
    """A database with all sorts of things in it, marked; SQL in it, on a new connection each time."""
    nothing_kept(clean_host)
    query = opened()
    query(f"ALTER DATABASE {DATABASE} CHARACTER SET latin1")

    def inside() -> Query:
        asked = opened()
        asked(f"USE {DATABASE}")
        return asked

    fill = inside()
    fill("CREATE TABLE kept (a INT PRIMARY KEY, b VARCHAR(40) CHARACTER SET utf8mb4, c BLOB, KEY (b))")
    fill("INSERT INTO kept SELECT seq, md5(seq), unhex(md5(seq)) FROM seq_1_to_20000")
    fill("CREATE TABLE `odd ``name` (a INT, FOREIGN KEY (a) REFERENCES kept (a))")
    fill("INSERT INTO `odd ``name` VALUES (7)")
    fill("CREATE TABLE noted (n INT)")
    fill("CREATE TRIGGER t AFTER DELETE ON kept FOR EACH ROW INSERT INTO noted VALUES (OLD.a)")
    fill("CREATE VIEW b_view AS SELECT count(*) AS n FROM kept")
    fill("CREATE VIEW a_view AS SELECT n FROM b_view")
    fill("CREATE PROCEDURE p() SELECT 'it''s; here' AS said")
    DATA.mark(query, DATABASE, "1234", fresh=True)
    yield inside
    clean_host.mariadb.start()
    nothing_kept(clean_host)


def databases(query: Query) -> set[str]:
    rows = query("SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA")
    return {row["name"] for row in rows} - {"mysql", "sys", "information_schema", "performance_schema"}


@pytest.mark.parametrize("method", METHODS)
def test_data_comes_back_as_it_was(
    method: str, run: Run, work: Work, data: Open, target: Target, access: DatabaseAccess, clean_host: MariadbHost,
    session: Session, opened: Open,
) -> None:  # fmt: skip
    target = with_method(target, method)
    before = data()(SUM_SQL)
    assert DATA.snapshot_fingerprint(session, target) is None
    taken = work(DATA.take_snapshot(target, access, "mark-1"))
    assert taken.ok, taken.log_tail
    assert DATA.snapshot_fingerprint(session, target) == "mark-1"
    assert clean_host.mariadb.is_running
    assert DATA.state(opened(), DATABASE).fresh

    alter = data()
    alter("DROP PROCEDURE p")
    alter("SET foreign_key_checks = 0")
    alter("DELETE FROM kept WHERE a % 2 = 0")
    alter("CREATE TABLE added (x INT)")
    alter("CREATE VIEW added_view AS SELECT * FROM added")
    DATA.mark(opened(), DATABASE, "1234", fresh=False)
    clean_host.user.write_file(
        clean_host.mariadb.knobs_file, "[mysqld]\nsort_buffer_size=3M\ninnodb_log_file_size=64M\n"
    )
    if method == "copy":
        assert DATA.changed_since_copy(opened(), session, target) == []
    restored = work(DATA.restore_snapshot(target, access, "mark-1"))
    assert restored.ok, restored.log_tail
    assert clean_host.mariadb.is_running is (method == "dump")
    assert run(SERVICE.start_command(target)).exit_code == 0

    again = data()
    assert again(SUM_SQL) == before
    assert again("SELECT n FROM a_view") == [{"n": 20000}]
    assert again("CALL p()") == [{"said": "it's; here"}]
    assert again("SHOW TABLES LIKE 'added%%'") == []
    assert again("SELECT @@character_set_database AS characters") == [{"characters": "latin1"}]
    assert again("SELECT hex(c) AS c FROM kept WHERE a = 5") == [{"c": "E4DA3B7FBBCE2345D7772B0674A318D5"}]
    again("DELETE FROM kept WHERE a = 1")
    assert again("SELECT n FROM noted") == [{"n": 1}]
    with pytest.raises(Exception, match="foreign key"):
        again("DELETE FROM kept WHERE a = 7")
    assert DATA.state(opened(), DATABASE) == DataState(exists=True, fingerprint="1234", fresh=True, ours=True)
    assert databases(opened()) == {DATABASE}
    if method == "copy":  # the configuration is today's, not the snapshot's
        assert again("SELECT @@sort_buffer_size AS size") == [{"size": 3 * 2**20}]


@pytest.mark.parametrize("method", METHODS)
def test_what_is_kept_may_be_put_back_again_and_again(
    method: str, run: Run, work: Work, data: Open, target: Target, access: DatabaseAccess
) -> None:
    target = with_method(target, method)
    before = data()(SUM_SQL)
    assert work(DATA.take_snapshot(target, access, "m")).ok
    for _ in range(2):
        restored = work(DATA.restore_snapshot(target, access, "m"))
        assert restored.ok, restored.log_tail
        run(SERVICE.start_command(target))
        assert data()(SUM_SQL) == before


@pytest.mark.parametrize("method", METHODS)
def test_another_snapshot_is_never_put_back(
    method: str, work: Work, data: Open, target: Target, access: DatabaseAccess
) -> None:
    target = with_method(target, method)
    assert work(DATA.take_snapshot(target, access, "one")).ok
    data()("CREATE TABLE added (x INT)")
    end = work(DATA.restore_snapshot(target, access, "other"))
    assert end.exit_code == NOT_POSSIBLE
    assert "holds no snapshot other" in end.log_tail
    assert data()("SELECT count(*) AS n FROM added") == [{"n": 0}]


def test_a_database_that_otterflow_has_not_loaded_is_not_touched(
    work: Work, data: Open, target: Target, access: DatabaseAccess, opened: Open
) -> None:
    target = with_method(target, "dump")
    assert work(DATA.take_snapshot(target, access, "m")).ok
    DATA.unmark(opened(), DATABASE)
    for job in (DATA.restore_snapshot(target, access, "m"), DATA.take_snapshot(target, access, "m")):
        end = work(job)
        assert end.exit_code == NOT_POSSIBLE
        assert "is not what otterflow loaded" in end.log_tail
    assert data()("SELECT count(*) AS n FROM kept") == [{"n": 20000}]


def test_a_copy_is_refused_where_it_would_put_back_what_is_somebody_elses(
    work: Work,
    data: Open,
    target: Target,
    access: DatabaseAccess,
    opened: Open,
    clean_host: MariadbHost,
    session: Session,
) -> None:
    query = opened()
    assert DATA.beside_data(query, target) == []
    assert work(DATA.take_snapshot(target, access, "m")).ok
    clean_host.mariadb.sql("CREATE DATABASE `some one's`;")
    try:
        query = opened()
        assert DATA.beside_data(query, target) == ["database some one's"]
        for job in (DATA.restore_snapshot(target, access, "m"), DATA.take_snapshot(target, access, "m")):
            end = work(job)
            assert end.exit_code == NOT_POSSIBLE
            assert "which also holds database some one's" in end.log_tail
        assert clean_host.mariadb.is_running
    finally:
        clean_host.mariadb.sql("DROP DATABASE `some one's`;")
    clean_host.mariadb.sql("CREATE USER late@localhost IDENTIFIED BY 'x';")
    try:
        assert DATA.changed_since_copy(query, session, target) != []
        end = work(DATA.restore_snapshot(target, access, "m"))
        assert end.exit_code == NOT_POSSIBLE
        assert "'late'@'localhost'" in end.log_tail
    finally:
        clean_host.mariadb.sql("DROP USER late@localhost;")
    assert DATA.changed_since_copy(query, session, target) == []
    assert work(DATA.restore_snapshot(target, access, "m")).ok


def test_a_copy_of_another_server_is_not_put_back(
    work: Work, data: Open, target: Target, access: DatabaseAccess, clean_host: MariadbHost
) -> None:
    assert work(DATA.take_snapshot(target, access, "m")).ok
    control = Path(target.snapshot.dir) / f"{target.name}-copy" / "data" / "aria_log_control"
    text = bytearray(control.read_bytes())
    text[8] ^= 255
    control.write_bytes(text)
    end = work(DATA.restore_snapshot(target, access, "m"))
    assert end.exit_code == NOT_POSSIBLE
    assert "is a copy of another server" in end.log_tail
    assert clean_host.mariadb.is_running


def test_after_a_restore_by_copy_that_was_killed_the_next_one_puts_all_right(
    run: Run, work: Work, data: Open, target: Target, access: DatabaseAccess, clean_host: MariadbHost
) -> None:
    before = data()(SUM_SQL)
    assert work(DATA.take_snapshot(target, access, "m")).ok
    clean_host.mariadb.stop()
    folder = Path(target.data_dir)
    folder.rename(f"{folder}.otterflow-old")  # cut off between the two moves of the swap
    clean_host.user.make_dir(Path(f"{folder}.otterflow-new"))
    assert run(DATA.left_on_host_command(target)).stdout.split() == [
        f"{folder}.otterflow-new", f"{folder}.otterflow-old"
    ]  # fmt: skip
    restored = work(DATA.restore_snapshot(target, access, "m"))
    assert restored.ok, restored.log_tail
    assert run(SERVICE.start_command(target)).exit_code == 0
    assert data()(SUM_SQL) == before
    assert run(DATA.left_on_host_command(target)).stdout == ""
    assert run(DATA.remove_snapshots_command(target)).stdout.split() == [f"{target.snapshot.dir}/{target.name}-copy"]


KILL = "kill -KILL $$\n"
CUTS = {
    "when they have changed places": ('sync -f -- "$data"', f'{KILL}sync -f -- "$data"', 20000),
    "between two renames": ('if ! exchange "$aside" "$data"; then', f'if mv -T -- "$data" "$old"; then {KILL}', 0),
}
"""Where a restore by copy is killed: what of its script becomes what, and how many rows there are afterwards."""


@pytest.mark.parametrize("where", CUTS)
def test_a_restore_by_copy_that_is_killed_leaves_a_server_that_starts(
    where: str, run: Run, work: Work, data: Open, target: Target, access: DatabaseAccess
) -> None:
    assert work(DATA.take_snapshot(target, access, "m")).ok
    data()("DELETE FROM noted")
    data()("DROP TABLE `odd ``name`")
    data()("DELETE FROM kept")
    script, (part, instead, rows) = DATA.restore_snapshot(target, access, "m"), CUTS[where]
    assert script.script.count(part) == 1
    assert work(JobScript(script.script.replace(part, instead), script.files)).exit_code == 137
    assert Path(target.data_dir).exists() is (where != "between two renames")
    if not Path(target.data_dir).exists():
        found = CHECKS.problems(
            parse_probe(run(CHECKS.probe_command(target, [])).stdout), target, [], version=None, live=False
        )
        assert f"a restore that was cut off has left it as {target.data_dir}.otterflow-old" in "\n".join(
            map(str, found)
        )
    started = run(SERVICE.start_command(target))
    assert started.exit_code == 0, started.stderr
    assert data()("SELECT count(*) AS n FROM kept") == [{"n": rows}]
    assert work(DATA.restore_snapshot(target, access, "m")).ok
    assert run(DATA.left_on_host_command(target)).stdout == ""
    assert run(SERVICE.start_command(target)).exit_code == 0
    assert data()("SELECT count(*) AS n FROM kept") == [{"n": 20000}]


def test_a_copy_that_has_lost_something_is_not_put_back(
    work: Work, data: Open, target: Target, access: DatabaseAccess, clean_host: MariadbHost
) -> None:
    """The server would not start on it, and what it had would be gone by then."""
    assert work(DATA.take_snapshot(target, access, "m")).ok
    former, kept = data()(SUM_SQL), Path(target.snapshot.dir) / f"{target.name}-copy" / "data"
    tablespace, (index, *_) = kept / "ibdata1", (kept / "mysql").glob("*.MAI")
    whole = tablespace.read_bytes()
    tablespace.write_bytes(whole[: 2**20])
    index.unlink()
    end = work(DATA.restore_snapshot(target, access, "m"))
    assert end.exit_code == NOT_POSSIBLE, end.log_tail
    assert f"./ibdata1, ./mysql/{index.name}; nothing was touched" in end.log_tail
    assert clean_host.mariadb.is_running
    assert data()(SUM_SQL) == former


def test_a_table_that_cannot_be_read_back_leaves_the_database_as_it_is(
    work: Work, data: Open, target: Target, access: DatabaseAccess, opened: Open
) -> None:
    target = with_method(target, "dump")
    assert work(DATA.take_snapshot(target, access, "m")).ok
    data()("CREATE TABLE added (x INT)")
    files = (Path(target.snapshot.dir) / f"{target.name}-dump" / "data").glob("*.sql.gz")
    texts = {file: gzip.decompress(file.read_bytes()) for file in files}
    (kept,) = (file for file, text in texts.items() if b"INSERT INTO `kept`" in text)
    kept.write_bytes(gzip.compress(texts[kept].replace(b"(7,", b"(8,")))  # a key twice
    end = work(DATA.restore_snapshot(target, access, "m"))
    assert not end.ok
    assert "INSERT INTO" not in end.log_tail  # nor any of the data
    assert data()("SELECT count(*) AS n FROM added") == [{"n": 0}]
    assert databases(opened()) == {DATABASE}


GRANTS = """
CREATE USER few@'%' IDENTIFIED BY 'few';
GRANT PROCESS, CONNECTION ADMIN ON *.* TO few@'%';
GRANT ALL ON `bench`.* TO few@'%';
GRANT ALL ON `bench\\_otterflow\\_new`.* TO few@'%';
GRANT ALL ON `bench\\_otterflow\\_old`.* TO few@'%';
"""
"""What the guide says that a user needs."""


def test_a_user_with_the_guides_privileges_can_do_all_of_it(
    work: Work, data: Open, target: Target, clean_host: MariadbHost, opened: Open
) -> None:
    server = clean_host.mariadb
    server.sql(GRANTS)
    target = with_method(target, "dump")
    few = Login(server.host, server.port, "few", "few", None, {}, "connection 'x'")
    access = CLIENT.access(few, DATABASE)
    query = opened()
    try:
        query(f"USE {DATABASE}")
        for statement in ("DROP TRIGGER t", "DROP PROCEDURE p", "DROP VIEW a_view", "DROP VIEW b_view"):
            query(statement)  # the other user's
        busy = data()
        busy("BEGIN")
        busy("SELECT * FROM noted")
        with CLIENT.open_query(few, target) as asked:
            assert CHECKS.may_ask(asked, target, live=False).problems == []
            asked(f"CREATE VIEW {DATABASE}.own AS SELECT count(*) AS n FROM {DATABASE}.kept")
            DATA.set_aside(asked, DATABASE)
            DATA.put_back(asked, DATABASE)
            assert DATA.left_in_server(asked) == ["REVOKE ALL PRIVILEGES, GRANT OPTION FROM 'few'@'%';"]
        for job in (DATA.take_snapshot(target, access, "m"), DATA.restore_snapshot(target, access, "m")):
            end = work(job)
            assert end.ok, end.log_tail
        with CLIENT.open_query(few, target, database=DATABASE) as asked:
            assert asked("SELECT n FROM own") == [{"n": 20000}]
            DATA.set_aside(asked, DATABASE)
            DATA.keep_loaded(asked, DATABASE, "new")
            assert DATA.remove_databases(asked, DATABASE) == [DATABASE]
    finally:
        server.sql("DROP USER few@'%';")


@pytest.mark.parametrize("packed", ["", ".gz"])
def test_a_users_own_dump_is_looked_at_and_loaded(
    packed: str, run: Run, work: Work, data: Open, target: Target, access: DatabaseAccess, opened: Open,
    clean_host: MariadbHost, tmp_path: Path,
) -> None:  # fmt: skip
    plain = clean_host.root / "own.sql"
    socket = f"--socket={clean_host.mariadb.socket}"
    whole = clean_host.user.command(
        "mariadb-dump", "--no-defaults", socket, f"--user={clean_host.user.name}", "--routines", DATABASE
    )
    made = subprocess.run(whole, check=False, capture_output=True, cwd="/")
    assert made.returncode == 0, made.stderr
    plain.write_bytes(made.stdout)
    before = data()(SUM_SQL)
    if packed:
        subprocess.run(["gzip", "-kf", plain], check=True)
    dump = f"{plain}{packed}"
    looked = run(DATA.look_at_dump_command(dump, target))
    assert looked.exit_code == 0, looked.stderr
    assert int(looked.stdout) > 100_000
    query = opened()
    DATA.set_aside(query, DATABASE)
    loaded = work(DATA.load_dump(target, access, dump))
    assert loaded.ok, loaded.log_tail
    DATA.keep_loaded(query, DATABASE, "own")
    assert data()(SUM_SQL) == before
    assert data()("SELECT n FROM a_view") == [{"n": 20000}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "is not there"),
        ("", "is empty"),
        ("-- a dump\nCREATE DATABASE /*!32312 IF NOT EXISTS*/ `other`;\nUSE `other`;\n", "without --databases"),
    ],
)
def test_a_dump_that_cannot_be_loaded_is_refused_with_the_reason(
    text: str | None, said: str, run: Run, target: Target, clean_host: MariadbHost
) -> None:
    dump = clean_host.root / "bad.sql"
    dump.unlink(missing_ok=True)
    if text is not None:
        dump.write_text(text)
        dump.chmod(0o644)
    looked = run(DATA.look_at_dump_command(str(dump), target))
    assert looked.exit_code != 0
    assert said in looked.stderr


def test_the_copys_size_is_known_before(run: Run, target: Target) -> None:
    size = int(run(DATA.data_dir_size_command(target)).stdout)
    assert size > 50 * 2**20
    needed = DATA.space_needed(target, database_bytes=10, data_dir_bytes=size, loaded=True, restores=True)
    assert needed[target.snapshot.dir] >= size
