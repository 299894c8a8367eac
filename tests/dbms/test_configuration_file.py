from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otterflow.dbms.postgresql.configuration_file import Include, includes, parse, render
from otterflow.errors import InvalidInput
from otterflow.knobs.live import LiveSetting
from tests.dbms.conftest import setting

LIVE: dict[str, LiveSetting] = {
    "shared_buffers": setting("shared_buffers", "16384", unit="8kB"),
    "random_page_cost": setting("random_page_cost", "4", vartype="real"),
    "jit": setting("jit", "on", vartype="bool"),
    "wal_compression": setting("wal_compression", "off", vartype="enum", enumvals=["off", "pglz", "lz4"]),
    "search_path": setting("search_path", "", vartype="string"),
}


def test_values_are_spelled_as_the_server_reads_them() -> None:
    text = render(
        {"shared_buffers": 524288, "random_page_cost": 1.1, "jit": False, "wal_compression": "lz4"},
        LIVE,
        keep={"archive_command": "cp %p '/a b/%f'", "jit": "on"},
        header="Written by otterflow.\nDo not edit.",
    )
    assert text == (
        "# Written by otterflow.\n"
        "# Do not edit.\n"
        "archive_command = 'cp %p ''/a b/%f'''\n"
        "jit = off\n"
        "random_page_cost = 1.1\n"
        "shared_buffers = 4GB\n"
        "wal_compression = 'lz4'\n"
    )
    assert parse(text)["archive_command"] == "cp %p '/a b/%f'"


def test_a_knob_that_the_server_does_not_have_is_refused() -> None:
    with pytest.raises(InvalidInput, match="io_method: is unknown to the server"):
        render({"io_method": "worker"}, LIVE, header="")


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_text_comes_back(text: str) -> None:
    assert parse(render({"search_path": text}, LIVE, header="x")) == {"search_path": text}


def test_the_grammar() -> None:
    text = """
# a comment
Work_Mem = 4MB            # trailing
shared_buffers='1GB'
max_connections 100
log_line_prefix = '%m [%p] ''x'' \\'y\\' \\\\ \\101 # no comment'
work_mem = '8MB'
custom.setting = on
include_if_exists 'other.conf'
"""
    assert parse(text) == {
        "work_mem": "8MB",
        "shared_buffers": "1GB",
        "max_connections": "100",
        "log_line_prefix": "%m [%p] 'x' 'y' \\ A # no comment",
        "custom.setting": "on",
    }


@pytest.mark.parametrize("line", ["work_mem = 'open", "= 4MB", "work_mem", "work_mem = 4 MB", "rm -rf /; x"])
def test_what_is_no_setting_is_named_by_its_line(line: str) -> None:
    with pytest.raises(InvalidInput, match=r"line 2: .* is no setting"):
        parse(f"jit = on\n{line}\n")


def test_includes_are_found_among_other_lines() -> None:
    text = "include = 'a.conf'\nwork_mem = 4MB\nnot a setting at all\n#include 'no.conf'\ninclude_dir 'conf.d'\n"
    assert includes(text) == [Include("include", "a.conf"), Include("include_dir", "conf.d")]
