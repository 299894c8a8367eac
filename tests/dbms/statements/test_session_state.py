"""What a statement leaves in its session and needs there."""

from __future__ import annotations

import pytest

from otterflow.dbms.postgresql.statements.session_state import CURSOR, mentions, touch_of
from otterflow.dbms.statements.touching import ADVISORY, ALL, NOTHING, PREPARED, TEMPORARY, Held, Setting


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("CREATE TEMP TABLE x (a int)", (TEMPORARY, "x")),
        ("create local temporary table if not exists X as select 1", (TEMPORARY, "x")),
        ('CREATE TEMPORARY TABLE pg_temp."Own" (a int)', (TEMPORARY, "own")),
        ("CREATE OR REPLACE TEMP VIEW v AS SELECT 1", (TEMPORARY, "v")),
        ("SELECT a INTO TEMP TABLE x FROM t", (TEMPORARY, "x")),
        ("DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT 1", (CURSOR, "c")),
        ("PREPARE p (int) AS SELECT $1", (PREPARED, "p")),
        ("SELECT pg_try_advisory_lock(5)", (ADVISORY, "")),
        ("SELECT 1; CREATE TEMP TABLE x (a int); SELECT 2", (TEMPORARY, "x")),
    ],
)
def test_what_is_left_in_a_session(text: str, held: Held) -> None:
    assert touch_of(text).makes == {held}


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1", "CREATE TABLE x (a int)",
        "DECLARE c CURSOR WITHOUT HOLD FOR SELECT 1", "DECLARE c CURSOR FOR SELECT 1", "SET LOCAL work_mem = '1MB'",
        "PREPARE TRANSACTION 'x'", "SELECT pg_advisory_xact_lock(1)", "SELECT 'CREATE TEMP TABLE x (a int)'",
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "SELECT set_config('a.b', 'x', true)", "UPDATE t SET a = 1",
        "SET CONSTRAINTS ALL DEFERRED",
    ],
)  # fmt: skip
def test_what_leaves_nothing(text: str) -> None:
    assert touch_of(text) == NOTHING


def test_what_ends_with_its_transaction() -> None:
    assert touch_of("CREATE TEMP TABLE x ON COMMIT DROP AS SELECT 1").passing == {(TEMPORARY, "x")}


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("DROP TABLE IF EXISTS x", (TEMPORARY, "x")),
        ("DISCARD TEMP", (TEMPORARY, ALL)),
        ("CLOSE c", (CURSOR, "c")),
        ("CLOSE ALL", (CURSOR, ALL)),
        ("DEALLOCATE PREPARE p", (PREPARED, "p")),
        ("DEALLOCATE ALL", (PREPARED, ALL)),
        ("SELECT pg_advisory_unlock(5)", (ADVISORY, ALL)),
        ("DISCARD ALL", (PREPARED, ALL)),
    ],
)
def test_what_is_given_up(text: str, held: Held) -> None:
    assert held in touch_of(text).gives_up


@pytest.mark.parametrize(
    ("text", "name", "again"),
    [
        ("SET work_mem = '1MB'", "work_mem", "SET work_mem = '1MB'"),
        ("set session search_path to a, b", "search_path", "set session search_path to a , b"),
        ("SET app.tenant = 'it''s'", "app.tenant", "SET app . tenant = 'it''s'"),
        ("SET TIME ZONE 'UTC'", "timezone", "SET TIME ZONE 'UTC'"),
        ("SET ROLE someone", "role", "SET ROLE someone"),
        ("SET SESSION AUTHORIZATION someone", "sessionauthorization", "SET SESSION AUTHORIZATION someone"),
        ("RESET work_mem", "work_mem", None),
        ("RESET app.tenant", "app.tenant", None),
        ("RESET ALL", ALL, None),
    ],
)
def test_settings(text: str, name: str, again: str | None) -> None:
    touch = touch_of(text)
    assert touch.settings == (Setting(name, again),)
    assert touch.only_sets


def test_a_setting_by_a_function_and_one_among_others() -> None:
    touch = touch_of("SELECT set_config('app.tenant', $1, false)")
    assert touch.settings == (Setting("app.tenant", "SELECT set_config ( 'app.tenant' , $1 , false )"),)
    assert touch.only_sets
    assert not touch_of("SET a.b = 1; SELECT 1").only_sets


def test_what_it_cannot_do_without() -> None:
    assert touch_of("EXECUTE p (1)").executes == {"p"}
    assert touch_of("SELECT currval('s')").asks_sequence
    assert touch_of("SET TRANSACTION SNAPSHOT '0003-1'").takes_snapshot


@pytest.mark.parametrize(
    ("text", "held", "does"),
    [
        ("SELECT * FROM own WHERE a = 1", (TEMPORARY, "own"), True),
        ("SELECT * FROM Own", (TEMPORARY, "own"), True),
        ("SELECT * FROM owner", (TEMPORARY, "own"), False),
        ("SELECT pg_advisory_unlock(3)", (ADVISORY, ""), True),
    ],
)
def test_mentions(text: str, held: Held, does: bool) -> None:
    assert mentions(text, held) is does
