"""The users of a server of the family, each a session's life on rows of its own.

What they do has one outcome, whoever is first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pymysql
import pytest

from stack.mariadb import DATABASE
from tests.operators.family_source import Source

_SCHEMA = """
CREATE TABLE stock (id INT PRIMARY KEY, n INT NOT NULL, what VARCHAR(40)) CHARSET utf8mb4;
INSERT INTO stock VALUES STOCK;
CREATE TABLE told (id INT PRIMARY KEY, what VARCHAR(60)) CHARSET utf8mb4;
CREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY, stock INT);
CREATE TABLE items (order_id INT, what VARCHAR(40), KEY (order_id));
CREATE TABLE taken (stock INT, n INT);
CREATE TABLE ticks (id INT AUTO_INCREMENT PRIMARY KEY, n INT);
DELIMITER //
CREATE PROCEDURE take(IN at INT)
BEGIN
  UPDATE stock SET n = n - 1 WHERE id = at;
  DYNAMIC
END//
CREATE FUNCTION left_of(at INT) RETURNS INT MODIFIES SQL DATA
BEGIN
  INSERT INTO taken VALUES (at, 0);
  RETURN (SELECT n FROM stock WHERE id = at);
END//
CREATE TRIGGER takes AFTER INSERT ON taken FOR EACH ROW UPDATE stock SET what = 'looked at' WHERE id = NEW.stock//
CREATE EVENT tick ON SCHEDULE EVERY 1 SECOND DO
BEGIN
  START TRANSACTION;
  INSERT INTO ticks (n) VALUES (1);
  COMMIT;
END//
DELIMITER ;
"""
_DYNAMIC = {
    "mariadb": "EXECUTE IMMEDIATE 'INSERT INTO told VALUES (?, ''taken'')' USING 800 + at;",
    "mysql": """
  SET @taken = 800 + at;
  PREPARE own FROM 'INSERT INTO told VALUES (?, ''taken'')';
  EXECUTE own USING @taken;
  DEALLOCATE PREPARE own;""",
}
TRUSTED = {"mariadb": "", "mysql": "SET GLOBAL log_bin_trust_function_creators = ON;"}
"""With its binary log on, MySQL takes no function of ours without it."""
SCHEMAS = {
    name: TRUSTED[name]
    + _SCHEMA.replace("STOCK", ", ".join(f"({number}, 0, '')" for number in range(100))).replace("DYNAMIC", dynamic)
    for name, dynamic in _DYNAMIC.items()
}
OF_THE_SERVER = "ticks"
"""The table that the server's own event writes to."""
SYSBENCH_EVENTS = 60
ERRORS = {"mariadb": {"23000": 2, "42000": 2, "42S02": 1}, "mysql": {"23000": 2, "42S02": 1}}
"""What the users' statements that fail end with; MySQL has no row for an error of syntax."""
PREPARED_BY_SQL = 2
"""How often the users of a MySQL have SQL prepare a statement."""
Cursor = Any


