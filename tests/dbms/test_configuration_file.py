from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otterflow.dbms.postgresql.configuration_file import numbered_settings, parse, render
from otterflow.errors import InvalidInput
from otterflow.knobs.setting import LiveSetting
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
        keep="archive_command = 'cp %p ''/a b/%f'''\nJIT = on\n",
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


def test_include_lines_are_kept_in_their_order_and_ahead_of_the_knobs() -> None:
    before = "work_mem = 1MB\ninclude 'a b.conf'\nwork_mem = 2MB # a comment\ninclude_if_exists=c.conf\njit = on\n"
    text = render({"jit": False}, LIVE, keep=before, header="x")
    assert text == "# x\ninclude 'a b.conf'\nwork_mem = '2MB'\ninclude_if_exists 'c.conf'\njit = off\n"
    assert [row[1:] for row in numbered_settings(text) if "include" in row[1]] == [
        row[1:] for row in numbered_settings(before) if "include" in row[1]
    ]


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


def test_includes_and_settings_are_found_among_other_lines_with_their_numbers() -> None:
    text = "include = 'a.conf'\nwork_mem = 4MB\nnot a setting at all\n#include 'no.conf'\ninclude_dir 'conf.d'\n"
    assert numbered_settings(text) == [
        (1, "include", "a.conf"),
        (2, "work_mem", "4MB"),
        (5, "include_dir", "conf.d"),
    ]
