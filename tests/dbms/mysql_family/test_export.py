"""A configuration of MariaDB, and of MySQL, as other tools' files."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from otterflow.dbms.bundle.values import Bundle, Order
from otterflow.dbms.mariadb.dbms import DBMS as MARIADB
from otterflow.dbms.mysql.dbms import DBMS as MYSQL
from otterflow.dbms.mysql_family import option_file
from otterflow.dbms.mysql_family.export import RDS_FIXED
from otterflow.knobs.space import Value
from tests.dbms.bundles import HOSTILE, order_of, parameters_of, playbook_of, run_apply, terraform_of
from tests.dbms.mysql_family.test_rules import catalog_of, live_of

CONFIG: dict[str, Value] = {
    "innodb_buffer_pool_size": 2**31,
    "innodb_adaptive_hash_index": True,
    "innodb_flush_method": "O_DIRECT",
    "innodb_max_dirty_pages_pct": 75.5,
    "innodb_read_io_threads": 8,
}
SPELT = {
    "innodb_buffer_pool_size": "2G", "innodb_adaptive_hash_index": "ON", "innodb_flush_method": "O_DIRECT",
    "innodb_max_dirty_pages_pct": "75.5", "innodb_read_io_threads": "8",
}  # fmt: skip


def order(server: str, dbms: str, version: int, because: str = "found in trial 3") -> Order:
    """The order, with what takes a restart as the catalog says it."""
    entries = catalog_of(dbms).tunable(version)
    found = order_of(live_of(server), CONFIG, version, because=because)
    return replace(found, knobs=[replace(knob, restart=entries[knob.name].restart) for knob in found.knobs])


@pytest.fixture
def mariadb() -> Bundle:
    return MARIADB.export.bundle(order("mariadb_10_11", "mariadb", 1011))


@pytest.fixture
def mysql() -> Bundle:
    return MYSQL.export.bundle(order("mysql_9_7", "mysql", 907))


def settings_in(text: str) -> dict[str, str]:
    return option_file.settings_of(option_file.lines_of(text))


def statements(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("--")]


def test_the_option_file_says_each_value_and_where_it_comes_from(mariadb: Bundle, mysql: Bundle) -> None:
    for found in (mariadb, mysql):
        assert settings_in(found.files["knobs.cnf"]) == SPELT
        assert "# found in trial 3\ninnodb_buffer_pool_size = 2G\n" in found.files["knobs.cnf"]


def test_mariadbs_sql_sets_what_needs_no_restart_and_names_the_rest(mariadb: Bundle) -> None:
    assert statements(mariadb.files["set_global.sql"]) == [
        "SET GLOBAL innodb_adaptive_hash_index = ON;",
        "SET GLOBAL innodb_buffer_pool_size = 2147483648;",
        "SET GLOBAL innodb_max_dirty_pages_pct = 75.5;",
        "SET GLOBAL innodb_read_io_threads = 8;",
    ]
    assert "-- innodb_flush_method = 'O_DIRECT' takes a restart" in mariadb.files["set_global.sql"]
    undo = statements(mariadb.files["set_global_undo.sql"])
    assert "SET GLOBAL innodb_buffer_pool_size = 134217728;" in undo
    assert len(undo) == 4


def test_mysqls_sql_is_kept_and_taken_back(mysql: Bundle) -> None:
    said = statements(mysql.files["set_persist.sql"])
    assert "SET PERSIST innodb_buffer_pool_size = 2147483648;" in said
    assert "SET PERSIST_ONLY innodb_flush_method = 'O_DIRECT';" in said
    assert "SET PERSIST_ONLY innodb_read_io_threads = 8;" in said
    undo = statements(mysql.files["set_persist_undo.sql"])
    assert [line for line in undo if line.startswith("RESET")] == [
        f"RESET PERSIST IF EXISTS {name};" for name in sorted(CONFIG)
    ]
    assert "SET GLOBAL innodb_buffer_pool_size = 134217728;" in undo


def test_what_mysql_had_persisted_before_is_persisted_back() -> None:
    found = order("mysql_9_7", "mysql", 907)
    kept = [replace(knob, setting=replace(knob.setting, source="PERSISTED")) for knob in found.knobs]
    undo = statements(MYSQL.export.bundle(replace(found, knobs=kept)).files["set_persist_undo.sql"])
    assert "SET PERSIST innodb_buffer_pool_size = 134217728;" in undo
    assert any(line.startswith("SET PERSIST_ONLY innodb_flush_method = ") for line in undo)
    assert not [line for line in undo if line.startswith("RESET")]


def test_ansible_writes_the_option_file_and_restarts(mariadb: Bundle) -> None:
    play = playbook_of(mariadb.files["ansible/playbook.yml"])
    assert settings_in(play["tasks"][0]["ansible.builtin.copy"]["content"]) == SPELT
    assert play["vars"] == {
        "knobs_file": "/etc/mysql/mariadb.conf.d/zz-otterflow.cnf", "service_name": "mariadb",
    }  # fmt: skip


def test_rds_gets_bytes_and_not_what_it_decides_itself(mariadb: Bundle, mysql: Bundle, tmp_path: Path) -> None:
    assert parameters_of(mariadb, "rds") == {
        "innodb_adaptive_hash_index": ("1", "immediate"), "innodb_buffer_pool_size": ("2147483648", "immediate"),
        "innodb_max_dirty_pages_pct": ("75.5", "immediate"), "innodb_read_io_threads": ("8", "immediate"),
    }  # fmt: skip
    assert parameters_of(mysql, "rds")["innodb_read_io_threads"] == ("8", "pending-reboot")
    assert terraform_of(mariadb.files["rds/main.tf"])["family"] == "mariadb10.11"
    assert terraform_of(mysql.files["rds/main.tf"])["family"] == "mysql9.7"
    assert mariadb.left_out == {"rds": {"innodb_flush_method": RDS_FIXED["innodb_flush_method"]}}
    assert run_apply(mariadb, "rds", tmp_path)[0] == 0


def test_what_is_left_out_is_a_knob_that_there_is() -> None:
    assert RDS_FIXED.keys() - {knob.name for dbms in ("mariadb", "mysql") for knob in catalog_of(dbms).knobs} == set()


def test_no_text_leaves_its_comment(mariadb: Bundle) -> None:
    loud = MARIADB.export.bundle(order("mariadb_10_11", "mariadb", 1011, because=HOSTILE))
    assert settings_in(loud.files["knobs.cnf"]) == SPELT
    assert statements(loud.files["set_global.sql"]) == statements(mariadb.files["set_global.sql"])
    assert terraform_of(loud.files["rds/main.tf"]) == terraform_of(mariadb.files["rds/main.tf"])
    assert not re.search(r"\{[{%#]", playbook_of(loud.files["ansible/playbook.yml"])["name"])
