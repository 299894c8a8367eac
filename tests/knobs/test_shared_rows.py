"""Catalogs that share rows: what is merged, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from otterflow.errors import InvalidInput
from otterflow.knobs.catalog import KnobCatalog, load_catalog
from otterflow.knobs.shared_rows import with_shared_rows

POOL: dict[str, Any] = {
    "name": "pool", "set": "core", "type": "integer", "unit": "B", "min": "128MB", "max": "ram / 2", "restart": False,
    "does": "The cache of pages; more saves reads.",
}  # fmt: skip
THREADS: dict[str, Any] = {
    "name": "threads", "set": "all", "type": "integer", "min": 1, "max": "cores", "restart": False,
    "does": "Threads that read ahead of queries.",
}  # fmt: skip
FILES: dict[str, Any] = {
    "family": "files", "reason": "Where files lie, which moves data.", "risk": "durability", "knobs": ["datadir"],
}  # fmt: skip
SHARED: dict[str, Any] = {"knobs": [POOL, THREADS], "untuned": [FILES]}


def catalog(tmp_path: Path, shared: object = SHARED, **own: Any) -> KnobCatalog:
    (tmp_path / "shared").mkdir(exist_ok=True)
    (tmp_path / "shared" / "rows.yaml").write_text(yaml.safe_dump(shared))
    path = tmp_path / "one.yaml"
    path.write_text(yaml.safe_dump({"dbms": "one", "shares": "rows", **own}))
    return load_catalog(path, dbms="one", versions=(1, 5))


def test_shared_rows_come_first_and_own_ones_after(tmp_path: Path) -> None:
    found = catalog(tmp_path, knobs=[{**THREADS, "name": "more", "does": "Threads of this DBMS alone."}])
    assert [knob.name for knob in found.knobs] == ["pool", "threads", "more"]
    assert found.untuned_family("datadir", 3) is not None


def test_a_row_says_only_what_differs(tmp_path: Path) -> None:
    found = catalog(tmp_path, knobs=[{"name": "pool", "restart": True, "max": "ram / 4"}]).tunable(1)["pool"]
    assert (found.restart, found.max, found.min, found.does) == (True, "ram / 4", "128MB", POOL["does"])
    assert found.set.value == "core"


def test_several_rows_of_a_name_are_its_versions(tmp_path: Path) -> None:
    found = catalog(tmp_path, knobs=[{"name": "pool", "until": 2, "restart": True}, {"name": "pool", "since": 3}])
    assert [found.tunable(version)["pool"].restart for version in (2, 3)] == [True, False]


def test_a_family_of_a_shared_name_has_its_reason_and_its_risk(tmp_path: Path) -> None:
    found = catalog(tmp_path, knobs=[], untuned=[{"family": "files", "since": 2, "knobs": ["tmpdir"]}])
    family = found.untuned_family("tmpdir", 2)
    assert family is not None
    assert (family.reason, family.risk) == (FILES["reason"], "durability")
    assert found.untuned_family("tmpdir", 1) is None
    assert found.untuned_family("datadir", 1) is not None


def test_what_a_dbms_lacks_is_left_out(tmp_path: Path) -> None:
    assert list(catalog(tmp_path, knobs=[], lacks=["threads"]).tunable(1)) == ["pool"]


def test_a_catalog_without_shared_rows_stays_as_it_is(tmp_path: Path) -> None:
    record = {"dbms": "one", "knobs": [POOL], "untuned": []}
    assert with_shared_rows(record, tmp_path / "one.yaml") == record


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"shares": "../one"}, "'../one' is not a name"),
        ({"shares": "none"}, "one.yaml: shares: 'none' is unknown; known shared rows: rows"),
        ({"lacks": ["heads"]}, "'heads' is no shared knob; list some of pool, threads"),
        ({"knobs": [{"name": "pool", "min": "much"}]}, "pool"),
        ({"untuned": [{"family": "own", "knobs": ["pool"], "reason": "It is tuned as well."}]}, "more than one entry"),
        ({"untuned": [{"family": "own", "knobs": ["x"]}]}, "own.reason"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, own: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        catalog(tmp_path, **{"knobs": [], **own})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "shared", [{"knobs": [POOL], "dbms": "one"}, {"knobs": [{"set": "core"}]}, {"knobs": ["pool"]}]
)
def test_shared_rows_that_are_none_are_refused(tmp_path: Path, shared: object) -> None:
    with pytest.raises(InvalidInput):
        catalog(tmp_path, shared, knobs=[])
