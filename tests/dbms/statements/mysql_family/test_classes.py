"""Statements of one class have one name, whatever their values; and no value is left in what is shown."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otterflow.dbms.mysql_family.statements.classes import Classes, fingerprint, normalised

ALIKE = [
    ("SELECT * FROM t WHERE a = 1", "select *  from t\nwhere a=-2.5e-3", "select * from t where a = ?"),
    ("SELECT `a` FROM `t` WHERE b IN (1)", "SELECT a FROM t WHERE b IN (1, -2, 'x')", "select a from t where b in (?)"),
    ("INSERT INTO t VALUES (1, 'a')", "insert into t values (?,?), (3, 'b\\'c'), (_binary'd''e', 0x4)",
     "insert into t values (?)"),
    ("SELECT /* app:1 */ f('x')", "SELECT f(5) -- user 7\n", "select f(?)"),
    ("SELECT 'a' 'b', x - 1", "SELECT N'x', x-1 ;;", "select ?, x - ?"),
    ("UPDATE `My Table` SET n = n + 5", "UPDATE `My Table` SET n = n + ?", "update `My Table` set n = n + ?"),
    ("SELECT x FROM t LIMIT 10, 20", "SELECT x FROM t LIMIT ?", "select x from t limit ?"),
    ("SELECT a FROM t WHERE b <> 1", "SELECT a FROM t WHERE b != 2", "select a from t where b <> ?"),
    ("SELECT d - INTERVAL 1 DAY", "SELECT d - INTERVAL -5 DAY", "select d - interval ? day"),
    ("SELECT j->>'$.a', @x := 5", "SELECT j->>'$.b', @X := 6", "select j ->> ?, @x := ?"),
    ("INSERT INTO t VALUES (1, NULL)", "INSERT INTO t VALUES (2, 'x')", "insert into t values (?)"),
    ("SELECT a FROM t WHERE b IS NOT NULL", "SELECT a FROM t WHERE b is not null",
     "select a from t where b is not null"),
    ("SELECT COUNT(*) FROM t", "SELECT COUNT ( * ) FROM `t`", "select count(*) from t"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "shape"), ALIKE)
def test_values_comments_and_case_make_no_other_class(one: str, other: str, shape: str) -> None:
    assert normalised(one) == normalised(other) == shape
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT a FROM t", "SELECT b FROM t"),
        ("SELECT `A b` FROM t", "SELECT `a b` FROM t"),
        ("SELECT a + 1 FROM t", "SELECT a - 1 FROM t"),
        ("SELECT a /*! STRAIGHT_JOIN */ FROM t", "SELECT a FROM t"),
    ],
)
def test_what_differs_in_more_is_of_another_class(one: str, other: str) -> None:
    assert fingerprint(one) != fingerprint(other)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab1'\\\"$-/*# \n;`\x80é", max_size=30))
def test_a_quoted_value_is_never_shown(value: str) -> None:
    for mark in "'\"":
        doubled = mark + value.replace("\\", "\\\\").replace(mark, mark * 2) + f"zebra{mark}"
        escaped = mark + value.replace("\\", "\\\\").replace(mark, f"\\{mark}") + f"zebra{mark}"
        for quoted in (doubled, escaped):
            for text in (f"SELECT a FROM t WHERE b = {quoted} AND c = 1", f"SELECT {quoted}, 2", f"INSERT ({quoted}"):
                assert "zebra" not in normalised(text)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_any_text_has_a_shape(text: str) -> None:
    assert isinstance(normalised(text), str)


def test_classes_know_their_texts() -> None:
    classes = Classes()
    assert classes.of("SELECT 1") == classes.of("SELECT 2") == fingerprint("SELECT 3")
    assert classes.texts == {fingerprint("SELECT 1"): "select ?"}


@pytest.mark.slow
def test_ten_megabytes_take_seconds_at_most() -> None:
    started = time.process_time()
    assert normalised("SELECT f('" + "x\\'\n" * 2_500_000 + "')") == "select f(?)"
    assert normalised("SELECT f('" + "\\x" * 2_500_000 + "')") == "select f(?)"
    assert normalised("SELECT a FROM t WHERE b IN (" + ", ".join(map(str, range(60_000))) + ")").endswith("in (?)")
    assert time.process_time() - started < 20
