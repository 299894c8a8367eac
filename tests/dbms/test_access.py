from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otterflow.dbms.postgresql.access import DatabaseAccess, libpq_parameters, pgpass_line


def test_the_password_is_nowhere_but_in_the_file() -> None:
    access = DatabaseAccess.with_password("db", 5432, "tuner", "bench", "s3:cr\\et")
    assert access.pgpass == "db:5432:*:tuner:s3\\:cr\\\\et\n"
    assert "s3" not in repr(access)
    assert "s3" not in str(access.environment())
    assert access.to("postgres").pgpass == access.pgpass
    assert access.to("postgres").environment()["PGDATABASE"] == "postgres"


def test_without_a_password_there_is_no_file() -> None:
    assert DatabaseAccess.with_password("db", 5432, "tuner", "bench", None).pgpass == ""


def test_a_socket_folder_matches_any_host() -> None:
    assert DatabaseAccess.with_password("/run/pg", 5432, "u", "bench", "x").pgpass == "*:5432:*:u:x\n"


def test_a_password_with_a_line_break_is_refused() -> None:
    with pytest.raises(ValueError, match="line break"):
        pgpass_line("db", 5432, "u", "a\nb")


@given(
    user=st.text(st.characters(exclude_characters="\n\r\0"), min_size=1),
    password=st.text(st.characters(exclude_characters="\n\r\0"), min_size=1),
)
def test_the_password_is_read_back_from_the_file(user: str, password: str) -> None:
    access = DatabaseAccess.with_password("db", 5432, user, "bench", password)
    assert access.password == access.to("other").password == password


def test_no_file_no_password() -> None:
    assert DatabaseAccess.with_password("db", 5432, "tuner", "bench", None).password == ""


def test_what_the_connections_extra_says_of_tls_goes_to_programs_and_nothing_else_of_it() -> None:
    extra = {"sslmode": "verify-full", "sslrootcert": "/etc/ca.pem", "sslcert": "", "cursor": "dictcursor", "iam": True}
    parameters = libpq_parameters(extra)
    assert parameters == {"sslmode": "verify-full", "sslrootcert": "/etc/ca.pem"}
    environment = DatabaseAccess.with_password("db", 5432, "u", "bench", None, parameters).environment()
    assert (environment["PGSSLMODE"], environment["PGSSLROOTCERT"]) == ("verify-full", "/etc/ca.pem")
