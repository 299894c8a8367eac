from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given

from otterflow.errors import InvalidInput
from otterflow.knobs.catalog import NEWEST, OLDEST, KnobCatalog, KnobSetName, Risk, check_against_live, load_catalog
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.live import LiveSetting
from tests.knobs.values import SHIPPED_CATALOG, hosts, with_fields

SMALL: dict[str, Any] = {
    "dbms": "postgresql",
    "knobs": [
        {
            "name": "work_mem",
            "set": "core",
            "type": "integer",
            "unit": "kB",
            "min": "1MB",
            "max": "ram / 8",
            "scale": "log",
            "restart": False,
            "does": "Memory that each sort or hash of a query may use.",
        },
        {
            "name": "wal_compression",
            "since": 15,
            "set": "all",
            "type": "enum",
            "values": ["off", "pglz"],
            "optional_values": ["lz4"],
            "restart": False,
            "does": "How full page images in WAL are compressed.",
        },
    ],
    "untuned": [
        {"family": "files", "reason": "Says where this server's files are.", "knobs": ["data_directory", "hba_file"]},
    ],
}


@pytest.fixture
def load(tmp_path: Path) -> Callable[[Any], KnobCatalog]:
    def loaded(record: Any) -> KnobCatalog:
        path = tmp_path / "small.yaml"
        path.write_text(record if isinstance(record, str) else yaml.safe_dump(record))
        return load_catalog(path)

    return loaded


def test_a_small_catalog_loads(load: Callable[[Any], KnobCatalog]):
    catalog = load(SMALL)
    assert list(catalog.tunable(15)) == ["work_mem", "wal_compression"]
    assert list(catalog.tunable(14)) == ["work_mem"]
    family = catalog.untuned_family("hba_file", 15)
    assert family is not None
    assert family.family == "files"
    assert catalog.untuned_family("work_mem", 15) is None


def test_the_hash_is_of_what_is_said_not_of_how(load: Callable[[Any], KnobCatalog]):
    first = load(SMALL).content_hash
    assert len(first) == 64
    assert load("# a comment\n" + yaml.safe_dump(SMALL, default_flow_style=True)).content_hash == first
    changed = copy.deepcopy(SMALL)
    changed["knobs"][0]["max"] = "ram / 4"
    assert load(changed).content_hash != first


def change(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    record = copy.deepcopy(SMALL)
    place: Any = record
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return record


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("dbms",), "oracle", ["dbms", "'oracle'", "postgresql"]),
        (("knobs", 0, "range"), "1..2", ["knobs.work_mem.range", "Extra inputs"]),
        (("knobs", 0, "set"), "huge", ["knobs.work_mem.set", "'huge'", "core"]),
        (("knobs", 0, "type"), "int", ["knobs.work_mem.type", "'int'", "integer"]),
        (("knobs", 0, "restart"), "no", ["knobs.work_mem.restart", "'no'"]),
        (("knobs", 0, "does"), "Memory.", ["knobs.work_mem.does", "at least 20"]),
        (("knobs", 0, "since"), 9, ["knobs.work_mem.since", "9", "12"]),
        (("knobs", 0, "until"), 19, ["knobs.work_mem.until", "19", "18"]),
        (("knobs", 0, "risk"), "fun", ["knobs.work_mem.risk", "'fun'", "durability"]),
        (("knobs", 0, "scale"), "cubic", ["knobs.work_mem.scale", "'cubic'", "log"]),
        (("knobs", 0, "min"), "1 MB and more", ["knobs.work_mem", "work_mem.min", "position 3"]),
        (("knobs", 0, "min"), "ram * 2", ["knobs.work_mem", "min 'ram * 2' is above max 'ram / 8'"]),
        (("knobs", 0, "min"), 4096, ["knobs.work_mem", "a number where a size is needed"]),
        (("knobs", 0, "unit"), "furlong", ["knobs.work_mem", "'furlong' is not a unit"]),
        (("knobs", 0, "max"), None, ["knobs.work_mem", "min and max", "it takes min and max"]),
        (("knobs", 0, "values"), ["a"], ["knobs.work_mem", "values", "it takes min and max"]),
        (("knobs", 0, "special"), [{"value": "x", "means": "automatic"}], ["knobs.work_mem.special.0.value", "'x'"]),
        (("knobs", 0, "special"), [{"value": -1}], ["knobs.work_mem.special.0.means"]),
        (("knobs", 0, "name"), "work mem", ["knobs.work mem.name"]),
        (("knobs", 1, "values"), [False, "pglz"], ["knobs.wal_compression.values.0", "False", "string"]),
        (("knobs", 1, "values"), [], ["knobs.wal_compression", "it takes values"]),
        (("knobs", 1, "min"), 1, ["knobs.wal_compression", "it takes values"]),
        (("knobs", 1, "until"), 14, ["knobs.wal_compression", "since 15 is above until 14"]),
        (("untuned", 0, "reason"), "Because.", ["untuned.files.reason", "at least 20"]),
        (("untuned", 0, "knobs"), [], ["untuned.files.knobs"]),
        (("untuned", 0, "knobs"), ["work_mem"], ["more than one entry", "work_mem"]),
        (("untuned", 0, "knobs"), ["hba_file", "hba_file"], ["more than one entry", "hba_file"]),
    ],
)
def test_a_bad_catalog_is_refused(load: Callable[[Any], KnobCatalog], path: Any, value: Any, words: list[str]):
    with pytest.raises(InvalidInput) as caught:
        load(change(path, value))
    message = str(caught.value)
    assert message.startswith("small.yaml: ")
    for word in words:
        assert word in message


