"""Exported SQL on a real MySQL: kept over a restart, and taken back; where none can be had, the test says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from otterflow.dbms.mysql.dbms import DBMS
from otterflow.knobs.space import Value
from tests.dbms.bundles import HOSTILE, order_of
from tests.dbms.mysql_family.servers import Server, running
from tests.dbms.mysql_family.test_rules import catalog_of

pytestmark = pytest.mark.integration

CONFIG: dict[str, Value] = {
    "innodb_buffer_pool_size": 256 * 2**20,
    "innodb_max_dirty_pages_pct": 75.5,
    "sort_buffer_size": 2**20,
    "innodb_read_io_threads": 3,
    "innodb_flush_method": "O_DSYNC",
}
"""The last two take a restart."""


@pytest.fixture
def server() -> Iterator[Server]:
    with running("mysql-9") as found:
        yield found


def run(server: Server, text: str) -> None:
    """Each statement of a script, as a client program would send it."""
    for line in text.splitlines():
        if not line.startswith("--"):
            server.query(line.rstrip(";"))


def values_of(server: Server) -> dict[str, Value]:
    live = server.settings()
    return {name: live[name].value for name in CONFIG}


def test_the_sql_is_kept_over_a_restart_and_taken_back(server: Server) -> None:
    live, before = server.settings(), values_of(server)
    entries = catalog_of("mysql").tunable(server.version)
    order = order_of(live, CONFIG, server.version, because=HOSTILE)
    knobs = [replace(knob, restart=entries[knob.name].restart) for knob in order.knobs]
    files = DBMS.export.bundle(replace(order, knobs=knobs)).files

    run(server, files["set_persist.sql"])
    assert values_of(server)["sort_buffer_size"] == CONFIG["sort_buffer_size"], "at once, without a restart"
    server.private.restart()
    assert values_of(server) == CONFIG

    run(server, files["set_persist_undo.sql"])
    assert values_of(server)["sort_buffer_size"] == before["sort_buffer_size"], "at once, without a restart"
    server.private.restart()
    assert values_of(server) == before
