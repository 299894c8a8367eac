from __future__ import annotations

import pytest

from otterflow.dbms.mariadb.product import MARIADB
from otterflow.dbms.mysql.product import MYSQL
from otterflow.dbms.mysql_family.versions import major_of, number_of, shown
from otterflow.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "number", "major"),
    [
        ("10.11.19-MariaDB-0+deb12u1", 101119, 1011),
        ("5.5.5-10.6.4-MariaDB", 100604, 1006),
        ("8.0.36", 80036, 800),
        ("8.4.0-1.1", 80400, 804),
        ("9.7.4-1debian1", 90704, 907),
    ],
)
def test_versions_as_the_servers_write_them(text: str, number: int, major: int) -> None:
    assert (number_of(text), major_of(number)) == (number, major)


def test_what_is_no_version_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no version"):
        number_of("Oracle")


def test_they_read_as_people_write_them() -> None:
    assert shown(1011) == "10.11"
    assert MARIADB.version_range == "10.6 to 11.8"
    assert MYSQL.version_range == "8.0 to 9.7"
