"""The scanner of MariaDB and MySQL: what is code, what is a value, what is passed over."""

from __future__ import annotations

import pytest

from otterflow.dbms.mysql_family.statements.tokens import content_of, tokens
from otterflow.dbms.statements.tokens import CONSTANT, OPERATOR, PARAMETER, QUOTED, WORD, Token


def _kinds(text: str) -> list[tuple[str, str]]:
    return [(token.kind, token.text) for token in tokens(text)]


@pytest.mark.parametrize(
    "constant",
    [
        "'a'", '"a"', "'it''s'", "'it\\'s'", '"it\\"s"', "'a\\\\'", "''", "'\n'", "N'x'", "x'4D'", "b'01'", "0x4D",
        "0b01", "_utf8mb4'x'", "_binary 'x'", "_binary x'4D'", "_latin1 0x4D", "1", "1.5e-3", ".5", "1e10",
    ],
)  # fmt: skip
def test_a_value_is_one_token(constant: str) -> None:
    assert _kinds(f"a={constant},b") == [
        (WORD, "a"), (OPERATOR, "="), (CONSTANT, constant), (OPERATOR, ","), (WORD, "b"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a -- 'x\nb", "a b"),
        ("a # 'x\nb", "a b"),
        ("a --", "a"),
        ("a /* 'x */ b", "a b"),
        ("a /*+ MAX_EXECUTION_TIME(5) */ b", "a b"),
        ("a /*!50003 b */ c", "a b c"),
        ("a /*! b */ c", "a b c"),
        ("a /*M!100100 b */ c", "a b c"),
        ("a /*M! b /* d */ */ c", "a b c"),
        ("a /* b", "a"),
        ("5--1", "5 - - 1"),
        ("a*/b", "a * / b"),
    ],
)
def test_comments_are_passed_over_and_code_in_them_is_code(text: str, words: str) -> None:
    assert [token.text for token in tokens(text)] == words.split()


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("`a b``c`.d", [(QUOTED, "`a b``c`"), (OPERATOR, "."), (WORD, "d")]),
        ("@x:=@@session.sql_mode", [(WORD, "@x"), (OPERATOR, ":="), (WORD, "@@session.sql_mode")]),
        ("@`x y`", [(QUOTED, "@`x y`")]),
        ("a->>'$.b'", [(WORD, "a"), (OPERATOR, "->>"), (CONSTANT, "'$.b'")]),
        ("a<=>?", [(WORD, "a"), (OPERATOR, "<=>"), (PARAMETER, "?")]),
        ("a=:name", [(WORD, "a"), (OPERATOR, "="), (PARAMETER, ":name")]),
        ("a=-1", [(WORD, "a"), (OPERATOR, "="), (OPERATOR, "-"), (CONSTANT, "1")]),
    ],
)
def test_names_variables_and_operators(text: str, kinds: list[tuple[str, str]]) -> None:
    assert _kinds(text) == kinds


@pytest.mark.parametrize(
    "text", ["'secret", '"secret', "`secret", "\\ secret", "'a\\' secret", "\udce9 secret", "\x00 s"]
)
def test_what_is_wrong_is_a_value_up_to_its_end(text: str) -> None:
    assert _kinds(text) == [(CONSTANT, text)]


@pytest.mark.parametrize(
    ("text", "meant"),
    [("'it''s'", "it's"), ("'a\\'b\\n'", "a'b\n"), ('"a"', "a"), ("'a", ""), ("5", ""), ("''", "")],
)
def test_what_a_string_stands_for(text: str, meant: str) -> None:
    assert content_of(Token(CONSTANT, text)) == meant
