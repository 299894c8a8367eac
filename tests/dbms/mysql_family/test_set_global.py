"""Knobs of real servers that are changed while they run, and what is left to a start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pymysql
import pytest

from otterflow.dbms.mariadb.product import MARIADB
from otterflow.dbms.mariadb.settings import SETTINGS as MARIADB_SETTINGS
from otterflow.dbms.mysql.settings import ORIGINS, PERSISTED_SQL
from otterflow.dbms.mysql_family.overriding import overriding_settings
from otterflow.dbms.mysql_family.rows import AT_A_START
from otterflow.dbms.target import Target
from otterflow.errors import MachineryFault, ServerCrashed
from otterflow.remote.session import Session
from stack.mariadb_host import MariadbHost
from tests.dbms.mysql_family.conftest import target_of
from tests.dbms.mysql_family.servers import ALL, Server, as_asked, running

pytestmark = pytest.mark.integration

Query = Callable[..., list[dict[str, Any]]]

SET = ("innodb_io_capacity_max", "innodb_io_capacity", "innodb_flush_neighbors", "table_open_cache", "key_buffer_size")


@pytest.fixture(scope="module", params=list(ALL))
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with running(request.param) as found:
        yield found


@pytest.fixture
def changing(server: Server) -> Iterator[Query]:
    """SQL whose SET GLOBAL is taken back."""
    with server.private.connect() as connection, connection.cursor() as cursor:
        query = as_asked(cursor)
        before = server.settings()
        yield query
        for name in SET:
            query(f"SET GLOBAL `{name}` = %s", [before[name].value])


def test_what_is_global_and_dynamic_comes_into_force_and_nothing_else(server: Server, changing: Query) -> None:
    live, reload = server.settings(), server.dbms.service.reload
    found = takes(server, changing)
    assert {"innodb_io_capacity", "table_open_cache", "innodb_adaptive_hash_index"} <= found
    assert found.isdisjoint({"sort_buffer_size", "innodb_flush_method", *AT_A_START})
    capacity, most = live["innodb_io_capacity"].value, live["innodb_io_capacity_max"].value
    assert isinstance(capacity, int)
    assert isinstance(most, int)
    wanted = {
        "innodb_io_capacity": most + 1000, "innodb_io_capacity_max": most + 2000,  # the first is refused before this
        "innodb_flush_neighbors": 1 - int(live["innodb_flush_neighbors"].value), "table_open_cache": 777,
        "key_buffer_size": 2**22 + 1,
    }  # fmt: skip
    reload(changing, wanted)
    after = server.settings()
    assert after["innodb_io_capacity"].value == most + 1000
    assert after["innodb_io_capacity_max"].value == most + 2000
    assert after["innodb_flush_neighbors"].value == wanted["innodb_flush_neighbors"]
    assert (after["table_open_cache"].value, after["key_buffer_size"].value) == (777, 2**22), "rounded"
    assert server.dbms.settings.read_back(wanted, after, "/etc/knobs.cnf") == []
    with pytest.raises(MachineryFault, match="other values than wanted of sort_buffer_size, innodb_buffer_pool_size,"):
        reload(changing, {"table_open_cache": 778, "sort_buffer_size": 2**20, "innodb_buffer_pool_size": 2**30})
    assert server.settings()["table_open_cache"].value == 777, "nothing is done by halves"
    reload(changing, {"innodb_io_capacity": capacity, "innodb_io_capacity_max": most})
    back = server.settings()
    assert (back["innodb_io_capacity"].value, back["innodb_io_capacity_max"].value) == (capacity, most)


def test_a_value_beyond_a_limit_is_refused_and_not_cut_to_it(server: Server, changing: Query) -> None:
    reload, before = server.dbms.service.reload, server.settings()
    with pytest.raises(ServerCrashed, match="refuses the configuration: innodb_io_capacity = 1, of which it made 100"):
        reload(changing, {"innodb_io_capacity": 1})
    reload(changing, {"innodb_io_capacity": before["innodb_io_capacity"].value})
    refused = r"refuses the configuration: innodb_flush_neighbors = often: .*[Ii]ncorrect"
    with pytest.raises(ServerCrashed, match=refused):
        reload(changing, {"innodb_flush_neighbors": "often"})


@pytest.mark.parametrize("server", ["mysql-9"], indirect=True)
def test_what_another_setting_limits_is_seen_when_all_is_read_back(server: Server, changing: Query) -> None:
    most = server.settings()["innodb_io_capacity_max"].value
    assert isinstance(most, int)
    with pytest.raises(ServerCrashed, match=f"innodb_io_capacity = {most + 1}, of which it made {most}"):
        server.dbms.service.reload(changing, {"innodb_io_capacity": most + 1})


@pytest.mark.parametrize("server", ["mysql-9"], indirect=True)
def test_a_persisted_value_is_named_though_a_statement_has_changed_it_since(server: Server, changing: Query) -> None:
    changing("SET PERSIST table_open_cache = 777")
    try:
        server.dbms.service.reload(changing, {"table_open_cache": 888})
        live, persisted = server.settings(), changing(PERSISTED_SQL)
        assert live["table_open_cache"].value == 888
        assert persisted == [{"name": "table_open_cache", "value": "777"}], "nothing is persisted by otterflow"
        [problem] = overriding_settings(live, {"table_open_cache"}, ORIGINS, persisted)
        assert "is persisted as '777', which wins over every option file" in problem.found
    finally:
        changing("RESET PERSIST table_open_cache")


def test_a_user_who_may_not_is_told_and_every_change_takes_a_restart(server: Server, changing: Query) -> None:
    target, may_ask = target_of(dbms=server.dbms.product.name), server.dbms.checks.may_ask
    assert may_ask(changing, target, live=True).limits == []
    with poor(server, changing, "SELECT ON mysql.*") as query:  # so it is shown what everybody may do
        assert takes(server, query) == set()
        [limit] = may_ask(query, target, live=True).limits
        assert may_ask(query, target, live=False).limits == []
        with pytest.raises(MachineryFault, match="other values than wanted of innodb_io_capacity, which this user"):
            server.dbms.service.reload(query, {"innodb_io_capacity": 345})
    with poor(server, changing, "SUPER ON *.*") as query:
        some = takes(server, query)
        assert "innodb_io_capacity" in some
    with poor(server, changing) as query:
        changing(limit.advice)
        every = takes(server, query)
        assert may_ask(query, target, live=True).limits == []
        if server.dbms.product is MARIADB:
            assert "thread_pool_stall_limit" in every - some, "which takes more than SUPER since 11.0"
            return
        assert every == some
        for name in every:  # of which the server does not tell what each takes
            query(f"SET GLOBAL `{name}` = @@GLOBAL.`{name}`")


def test_the_rights_of_a_role_are_not_shown_and_so_do_not_count(server: Server, changing: Query) -> None:
    changing("CREATE ROLE changer")
    try:
        changing("GRANT SUPER ON *.* TO changer")
        with poor(server, changing) as query:
            changing("GRANT changer TO `po@or`@'%'")
            query("SET ROLE changer")
            assert takes(server, query) == set()
    finally:
        changing("DROP ROLE changer")


@contextmanager
def poor(server: Server, changing: Query, *granted: str) -> Iterator[Query]:
    """SQL of a user with those rights alone."""
    changing("CREATE USER `po@or`@'%' IDENTIFIED BY 'x'")
    try:
        for each in granted:
            changing(f"GRANT {each} TO `po@or`@'%'")
        with pymysql.connect(
            unix_socket=str(server.private.socket), user="po@or", password="x", autocommit=True,
            cursorclass=pymysql.cursors.DictCursor,
        ) as connection, connection.cursor() as cursor:  # fmt: skip
            yield as_asked(cursor)
    finally:
        changing("DROP USER `po@or`@'%'")


def takes(server: Server, query: Query) -> set[str]:
    return {name for name, setting in server.dbms.settings.live_settings(query).items() if setting.takes_reload}


def test_a_value_set_by_hand_is_a_problem_unless_a_start_would_bring_it_back(
    clean_host: MariadbHost, target: Target, session: Session, query: Query
) -> None:
    def found(knobs_text: str = "", *, restarts: bool = True) -> set[str]:
        live = MARIADB_SETTINGS.live_settings(query)
        tuned = {"innodb_io_capacity", "table_open_cache"}
        problems = MARIADB_SETTINGS.overrides(query, session, target, live, tuned, knobs_text, restarts=restarts)
        return {problem.field for problem in problems}

    before = MARIADB_SETTINGS.live_settings(query)
    default = before["innodb_io_capacity"].row["default_value"]
    query("SET GLOBAL innodb_io_capacity = 345")
    query("SET GLOBAL table_open_cache = 888")
    assert found() == {"innodb_io_capacity", "table_open_cache"}
    assert found(restarts=False) == set()
    knobs = "[mysqld]\ninnodb-io-capacity = 345\ntable_open_cache = 999\n"
    assert found(knobs) == {"table_open_cache"}
    query(f"SET GLOBAL innodb_io_capacity = {int(default)}")
    assert found() == {"table_open_cache"}, "the server's own default comes back"
    earlier = clean_host.mariadb.knobs_file.with_name("aaa-earlier.cnf")
    clean_host.user.write_file(earlier, "[mysqld]\ntable_open_cache = 888\n", 0o644)
    try:
        assert found() == set()
        assert found("[mysqld]\ntable_open_cache = 999\n") == {"table_open_cache"}
    finally:
        earlier.unlink()
        query(f"SET GLOBAL table_open_cache = {before['table_open_cache'].value}")
