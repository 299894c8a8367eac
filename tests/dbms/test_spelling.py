from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otterflow.dbms.postgresql.spelling import display, parse, quote, render
from otterflow.errors import InvalidInput
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Value
from otterflow.language.quantities import unit_family
from tests.knobs.values import with_fields

UNITS = ["B", "kB", "8kB", "16kB", "MB", "GB", "TB", "16MB", "us", "ms", "s", "min", "h", "d"]


@pytest.mark.parametrize(
    ("name", "value", "spelling"),
    [
        ("shared_buffers", 524288, "4GB"),
        ("shared_buffers", 16385, "131080kB"),
        ("work_mem", 64, "64kB"),
        ("work_mem", 1536, "1536kB"),
        ("max_wal_size", 1024 * 1024, "1TB"),
        ("track_activity_query_size", 1500, "1500B"),
        ("track_activity_query_size", 2048, "2kB"),
        ("checkpoint_timeout", 300, "5min"),
        ("checkpoint_timeout", 90, "90s"),
        ("deadlock_timeout", 1500, "1500ms"),
        ("log_rotation_age", 1440, "1d"),
        ("autovacuum_vacuum_cost_delay", 2.0, "2ms"),
        ("autovacuum_vacuum_cost_delay", 0.5, "500us"),
        ("autovacuum_vacuum_cost_delay", 0.0005, "0.0005"),
        ("autovacuum_vacuum_cost_delay", 1.23457, "1.23457"),
        ("autovacuum_vacuum_cost_delay", -1.0, "-1"),
        ("autovacuum_work_mem", -1, "-1"),
        ("log_temp_files", 0, "0"),
        ("random_page_cost", 1.1, "1.1"),
        ("random_page_cost", 4.0, "4"),
        ("cpu_operator_cost", 1e-05, "'1e-05'"),
        ("jit", True, "on"),
        ("jit", False, "off"),
        ("wal_compression", "pglz", "'pglz'"),
        ("log_file_mode", 0o640, "0640"),
        ("search_path", "a'b\\c\n", "'a''b\\\\c\\n'"),
    ],
)
def test_spelling_in_a_configuration_file(live: dict[str, LiveSetting], name: str, value: Value, spelling: str) -> None:
    assert render(value, live[name]) == spelling
    assert parse(spelling, live[name]) == value


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("shared_buffers", "1.5GB", 196608),
        ("shared_buffers", "30.1GB", 30822 * 128),
        ("shared_buffers", "12kB", 2),
        ("shared_buffers", " 100 ", 100),
        ("work_mem", "0x40", 64),
        ("work_mem", "0100", 64),
        ("work_mem", "1e3", 1000),
        ("work_mem", "'4 MB'", 4096),
        ("checkpoint_timeout", "1h", 3600),
        ("deadlock_timeout", "1500us", 2),
        ("jit", "YES", True),
        ("jit", "f", False),
        ("jit", "of", False),
        ("wal_compression", "LZ4", "lz4"),
        ("wal_compression", "true", "on"),
        ("huge_pages", "0", "off"),
        ("search_path", r"'x\101\tz'", "xA\tz"),
    ],
)
def test_other_spellings_are_understood(live: dict[str, LiveSetting], name: str, text: str, value: Value) -> None:
    assert parse(text, live[name]) == value


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("work_mem", "4 gb", ["of '4gb', 'gb' is not a unit", "; use 4GB"]),
        ("work_mem", "64M", ["of '64M', 'M' is not a unit", "; use 64MB"]),
        ("shared_buffers", "1.5g", ["; use 1.5GB"]),
        ("work_mem", "64K", ["; use 64kB"]),
        ("checkpoint_timeout", "5m", ["use one of d, h, min, s, ms, us"]),
        ("work_mem", "5min", ["'min' is not a unit", "kB"]),
        ("work_mem", "lots", ["'lots' is not an integer"]),
        ("work_mem", "", ["'' is not an integer"]),
        ("random_page_cost", "4ms", ["takes none"]),
        ("random_page_cost", "1,5", ["not a number"]),
        ("jit", "o", ["not a boolean", "on or off"]),
        ("jit", "", ["not a boolean"]),
        ("wal_compression", "gzip", ["'gzip'", "pglz, lz4"]),
    ],
)
def test_a_spelling_that_the_server_would_refuse(
    live: dict[str, LiveSetting], name: str, text: str, words: list[str]
) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(text, live[name])
    assert str(caught.value).startswith(f"{name}: ")
    for word in words:
        assert word in str(caught.value)


def test_every_captured_value_survives(live: dict[str, LiveSetting]) -> None:
    for setting in live.values():
        assert parse(render(setting.value, setting), setting) == setting.value, setting.name


@given(unit=st.sampled_from(UNITS), value=st.integers(1, 2**31 - 1))
def test_whole_numbers_survive_in_every_unit(live: dict[str, LiveSetting], unit: str, value: int) -> None:
    setting = with_fields(live["work_mem"], unit=unit)
    assert parse(render(value, setting), setting) == value


@given(value=st.floats(1e-300, 1e300))
def test_reals_survive_exactly_without_a_unit(live: dict[str, LiveSetting], value: float) -> None:
    assert parse(render(value, live["random_page_cost"]), live["random_page_cost"]) == value


@given(text=st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])))
def test_any_text_survives_quoting(live: dict[str, LiveSetting], text: str) -> None:
    assert parse(quote(text), live["search_path"]) == text
    assert "\n" not in quote(text)


def test_display_has_no_quotes(live: dict[str, LiveSetting]) -> None:
    assert display("pglz", live["wal_compression"]) == "pglz"


def test_an_unknown_unit_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'furlong' is not a unit"):
        unit_family("furlong")
