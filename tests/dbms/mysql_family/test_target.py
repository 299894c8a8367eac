from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tests.dbms.mysql_family.conftest import SERVICES, target_of


@pytest.mark.parametrize("kind", SERVICES)
@pytest.mark.parametrize("dbms", ["mariadb", "mysql"])
def test_each_product_takes_each_kind_of_service(dbms: str, kind: str) -> None:
    assert target_of(dbms=dbms, service=SERVICES[kind]).service.kind == kind


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"service": {"kind": "pg_ctl"}}, "own_server"),
        ({"service": {"kind": "own_server"}}, "config_file"),
        ({"database": "mysql"}, "is the server's own"),
        ({"database": "Performance_Schema"}, "is the server's own"),
        ({"database": "x" * 65}, "1 to 64"),
        ({"database": "a\nb"}, "line break"),
        ({"database": "-D"}, "option"),
        ({"database": "bench "}, "ends with a space"),
        ({"knobs_file": "/srv/conf/otterflow.conf"}, "zz-otterflow.cnf"),
        ({"dbms": "oracle"}, "mariadb"),
    ],
)
def test_what_cannot_work_is_refused_with_the_reason(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        target_of(**changes)


def test_a_server_with_users_may_be_observed_in_any_database() -> None:
    assert target_of(database="mysql", has_users=True).database == "mysql"
