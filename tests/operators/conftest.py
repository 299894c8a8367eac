"""A database host with a repository of its own, and the shipped benchmarks made small."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from stack.host import DatabaseHost
from tests.operators.harness import Dags

INCLUDE = Path(__file__).resolve().parents[2] / "include"

SMALL: dict[str, dict[str, Any]] = {
    "analytics": {"workload": {"scale": 1}, "passes": 1},
    "pgbench_tpcb": {"workload": {"scale": 1, "clients": 2}, "warmup_s": 1, "duration_s": 3},
}


def small_benchmarks(folder: Path) -> Path:
    """A copy of `include/` whose benchmarks load and run in seconds."""
    small = folder / "include"
    shutil.copytree(INCLUDE, small)
    for name, changes in SMALL.items():
        path = small / "benchmarks" / f"{name}.yaml"
        record = yaml.safe_load(path.read_text())
        record["workload"] |= changes["workload"]
        path.write_text(yaml.safe_dump(record | {k: v for k, v in changes.items() if k != "workload"}))
    return small


@pytest.fixture(scope="session")
def dags() -> Dags:
    """The project's Dags, parsed once."""
    return Dags()


@pytest.fixture
def lab(
    clean_host: DatabaseHost, host_environment: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> DatabaseHost:
    """The host, small benchmarks, and an empty repository."""
    monkeypatch.setenv("OTTERFLOW_INCLUDE_DIR", str(small_benchmarks(tmp_path)))
    monkeypatch.setenv("OTTERFLOW_HOME", str(tmp_path / "home"))
    return clean_host


@pytest.fixture
def params(lab: DatabaseHost) -> dict[str, Any]:
    """A short experiment's form."""
    return {
        "experiment": "in-process",
        "target": lab.name,
        "benchmark": "analytics",
        "iterations": 4,
        "restore_every": 0,
        "reference_every": 0,
        "final_rounds": 1,
    }
