"""Folders of sets to import: the hand-made ones, changed file by file."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from otterflow.dbms.postgresql.dbms import DBMS
from otterflow.knobs.catalog import KnobCatalog, load_catalog
from otterflow.ottertune.importing import import_folder
from otterflow.ottertune.report import ImportReport
from otterflow.ottertune.spec import ImportSpec
from otterflow.repository import Repository

HAND_MADE = Path(__file__).parent / "hand_made_9_6"
CATALOG_FILE = Path(__file__).resolve().parents[2] / "include" / "knob_catalogs" / "postgresql.yaml"

PARTS = ("knobs", "metrics_before", "metrics_after", "summary")

Change = Callable[[dict[str, Any]], object]


@cache
def catalog() -> KnobCatalog:
    return load_catalog(CATALOG_FILE, dbms=DBMS.name, versions=DBMS.versions)


def copied(folder: Path) -> Path:
    """The hand-made sets in a folder of the test's own, without their README."""
    target = folder / "results"
    shutil.copytree(HAND_MADE, target, ignore=shutil.ignore_patterns("*.md"))
    return target


def changed(folder: Path, name: str, change: Change) -> None:
    """Let `change` alter the JSON of one file."""
    path = folder / f"{name}.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def settings(**values: str | None) -> Change:
    """A change of knobs.json: set these, or take those out that are None."""

    def change(content: dict[str, Any]) -> None:
        texts = content["global"]["global"]
        for name, value in values.items():
            texts.pop(name, None)
            if value is not None:
                texts[name] = value

    return change


def summary(**values: Any) -> Change:
    """A change of summary.json."""
    return lambda content: content.update(values)


def imported(repository: Repository, folder: Path, experiment: str = "past", **fields: Any) -> ImportReport:
    spec = ImportSpec.from_params({"folder": str(folder), "experiment": experiment, **fields})
    return import_folder(repository, spec, catalog(), code_version="test")


def unread(report: ImportReport) -> dict[str, tuple[str, list[str]]]:
    """What an import could not read: field to value and sets."""
    return {problem.field: (problem.found, prefixes) for problem, prefixes in report.unread.items()}


def left_out(report: ImportReport) -> dict[str, list[str]]:
    """The sets that an import left out: prefix to the fields that are why."""
    return {prefix: [p.field for p in problems] for prefix, problems in report.left_out.items()}


def generated(folder: Path, tried: Sequence[Mapping[str, str]], commits: Sequence[int]) -> Path:
    """A folder with a set for each configuration, in which so many transactions were committed in 300 s.

    All counters of the window are those of the hand-made second set, in proportion.
    """
    results = folder / "generated"
    results.mkdir()
    files = {part: json.loads((HAND_MADE / f"1__{part}.json").read_text()) for part in PARTS}
    for i, (values, count) in enumerate(zip(tried, commits, strict=True)):
        knobs, told = copy.deepcopy(files["knobs"]), dict(files["summary"])
        settings(**values)(knobs)
        told["start_time"] += i * 600_000
        told["end_time"] += i * 600_000
        after = _between(files["metrics_before"], files["metrics_after"], count / 84_000)
        contents = {"knobs": knobs, "metrics_before": files["metrics_before"], "metrics_after": after, "summary": told}
        for part, content in contents.items():
            (results / f"{i:03d}__{part}.json").write_text(json.dumps(content))
    return results


def _between(before: Any, after: Any, share: float) -> Any:
    """`after` as it would be had `share` as much been done since `before`; texts and gauges as they are."""
    if isinstance(after, dict):
        known = before if isinstance(before, dict) else {}
        return {key: _between(known.get(key), value, share) for key, value in after.items()}
    if isinstance(before, str) and before.isdigit() and str(after).isdigit():
        return str(int(before) + round((int(after) - int(before)) * share))
    return after