class Users:
    """All users of one server."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._is_mysql = source.host.dbms == "mysql"

    def live(self) -> None:
        """All of them at once, to their end. Raises what the first of them raises."""
        lives: list[Callable[[], None]] = [
            self._in_transactions, self._without_autocommit, self._failing, self._of_other_character_sets,
            self._with_generated_keys, self._with_much_in_its_session, self._with_odd_transactions, self._by_routines,
            self._without_a_database,
            lambda: self._source.sysbench("run", "--threads=1", f"--events={SYSBENCH_EVENTS}", "--time=0"),
        ]  # fmt: skip
        failed: list[BaseException] = []

        def run(life: Callable[[], None]) -> None:
            try:
                life()
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=run, args=[life]) for life in lives]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for error in failed:
            raise error

    @contextmanager
    def _session(self, *, autocommit: bool = True, **fields: Any) -> Iterator[Cursor]:
        given: dict[str, Any] = {**self._source.way, "database": DATABASE, **fields}
        with (
            closing(pymysql.connect(autocommit=autocommit, **given)) as connection,
            connection.cursor() as cursor,
        ):
            yield cursor

    def _in_transactions(self) -> None:
        with self._session() as cursor:
            for number in range(20):
                cursor.execute("START TRANSACTION")
                cursor.execute("SELECT n FROM stock WHERE id = %s", [number])
                cursor.execute("UPDATE stock SET n = n + 1, what = 'Grüße €' WHERE id = %s", [number])
                cursor.execute("COMMIT" if number % 4 else "ROLLBACK")
            cursor.execute("UPDATE stock SET what = 'für sich', n = n + 1 WHERE id = 1")

    def _without_autocommit(self) -> None:
        with self._session(autocommit=False) as cursor:
            for number in range(20, 30):
                cursor.execute("UPDATE stock SET n = n + 5 WHERE id = %s", [number])
                cursor.execute("INSERT INTO told VALUES (%s, 'implicit')", [number])
                cursor.execute("COMMIT" if number % 2 else "ROLLBACK")
            cursor.execute("INSERT INTO told VALUES (30, 'never committed')")

    def _failing(self) -> None:
        with self._session() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("INSERT INTO told VALUES (100, 'first')")
            for bad in ("INSERT INTO told VALUES (100, 'again')", "SELEC 1", "SELECT * FROM absent"):
                with pytest.raises(pymysql.Error):
                    cursor.execute(bad)
            cursor.execute("INSERT INTO told VALUES (101, 'after the errors')")
            cursor.execute("COMMIT")
            for bad in ("INSERT INTO told VALUES (101, 'again')", "EXECUTE IMMEDIATE 'SELEC 1'"):
                with pytest.raises(pymysql.Error):
                    cursor.execute(bad)

    def _of_other_character_sets(self) -> None:
        with self._session(charset="latin1") as cursor:  # says SET NAMES latin1
            cursor.execute("INSERT INTO told VALUES (200, CONCAT('Grüße aus latin1 ', LENGTH('ü')))")
            cursor.execute("SET NAMES utf8mb4")
            cursor.connection.encoding = "utf8"
            cursor.execute("INSERT INTO told VALUES (201, CONCAT('Жук in utf8 ', LENGTH('ü')))")
            cursor.execute("SET NAMES cp1251")
            cursor.connection.encoding = "cp1251"
            cursor.execute("INSERT INTO told VALUES (202, 'Жук in cp1251')")
            cursor.execute("SET CHARACTER SET latin1")
            cursor.connection.encoding = "cp1252"
            cursor.execute("INSERT INTO told VALUES (203, 'Grüße')")

    def _with_generated_keys(self) -> None:
        with self._session() as cursor:
            for number in range(10):
                cursor.execute("BEGIN")
                cursor.execute("INSERT INTO orders (stock) VALUES (%s)", [number])
                cursor.execute("INSERT INTO items VALUES (LAST_INSERT_ID(), 'by the last key')")
                cursor.execute("SELECT MAX(id) INTO @last FROM orders")
                cursor.execute("INSERT INTO items VALUES (@last, 'by a variable')")
                cursor.execute("COMMIT")

    def _with_much_in_its_session(self) -> None:
        with self._session() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE own (id INT)")
            cursor.execute("INSERT INTO own VALUES (1), (2)")
            cursor.execute("INSERT INTO told SELECT 300 + id, 'temporary' FROM own")
            cursor.execute("DROP TEMPORARY TABLE own")
            cursor.execute("PREPARE p FROM 'INSERT INTO told VALUES (?, ?)'")
            cursor.execute("SET @a = 310, @b = 'prepared by SQL'")
            cursor.execute("EXECUTE p USING @a, @b")
            cursor.execute("DEALLOCATE PREPARE p")
            if not self._is_mysql:
                cursor.execute("EXECUTE IMMEDIATE 'INSERT INTO told VALUES (?, ''immediate'')' USING 311")
            cursor.execute("LOCK TABLES items WRITE")
            cursor.execute("INSERT INTO items VALUES (0, 'locked')")
            cursor.execute("UNLOCK TABLES")
            cursor.execute("SET sql_mode = 'ANSI_QUOTES'")
            cursor.execute("INSERT INTO \"told\" VALUES (320, 'ANSI')")
            cursor.execute("SET timestamp = 1000000000, time_zone = '+03:00'")
            cursor.execute("INSERT INTO told VALUES (321, NOW())")
            cursor.execute("/* first */ INSERT INTO told VALUES (322, 'a ''b'' \\\\ \\n \t') -- last")

    def _with_odd_transactions(self) -> None:
        with self._session() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("INSERT INTO told VALUES (400, 'stays')")
            cursor.execute("SAVEPOINT here")
            cursor.execute("INSERT INTO told VALUES (401, 'goes to a savepoint')")
            cursor.execute("ROLLBACK TO here")
            cursor.execute("COMMIT AND CHAIN")
            cursor.execute("INSERT INTO told VALUES (402, 'goes with the chained')")
            cursor.execute("ROLLBACK")
            cursor.execute("BEGIN")
            cursor.execute("INSERT INTO told VALUES (403, 'committed by DDL')")
            cursor.execute("CREATE TABLE made (id INT PRIMARY KEY)")
            cursor.execute("INSERT INTO made VALUES (1)")
            cursor.execute("ROLLBACK")
            cursor.execute("BEGIN")
            cursor.execute("INSERT INTO told VALUES (404, 'committed by BEGIN')")
            cursor.execute("BEGIN")
            cursor.execute("INSERT INTO told VALUES (405, 'goes')")
            cursor.execute("ROLLBACK")
            if not self._is_mysql:
                cursor.execute(
                    "BEGIN NOT ATOMIC INSERT INTO told VALUES (406, 'a'); INSERT INTO told VALUES (407, 'b'); END"
                )

    def _by_routines(self) -> None:
        with self._session() as cursor:
            cursor.execute("CALL take(50)")
            if self._is_mysql:
                cursor.execute("PREPARE called FROM 'CALL take(51)'")
                cursor.execute("EXECUTE called")
                cursor.execute("DEALLOCATE PREPARE called")
            else:
                cursor.execute("EXECUTE IMMEDIATE 'CALL take(51)'")
            cursor.execute("SELECT left_of(52)")
            cursor.execute("INSERT INTO taken VALUES (53, 1)")

    def _without_a_database(self) -> None:
        with self._session(database=None) as cursor:
            cursor.connection.select_db(DATABASE)
            cursor.execute("INSERT INTO told VALUES (500, 'after the protocol''s own command')")
        with self._session(database=None) as cursor:
            cursor.execute(f"USE {DATABASE}")
            cursor.execute(f"INSERT INTO {DATABASE}.told VALUES (501, 'after USE')")
        with self._session(client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS) as cursor:
            cursor.execute("INSERT INTO told VALUES (502, 'one'); INSERT INTO told VALUES (503, 'two')")
            while cursor.nextset():
                pass
