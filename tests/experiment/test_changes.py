from __future__ import annotations

import pytest

from otterflow.dbms.postgresql.dbms import DBMS
from otterflow.experiment.changes import Change, changed
from otterflow.knobs.catalog import KnobCatalog
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Config
from tests.knobs.values import with_fields


def test_changes_are_told_in_the_servers_spelling(live: dict[str, LiveSetting]) -> None:
    config: Config = {"shared_buffers": 524288, "jit": False, "work_mem": 4096, "wal_compression": "lz4"}
    baseline: Config = {"shared_buffers": 16384, "work_mem": 4096, "wal_compression": "off"}
    rows = changed(config, baseline, live, DBMS)
    assert [(row.knob, row.before, row.after) for row in rows] == [
        ("shared_buffers", "128MB", "4GB"),
        ("jit", "on", "off"),
        ("wal_compression", "off", "lz4"),
    ]
    does = "Sets the number of shared memory buffers used by the server."
    assert rows[0] == Change("shared_buffers", "128MB", "4GB", does, restart=True)


def test_the_catalog_says_what_a_knob_trades(live: dict[str, LiveSetting], catalog: KnobCatalog) -> None:
    (row,) = changed({"jit": False}, {}, live, DBMS, catalog)
    assert "lose the compile time" in row.does


@pytest.mark.parametrize(("version", "words"), [("140010", "with pglz. Less WAL"), ("150018", "lz4 is the cheapest")])
def test_the_sentence_is_that_of_the_servers_version(
    live: dict[str, LiveSetting], catalog: KnobCatalog, version: str, words: str
) -> None:
    other = {**live, "server_version_num": with_fields(live["server_version_num"], setting=version)}
    (row,) = changed({"wal_compression": "pglz"}, {"wal_compression": "off"}, other, DBMS, catalog)
    assert words in row.does
