"""The benchmark's data and the server's counters on the family's other releases, where they can be had."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from otterflow.dbms.mariadb.client import CLIENT as MARIADB_CLIENT
from otterflow.dbms.mariadb.data import DATA as MARIADB_DATA
from otterflow.dbms.mysql.client import CLIENT as MYSQL_CLIENT
from otterflow.dbms.mysql.data import DATA as MYSQL_DATA
from otterflow.dbms.mysql_family import metrics
from otterflow.dbms.mysql_family.client import Client
from otterflow.dbms.mysql_family.data import FamilyData
from otterflow.dbms.mysql_family.database import beside, create_sql, drop_sql
from otterflow.dbms.target import Target
from otterflow.dbms.values import DataState, Login, NotThere, Query, TookTooLong
from stack.suite_server import SuiteServer
from tests.dbms.mysql_family.conftest import target_of
from tests.dbms.mysql_family.servers import Server, running

pytestmark = pytest.mark.integration

PARTS: dict[str, tuple[Client, FamilyData]] = {
    "mariadb": (MARIADB_CLIENT, MARIADB_DATA),
    "mysql": (MYSQL_CLIENT, MYSQL_DATA),
}


class Release:
    """A server of another release by its socket, and the parts that drive it."""

    def __init__(self, server: Server, stack: ExitStack) -> None:
        assert isinstance(server.private, SuiteServer)
        self.private = server.private
        self.name = server.dbms.product.name
        self.client, self.data = PARTS[self.name]
        self.login = Login(str(self.private.socket), None, "root", None, None, {}, "connection 'x'")
        self._stack = stack

    def query(self, database: str | None = None) -> Query:
        return self._stack.enter_context(self.client.open_query(self.login, target_of(), database=database))


@pytest.fixture(scope="module", params=["mariadb-11", "mysql-9"])
def release(request: pytest.FixtureRequest) -> Iterator[Release]:
    with running(request.param) as server, ExitStack() as stack:
        yield Release(server, stack)


@pytest.fixture
def bench(release: Release) -> Iterator[Callable[[], Query]]:
    """A marked database; SQL in it, on a new connection each time."""
    maintenance = release.query()
    maintenance(create_sql("bench"))

    def inside() -> Query:
        return release.query("bench")

    query = inside()
    query("CREATE TABLE parent (id INT PRIMARY KEY, v VARCHAR(20))")
    query("CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id))")
    query("CREATE TABLE noted (n INT)")
    query("INSERT INTO parent VALUES (1, 'a'), (2, 'b')")
    query("CREATE TRIGGER t AFTER INSERT ON parent FOR EACH ROW INSERT INTO noted VALUES (NEW.id)")
    query("CREATE VIEW b_view AS SELECT * FROM parent")
    query("CREATE VIEW a_view AS SELECT count(*) AS n FROM b_view")
    release.data.mark(maintenance, "bench", "abc", fresh=True)
    yield inside
    for name in ("bench", *beside("bench")):
        maintenance(drop_sql(name))


def is_whole(release: Release, query: Query) -> None:
    assert query("SELECT count(*) AS n FROM parent") == [{"n": 2}]
    with pytest.raises(Exception, match="foreign key"):
        query("INSERT INTO child VALUES (1, 77)")
    assert query("SELECT n FROM a_view") == [{"n": 2}]
    query("INSERT INTO parent VALUES (3, 'c')")
    assert query("SELECT n FROM noted") == [{"n": 3}]
    query("DELETE FROM noted")
    query("DELETE FROM parent WHERE id = 3")


def test_the_database_gives_way_and_comes_back(release: Release, bench: Callable[[], Query]) -> None:
    query = release.query()
    release.data.set_aside(query, "bench")
    assert release.data.state(query, "bench").fingerprint == "loading"
    bench()("CREATE TABLE parent (half INT)")
    release.data.put_back(query, "bench")
    assert release.data.state(query, "bench") == DataState(exists=True, fingerprint="abc", fresh=True, ours=True)
    is_whole(release, bench())
    assert release.data.foreign(bench()) == "3 tables"
    assert release.data.size_bytes(query, "bench") > 0
    assert release.data.beside_data(query, target_of()) == []


def test_a_dump_is_put_back(release: Release, bench: Callable[[], Query], tmp_path: Path) -> None:
    target = _with_programs(release, tmp_path)
    access = release.client.access(release.login, "bench")
    for job in (
        release.data.take_snapshot(target, access, "m"),
        release.data.restore_snapshot(target, access, "m"),
        release.data.restore_snapshot(target, access, "m"),
    ):
        for name, text in job.files.items():
            assert isinstance(text, str)
            (tmp_path / name).write_text(text)
        done = subprocess.run(["bash", "-c", job.script], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        is_whole(release, bench())
        state = release.data.state(release.query(), "bench")
        assert state == DataState(exists=True, fingerprint="abc", fresh=True, ours=True)
        bench()("CREATE TABLE added (a INT)")


def _with_programs(release: Release, folder: Path) -> Target:
    """A target whose `bin_dir` has the release's programs, each through its own loader."""
    programs = release.private.programs
    product = release.client.product
    bin_dir = folder / "bin"
    bin_dir.mkdir()
    for name in (product.client, product.dump):
        if not (programs.root / "usr/bin" / name).exists():
            # The package that is fetched for the server lacks it; this machine's own speaks to it as well.
            own = shutil.which(name)
            assert own is not None
            (bin_dir / name).symlink_to(own)
            continue
        command = shlex.join(programs.command(f"usr/bin/{name}"))
        (bin_dir / name).write_text(f'#!/bin/bash\nexec {command} "$@"\n')
        (bin_dir / name).chmod(0o755)
    snapshot = {"dir": str(folder / "snapshots"), "method": "dump"}
    return target_of(dbms=release.name, bin_dir=str(bin_dir), snapshot=snapshot)


def test_counters_over_a_window(release: Release, bench: Callable[[], Query]) -> None:
    query = bench()
    if release.name == "mysql":  # else it is not among the busiest ever, which are the other tests'
        query("TRUNCATE TABLE performance_schema.events_statements_summary_by_digest")
    before = metrics.counters(query)
    for _ in range(20):
        query("BEGIN")
        query("SELECT * FROM parent")
        query("COMMIT")
    time.sleep(0.5)
    after = json.loads(json.dumps(metrics.counters(query)))
    window = metrics.window_between(before, after)
    assert window.reset == []
    assert window.metrics["global_status.com_commit"] * window.seconds == pytest.approx(20)
    assert len(before["sources"]["global_status"]) > 300
    assert len(before["sources"]["innodb_metrics"]) > 30
    assert {"write_debt.redo_bytes", "write_debt.dirty_bytes_growth"} <= set(window.metrics)
    if release.name == "mysql":  # whose performance schema is on by default
        assert "SELECT * FROM `parent`" in window.queries.values()


def test_a_users_query_has_its_time_limit(release: Release, bench: Callable[[], Query]) -> None:
    slow = "SELECT count(*) AS n FROM " + ", ".join(f"information_schema.COLUMNS AS c{i}" for i in range(4))
    with pytest.raises(TookTooLong):
        release.client.first_rows(bench(), slow, most=2, timeout_s=0.5)
    with pytest.raises(NotThere):
        release.client.first_rows(bench(), "SELECT * FROM nothing", most=2, timeout_s=5)
    assert release.client.first_rows(bench(), "SELECT v FROM parent ORDER BY id", most=1, timeout_s=5) == [{"v": "a"}]
