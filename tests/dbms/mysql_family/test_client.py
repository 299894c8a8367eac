from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from otterflow.dbms.mariadb.client import CLIENT
from otterflow.dbms.values import Login, NotThere, Query, StatementRefused, TookTooLong
from otterflow.errors import AccessRefused, ConnectionFault
from stack.mariadb import USER, PrivateMariadb
from stack.processes import free_port
from tests.dbms.mysql_family.conftest import target_of

pytestmark = pytest.mark.integration

Open = Callable[..., AbstractContextManager[Query]]


@pytest.fixture
def open_as(mariadb: PrivateMariadb) -> Open:
    """Opens SQL as the login with what is changed of it."""

    def opened(database: str | None = None, schema: str | None = None, **changes: Any) -> AbstractContextManager[Query]:
        given: dict[str, Any] = {
            "host": mariadb.host, "port": mariadb.port, "user": USER, "password": mariadb.password, "database": schema,
            "extra": {}, "place": "connection 'x'",
        }  # fmt: skip
        return CLIENT.open_query(Login(**given | changes), target_of(), database=database)

    return opened


@pytest.fixture
def query_here(open_as: Open) -> Iterator[Query]:
    with open_as("bench") as query:
        yield query


def test_it_leads_to_what_is_asked_for_and_never_by_itself_to_the_benchmarks_database(open_as: Open) -> None:
    for asked, of_the_login, leads_to in (
        (None, None, "information_schema"), ("bench", None, "bench"),
        (None, "bench", "information_schema"), (None, "mysql", "mysql"),
    ):  # fmt: skip
        with open_as(asked, of_the_login) as query:
            assert query("SELECT database() AS name") == [{"name": leads_to}]


def test_every_session_begins_the_same_whatever_the_server_is_set_to(mariadb: PrivateMariadb, open_as: Open) -> None:
    mariadb.sql("SET GLOBAL sql_mode = 'ANSI_QUOTES', GLOBAL max_statement_time = 1, GLOBAL time_zone = '+05:00';")
    try:
        with open_as() as query:
            row = query(
                "SELECT @@sql_mode AS mode, @@max_statement_time AS most_s, @@time_zone AS zone, @@autocommit AS a"
            )
    finally:
        mariadb.sql("SET GLOBAL sql_mode = DEFAULT, GLOBAL max_statement_time = 0, GLOBAL time_zone = 'SYSTEM';")
    assert "ANSI_QUOTES" not in row[0].pop("mode")
    assert row == [{"most_s": 60.0, "zone": "+00:00", "a": 1}]


def test_a_statement_that_is_refused_has_the_servers_number(query_here: Query) -> None:
    with pytest.raises(StatementRefused) as told:
        query_here("SELEC 1")
    assert told.value.code == "1064"
    assert query_here("SELECT 1 AS still") == [{"still": 1}]


@pytest.mark.parametrize("sql", ["SELECT * FROM nothing", "SELECT * FROM nowhere.t", "SELECT nothing()"])
def test_what_is_not_there_is_told_apart(query_here: Query, sql: str) -> None:
    with pytest.raises(NotThere):
        CLIENT.first_rows(query_here, sql, most=2, timeout_s=5)


def test_a_query_of_the_users_has_its_time_limit_and_its_rows(query_here: Query) -> None:
    rows = CLIENT.first_rows(query_here, "SELECT 1 AS a, '100%' AS b UNION SELECT 2, '' UNION SELECT 3, '';\n", most=2,
                             timeout_s=5)  # fmt: skip
    assert len(rows) == 2
    assert rows[0] == {"a": 1, "b": "100%"}
    with pytest.raises(TookTooLong):
        CLIENT.first_rows(query_here, "SELECT sleep(5) AS slept", most=2, timeout_s=0.3)


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE made (a INT)",
        "SELECT 1) AS a; DROP TABLE kept; SELECT * FROM (SELECT 2",
        "INSERT INTO kept VALUES (1)",
        "SELECT 1 INTO OUTFILE '/tmp/otterflow-x'",
    ],
)
def test_a_query_of_the_users_writes_nothing(query: Query, query_here: Query, sql: str) -> None:
    query("CREATE OR REPLACE TABLE kept (a INT)")
    query("CREATE OR REPLACE FUNCTION writes() RETURNS INT BEGIN INSERT INTO kept VALUES (2); RETURN 1; END")
    try:
        with pytest.raises(StatementRefused):
            CLIENT.first_rows(query_here, sql, most=2, timeout_s=5)
        query_here("ROLLBACK")
        with pytest.raises(StatementRefused, match="READ ONLY"):
            CLIENT.first_rows(query_here, "SELECT writes()", most=2, timeout_s=5)
        assert query("SELECT count(*) AS n FROM kept") == [{"n": 0}]
    finally:
        query("DROP FUNCTION writes")
        query("DROP TABLE kept")


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"password": "wrong"}, AccessRefused, "refused the credentials"),
        ({"user": "nobody"}, AccessRefused, "refused the credentials"),
        ({"extra": {"ssl_verify_identity": True}}, AccessRefused, "check ssl_ca"),
        ({"extra": {"ssl_ca": "/nonexistent.pem"}}, AccessRefused, "check ssl_ca"),
        ({"port": None}, ConnectionFault, "cannot be reached"),
        ({"host": "/nonexistent/sock"}, ConnectionFault, "cannot be reached"),
    ],
)
def test_why_there_is_no_connection(open_as: Open, changes: dict[str, Any], error: type, said: str) -> None:
    changes = {"port": free_port()} if changes == {"port": None} else changes
    with pytest.raises(error, match=said) as told, open_as(**changes):
        pass
    assert type(told.value) is error
    assert "connection 'x'" in str(told.value)


def test_a_database_that_is_not_there_is_no_fault_of_the_network(open_as: Open) -> None:
    with pytest.raises(AccessRefused, match="database 'nowhere'"), open_as("nowhere"):
        pass


def test_it_goes_by_the_servers_socket_too(mariadb: PrivateMariadb, open_as: Open) -> None:
    with open_as(host=str(mariadb.socket)) as query:
        assert query("SELECT 1 AS one") == [{"one": 1}]


def test_a_session_that_was_killed_is_a_lost_connection(query: Query, query_here: Query) -> None:
    query(f"KILL {query_here('SELECT connection_id() AS id')[0]['id']}")
    with pytest.raises(ConnectionFault, match="was lost"):
        query_here("SELECT 1")


def test_a_server_whose_connections_are_all_taken_is_worth_another_try(mariadb: PrivateMariadb, open_as: Open) -> None:
    mariadb.sql("CREATE USER few@'%' IDENTIFIED BY 'few' WITH MAX_USER_CONNECTIONS 1;")
    try:
        with open_as(user="few", password="few"), pytest.raises(ConnectionFault), open_as(user="few", password="few"):
            pass
    finally:
        mariadb.sql("DROP USER few@'%';")
