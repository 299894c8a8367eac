from __future__ import annotations

import pytest

from otterflow.dbms.mysql_family import secrets
from otterflow.dbms.mysql_family.quoting import identifier, literal
from tests.dbms.mysql_family.conftest import Query


@pytest.mark.parametrize("name", ["init_connect", "wsrep_sst_auth", "Loose-Init-Connect", "new_api_key", "vault.url",
                                  "file_key_management_filekey"])  # fmt: skip
def test_what_may_be_a_secret_is_withheld(name: str) -> None:
    assert secrets.is_withheld(name)


@pytest.mark.parametrize(
    "name", ["innodb_buffer_pool_size", "old_passwords", "validate_password.length", "max_password_errors", "author"]
)
def test_what_is_none_is_told(name: str) -> None:
    assert not secrets.is_withheld(name)


def test_the_knobs_file_is_told_which_lines_to_move() -> None:
    found = secrets.file_problems(["sort_buffer_size", "init_connect"], "/etc/zz.cnf")
    assert [str(problem) for problem in found] == [
        "knobs_file: /etc/zz.cnf sets init_connect, which may hold a secret, and its text is kept in otterflow's "
        "repository; move the line to another of the server's option files"
    ]


@pytest.mark.parametrize(
    ("text", "may"),
    [("SELECT ?", True), ("  ( SELECT ? ) UNION ( SELECT ? )", True), ("UPDATE `t` SET `a` = ?", True),
     ("CREATE USER ? IDENTIFIED BY ?", False), ("SET PASSWORD = ?", False), ("selection", False)],
)  # fmt: skip
def test_of_statements_only_queries_are_told(text: str, may: bool) -> None:
    assert secrets.is_normalised(text) is may


@pytest.mark.integration
def test_sql_and_python_withhold_the_same_of_all_that_the_server_has(query: Query) -> None:
    rows = query(
        f"SELECT lower(VARIABLE_NAME) AS name, {secrets.withheld_sql('VARIABLE_NAME')} AS withheld"
        " FROM information_schema.SYSTEM_VARIABLES"
    )
    assert len(rows) > 500
    assert [row["name"] for row in rows if bool(row["withheld"]) != secrets.is_withheld(row["name"])] == []
    withheld = {row["name"] for row in rows if row["withheld"]}
    assert {"init_connect", "init_slave"} <= withheld
    assert len(withheld) < 15, sorted(withheld)


@pytest.mark.integration
def test_a_constant_is_what_it_was_in_any_mode_and_a_name_too(query: Query) -> None:
    text = 'it\'s \\ a "b" `c` %s é\n'
    for mode in ("", "NO_BACKSLASH_ESCAPES", "ANSI_QUOTES"):
        query(f"SET SESSION sql_mode = '{mode}'")
        assert query(f"SELECT {literal(text)} AS text")[0]["text"] == text
        assert list(query(f"SELECT 1 AS {identifier('a`b')}")[0]) == ["a`b"]