def test_all_problems_of_a_catalog_are_listed(load: Callable[[Any], KnobCatalog]):
    record = change(("knobs", 0, "set"), "huge")
    record["knobs"][1]["restart"] = "maybe"
    record["dbms"] = "oracle"
    with pytest.raises(InvalidInput) as caught:
        load(record)
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [("[1, 2", "not readable as YAML"), ("just words", "holds no mapping"), ("knobs: 3", "knobs"), ("", "no mapping")],
)
def test_what_is_no_catalog_is_refused(load: Callable[[Any], KnobCatalog], text: str, words: str):
    with pytest.raises(InvalidInput, match=words):
        load(text)


def test_an_unknown_catalog_is_refused_with_the_known_ones():
    with pytest.raises(InvalidInput, match="'oracle' is unknown; known catalogs: postgresql"):
        load_catalog(SHIPPED_CATALOG.parent / "oracle.yaml")


def test_the_shipped_catalog_fits_the_captured_server(catalog: KnobCatalog, live: dict[str, LiveSetting]):
    assert check_against_live(catalog, live, 15) == []


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("vartype", "real", "work_mem.type: the catalog says 'integer', the server 'real'"),
        ("unit", "ms", "work_mem.unit: the catalog says 'kB', the server 'ms'"),
        ("context", "postmaster", "work_mem.restart: the catalog says False, the server True"),
    ],
)
def test_disagreements_with_a_server_are_reported(
    catalog: KnobCatalog, live: dict[str, LiveSetting], field: str, value: str, words: str
):
    odd = {**live, "work_mem": with_fields(live["work_mem"], **{field: value})}
    assert [str(p).split(";")[0] for p in check_against_live(catalog, odd, 15)] == [words]


def test_a_build_with_other_blocks_is_no_disagreement(catalog: KnobCatalog, live: dict[str, LiveSetting]):
    odd = {**live, "shared_buffers": with_fields(live["shared_buffers"], unit="16kB")}
    assert check_against_live(catalog, odd, 15) == []


def test_a_missing_enum_value_and_an_unknown_setting_are_reported(catalog: KnobCatalog, live: dict[str, LiveSetting]):
    odd = {
        "wal_compression": with_fields(live["wal_compression"], enumvals=("on", "off")),
        "brand_new": with_fields(live["work_mem"], name="brand_new"),
        "pg_stat_statements.max": with_fields(live["work_mem"], name="pg_stat_statements.max"),
    }
    found = [str(p) for p in check_against_live(catalog, odd, 15)]
    assert len(found) == 2
    assert "wal_compression.values: 'pglz' is not a value" in found[0]
    assert "brand_new: has no entry" in found[1]


@pytest.mark.parametrize("version", range(OLDEST, NEWEST + 1))
def test_the_sets_of_every_version(catalog: KnobCatalog, version: int):
    open_knobs = [knob for knob in catalog.tunable(version).values() if knob.risk is None]
    core = [knob for knob in open_knobs if knob.set is KnobSetName.core]
    assert 10 <= len(core) <= 14
    assert len(open_knobs) >= 60


def test_each_set_holds_the_one_before():
    assert KnobSetName.all.holds(KnobSetName.core)
    assert KnobSetName.extended.holds(KnobSetName.core)
    assert not KnobSetName.core.holds(KnobSetName.extended)


@pytest.mark.parametrize("version", [15, 18])
@pytest.mark.parametrize("risk", list(Risk))
def test_every_risk_class_has_knobs(catalog: KnobCatalog, risk: Risk, version: int):
    assert any(knob.risk is risk for knob in catalog.tunable(version).values())


def test_planner_switches_and_durability_are_locked(catalog: KnobCatalog):
    for version in range(OLDEST, NEWEST + 1):
        for name, knob in catalog.tunable(version).items():
            assert (knob.risk is Risk.planner_switch) == name.startswith("enable_"), name
            if name in ("fsync", "full_page_writes", "synchronous_commit", "wal_sync_method"):
                assert knob.risk is Risk.durability


@given(facts=hosts)
def test_ranges_stand_on_every_host(catalog: KnobCatalog, facts: HostFacts):
    for knob in catalog.knobs:
        if knob.min is not None:
            low, high = knob.range_on(facts, knob.unit)
            assert low <= high, knob.name
            assert low >= 0, knob.name


def test_reasons_and_sentences_are_one_of_a_kind(catalog: KnobCatalog):
    reasons = [family.reason for family in catalog.untuned]
    assert len(set(reasons)) >= len(reasons) - 1  # one family is split by version alone
    sentences = {knob.does for knob in catalog.knobs}
    assert len(sentences) == len(catalog.knobs)
    for sentence in sentences:
        assert sentence.endswith(".")
