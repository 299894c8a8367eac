from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from psycopg.rows import dict_row

from otterflow.dbms.host_checks import space_paths
from otterflow.dbms.host_probe import parse_probe
from otterflow.dbms.postgresql.checks import (
    host_facts_command,
    problems,
    required_programs,
    space_problems,
)
from otterflow.dbms.postgresql.privileges import limits_of, missing_privileges, not_owned, privileges_sql
from otterflow.dbms.postgresql.probe import probe_command
from otterflow.dbms.postgresql.settings import DIRECTORIES_SQL
from otterflow.dbms.postgresql.snapshot import space_needed
from otterflow.dbms.postgresql.target import PostgresqlTarget
from otterflow.dbms.target import Target
from otterflow.remote.host_facts import parse_host_facts
from otterflow.remote.proc import parse_sample, sample_command
from otterflow.remote.session import Completed
from stack.host import DatabaseHost
from tests.dbms.conftest import Query

pytestmark = pytest.mark.integration

Run = Callable[[str], Completed]


def probed(run: Run, query: Query, target: Target) -> list[str]:
    (where,) = query(DIRECTORIES_SQL)
    programs = [*required_programs(target), "pgbench"]
    done = run(probe_command(target, programs, data_directory=where["data_directory"]))
    assert (done.exit_code, done.stderr) == (0, "")
    return [str(p) for p in problems(parse_probe(done.stdout), target, programs, server_version=150018)]


@pytest.mark.parametrize("method", ["dump", "copy"])
def test_a_target_in_order_has_no_problem(run: Run, query: Query, target: Target, method: str) -> None:
    snapshot = {"dir": target.snapshot.dir, "method": method}
    target = PostgresqlTarget.model_validate(target.model_dump() | {"snapshot": snapshot})
    assert probed(run, query, target) == []


def test_all_that_is_wrong_comes_at_once(run: Run, query: Query, target: Target) -> None:
    wrong = target.model_copy(
        update={
            "bin_dir": "/opt/nothing",
            "data_dir": "/srv",
            "log_file": "/root/none.log",
            "knobs_file": "/etc/otterflow-none/knobs.conf",
            "snapshot": target.snapshot.model_copy(update={"dir": "/root/snapshots"}),
        }
    )
    fields = [p.partition(":")[0] for p in probed(run, query, wrong)]
    assert fields == ["bin_dir", "snapshot.dir", "knobs_file", "data_dir", "log_file"]


def test_a_knobs_folder_that_the_server_cannot_enter_is_told_and_not_an_include_line(
    run: Run, query: Query, target: Target, clean_host: DatabaseHost
) -> None:
    folder = clean_host.user.make_dir(clean_host.root / "private", 0o700)
    # /etc is root's: to the probe, a server of another user than the one who came over SSH.
    changed = target.model_copy(update={"data_dir": "/etc", "knobs_file": f"{folder}/conf/knobs.conf"})
    clean_host.user.make_dir(folder / "conf", 0o755)
    (problem,) = [p for p in probed(run, query, changed) if p.startswith("knobs_file")]
    assert problem.startswith(f"knobs_file: {folder} is closed to the server's user 'root'")
    assert problem.endswith(f"chmod o+x {folder}")
    clean_host.user.make_dir(folder, 0o711)
    assert not [p for p in probed(run, query, changed) if p.startswith("knobs_file")]


def test_a_folder_of_the_servers_own_configuration_is_not_to_be_given_away(
    run: Run, query: Query, target: Target
) -> None:
    (problem,) = probed(run, query, target.model_copy(update={"knobs_file": "/etc/knobs.conf"}))
    assert problem.startswith("knobs_file: its folder /etc is not writable for")
    assert "leave that as it is, and name a folder of otterflow's own" in problem


def test_facts_are_of_the_servers_process(run: Run, target: Target, clean_host: DatabaseHost) -> None:
    done = run(host_facts_command(target))
    report = parse_host_facts(done.stdout)
    assert report.scope == "server"
    assert f"server {clean_host.cluster.pid}" in done.stdout
    assert set(report.free_bytes) == set(space_paths(target))
    assert space_problems(report, target, space_needed(target, database_bytes=10**6, data_dir_bytes=0)) == []
    (problem,) = space_problems(report, target, space_needed(target, database_bytes=10**15, data_dir_bytes=0))
    assert target.snapshot.dir in problem.found


def test_the_server_is_found_by_its_command_line_where_its_folder_is_closed(
    run: Run, target: Target, clean_host: DatabaseHost
) -> None:
    # A folder of mode 700 of another user looks like a data directory without a readable postmaster.pid.
    command = host_facts_command(target).replace("postmaster.pid", "closed")
    assert f"server {clean_host.cluster.pid}" in run(command).stdout


def test_a_sample_of_the_host(run: Run) -> None:
    assert parse_sample(run(sample_command()).stdout).cores >= 1


def test_privileges_of_a_superuser_and_of_a_plain_user(query: Query, target: Target, clean_host: DatabaseHost) -> None:
    (row,) = query(privileges_sql("bench"))
    assert missing_privileges(row, target) == []
    assert limits_of(row) == []
    query("CREATE ROLE plain LOGIN PASSWORD 'plain'")
    try:
        dsn = psycopg.conninfo.make_conninfo(clean_host.cluster.dsn(), user="plain", password="plain")
        with psycopg.connect(dsn, row_factory=dict_row) as connection:
            (row,) = connection.execute(privileges_sql("bench")).fetchall()
            (absent,) = connection.execute(privileges_sql("no such database")).fetchall()
        assert len(missing_privileges(row, target)) == 3
        assert len(limits_of(row)) == 1
        assert absent["owns_database"] is None
        query("GRANT pg_monitor, pg_signal_backend TO plain")
        query("ALTER ROLE plain CREATEDB")
        with psycopg.connect(dsn, row_factory=dict_row) as connection:
            (row,) = connection.execute(privileges_sql("bench")).fetchall()
        assert missing_privileges(row, target) == []
        (problem,) = not_owned(row, target)
        assert 'ALTER DATABASE "bench" OWNER TO "plain"' in problem.advice
    finally:
        query("DROP OWNED BY plain")
        query("DROP ROLE plain")
