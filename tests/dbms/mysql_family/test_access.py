from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from otterflow.dbms.mariadb.client import CLIENT as MARIADB
from otterflow.dbms.mysql.client import CLIENT as MYSQL
from otterflow.dbms.mysql_family.access import CLIENT_FILE, DatabaseAccess, option
from otterflow.dbms.values import Login
from otterflow.errors import InvalidInput
from stack.mariadb import PrivateMariadb
from tests.dbms.mysql_family.conftest import target_of

NASTY = 'it\'s "a" #pass\\word\n;\t=[client] é'


def login(**changes: object) -> Login:
    given = {"host": "db", "port": 3307, "user": "me", "password": "s3cret", "database": None, "extra": {}}
    return Login(**given | changes, place="connection 'x'")  # type: ignore[arg-type]


def test_the_password_is_in_the_file_and_nowhere_else() -> None:
    access = MARIADB.access(login(), "bench", "there")
    assert "s3cret" in access.files()[CLIENT_FILE]
    assert "s3cret" not in f"{access!r} {access.prologue('/x y')} {access.environment()}"
    assert (access.host, access.port, access.user, access.database) == ("there", 3307, "me", "bench")


def test_each_product_has_its_own_client_program() -> None:
    assert "sql_client() { mariadb --defaults-file=" in MARIADB.access(login(), "bench").prologue(None)
    assert "sql_client() { mysql --defaults-file=" in MYSQL.access(login(), "bench").prologue(None)


def test_a_command_of_ones_own_is_told_where_the_server_is() -> None:
    told = MARIADB.access(login(), "bench").environment()
    assert {name: told[name] for name in ("MYSQL_HOST", "MYSQL_TCP_PORT", "MYSQL_USER", "MYSQL_DATABASE")} == {
        "MYSQL_HOST": "db", "MYSQL_TCP_PORT": "3307", "MYSQL_USER": "me", "MYSQL_DATABASE": "bench",
    }  # fmt: skip
    at_socket = MARIADB.access(login(host="/run/db/sock"), "bench").environment()
    assert (at_socket["MYSQL_HOST"], at_socket["MYSQL_UNIX_PORT"]) == ("localhost", "/run/db/sock")
    assert "MYSQL_TCP_PORT" not in at_socket
    assert 'export MYSQL_OPTION_FILE="$PWD/client.cnf"' in MARIADB.access(login(), "bench").prologue(None).splitlines()


def test_without_a_password_none_is_given() -> None:
    assert "password" not in MARIADB.access(login(password=None), "bench").files()[CLIENT_FILE]


def test_a_socket_is_told_from_a_host() -> None:
    assert 'socket="/run/db/sock"\n' in MARIADB.access(login(host="/run/db/sock"), "bench").option_file()
    assert 'host="db"\nport=3307\nprotocol=tcp\n' in MARIADB.access(login(), "bench").option_file()


def test_what_the_extra_says_of_tls_reaches_both_products_programs() -> None:
    text = MYSQL.access(login(extra={"ssl_ca": "/ca.pem", "ssl_verify_identity": True}), "bench").option_file()
    assert 'ssl-ca="/ca.pem"\n' in text
    assert "loose-ssl-verify-server-cert\nloose-ssl-mode=VERIFY_IDENTITY\n" in text
    assert "ssl" not in MYSQL.access(login(extra={"ssl_disabled": False, "charset": "utf8"}), "bench").option_file()


@pytest.mark.parametrize("password", ["a\0b", "x" * 4000])
def test_a_password_that_no_file_can_hold_is_refused_by_the_connections_name(password: str) -> None:
    with pytest.raises(InvalidInput, match=r"connection 'x': password: .*no program could be given it"):
        MARIADB.access(login(password=password), "bench")


def test_an_option_is_one_line() -> None:
    assert option("user", 'a\n"b"\\') == 'user="a\\n\\"b\\"\\\\"\n'


@pytest.mark.integration
def test_the_programs_read_a_password_of_any_letters(mariadb: PrivateMariadb, tmp_path: Path) -> None:
    quoted = NASTY.replace("\\", "\\\\").replace("'", "''")
    mariadb.sql(f"CREATE USER nasty@'%' IDENTIFIED BY '{quoted}'; GRANT ALL ON bench.* TO nasty@'%';\n")
    try:
        access = DatabaseAccess(mariadb.host, mariadb.port, "nasty", "bench", NASTY, program="mariadb")
        (tmp_path / CLIENT_FILE).write_text(access.option_file())
        script = (
            access.prologue(str(mariadb.bin_dir)) + "sql_client --batch -N -e 'SELECT current_user(), database()'\n"
        )
        for then in (
            "",
            "mariadb-admin --defaults-file=client.cnf ping",
            "mariadb-dump --defaults-file=client.cnf bench",
        ):
            done = subprocess.run(["bash", "-c", script + then], cwd=tmp_path, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            assert done.stdout.startswith("nasty@%\tbench\n")
    finally:
        mariadb.sql("DROP USER nasty@'%';")


@pytest.mark.integration
def test_sql_from_here_takes_a_password_of_any_letters(mariadb: PrivateMariadb) -> None:
    quoted = NASTY.replace("\\", "\\\\").replace("'", "''")
    mariadb.sql(f"CREATE USER nasty@'%' IDENTIFIED BY '{quoted}';\n")
    try:
        given = login(host=mariadb.host, port=mariadb.port, user="nasty", password=NASTY)
        with MARIADB.open_query(given, target_of()) as query:
            assert query("SELECT current_user() AS who, %s AS text", (NASTY,)) == [{"who": "nasty@%", "text": NASTY}]
    finally:
        mariadb.sql("DROP USER nasty@'%';")
