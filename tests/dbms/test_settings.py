from __future__ import annotations

from typing import Any

import pytest

from otterflow.dbms.postgresql.include_order import rows_by_text
from otterflow.dbms.postgresql.overriding import (
    PENDING_RESTART_ERROR,
    file_errors,
    include_problem,
    overriding_settings,
)
from otterflow.dbms.postgresql.settings import read_back
from otterflow.knobs.space import Value
from tests.dbms.conftest import setting

KNOBS = "/srv/conf/knobs.conf"
MAIN = "/srv/data/postgresql.conf"
AUTO = "/srv/data/postgresql.auto.conf"


def row(name: str, value: str, sourcefile: str, seqno: int, error: str | None = None) -> dict[str, Any]:
    return {
        "name": name, "setting": value, "sourcefile": sourcefile, "sourceline": 7, "seqno": seqno,
        "applied": error is None, "error": error,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (16384, setting("k", "16384", unit="8kB")),
        (1.1, setting("k", "1.1", vartype="real")),
        (0.3333333333, setting("k", "0.333333", vartype="real")),
        (2, setting("k", "2", vartype="real")),
        (True, setting("k", "on", vartype="bool")),
        ("lz4", setting("k", "lz4", vartype="enum", enumvals=["off", "lz4"])),
        ("/tmp", setting("k", "/tmp", vartype="string")),
    ],
)
def test_what_the_server_shows_of_the_same_value_is_equal(wanted: Value, found: Any) -> None:
    assert read_back({"k": wanted}, {"k": found}, KNOBS) == []


def test_a_knob_that_did_not_take_names_both_values_and_what_overrode_it() -> None:
    live = {"work_mem": setting("work_mem", "4096", unit="kB", sourcefile=AUTO)}
    (problem,) = read_back({"work_mem": 65536}, live, KNOBS)
    assert str(problem) == (
        f"work_mem: wanted 64MB, in force is 4MB; {AUTO} sets it after {KNOBS}; "
        f"to keep the value where otterflow finds it, write work_mem = 4MB into postgresql.conf above the line that "
        f"includes {KNOBS}, then run ALTER SYSTEM RESET work_mem and SELECT pg_reload_conf(); or exclude the knob"
    )


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        ({"source": "command line", "sourcefile": None}, "the server's command line; remove it there"),
        ({"source": "override", "sourcefile": None}, "the server computed it"),
        ({"source": "database", "sourcefile": None}, "ALTER DATABASE ... SET; RESET it there"),
        ({"source": "default", "sourcefile": None}, "was not read; check the include line"),
        ({"pending_restart": True}, "has not been restarted"),
        ({"sourcefile": "/srv/data/late.conf"}, f"move the line above the one that includes {KNOBS}"),
        ({}, "the server changed the value"),
    ],
)
def test_the_reason_follows_the_source(changes: dict[str, Any], advice: str) -> None:
    (problem,) = read_back({"k": 5}, {"k": setting("k", "1", **changes)}, KNOBS)
    assert advice in problem.advice


def test_a_value_that_waits_for_a_restart_is_a_problem_though_it_looks_right() -> None:
    (problem,) = read_back({"k": 5}, {"k": setting("k", "5", pending_restart=True)}, KNOBS)
    assert "waits for a restart" in problem.found


def test_a_knob_the_server_does_not_have_is_a_problem() -> None:
    (problem,) = read_back({"io_method": "worker"}, {}, KNOBS)
    assert problem.field == "io_method"


LIVE = {
    "work_mem": setting("work_mem", "4096", unit="kB"),
    "jit": setting("jit", "on", vartype="bool"),
    "shared_buffers": setting("shared_buffers", "16384", unit="8kB", context="postmaster"),
}


def test_lines_after_the_knobs_file_override_it() -> None:
    rows = [
        row("work_mem", "1MB", MAIN, 1),
        row("jit", "on", KNOBS, 2),
        row("Work_Mem", "2MB", MAIN, 3),
        row("work_mem", "3MB", AUTO, 4),
        row("fsync", "off", AUTO, 5),
    ]
    found = overriding_settings(LIVE, rows, [], ["work_mem", "jit"], knobs_file=KNOBS, database="bench", user="u")
    assert [p.found.split(" in ")[0] for p in found] == ["is set to '2MB'", "is set to '3MB'"]
    assert found[0].advice == f"move the line above the one that includes {KNOBS}, or exclude the knob"


def test_the_companys_value_of_alter_system_is_kept_by_the_advice_and_the_reload_not_forgotten() -> None:
    rows = [row("work_mem", "3MB", AUTO, 4), row("shared_buffers", "1GB", AUTO, 5)]
    found = overriding_settings(
        LIVE, rows, [], ["work_mem", "shared_buffers"], knobs_file=KNOBS, database="bench", user="u"
    )
    for problem, name, value, force in zip(
        found, ("work_mem", "shared_buffers"), ("3MB", "1GB"), ("SELECT pg_reload_conf()", "restart the server"),
        strict=True,
    ):  # fmt: skip
        assert f"write {name} = '{value}' into postgresql.conf above the line that includes" in problem.advice
        assert problem.advice.endswith(f"then run ALTER SYSTEM RESET {name} and {force}; or exclude the knob")


def test_with_an_empty_knobs_file_only_the_last_read_file_overrides() -> None:
    rows = [row("work_mem", "1MB", MAIN, 1), row("work_mem", "3MB", AUTO, 2)]
    found = overriding_settings(LIVE, rows, [], ["work_mem"], knobs_file=KNOBS, database="bench", user="u")
    assert [p.found.split(" in ")[0] for p in found] == ["is set to '3MB'"]


