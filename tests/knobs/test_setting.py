from __future__ import annotations

import pytest

from otterflow.dbms.postgresql.rows import from_row
from otterflow.dbms.postgresql.spelling import is_octal
from otterflow.errors import InvalidInput
from otterflow.knobs.setting import LiveSetting
from tests.knobs.values import with_fields


def test_values_and_limits_are_typed(live: dict[str, LiveSetting]) -> None:
    assert (live["shared_buffers"].value, live["shared_buffers"].minimum) == (16384, 16)
    assert (live["random_page_cost"].value, live["random_page_cost"].minimum) == (4.0, 0.0)
    assert live["jit"].value is True
    assert live["jit"].minimum is None
    assert live["wal_compression"].value == "off"
    assert live["wal_compression"].enumvals == ("pglz", "lz4", "zstd", "on", "off")
    assert live["search_path"].value == '"$user", public'


def test_file_modes_are_octal(live: dict[str, LiveSetting]) -> None:
    assert is_octal(live["log_file_mode"])
    assert live["log_file_mode"].value == 0o600
    assert not is_octal(live["port"])


def test_restart_follows_the_context(live: dict[str, LiveSetting]) -> None:
    assert live["shared_buffers"].needs_restart
    assert not live["max_wal_size"].needs_restart


def test_a_row_survives_json_shape(live: dict[str, LiveSetting]) -> None:
    for setting in live.values():
        assert from_row(setting.as_row()) == setting


def test_an_enum_may_show_a_hidden_value(live: dict[str, LiveSetting]) -> None:
    assert with_fields(live["client_min_messages"], setting="info").value == "info"


def test_a_row_without_its_columns_is_refused() -> None:
    with pytest.raises(InvalidInput, match="a row without setting, unit"):
        from_row({"name": "work_mem"})
