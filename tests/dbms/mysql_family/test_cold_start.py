"""A trial begins with an empty buffer pool: what is written for it, and what would keep it from being so."""

from __future__ import annotations

from typing import Any

import pytest

from otterflow.dbms.mysql.settings import ORIGINS
from otterflow.dbms.mysql_family.cold_start import SWITCHES, as_measured, kept_on, turned_on_later
from otterflow.dbms.mysql_family.option_file import lines_of, settings_of
from otterflow.dbms.mysql_family.reading_order import Reading
from otterflow.knobs.setting import LiveSetting
from tests.dbms.mysql_family.test_option_file import setting

DUMP, LOAD = SWITCHES


def live(**changes: Any) -> dict[str, LiveSetting]:
    """Both switches on, by the server itself."""
    row: dict[str, Any] = {"type": "BOOLEAN", "origin": "COMPILED", "path": None} | changes
    return {name: setting(name, "ON", **row) for name in SWITCHES}


@pytest.mark.parametrize(
    "text",
    ["", "[mysqld]\nsort_buffer_size = 1M\n", "[client]\nport = 1", f"[mariadb]\n{LOAD.replace('_', '-')} = ON\n"],
)
def test_a_trials_knobs_file_says_what_the_text_says_and_that_the_pool_begins_empty(text: str) -> None:
    found = settings_of(lines_of(as_measured(text)))
    assert found == settings_of(lines_of(text)) | {DUMP: "OFF", LOAD: "OFF"}


def test_a_server_that_is_told_so_by_its_defaults_or_by_hand_can_be_told_otherwise() -> None:
    assert kept_on(live(), ORIGINS, []) == []
    assert kept_on(live(origin="DYNAMIC"), ORIGINS, [{"name": LOAD, "value": "OFF"}]) == []
    assert kept_on({}, ORIGINS, []) == []


def test_what_wins_over_the_knobs_file_is_named_with_its_remedy() -> None:
    first, second = kept_on(live(origin="COMMAND_LINE"), ORIGINS, [])
    assert (first.field, second.field) == (DUMP, LOAD)
    assert first.advice == f"remove {DUMP} there"
    [kept] = kept_on(live(origin="DYNAMIC"), ORIGINS, [{"name": LOAD, "value": "ON"}])
    assert f"RESET PERSIST {LOAD}" in kept.advice
    assert "the pages of the one before" in kept.found


def test_a_later_line_of_another_file_is_a_problem_where_it_turns_a_switch_on() -> None:
    lines = lines_of(f"[mysqld]\n{LOAD} = 1\n{DUMP} = OFF\n[client]\n{DUMP} = ON\n")
    before = [("/etc/my.cnf", line) for line in lines]
    reading = Reading([*before, *(("/etc/later.cnf", line) for line in lines)], len(before))
    [problem] = turned_on_later(reading, "/etc/zz-otterflow.cnf")
    assert problem.field == LOAD
    assert "/etc/later.cnf line 2" in problem.found
