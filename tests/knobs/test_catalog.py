from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given

from otterflow.dbms.postgresql.versions import NEWEST, OLDEST
from otterflow.errors import InvalidInput
from otterflow.knobs.catalog import (
    KnobCatalog,
    KnobSetName,
    Risk,
    catalog_gaps,
    disagreements,
    load_catalog,
)
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.setting import LiveSetting
from tests.bad_files import bad_files, check_refusal
from tests.knobs.values import SHIPPED_CATALOG, hosts, with_fields

POSTGRESQL: dict[str, Any] = {"dbms": "postgresql", "versions": (OLDEST, NEWEST)}
HERE = Path(__file__).parent
SMALL, BAD = HERE / "good" / "small.yaml", bad_files(HERE)


def test_a_small_catalog_loads() -> None:
    catalog = load_catalog(SMALL, **POSTGRESQL)
    assert list(catalog.tunable(15)) == ["work_mem", "wal_compression"]
    assert list(catalog.tunable(14)) == ["work_mem"]
    family = catalog.untuned_family("hba_file", 15)
    assert family is not None
    assert family.family == "files"
    assert catalog.untuned_family("work_mem", 15) is None


def test_the_hash_is_of_what_is_said_not_of_how(tmp_path: Path) -> None:
    first = load_catalog(SMALL, **POSTGRESQL).content_hash
    assert len(first) == 64
    record = yaml.safe_load(SMALL.read_text())
    other = tmp_path / "small.yaml"
    other.write_text("# a comment\n" + yaml.safe_dump(record, default_flow_style=True))
    assert load_catalog(other, **POSTGRESQL).content_hash == first
    record["knobs"][0]["max"] = "ram / 4"
    other.write_text(yaml.safe_dump(record))
    assert load_catalog(other, **POSTGRESQL).content_hash != first


def test_a_catalog_is_checked_once_until_it_or_its_shared_rows_change(tmp_path: Path) -> None:
    """As a process that lives on sees it: changed, taken back, broken and mended."""
    (tmp_path / "shared").mkdir()
    path, shared = tmp_path / "small.yaml", tmp_path / "shared" / "rows.yaml"
    (tmp_path / "shared" / ".#rows.yaml").symlink_to("nowhere")
    record = yaml.safe_load(SMALL.read_text())
    rows = {"knobs": record.pop("knobs"), "untuned": record.pop("untuned")}
    path.write_text(yaml.safe_dump(record | {"shares": "rows", "knobs": [], "untuned": []}))

    def with_most(most: str) -> str:
        rows["knobs"][0]["max"] = most
        shared.write_text(yaml.safe_dump(rows))
        return str(load_catalog(path, **POSTGRESQL).knobs[0].max)

    assert [with_most(each) for each in ("ram / 4", "ram / 16", "ram / 4")] == ["ram / 4", "ram / 16", "ram / 4"]
    first = load_catalog(path, **POSTGRESQL)
    assert load_catalog(path, **POSTGRESQL) is first
    good = path.read_text()
    path.write_text("knobs: [")
    with pytest.raises(InvalidInput):
        load_catalog(path, **POSTGRESQL)
    path.write_text(good)
    assert load_catalog(path, **POSTGRESQL).content_hash == first.content_hash


def test_the_folder_of_bad_cases_is_not_empty() -> None:
    assert len(BAD) >= 30


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_catalog_is_refused_with_a_sentence(path: Path) -> None:
    check_refusal(partial(load_catalog, **POSTGRESQL), path)


def test_all_problems_of_a_catalog_are_listed() -> None:
    with pytest.raises(InvalidInput) as caught:
        load_catalog(HERE / "bad" / "three_mistakes.yaml", **POSTGRESQL)
    assert len(caught.value.problems) == 3


def test_an_unknown_catalog_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match="'oracle' is unknown; known catalogs: mariadb, mysql, postgresql"):
        load_catalog(SHIPPED_CATALOG.parent / "oracle.yaml", **POSTGRESQL)


