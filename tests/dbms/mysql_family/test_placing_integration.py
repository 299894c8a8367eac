"""The benchmark's database gives way to a new one and comes back, on a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from otterflow.dbms.mariadb.client import CLIENT
from otterflow.dbms.mariadb.data import DATA
from otterflow.dbms.mysql_family import database
from otterflow.dbms.mysql_family.quoting import identifier
from otterflow.dbms.values import EXISTING, DataState, Login, Query
from otterflow.errors import MachineryFault
from stack.mariadb import USER, PrivateMariadb
from tests.dbms.mysql_family.conftest import target_of

pytestmark = pytest.mark.integration

NAME = "it's `a` bench"
NEW, OLD = database.beside(NAME)
BEFORE = [
    "CREATE TABLE parent (id INT PRIMARY KEY, v TEXT)",
    "CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id))",
    "CREATE TABLE noted (n INT)",
    "INSERT INTO parent VALUES (1, 'a'), (2, 'b')",
    "CREATE TRIGGER t AFTER INSERT ON parent FOR EACH ROW INSERT INTO noted VALUES (NEW.id)",
    "CREATE VIEW a_over_b AS SELECT count(*) AS n FROM b_view",
    "CREATE OR REPLACE VIEW b_view AS SELECT * FROM parent",
    "CREATE FUNCTION twice(x INT) RETURNS INT DETERMINISTIC RETURN 2 * x",
    "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM noted",
    "CREATE SEQUENCE s",
]
BEFORE[5], BEFORE[6] = BEFORE[6].replace("OR REPLACE ", ""), BEFORE[5]
"""A view that sorts before the one it reads."""


@pytest.fixture
def connect(mariadb: PrivateMariadb) -> Iterator[Callable[[str | None], Query]]:
    login = Login(mariadb.host, mariadb.port, USER, mariadb.password, None, {}, "connection 'x'")
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(CLIENT.open_query(login, target_of(), database=name))


@pytest.fixture
def maintenance(connect: Callable[[str | None], Query]) -> Iterator[Query]:
    query = connect(None)
    yield query
    for name in (NAME, NEW, OLD):
        query(database.drop_sql(name))


def fill(maintenance: Query, connect: Callable[[str | None], Query]) -> None:
    maintenance(database.create_sql(NAME))
    query = connect(NAME)
    for statement in BEFORE:
        query(statement)
    DATA.mark(maintenance, NAME, "abc", fresh=False)


def is_whole(connect: Callable[[str | None], Query]) -> None:
    query = connect(NAME)
    assert query("SELECT n, twice(n) AS two FROM a_over_b") == [{"n": 2, "two": 4}]
    query("INSERT INTO parent VALUES (3, 'c')")
    assert query("SELECT n FROM noted") == [{"n": 3}]
    assert query("SELECT EVENT_NAME AS e FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()") == [
        {"e": "e"}
    ]
    with pytest.raises(Exception, match="foreign key"):
        query("INSERT INTO child VALUES (1, 77)")
    query("DELETE FROM noted")
    query("DELETE FROM parent WHERE id = 3")


def there(query: Query) -> set[str]:
    rows = query("SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA")
    return {row["name"] for row in rows} & {NAME, NEW, OLD}


def test_a_mark_says_what_is_loaded_and_whether_it_was_used(maintenance: Query) -> None:
    assert DATA.state(maintenance, NAME) == DataState()
    maintenance(database.create_sql(NAME))
    assert DATA.state(maintenance, NAME) == DataState(exists=True)
    for fresh in (True, False):
        DATA.mark(maintenance, NAME, "f00", fresh=fresh)
        assert DATA.state(maintenance, NAME) == DataState(exists=True, fingerprint="f00", fresh=fresh, ours=True)
    assert DATA.state(maintenance, NAME.upper()) == DataState()
    DATA.unmark(maintenance, NAME)
    assert DATA.state(maintenance, NAME) == DataState(exists=True)


def test_what_is_somebody_elses_is_told(maintenance: Query, connect: Callable[[str | None], Query]) -> None:
    maintenance(database.create_sql(NAME))
    query = connect(NAME)
    assert DATA.foreign(query) is None
    DATA.mark(maintenance, NAME, "f00", fresh=True)
    assert DATA.foreign(query) is None
    query("CREATE FUNCTION twice(x INT) RETURNS INT DETERMINISTIC RETURN 2 * x")
    assert DATA.foreign(query) == "1 views, routines or events"
    query("CREATE TABLE t (a INT)")
    query("INSERT INTO t SELECT seq FROM seq_1_to_20000")
    assert DATA.foreign(query) == "1 tables"
    assert DATA.size_bytes(maintenance, NAME) > 500_000
    assert DATA.size_bytes(maintenance, "nowhere") == 0


def test_after_a_load_that_failed_all_is_as_it_was(maintenance: Query, connect: Callable[[str | None], Query]) -> None:
    fill(maintenance, connect)
    DATA.set_aside(maintenance, NAME)
    assert DATA.state(maintenance, NAME).fingerprint == "loading"
    query = connect(NAME)
    assert DATA.foreign(query) is None
    query("CREATE TABLE parent (half INT)")
    query("CREATE VIEW b_view AS SELECT * FROM parent")
    DATA.put_back(maintenance, NAME)
    assert DATA.state(maintenance, NAME).fingerprint == "abc"
    is_whole(connect)
    assert there(maintenance) == {NAME}


def test_a_load_that_failed_and_is_tried_again(maintenance: Query, connect: Callable[[str | None], Query]) -> None:
    fill(maintenance, connect)
    for _ in range(2):
        DATA.set_aside(maintenance, NAME)
        connect(NAME)("CREATE TABLE parent (half INT)")
    DATA.put_back(maintenance, NAME)
    is_whole(connect)


def test_a_load_that_is_whole_takes_the_place(maintenance: Query, connect: Callable[[str | None], Query]) -> None:
    fill(maintenance, connect)
    DATA.set_aside(maintenance, NAME)
    connect(NAME)("CREATE TABLE loaded (a INT)")
    DATA.keep_loaded(maintenance, NAME, "def")
    assert DATA.state(maintenance, NAME) == DataState(exists=True, fingerprint="def", fresh=True, ours=True)
    assert there(maintenance) == {NAME}
    DATA.put_back(maintenance, NAME)
    assert connect(NAME)("SELECT count(*) AS n FROM loaded") == [{"n": 0}]


def test_where_there_was_none_or_an_empty_one(maintenance: Query, connect: Callable[[str | None], Query]) -> None:
    DATA.set_aside(maintenance, NAME)
    assert DATA.state(maintenance, NAME).fingerprint == "loading"
    maintenance(database.drop_sql(NAME))
    maintenance(database.create_sql(NAME))
    DATA.set_aside(maintenance, NAME)
    connect(NAME)("CREATE TABLE half (a INT)")
    DATA.put_back(maintenance, NAME)
    assert DATA.state(maintenance, NAME) == DataState(exists=True)
    assert DATA.foreign(connect(NAME)) is None
    assert there(maintenance) == {NAME}


@pytest.mark.parametrize("statement", range(5, 65, 6))
def test_cut_off_anywhere_it_is_whole_or_can_be_made_whole(
    statement: int, maintenance: Query, connect: Callable[[str | None], Query]
) -> None:
    """The worker dies after some statement of set_aside or of put_back; then the load is undone by another."""
    fill(maintenance, connect)

    class Died(Exception):
        pass

    left = statement

    def dying(sql: str, parameters: Any = None) -> list[dict[str, Any]]:
        nonlocal left
        left -= 1
        if left < 0:
            raise Died
        return maintenance(sql, parameters)

    try:
        DATA.set_aside(dying, NAME)
        DATA.put_back(dying, NAME)
    except Died:
        maintenance("USE information_schema")
        maintenance("SET SESSION foreign_key_checks = 1")
        DATA.set_aside(maintenance, NAME)
        connect(NAME)("CREATE TABLE half (a INT)")
        DATA.put_back(maintenance, NAME)
    assert DATA.state(maintenance, NAME).fingerprint == "abc"
    is_whole(connect)


def test_who_is_connected_is_sent_away_and_who_stays_keeps_it(
    maintenance: Query, connect: Callable[[str | None], Query], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(maintenance, connect)
    inside = connect(NAME)
    inside("BEGIN")
    inside("SELECT * FROM parent")
    DATA.set_aside(maintenance, NAME)
    DATA.put_back(maintenance, NAME)
    monkeypatch.setattr(database, "LOCK_WAIT_S", 1)
    elsewhere = connect("mysql")
    elsewhere("BEGIN")
    elsewhere(f"SELECT * FROM {identifier(NAME)}.noted")
    with pytest.raises(MachineryFault, match="could not be replaced"):
        DATA.set_aside(maintenance, NAME)
    elsewhere("COMMIT")
    DATA.put_back(maintenance, NAME)
    is_whole(connect)


def test_only_what_is_otterflows_is_removed(maintenance: Query, connect: Callable[[str | None], Query]) -> None:
    maintenance(database.create_sql(NAME))
    assert DATA.remove_databases(maintenance, NAME) == []
    DATA.mark(maintenance, NAME, EXISTING, fresh=True)
    assert DATA.remove_databases(maintenance, NAME) == []
    assert DATA.state(maintenance, NAME) == DataState(exists=True)
    connect(NAME)("CREATE TABLE t (a INT)")
    DATA.mark(maintenance, NAME, "abc", fresh=True)
    DATA.set_aside(maintenance, NAME)
    assert DATA.remove_databases(maintenance, NAME) == sorted([NAME, OLD])
    assert there(maintenance) == set()


def test_what_a_person_gave_is_told_with_what_takes_it_back(maintenance: Query) -> None:
    assert DATA.left_in_server(maintenance) == [f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM '{USER}'@'%';"]
    left = DATA.left_by_hand(maintenance, target_of(), USER)
    assert any("/srv/conf/conf.d/zz-otterflow.cnf" in line for line in left)
    assert left[-1].endswith(f"DROP USER '{USER}'@'%' (user '{USER}')")
