"""Knobs of a real MariaDB that are changed while it runs, and what is left to a start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pymysql
import pytest

from otterflow.dbms.mariadb.checks import CHECKS
from otterflow.dbms.mariadb.service import SERVICE
from otterflow.dbms.mariadb.settings import SETTINGS
from otterflow.dbms.mysql.service import SERVICE as MYSQL_SERVICE
from otterflow.dbms.mysql_family.rows import AT_A_START
from otterflow.dbms.target import Target
from otterflow.errors import MachineryFault, ServerCrashed
from otterflow.remote.session import Session
from stack.mariadb_host import MariadbHost
from tests.dbms.mysql_family.servers import as_asked

Query = Callable[..., list[dict[str, Any]]]

SET = ("innodb_io_capacity", "innodb_io_capacity_max", "innodb_flush_neighbors", "table_open_cache", "query_cache_size",
       "sql_mode")  # fmt: skip


@pytest.fixture
def changing(clean_host: MariadbHost) -> Iterator[Query]:
    """SQL whose SET GLOBAL is taken back."""
    with clean_host.mariadb.connect() as connection, connection.cursor() as cursor:
        query = as_asked(cursor)
        before = SETTINGS.live_settings(query)
        yield query
        for name in SET:
            query(f"SET GLOBAL `{name}` = %s", [before[name].value])


@pytest.mark.integration
def test_what_is_global_and_dynamic_comes_into_force_and_nothing_else(changing: Query) -> None:
    live = SETTINGS.live_settings(changing)
    found = takes(changing)
    assert {"innodb_io_capacity", "table_open_cache", "innodb_adaptive_hash_index", "max_connections"} <= found
    assert found.isdisjoint({"sort_buffer_size", "innodb_flush_method", "innodb_log_buffer_size", *AT_A_START})
    capacity, most = live["innodb_io_capacity"].value, live["innodb_io_capacity_max"].value
    assert isinstance(capacity, int)
    assert isinstance(most, int)
    wanted = {
        "innodb_io_capacity": most + 1000, "innodb_io_capacity_max": most + 2000,  # the first is refused before this
        "innodb_flush_neighbors": 0, "table_open_cache": 777, "query_cache_size": 2**20 + 1,
    }  # fmt: skip
    SERVICE.reload(changing, wanted)
    after = SETTINGS.live_settings(changing)
    assert after["innodb_io_capacity"].value == most + 1000
    assert after["innodb_io_capacity_max"].value == most + 2000
    assert (after["innodb_flush_neighbors"].value, after["table_open_cache"].value) == (0, 777)
    assert after["query_cache_size"].value == 2**20
    assert SETTINGS.read_back(wanted, after, "/etc/knobs.cnf") == []
    with pytest.raises(MachineryFault, match="other values than wanted of sort_buffer_size, innodb_buffer_pool_size,"):
        SERVICE.reload(changing, {"table_open_cache": 778, "sort_buffer_size": 2**20, "innodb_buffer_pool_size": 2**30})
    assert SETTINGS.live_settings(changing)["table_open_cache"].value == 777, "nothing is done by halves"
    SERVICE.reload(changing, {"innodb_io_capacity": capacity, "innodb_io_capacity_max": most})
    back = SETTINGS.live_settings(changing)
    assert (back["innodb_io_capacity"].value, back["innodb_io_capacity_max"].value) == (capacity, most)


@pytest.mark.integration
def test_a_value_beyond_a_limit_is_refused_and_not_cut_to_it(changing: Query) -> None:
    before = SETTINGS.live_settings(changing)["innodb_io_capacity"].value
    with pytest.raises(ServerCrashed, match="refuses the configuration: innodb_io_capacity = 1, of which it made 100"):
        SERVICE.reload(changing, {"innodb_io_capacity": 1})
    SERVICE.reload(changing, {"innodb_io_capacity": before})
    with pytest.raises(ServerCrashed, match=r"refuses the configuration: innodb_flush_neighbors = often: .*Incorrect"):
        SERVICE.reload(changing, {"innodb_flush_neighbors": "often"})


@pytest.mark.integration
def test_a_user_who_may_not_is_told_and_every_change_takes_a_restart(clean_host: MariadbHost, target: Target) -> None:
    with clean_host.mariadb.connect() as connection, connection.cursor() as cursor:
        query = as_asked(cursor)
        assert CHECKS.may_ask(query, target, live=True).limits == []
        query("CREATE OR REPLACE USER `po@or`@'%' IDENTIFIED BY 'x'")
        query("GRANT SELECT ON mysql.* TO `po@or`@'%'")  # so it is shown what everybody may do
        try:
            with as_poor(clean_host) as poor:
                assert takes(poor) == set()
                [limit] = CHECKS.may_ask(poor, target, live=True).limits
                assert CHECKS.may_ask(poor, target, live=False).limits == []
                with pytest.raises(
                    MachineryFault, match="other values than wanted of innodb_io_capacity, which this user"
                ):
                    SERVICE.reload(poor, {"innodb_io_capacity": 345})
            query("GRANT SUPER ON *.* TO `po@or`@'%'")
            with as_poor(clean_host) as poor:
                some = takes(poor)
            assert "innodb_io_capacity" in some
            assert "thread_pool_stall_limit" not in some, "which takes more than SUPER since 11.0"
            query(limit.advice)
            with as_poor(clean_host) as poor:
                assert takes(poor) > some
                assert "thread_pool_stall_limit" in takes(poor)
                assert CHECKS.may_ask(poor, target, live=True).limits == []
        finally:
            query("DROP USER `po@or`@'%'")


@pytest.mark.integration
def test_the_rights_of_a_role_are_not_shown_and_so_do_not_count(clean_host: MariadbHost) -> None:
    with clean_host.mariadb.connect() as connection, connection.cursor() as cursor:
        query = as_asked(cursor)
        query("CREATE OR REPLACE USER `po@or`@'%' IDENTIFIED BY 'x'")
        query("CREATE OR REPLACE ROLE changer")
        try:
            query("GRANT SUPER ON *.* TO changer")
            query("GRANT changer TO `po@or`@'%'")
            with as_poor(clean_host) as poor:
                poor("SET ROLE changer")
                assert takes(poor) == set()
        finally:
            query("DROP USER `po@or`@'%'")
            query("DROP ROLE changer")


@contextmanager
def as_poor(host: MariadbHost) -> Iterator[Query]:
    server = host.mariadb
    with pymysql.connect(
        host=server.host, port=server.port, user="po@or", password="x", cursorclass=pymysql.cursors.DictCursor
    ) as connection, connection.cursor() as cursor:  # fmt: skip
        yield as_asked(cursor)


def takes(query: Query) -> set[str]:
    return {name for name, setting in SETTINGS.live_settings(query).items() if setting.takes_reload}


@pytest.mark.integration
def test_a_value_set_by_hand_is_a_problem_unless_a_start_would_bring_it_back(
    changing: Query, clean_host: MariadbHost, target: Target, session: Session
) -> None:
    def found(knobs_text: str = "", *, restarts: bool = True) -> set[str]:
        live = SETTINGS.live_settings(changing)
        tuned = {"innodb_io_capacity", "table_open_cache"}
        problems = SETTINGS.overrides(changing, session, target, live, tuned, knobs_text, restarts=restarts)
        return {problem.field for problem in problems}

    default = SETTINGS.live_settings(changing)["innodb_io_capacity"].row["default_value"]
    changing("SET GLOBAL innodb_io_capacity = 345")
    changing("SET GLOBAL table_open_cache = 888")
    assert found() == {"innodb_io_capacity", "table_open_cache"}
    assert found(restarts=False) == set()
    knobs = "[mysqld]\ninnodb-io-capacity = 345\ntable_open_cache = 999\n"
    assert found(knobs) == {"table_open_cache"}
    changing(f"SET GLOBAL innodb_io_capacity = {int(default)}")
    assert found() == {"table_open_cache"}, "the server's own default comes back"
    earlier = clean_host.mariadb.knobs_file.with_name("aaa-earlier.cnf")
    clean_host.user.write_file(earlier, "[mysqld]\ntable_open_cache = 888\n", 0o644)
    try:
        assert found() == set()
        assert found("[mysqld]\ntable_open_cache = 999\n") == {"table_open_cache"}
    finally:
        earlier.unlink()


def test_mysql_does_not_tell_which_settings_a_statement_may_change() -> None:
    with pytest.raises(NotImplementedError, match="MySQL does not tell"):
        MYSQL_SERVICE.reload(lambda *_: [], {})