def test_the_shipped_catalog_fits_the_captured_server(catalog: KnobCatalog, live: dict[str, LiveSetting]) -> None:
    assert catalog_gaps(catalog, live, 15, tuned=()).sentences() == []
    tunable = catalog.tunable(15)
    assert {name: live[name].needs_restart for name in tunable} == {n: knob.restart for n, knob in tunable.items()}


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("vartype", "real", "work_mem.type: the catalog says 'integer', the server 'real'"),
        ("unit", "ms", "work_mem.unit: the catalog says 'kB', the server 'ms'"),
    ],
)
def test_a_disagreement_about_a_knob_names_it_and_what_to_do(
    catalog: KnobCatalog, live: dict[str, LiveSetting], field: str, value: str, words: str
) -> None:
    (problem,) = disagreements(catalog.tunable(15)["work_mem"], with_fields(live["work_mem"], **{field: value}))
    assert str(problem).split(";")[0] == words
    assert "excluded_knobs" in str(problem)


def test_a_build_with_other_blocks_is_no_disagreement(catalog: KnobCatalog, live: dict[str, LiveSetting]) -> None:
    assert disagreements(catalog.tunable(15)["shared_buffers"], with_fields(live["shared_buffers"], unit="16kB")) == []


def test_a_missing_enum_value_is_a_disagreement(catalog: KnobCatalog, live: dict[str, LiveSetting]) -> None:
    odd = with_fields(live["wal_compression"], enumvals=("on", "off"))
    (problem,) = disagreements(catalog.tunable(15)["wal_compression"], odd)
    assert "wal_compression.values: 'pglz' is not known to the server" in str(problem)


@pytest.mark.parametrize("version", range(OLDEST, NEWEST + 1))
def test_the_sets_of_every_version(catalog: KnobCatalog, version: int) -> None:
    open_knobs = [knob for knob in catalog.tunable(version).values() if knob.risk is None]
    core = [knob for knob in open_knobs if knob.set is KnobSetName.core]
    assert 10 <= len(core) <= 14
    assert len(open_knobs) >= 60


def test_each_set_holds_the_one_before() -> None:
    assert KnobSetName.all.holds(KnobSetName.core)
    assert KnobSetName.extended.holds(KnobSetName.core)
    assert not KnobSetName.core.holds(KnobSetName.extended)


@pytest.mark.parametrize("version", [15, 18])
@pytest.mark.parametrize("risk", list(Risk))
def test_every_risk_class_has_knobs(catalog: KnobCatalog, risk: Risk, version: int) -> None:
    assert any(knob.risk is risk for knob in catalog.tunable(version).values())


def test_planner_switches_and_durability_are_locked(catalog: KnobCatalog) -> None:
    for version in range(OLDEST, NEWEST + 1):
        for name, knob in catalog.tunable(version).items():
            assert (knob.risk is Risk.planner_switch) == name.startswith("enable_"), name
            if name in ("fsync", "full_page_writes", "synchronous_commit", "wal_sync_method"):
                assert knob.risk is Risk.durability


@given(facts=hosts)
def test_ranges_stand_on_every_host(catalog: KnobCatalog, facts: HostFacts) -> None:
    for knob in catalog.knobs:
        if knob.min is not None:
            low, high = knob.range_on(facts, knob.unit)
            assert low <= high, knob.name
            assert low >= 0, knob.name


def test_reasons_and_sentences_are_one_of_a_kind(catalog: KnobCatalog) -> None:
    reasons = [family.reason for family in catalog.untuned]
    assert len(set(reasons)) >= len(reasons) - 1  # one family is split by version alone
    sentences = {knob.does for knob in catalog.knobs}
    assert len(sentences) == len(catalog.knobs)
    for sentence in sentences:
        assert sentence.endswith(".")
