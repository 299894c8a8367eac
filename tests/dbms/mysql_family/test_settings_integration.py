"""What a real MariaDB says of its settings, and what becomes of a value that it does not take as it is."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from otterflow.dbms.mariadb.checks import CHECKS
from otterflow.dbms.mariadb.service import SERVICE
from otterflow.dbms.mariadb.settings import ORIGINS, SETTINGS
from otterflow.dbms.mysql_family import spelling
from otterflow.dbms.mysql_family.read_back import what_became_of
from otterflow.dbms.mysql_family.settings import flavour
from otterflow.dbms.target import Target
from otterflow.errors import InvalidInput
from otterflow.knobs.space import Config
from otterflow.remote.host_facts import parse_host_facts
from otterflow.remote.session import Completed, Session
from stack.mariadb_host import MariadbHost

pytestmark = pytest.mark.integration

Query = Callable[..., list[dict[str, Any]]]


def ask(host: MariadbHost) -> Query:
    """SQL on a connection of its own each time, so that it outlives a restart."""

    def query(sql: str, parameters: Any = None) -> list[dict[str, Any]]:
        with host.mariadb.connect() as connection, connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall()) if cursor.description else []

    return query


def test_every_setting_is_read_and_kept_and_spelled(query: Query, mariadb: object) -> None:
    live = SETTINGS.live_settings(query)
    assert len(live) > 600
    assert (SETTINGS.major(live), SETTINGS.connections(live)) == (1011, live["max_connections"].value)
    for name, setting in live.items():
        assert SETTINGS.from_row(json.loads(json.dumps(setting.as_row()))) == setting
        assert spelling.parse(spelling.display(setting.value, setting), setting) == setting.value, name
    pool = live["innodb_buffer_pool_size"]
    assert (pool.value, pool.unit, pool.vartype, pool.needs_restart) == (128 * 2**20, "B", "integer", False)
    assert live["innodb_flush_method"].needs_restart
    assert "O_DIRECT" in live["innodb_flush_method"].enumvals
    assert "report_password" not in live


def test_it_is_known_for_what_it_is(query: Query, mariadb_host: MariadbHost) -> None:
    version = SETTINGS.version(query)
    assert (version.major, version.text.split()[0]) == (1011, "MariaDB")
    system, folder = SETTINGS.identity(query)
    assert folder == str(mariadb_host.mariadb.data_dir)
    assert len(system) == 40


def test_the_server_of_another_product_is_refused() -> None:
    assert [flavour(*told).value for told in (("8.4.0", "MySQL Community"), ("8.0.1-2", "Percona Server (GPL)"))] == [
        "MySQL", "Percona Server",
    ]  # fmt: skip
    with pytest.raises(InvalidInput, match=r"the server is MySQL 8\.4\.0"):
        SETTINGS.version(lambda sql: [{"version": "8.4.0", "comment": "MySQL Community Server - GPL"}])


def test_what_became_of_each_value_is_told_apart(
    clean_host: MariadbHost, target: Target, run: Callable[[str], Completed], caplog: pytest.LogCaptureFixture
) -> None:
    query = ask(clean_host)
    server = clean_host.mariadb
    wanted: Config = {
        "innodb_io_capacity": 5000, "innodb_io_capacity_max": 1000, "tmp_table_size": 100_000_001,
        "innodb_buffer_pool_size": 100_000_001, "table_open_cache": 1_000_000, "sort_buffer_size": 33_333,
        "long_query_time": 0.1234567, "innodb_flush_method": "fsync", "key_buffer_size": 16 * 2**20,
    }  # fmt: skip
    text = SETTINGS.render(wanted, SETTINGS.live_settings(query), header="a test")
    clean_host.user.write_file(server.knobs_file, text, 0o644)
    last = server.knobs_file.with_name("zzz-later.cnf")
    clean_host.user.write_file(last, "[mariadb]\nsort-buffer-size = 1M\n", 0o644)
    try:
        assert run(SERVICE.restart_command(target)).exit_code == 0
        query("SET GLOBAL key_buffer_size = 8388608")
        live = SETTINGS.live_settings(query)
        with caplog.at_level(logging.WARNING):
            problems = {p.field: p.advice for p in SETTINGS.read_back(wanted, live, str(server.knobs_file))}
        assert problems.keys() == {"sort_buffer_size", "key_buffer_size"}
        assert str(last) in problems["sort_buffer_size"]
        assert "SET GLOBAL" in problems["key_buffer_size"]
        became = {
            name: what_became_of(wanted[name], live[name], ORIGINS)
            for name in ("innodb_io_capacity", "tmp_table_size", "innodb_buffer_pool_size", "table_open_cache")
        }
        assert became == {
            "innodb_io_capacity": "clamped", "tmp_table_size": "rounded", "innodb_buffer_pool_size": "rounded",
            "table_open_cache": "computed",
        }  # fmt: skip
        assert "innodb_io_capacity: wanted 5000, in force is 1000; the server clamped it" in caplog.text
    finally:
        last.unlink()


def test_a_knobs_file_that_is_not_read_is_a_problem(clean_host: MariadbHost, target: Target) -> None:
    query = ask(clean_host)
    clean_host.user.write_file(clean_host.mariadb.knobs_file, "[mysqld]\nsort_buffer_size = 1M\n", 0o666)
    clean_host.mariadb.restart()  # a file that all may write is passed over
    [problem] = SETTINGS.read_back({"sort_buffer_size": 2**20}, SETTINGS.live_settings(query), target.knobs_file)
    assert "was not read" in problem.advice


def test_what_would_win_over_the_knobs_file_is_named(clean_host: MariadbHost, target: Target, session: Session) -> None:
    query = ask(clean_host)
    live = SETTINGS.live_settings(query)
    assert SETTINGS.overrides(query, session, target, live, {"sort_buffer_size", "port"}, "", restarts=True) == []
    last = clean_host.mariadb.knobs_file.with_name("zzz-later.cnf")
    clean_host.user.write_file(last, "[mysqld]\nsort-buffer-size = 1M\n[client]\nport = 1\n", 0o644)
    query("SET GLOBAL read_buffer_size = 8192")
    try:
        found = SETTINGS.overrides(
            query, session, target, SETTINGS.live_settings(query), {"sort_buffer_size", "port", "read_buffer_size"}, "",
            restarts=True,
        )  # fmt: skip
        assert {p.field for p in found} == {"sort_buffer_size", "read_buffer_size"}
        assert any(f"in {last} line 2" in p.found for p in found)
    finally:
        last.unlink()
        query("SET GLOBAL read_buffer_size = DEFAULT")
    elsewhere = target.model_copy(update={"knobs_file": "/srv/elsewhere/zz-otterflow.cnf"})
    [problem] = SETTINGS.overrides(query, session, elsewhere, live, set(), "", restarts=True)
    assert "!includedir /srv/elsewhere" in problem.advice


def test_a_host_as_it_should_be_has_no_problem(clean_host: MariadbHost, target: Target, session: Session) -> None:
    query = ask(clean_host)
    place = SETTINGS.directories(query)["data_directory"]
    version = SETTINGS.version(query).number
    assert CHECKS.look_at_host(session, target, live=False, data_directory=place, version=version) == []
    assert CHECKS.may_ask(query, target, live=False).problems == []
    report = parse_host_facts(session.run(CHECKS.host_facts_command(target), what="looking", timeout_s=60).stdout)
    assert report.scope == "server"


def test_what_is_wrong_with_a_host_is_named(clean_host: MariadbHost, target: Target, session: Session) -> None:
    wrong = target.model_copy(update={"data_dir": "/srv/elsewhere", "bin_dir": "/srv/bin", "log_file": "/srv/log"})
    place = str(clean_host.mariadb.data_dir)
    found = CHECKS.look_at_host(session, wrong, live=False, data_directory=place, version=100519)
    assert {p.field for p in found} >= {"data_dir", "bin_dir", "log_file", "server", "snapshot.method"}


def test_a_user_that_lacks_rights_is_told_what_to_grant(clean_host: MariadbHost, target: Target) -> None:
    import pymysql

    query = ask(clean_host)
    query("CREATE OR REPLACE USER poor@'%' IDENTIFIED BY 'x'")
    try:
        server = clean_host.mariadb
        with pymysql.connect(
            host=server.host, port=server.port, user="poor", password="x", cursorclass=pymysql.cursors.DictCursor
        ) as connection, connection.cursor() as cursor:  # fmt: skip

            def poor(sql: str, parameters: Any = None) -> list[dict[str, Any]]:
                cursor.execute(sql, parameters)
                return list(cursor.fetchall())

            assert len(SETTINGS.live_settings(poor)) > 600
            for shown in ("nothing of others", "what everybody may do"):
                [observe] = CHECKS.may_ask(poor, target, live=True).problems
                assert observe.advice == "GRANT PROCESS ON *.* TO `poor`@`%`", shown
                assert len(CHECKS.may_ask(poor, target, live=False).problems) > 1, shown
                query("GRANT SELECT ON mysql.* TO poor@'%'")
            for problem in CHECKS.may_ask(poor, target, live=False).problems:
                for statement in problem.advice.split("; "):
                    query(statement)
            assert CHECKS.may_ask(poor, target, live=False).problems == []
    finally:
        query("DROP USER poor@'%'")
