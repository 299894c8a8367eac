"""Statements of one class have one name, whatever their values; and no value is left in what is shown."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otterflow.dbms.postgresql.statements.classes import Classes, fingerprint, normalised

ALIKE = [
    ("SELECT * FROM t WHERE a = 1", "select *  from t\nwhere a=-2.5e-3", "select * from t where a = ?"),
    ("SELECT a FROM t WHERE b IN (1)", "SELECT a FROM t WHERE b IN (1, -2, 'x')", "select a from t where b in (?)"),
    ("INSERT INTO t VALUES (1, 'a')", "insert into t values ($1,$2), (3, E'b\\'c'), ('d''e', 4)",
     "insert into t values (?)"),
    ("SELECT /* app:1 /* in */ */ f('x')", "SELECT f($1) -- user 7", "select f(?)"),
    ("SELECT $$a'b$$", "SELECT $tag$ x $$ y $tag$;", "select ?"),
    ("SELECT 'a' 'b', x - 1", "SELECT U&'\\0041', x-1 ;;", "select ?, x - ?"),
    ('UPDATE "My Table" SET n = n + 5', 'UPDATE "My Table" SET n = n + $1', 'update "My Table" set n = n + ?'),
    ("SELECT a::int4, b.c FROM s.t", "SELECT a :: int4 , b . c FROM s . t", "select a::int4, b.c from s.t"),
    ("SELECT x FROM t LIMIT 10 OFFSET 20", "SELECT x FROM t LIMIT $1 OFFSET $2", "select x from t limit ? offset ?"),
    ("SELECT DATE '2020-01-01', count(*)", "SELECT date '1999-12-31', COUNT(*)", "select date ?, count(*)"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "shape"), ALIKE)
def test_values_comments_and_case_make_no_other_class(one: str, other: str, shape: str) -> None:
    assert normalised(one) == normalised(other) == shape
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT a FROM t", "SELECT b FROM t"),
        ('SELECT "A" FROM t', "SELECT a FROM t"),
        ("SELECT a + 1 FROM t", "SELECT a - 1 FROM t"),
        ("SELECT a FROM t WHERE b = 1", "SELECT a FROM t WHERE b > 1"),
        ("SELECT (1, 2)", "SELECT f(1, 2)"),
    ],
)
def test_what_differs_in_more_is_of_another_class(one: str, other: str) -> None:
    assert fingerprint(one) != fingerprint(other)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 'secret",
        "SELECT $x$ secret",
        "SELECT E'a\\' secret",
        "SELECT 'it\\'s secret'",  # one string where standard_conforming_strings is off
        "SELECT 'a\\', secret",
        "SELECT \"secret",
        "/* secret",
        "SELECT 1 -- secret",
        "SELECT 'a''secret'",
        "SELECT '\\''secret'",
        "SELECT 12secret",
        "SELECT \x00 secret",
    ],
)  # fmt: skip
def test_a_text_that_is_wrong_or_unclear_shows_no_value(text: str) -> None:
    assert "secret" not in normalised(text)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab1'\\\"$-/* \n;\x80é", max_size=30))
def test_a_quoted_value_is_never_shown(value: str) -> None:
    quoted = "'" + value.replace("'", "''") + "zebra'"
    escaped = "E'" + value.replace("\\", "\\\\").replace("'", "\\'") + "zebra'"
    for text in (f"SELECT a FROM t WHERE b = {quoted} AND c = 1", f"SELECT {escaped}, 2", f"INSERT INTO t({quoted}"):
        assert "zebra" not in normalised(text)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_any_text_has_a_shape(text: str) -> None:
    assert isinstance(normalised(text), str)


def test_the_servers_own_number_is_the_class_where_there_is_one() -> None:
    classes = Classes()
    assert classes.of("SELECT 1", "-77") == "-77"
    assert classes.of("SELECT 2") == "-77", "a statement that failed is of the class of its like"
    assert classes.of("SELECT a") == fingerprint("SELECT a")
    assert classes.texts == {"-77": "select ?", fingerprint("SELECT a"): "select a"}


def test_only_so_many_texts_are_kept() -> None:
    classes = Classes(most=3)
    names = {classes.of(f"SELECT a{number}") for number in range(10)}
    assert len(names) == 10
    assert len(classes.texts) == 3


@pytest.mark.slow
def test_ten_megabytes_take_seconds_at_most() -> None:
    started = time.process_time()
    assert normalised("SELECT f('" + "x''\n" * 2_500_000 + "')") == "select f(?)"
    assert normalised("SELECT a FROM t WHERE b IN (" + ", ".join(map(str, range(60_000))) + ")").endswith("in (?)")
    assert time.process_time() - started < 20
