"""What a statement leaves in its session and needs there."""

from __future__ import annotations

import pytest

from otterflow.dbms.mysql_family.statements.session_state import HANDLER, LOCKED, mentions, touch_of
from otterflow.dbms.statements.touching import ADVISORY, ALL, NOTHING, PREPARED, TEMPORARY, Held, Setting


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("CREATE TEMPORARY TABLE x (a int)", (TEMPORARY, "x")),
        ("create or replace temporary table if not exists shop.`X` as select 1", (TEMPORARY, "x")),
        ("PREPARE p FROM 'SELECT ?'", (PREPARED, "p")),
        ("SELECT GET_LOCK('a', 5)", (ADVISORY, "")),
        ("DO GET_LOCK('a', 5)", (ADVISORY, "")),
        ("LOCK TABLES t WRITE, u READ", (LOCKED, "")),
        ("HANDLER t OPEN", (HANDLER, "t")),
        ("HANDLER shop.t OPEN AS h", (HANDLER, "h")),
    ],
)
def test_what_is_left_in_a_session(text: str, held: Held) -> None:
    assert touch_of(text).makes == {held}


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1", "CREATE TABLE x (a int)", "SELECT 'CREATE TEMPORARY TABLE x (a int)'", "UPDATE t SET a = 1",
        "SELECT @@sql_mode", "SET STATEMENT sort_buffer_size = 1 FOR SELECT 1", "SET TRANSACTION READ ONLY",
        "HANDLER t READ FIRST", "EXECUTE IMMEDIATE 'SELECT 1'",
    ],
)  # fmt: skip
def test_what_leaves_nothing(text: str) -> None:
    assert touch_of(text) == NOTHING


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("DROP TEMPORARY TABLE IF EXISTS x, y", (TEMPORARY, "y")),
        ("DEALLOCATE PREPARE p", (PREPARED, "p")),
        ("DROP PREPARE p", (PREPARED, "p")),
        ("SELECT RELEASE_LOCK('a')", (ADVISORY, ALL)),
        ("DO RELEASE_ALL_LOCKS()", (ADVISORY, ALL)),
        ("UNLOCK TABLES", (LOCKED, "")),
        ("START TRANSACTION", (LOCKED, "")),
        ("HANDLER t CLOSE", (HANDLER, "t")),
    ],
)
def test_what_is_given_up(text: str, held: Held) -> None:
    assert held in touch_of(text).gives_up


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("SET sql_mode = ''", [("sql_mode", "SET sql_mode = ''")]),
        ("set session sql_mode='a', @@time_zone := '+00:00'",
         [("sql_mode", "SET sql_mode = 'a'"), ("time_zone", "SET time_zone = '+00:00'")]),
        ("SET @x = 5", [("@x", "SET @x = 5")]),
        ("SET NAMES utf8mb4 COLLATE utf8mb4_bin", [("names", "SET NAMES utf8mb4 COLLATE utf8mb4_bin")]),
        ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
         [("transaction", "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE")]),
        ("SET sql_mode = DEFAULT", [("sql_mode", None)]),
        ("SET ROLE someone", [("role", "SET ROLE someone")]),
        ("/*!40101 SET sql_mode = CONCAT(@@sql_mode, ',ANSI') */",
         [("sql_mode", "SET sql_mode = CONCAT(@@sql_mode, ',ANSI')")]),
        ("SET @t = NOW(), @u=f  (1/* x */,2 ), @v = -- x\n 5",
         [("@t", "SET @t = NOW()"), ("@u", "SET @u = f (1 ,2 )"), ("@v", "SET @v = 5")]),
        ("SET @v = /*! 5*/+/*!40101 1 */", [("@v", "SET @v = 5 + 1")]),
        ("SET @@session . time_zone='+00:00'", [("time_zone", "SET time_zone = '+00:00'")]),
    ],
)  # fmt: skip
def test_settings(text: str, settings: list[tuple[str, str | None]]) -> None:
    touch = touch_of(text)
    assert touch.settings == tuple(Setting(*each) for each in settings)
    assert touch.only_sets


def test_variables() -> None:
    assert touch_of("SELECT * FROM t WHERE a = @x AND b = @`Y`").reads == {"@x", "@y"}
    assert touch_of("SET @b = @a").reads == {"@a"}
    assert touch_of("SET @a = 1, @b = @a").reads == frozenset()
    chosen = touch_of("SET @x = (SELECT max(a) FROM t)")
    assert (chosen.assigns, chosen.settings, chosen.only_sets) == (frozenset({"@x"}), (), False)
    assert touch_of("SELECT a, b INTO @a, @b FROM t WHERE c = @c").assigns == {"@a", "@b"}
    assert touch_of("SELECT a, b INTO @a, @b FROM t WHERE c = @c").reads == {"@c"}
    assert touch_of("SELECT @n := @n + 1 FROM t, (SELECT @n := 0) r").assigns == {"@n"}
    assert touch_of("EXECUTE p USING @a").reads == {"@a"}


def test_what_it_cannot_do_without() -> None:
    assert touch_of("EXECUTE p USING @a").executes == {"p"}
    assert touch_of("SELECT LAST_INSERT_ID()").asks_sequence
    assert touch_of("SET @x = last_insert_id()").asks_sequence
    assert touch_of("SELECT FOUND_ROWS()").asks_sequence


@pytest.mark.parametrize(
    ("text", "held", "does"),
    [
        ("SELECT * FROM own WHERE a = 1", (TEMPORARY, "own"), True),
        ("SELECT * FROM `Own`", (TEMPORARY, "own"), True),
        ("SELECT * FROM owner", (TEMPORARY, "own"), False),
        ("SELECT IS_USED_LOCK('a')", (ADVISORY, ""), True),
        ("UNLOCK TABLES", (LOCKED, ""), True),
    ],
)
def test_mentions(text: str, held: Held, does: bool) -> None:
    assert mentions(text, held) is does