def test_without_the_files_rows_what_is_in_force_is_looked_at() -> None:
    live = {"work_mem": setting("work_mem", "1", sourcefile=AUTO), "jit": setting("jit", "1", sourcefile=MAIN)}
    found = overriding_settings(live, [], [], ["work_mem", "jit", "x"], knobs_file=KNOBS, database="bench", user="u")
    assert [p.field for p in found] == ["work_mem"]


def test_the_command_line_overrides_files() -> None:
    live = {
        "port": setting("port", "1", source="command line", sourcefile=None),
        "jit": setting("jit", "1", source="command line", sourcefile=None),
    }
    found = overriding_settings(live, [], [], ["jit"], knobs_file=KNOBS, database="bench", user="u")
    assert [(p.field, p.found) for p in found] == [("jit", "is set on the server's command line")]


@pytest.mark.parametrize("source", ["override", "environment variable"])
def test_what_the_server_computes_is_no_obstacle(source: str) -> None:
    """`wal_buffers` is of source override up to 14, and `max_stack_depth` of source environment variable."""
    live = {"wal_buffers": setting("wal_buffers", "512", unit="8kB", boot_val="-1", source=source, sourcefile=None)}
    assert overriding_settings(live, [], [], ["wal_buffers"], knobs_file=KNOBS, database="bench", user="u") == []


def test_settings_bound_to_the_benchmarks_database_and_user_override_files() -> None:
    def bound(database: str | None, role: str | None) -> dict[str, Any]:
        return {"database": database, "role": role, "name": "work_mem", "setting": "64MB"}

    rows = [bound("bench", None), bound("other", None), bound(None, "u"), bound(None, "someone"), bound("bench", "u")]
    found = overriding_settings({}, [], rows, ["work_mem"], knobs_file=KNOBS, database="bench", user="u")
    assert [p.advice for p in found] == [
        f"note the value, and run {command} RESET work_mem; or exclude the knob"
        for command in ('ALTER DATABASE "bench"', 'ALTER ROLE "u"', 'ALTER ROLE "u" IN DATABASE "bench"')
    ]


def test_a_knobs_file_that_is_read_is_no_problem() -> None:
    assert include_problem([row("jit", "on", KNOBS, 1)], KNOBS, MAIN) is None
    problem = include_problem([row("jit", "on", MAIN, 1)], KNOBS, MAIN)
    assert problem is not None
    assert problem.advice == f"add this line at the end of {MAIN}: include_if_exists = '{KNOBS}'"


def by_text(files: dict[str, str]) -> list[dict[str, Any]]:
    """The rows of made-up files; those of a folder are its names."""

    def names(folder: str) -> list[str]:
        return [path.rpartition("/")[2] for path in files if path.rpartition("/")[0] == folder]

    return rows_by_text(MAIN, KNOBS, lambda path: files.get(path, ""), names)


@pytest.mark.parametrize(
    ("include", "read"),
    [
        (f"include '{KNOBS}'", True),
        ("include_if_exists = '../conf/knobs.conf' # otterflow's", True),
        ("include_dir '/srv/conf/'", True),
        ("include_dir '/srv'", False),
        ("include '/srv/conf/other.conf'", False),
        (f"# include '{KNOBS}'", False),
    ],
)
def test_include_lines_by_their_text(include: str, read: bool) -> None:
    rows = by_text({MAIN: f"jit = on\n{include}\n"})
    assert (include_problem(rows, KNOBS, MAIN) is None) is read


def test_lines_after_a_knobs_file_that_is_not_there_yet_override_it() -> None:
    files = {
        MAIN: f"work_mem = 1MB\ninclude 'more.conf'\ninclude_if_exists = '{KNOBS}'\ninclude_dir = 'conf.d'\njit=off",
        "/srv/data/more.conf": "shared_buffers = 5GB\n",
        "/srv/data/conf.d/20.conf": "work_mem = 7MB\n",
        "/srv/data/conf.d/10.conf": "\nwork_mem = 6MB\n",
    }
    found = overriding_settings(LIVE, by_text(files), [], list(LIVE), knobs_file=KNOBS, database="bench", user="u")
    assert [(p.field, p.found) for p in found] == [
        ("work_mem", f"is set to '6MB' in /srv/data/conf.d/10.conf line 2, read after {KNOBS}"),
        ("work_mem", f"is set to '7MB' in /srv/data/conf.d/20.conf line 1, read after {KNOBS}"),
        ("jit", f"is set to 'off' in {MAIN} line 5, read after {KNOBS}"),
    ]


def test_files_that_include_each_other_come_to_an_end() -> None:
    assert by_text({MAIN: "include 'postgresql.conf'\njit = on"})


def test_errors_in_files_are_told_from_values_that_wait_for_a_restart() -> None:
    live = {
        "shared_buffers": setting("shared_buffers", "1", unit="8kB", context="postmaster", max_val="1000000"),
        "work_mem": setting("work_mem", "1", unit="kB"),
    }
    rows = [
        row("shared_buffers", "1GB", KNOBS, 1, PENDING_RESTART_ERROR),
        row("shared_buffers", "banana", KNOBS, 2, PENDING_RESTART_ERROR),
        row("shared_buffers", "1TB", KNOBS, 3, PENDING_RESTART_ERROR),
        row("work_mem", "banana", KNOBS, 4, PENDING_RESTART_ERROR),
        row("nonsense", "1", KNOBS, 5, "unrecognized configuration parameter"),
        row("jit", "on", KNOBS, 6),
    ]
    found = file_errors(rows, live)
    assert [p.found.split(" in ")[0] for p in found] == [
        "shared_buffers = 'banana'", "shared_buffers = '1TB'", "work_mem = 'banana'", "nonsense = '1'",
    ]  # fmt: skip
