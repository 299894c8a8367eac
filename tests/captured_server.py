"""What a PostgreSQL 15 reports of its settings, captured; a private cluster to ask; a host's facts."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from otterflow.dbms.postgresql.dbms import DBMS
from otterflow.dbms.postgresql.rows import from_row
from otterflow.knobs.catalog import KnobCatalog, load_catalog
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Value
from stack.postgres import PrivateCluster
from stack.users import server_user
from tests.knobs.values import GIB, SHIPPED_CATALOG

CAPTURED = Path(__file__).parent / "knobs" / "pg_settings_15.json"


@pytest.fixture(scope="session")
def catalog() -> KnobCatalog:
    return load_catalog(SHIPPED_CATALOG, dbms=DBMS.name, versions=DBMS.versions)


@pytest.fixture(scope="session")
def live() -> dict[str, LiveSetting]:
    """pg_settings of a PostgreSQL 15.18 as Debian builds it, captured."""
    return {row["name"]: from_row(row) for row in json.loads(CAPTURED.read_text())}


@pytest.fixture(scope="session")
def live_values(live: dict[str, LiveSetting]) -> dict[str, Value]:
    return {name: setting.value for name, setting in live.items()}


@pytest.fixture(scope="session")
def facts() -> HostFacts:
    return HostFacts(ram_bytes=24 * GIB, cores=2, disk="ssd", max_connections=100)


@pytest.fixture(scope="session")
def cluster() -> Iterator[PrivateCluster]:
    folder = Path(tempfile.mkdtemp(prefix="otterflow-knobs-"))
    folder.chmod(0o755)
    private = PrivateCluster(folder, server_user())
    try:
        private.start()
        yield private
    finally:
        private.stop()
        shutil.rmtree(folder)
