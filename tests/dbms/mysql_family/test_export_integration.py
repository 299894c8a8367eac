"""An exported option file and exported SQL on a real MariaDB: in force, and taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from otterflow.dbms.bundle.values import Bundle
from otterflow.dbms.mariadb.dbms import DBMS
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Value
from stack.mariadb import PrivateMariadb
from tests.dbms.bundles import HOSTILE, order_of
from tests.dbms.mysql_family.test_rules import catalog_of

pytestmark = pytest.mark.integration

Query = Callable[..., list[dict[str, Any]]]

CONFIG: dict[str, Value] = {
    "innodb_buffer_pool_size": 256 * 2**20,
    "innodb_io_capacity": 1234,
    "innodb_max_dirty_pages_pct": 75.5,
    "innodb_flush_neighbors": "0",
    "innodb_adaptive_hash_index": True,
    "sort_buffer_size": 2**20,
    "innodb_flush_method": "O_DSYNC",
}
"""The last takes a restart."""


def live_settings(server: PrivateMariadb) -> dict[str, LiveSetting]:
    """What it says of itself on a connection of its own, so that it outlives a restart."""

    def query(sql: str, parameters: Any = None) -> list[dict[str, Any]]:
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall()) if cursor.description else []

    return dict(DBMS.settings.live_settings(query))


def wanted(live: dict[str, LiveSetting]) -> dict[str, Value]:
    """The configuration in canonical values."""
    parse = DBMS.spelling.parse
    return {n: parse(value, live[n]) if isinstance(value, str) else value for n, value in CONFIG.items()}


def bundle_of(live: dict[str, LiveSetting]) -> Bundle:
    major = DBMS.settings.major(live)
    entries = catalog_of("mariadb").tunable(major)
    order = order_of(live, wanted(live), major, because=HOSTILE)
    return DBMS.export.bundle(
        replace(order, knobs=[replace(knob, restart=entries[knob.name].restart) for knob in order.knobs])
    )


def values_of(server: PrivateMariadb) -> dict[str, Value]:
    live = live_settings(server)
    return {name: live[name].value for name in CONFIG}


def test_the_option_file_puts_all_of_it_in_force(mariadb: PrivateMariadb) -> None:
    live = live_settings(mariadb)
    mariadb.user.write_file(mariadb.knobs_file, bundle_of(live).files["knobs.cnf"])
    mariadb.restart()
    assert values_of(mariadb) == wanted(live)


def test_the_sql_puts_in_force_what_needs_no_restart_and_takes_it_back(mariadb: PrivateMariadb) -> None:
    live, before = live_settings(mariadb), values_of(mariadb)
    bundle = bundle_of(live)
    mariadb.sql(bundle.files["set_global.sql"])
    after = values_of(mariadb)
    assert after.pop("innodb_flush_method") == before["innodb_flush_method"]
    assert after == {name: value for name, value in wanted(live).items() if name != "innodb_flush_method"}
    mariadb.sql(bundle.files["set_global_undo.sql"])
    assert values_of(mariadb) == before
