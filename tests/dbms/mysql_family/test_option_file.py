from __future__ import annotations

from typing import Any

import pytest

from otterflow.dbms.mysql_family import spelling
from otterflow.dbms.mysql_family.option_file import lines_of, readable_lines, render, settings_of
from otterflow.dbms.mysql_family.rows import from_row
from otterflow.errors import InvalidInput
from otterflow.knobs.setting import LiveSetting


def setting(name: str, value: str, **changes: Any) -> LiveSetting:
    """A setting as a server would report it: a number from its knobs file unless told otherwise."""
    row: dict[str, Any] = {
        "name": name, "value": value, "origin": "CONFIG", "path": "/srv/conf/conf.d/zz-otterflow.cnf",
        "default_value": value, "type": "BIGINT UNSIGNED", "minimum": "0", "maximum": "18446744073709551615",
        "block": "1", "members": None, "read_only": 0, "description": "",
    }  # fmt: skip
    return from_row(row | changes)


LIVE = {
    made.name: made
    for made in (
        setting("innodb_buffer_pool_size", "134217728"),
        setting("innodb_io_capacity", "200"),
        setting("innodb_adaptive_hash_index", "OFF", type="BOOLEAN"),
        setting("innodb_flush_method", "fsync", type="ENUM", members="fsync,O_DSYNC,O_DIRECT"),
        setting("long_query_time", "10.000000", type="DOUBLE"),
        setting("init_file", "", type="VARCHAR"),
    )
}


@pytest.mark.parametrize(
    ("name", "text", "value", "shown"),
    [
        ("innodb_buffer_pool_size", "1g", 2**30, "1G"),
        ("innodb_buffer_pool_size", "100000001", 100000001, "100000001"),
        ("innodb_io_capacity", "2K", 2048, "2048"),
        ("innodb_adaptive_hash_index", "true", True, "ON"),
        ("innodb_adaptive_hash_index", "0", False, "OFF"),
        ("innodb_flush_method", "o_direct", "O_DIRECT", "O_DIRECT"),
        ("innodb_flush_method", "1", "O_DSYNC", "O_DSYNC"),
        ("long_query_time", "0.25", 0.25, "0.25"),
        ("init_file", "'/a b#c'", "/a b#c", "/a b#c"),
    ],
)
def test_values_are_read_as_the_servers_do(name: str, text: str, value: object, shown: str) -> None:
    assert spelling.parse(text, LIVE[name]) == spelling.in_file(text, LIVE[name]) == value
    assert spelling.display(value, LIVE[name]) == shown


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("innodb_buffer_pool_size", "1.5G"),
        ("innodb_buffer_pool_size", "1.5GB"),
        ("innodb_buffer_pool_size", "128 M"),
        ("innodb_buffer_pool_size", "1Q"),
        ("innodb_io_capacity", "2KB"),
        ("innodb_adaptive_hash_index", "maybe"),
        ("innodb_flush_method", "banana"),
        ("innodb_flush_method", "3"),
        ("long_query_time", "x"),
    ],
)
def test_what_the_servers_refuse_is_refused(name: str, text: str) -> None:
    with pytest.raises(InvalidInput, match=name):
        spelling.parse(text, LIVE[name])


@pytest.mark.parametrize("text", ["64MB", "64mb", "64 MB", "'64MB'", "65536kB", "67108864B", "64M", "67108864"])
def test_a_size_may_be_written_as_catalogs_have_it_but_not_in_a_file(text: str) -> None:
    size = LIVE["innodb_buffer_pool_size"]
    assert spelling.parse(text, size) == 64 * 2**20
    assert spelling.render(64 * 2**20, size) == "64M"
    if "B" in text.upper():
        with pytest.raises(InvalidInput, match="K, M, G or T may follow"):
            spelling.in_file(text, size)


def test_a_file_keeps_what_it_does_not_set() -> None:
    former = "[mysqld]\nmax-connections=7\ninnodb-io-capacity = 5\nloose_new_knob = 1\nport=1\n[client]\nuser=x\n"
    config = {"innodb_io_capacity": 100, "innodb_buffer_pool_size": 2**27, "innodb_adaptive_hash_index": True}
    text = render(config, LIVE, keep=former + "[mysqld]\nport=2\n", header="otterflow")
    assert text == (
        "# otterflow\n[mysqld]\nmax-connections=7\nloose_new_knob = 1\n[client]\nuser=x\n[mysqld]\nport=2\n"
        "[mysqld]\ninnodb_adaptive_hash_index = ON\ninnodb_buffer_pool_size = 128M\ninnodb_io_capacity = 100\n"
    )
    assert settings_of(lines_of(text))["innodb_io_capacity"] == "100"
    assert render(config, LIVE, keep=text, header="").count("io_capacity") == 1


def test_a_name_that_the_server_lacks_is_refused() -> None:
    with pytest.raises(InvalidInput, match="nothing"):
        render({"nothing": 1}, LIVE, header="")


@pytest.mark.parametrize("text", ["max_connections=5\n", "[mysqld]\n= 5\n", "[mysqld\n", "[mysqld]\n&%$\n"])
def test_lines_that_no_server_takes_are_named(text: str) -> None:
    with pytest.raises(InvalidInput, match="line "):
        lines_of(text)
    assert readable_lines(text) == []


def test_switches_comments_and_includes_are_understood() -> None:
    lines = lines_of("[mysqld]\nskip-log-bin\ninnodb_file_per_table\na = 'x#y' # z\n; no\n!includedir /a b\n")
    assert [(line.name, line.value) for line in lines] == [
        ("log_bin", "OFF"), ("innodb_file_per_table", "ON"), ("a", "x#y"), ("!includedir", "/a b"),
    ]  # fmt: skip
