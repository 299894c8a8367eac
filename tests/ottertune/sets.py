"""Folders of sets to import: the hand-made ones, changed file by file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from otterflow.knobs.catalog import KnobCatalog, load_catalog
from otterflow.ottertune.importing import import_folder
from otterflow.ottertune.report import ImportReport
from otterflow.ottertune.spec import ImportSpec
from otterflow.repository import Repository

HAND_MADE = Path(__file__).parent / "hand_made_9_6"
CATALOG_FILE = Path(__file__).resolve().parents[2] / "include" / "knob_catalogs" / "postgresql.yaml"

Change = Callable[[dict[str, Any]], object]


@cache
def catalog() -> KnobCatalog:
    return load_catalog(CATALOG_FILE)


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
