from __future__ import annotations

import pytest

from stack.mariadb import PrivateMariadb
from tests.dbms.mysql_family.conftest import mariadb, mariadb_host, private_mariadb  # noqa: F401 fixtures

pytestmark = pytest.mark.integration


def test_it_answers_on_loopback_with_its_knobs_file_read_last(mariadb: PrivateMariadb) -> None:  # noqa: F811
    mariadb.user.write_file(mariadb.knobs_file, "[mysqld]\nmax_connections = 77\n", 0o644)
    former = mariadb.pid
    mariadb.restart()
    with mariadb.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT @@max_connections AS n, @@bind_address AS at, DATABASE() AS db, @@datadir AS data")
        assert cursor.fetchone() == {"n": 77, "at": "127.0.0.1", "db": "bench", "data": f"{mariadb.data_dir}/"}
    assert mariadb.is_running
    assert mariadb.pid != former


def test_a_server_that_was_stopped_starts_again(mariadb: PrivateMariadb) -> None:  # noqa: F811
    mariadb.stop()
    assert not mariadb.is_running
    mariadb.start()
    assert mariadb.is_running


def test_its_password_is_closed_to_others(mariadb: PrivateMariadb) -> None:  # noqa: F811
    assert mariadb.password_file.stat().st_mode & 0o777 == 0o600
    assert len(mariadb.password) > 20
