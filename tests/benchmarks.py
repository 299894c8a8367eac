"""The files of `include/`, with benchmarks that are otherwise than they ship."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

INCLUDE = Path(__file__).resolve().parents[1] / "include"


def changed_benchmarks(folder: Path, changed: Mapping[str, Mapping[str, Any]]) -> Path:
    """A copy of `include/` in the folder; the named benchmarks have other values, in their workload and beside it."""
    include = folder / "include"
    shutil.copytree(INCLUDE, include)
    for name, changes in changed.items():
        path = include / "benchmarks" / f"{name}.yaml"
        record = yaml.safe_load(path.read_text())
        record["workload"] |= changes["workload"]
        path.write_text(yaml.safe_dump(record | {key: v for key, v in changes.items() if key != "workload"}))
    return include
