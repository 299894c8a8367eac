"""The shipped catalogs of MariaDB and MySQL, without a server."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings

from otterflow.dbms.mariadb.product import MARIADB
from otterflow.dbms.mysql.changing import changed_while_running
from otterflow.dbms.mysql.product import MYSQL
from otterflow.dbms.mysql.settings import settings_sql
from otterflow.dbms.mysql_family.product import Product
from otterflow.dbms.mysql_family.rows import AT_A_START
from otterflow.dbms.mysql_family.sizes import BLOCKS, UNIT
from otterflow.knobs.catalog import KnobCatalog, KnobSetName, Risk, load_catalog
from otterflow.knobs.facts import HostFacts
from tests.knobs.values import SHIPPED_CATALOG, hosts

PRODUCTS = {product.name: product for product in (MARIADB, MYSQL)}
CATALOGS = {
    name: load_catalog(SHIPPED_CATALOG.parent / f"{name}.yaml", dbms=name, versions=product.versions)
    for name, product in PRODUCTS.items()
}
VERSIONS = [("mariadb", version) for version in (1006, 1011, 1104, 1108)]
VERSIONS += [("mysql", version) for version in (800, 804, 907)]


@pytest.fixture(params=list(PRODUCTS))
def product(request: pytest.FixtureRequest) -> Product:
    return PRODUCTS[request.param]


@pytest.fixture
def catalog(product: Product) -> KnobCatalog:
    return CATALOGS[product.name]


@pytest.mark.parametrize(("name", "version"), VERSIONS)
def test_the_sets_of_every_version(name: str, version: int) -> None:
    knobs = [knob for knob in CATALOGS[name].tunable(version).values() if knob.risk is None]
    count = {size: sum(size.holds(knob.set) for knob in knobs) for size in KnobSetName}
    assert 12 <= count[KnobSetName.core] <= 13
    assert 48 <= count[KnobSetName.extended] <= 60
    assert count[KnobSetName.all] >= 85


@pytest.mark.parametrize(("name", "version"), VERSIONS)
@pytest.mark.parametrize("risk", list(Risk))
def test_every_risk_class_has_knobs(name: str, version: int, risk: Risk) -> None:
    assert any(knob.risk is risk for knob in CATALOGS[name].tunable(version).values())


def test_what_durability_hangs_on_is_locked(product: Product, catalog: KnobCatalog) -> None:
    for version in product.versions:
        tunable = catalog.tunable(version)
        names = ("innodb_flush_log_at_trx_commit", "innodb_doublewrite", "sync_binlog", "innodb_flush_log_at_timeout")
        assert {tunable[name].risk for name in names} == {Risk.durability}
        method = tunable.get("innodb_flush_method")
        assert method is None or set(method.values) == {"O_DIRECT", "fsync"}


@pytest.mark.parametrize(
    ("name", "version", "redo"),
    [("mariadb", 1006, {"innodb_log_file_size"}), ("mariadb", 1108, {"innodb_log_file_size"}),
     ("mysql", 800, {"innodb_log_file_size", "innodb_redo_log_capacity"}),
     ("mysql", 907, {"innodb_redo_log_capacity"})],
)  # fmt: skip
def test_the_redo_is_called_otherwise_in_each(name: str, version: int, redo: set[str]) -> None:
    tunable = CATALOGS[name].tunable(version)
    assert {"innodb_log_file_size", "innodb_redo_log_capacity"} & set(tunable) == redo
    if len(redo) == 2:
        assert tunable["innodb_log_file_size"].unless == "innodb_redo_log_capacity"


def test_a_size_is_one_that_counts_bytes(catalog: KnobCatalog) -> None:
    assert {knob.name: knob.unit for knob in catalog.knobs} == {
        knob.name: UNIT if knob.name in BLOCKS else None for knob in catalog.knobs
    }


@settings(max_examples=15)  # each evaluates all expressions
@given(facts=hosts)
@pytest.mark.parametrize("name", list(PRODUCTS))
def test_ranges_stand_on_every_host(name: str, facts: HostFacts) -> None:
    for knob in CATALOGS[name].knobs:
        if knob.min is not None:
            low, high = knob.range_on(facts, knob.unit)
            assert 0 <= low <= high, knob.name


def test_every_sentence_is_of_one_knob_and_names_a_price(catalog: KnobCatalog) -> None:
    said = {(knob.does, knob.name) for knob in catalog.knobs}
    assert len({does for does, _ in said}) == len(said)
    for does, name in said:
        assert does.endswith("."), name
        assert len(re.findall(r"[.;](?= |$)", does)) >= 2, f"{name}: what it does, and what that costs"


def test_a_reason_is_given_once(catalog: KnobCatalog) -> None:
    reasons = {(family.reason, family.family) for family in catalog.untuned}
    assert len({reason for reason, _ in reasons}) == len(reasons)


@pytest.mark.parametrize("version", [800, 804, 907])
def test_what_a_statement_changes_for_all_of_mysqls_sessions(version: int) -> None:
    found = set(changed_while_running(version))
    assert {"innodb_io_capacity", "table_open_cache", "innodb_log_buffer_size"} <= found
    assert found.isdisjoint({"sort_buffer_size", "innodb_page_cleaners", "innodb_doublewrite", *AT_A_START})


def test_of_a_version_that_the_catalog_does_not_speak_of_no_knob_is_known_to_be_dynamic() -> None:
    assert changed_while_running(1200) == []
    assert "IN (NULL)" in settings_sql(120000)
