"""All that otterflow reads from its surroundings, in one place: where `include/` and the results are."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY_CONN_ID = "otterflow_repository"
"""The Airflow connection that leads to the repository; without it an embedded SQLite file is used."""


def include_dir() -> Path:
    """The folder with benchmarks, knob catalogs and targets (`OTTERFLOW_INCLUDE_DIR`, or beside `plugins/`)."""
    configured = os.environ.get("OTTERFLOW_INCLUDE_DIR")
    return Path(configured) if configured else Path(__file__).resolve().parents[2] / "include"


def targets_dir() -> Path:
    """The folder with target files (`OTTERFLOW_TARGETS_DIR`, or `include/targets`)."""
    configured = os.environ.get("OTTERFLOW_TARGETS_DIR")
    return Path(configured) if configured else include_dir() / "targets"


def home_dir() -> Path:
    """Where otterflow keeps results and the embedded repository (`OTTERFLOW_HOME`, or under `AIRFLOW_HOME`)."""
    configured = os.environ.get("OTTERFLOW_HOME")
    if configured:
        return Path(configured)
    return Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "otterflow"
