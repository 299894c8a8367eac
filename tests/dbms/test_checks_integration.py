from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from psycopg.rows import dict_row

from otterflow.dbms.postgresql.checks import problems, required_programs, space_paths, space_problems
from otterflow.dbms.postgresql.privileges import limits_of, missing_privileges, privileges_sql
from otterflow.dbms.postgresql.probe import parse_probe, probe_command
from otterflow.dbms.postgresql.settings import DIRECTORIES_SQL
from otterflow.remote.host_facts import host_facts_command, parse_host_facts
from otterflow.remote.proc import parse_sample, sample_command
from otterflow.remote.session import Completed
from otterflow.target import Target
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
    target = Target.model_validate(target.model_dump() | {"snapshot": {"dir": target.snapshot.dir, "method": method}})
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


def test_facts_are_of_the_servers_process(run: Run, target: Target, clean_host: DatabaseHost) -> None:
    done = run(host_facts_command(target.data_dir, space_paths(target)))
    report = parse_host_facts(done.stdout)
    assert report.scope == "server"
    assert f"server {clean_host.cluster.pid}" in done.stdout
    assert set(report.free_bytes) == set(space_paths(target))
    assert space_problems(report, target, database_bytes=10**6, data_dir_bytes=None) == []
    (problem,) = space_problems(report, target, database_bytes=10**15, data_dir_bytes=None)
    assert target.snapshot.dir in problem.found


def test_the_server_is_found_by_its_command_line_where_its_folder_is_closed(
    run: Run, target: Target, clean_host: DatabaseHost
) -> None:
    # A folder of mode 700 of another user looks like a data directory without a readable postmaster.pid.
    command = host_facts_command(target.data_dir).replace("$data_dir/postmaster.pid", "$data_dir/closed")
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
            (row,) = connection.execute(privileges_sql("bench")).fetchall()  # type: ignore[arg-type]
            (absent,) = connection.execute(privileges_sql("no such database")).fetchall()  # type: ignore[arg-type]
        assert len(missing_privileges(row, target)) == 4
        assert len(limits_of(row)) == 1
        assert absent["owns_database"] is None
        query("GRANT pg_monitor, pg_signal_backend TO plain")
        query("ALTER ROLE plain CREATEDB")
        with psycopg.connect(dsn, row_factory=dict_row) as connection:
            (row,) = connection.execute(privileges_sql("bench")).fetchall()  # type: ignore[arg-type]
        assert [p.advice for p in missing_privileges(row, target)] == ['ALTER DATABASE "bench" OWNER TO "plain"']
    finally:
        query("DROP OWNED BY plain")
        query("DROP ROLE plain")
