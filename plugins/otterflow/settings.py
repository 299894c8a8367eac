"""All that otterflow reads from its surroundings, in one place: its folders, and which target the form offers."""

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


def schedules_dir() -> Path:
    """The folder with schedules of nights (`OTTERFLOW_SCHEDULES_DIR`, or `include/schedules`)."""
    configured = os.environ.get("OTTERFLOW_SCHEDULES_DIR")
    return Path(configured) if configured else include_dir() / "schedules"


def recordings_dir() -> Path:
    """The folder with files that say what is recorded (`OTTERFLOW_RECORDINGS_DIR`, or `include/recordings`)."""
    configured = os.environ.get("OTTERFLOW_RECORDINGS_DIR")
    return Path(configured) if configured else include_dir() / "recordings"


def notices_file() -> Path:
    """The file that says who is told of what (`OTTERFLOW_NOTICES`, or `include/notices.yaml`); it need not be there."""
    configured = os.environ.get("OTTERFLOW_NOTICES")
    return Path(configured) if configured else include_dir() / "notices.yaml"


def experience_dir() -> Path:
    """The folder with packs of experience (`OTTERFLOW_EXPERIENCE_DIR`, or `include/experience`)."""
    configured = os.environ.get("OTTERFLOW_EXPERIENCE_DIR")
    return Path(configured) if configured else include_dir() / "experience"


def private_home() -> Path:
    """`home_dir`, made where it is not there, and closed to all but its owner: it tells of servers and of what they do.

    A folder that belongs to somebody else, as of a shared volume, is left as it is.
    """
    home = home_dir()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = home.stat()
    if found.st_uid == os.geteuid() and found.st_mode & 0o077:
        home.chmod(0o700)
    return home


def default_target() -> str:
    """The target that the trigger form offers first (`OTTERFLOW_DEFAULT_TARGET`), or an empty text."""
    return os.environ.get("OTTERFLOW_DEFAULT_TARGET", "")


def home_dir() -> Path:
    """Where otterflow keeps results and the embedded repository (`OTTERFLOW_HOME`, or under `AIRFLOW_HOME`)."""
    configured = os.environ.get("OTTERFLOW_HOME")
    if configured:
        return Path(configured)
    return Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "otterflow"
