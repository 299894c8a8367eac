"""A database host a PostgreSQL release, each started on first use; and the folders an experiment there writes to."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from otterflow.dbms.postgresql.dbms import DBMS
from otterflow.knobs.catalog import KnobCatalog, load_catalog
from stack.host import DatabaseHost
from stack.releases import fetch
from stack.users import server_user
from tests.knobs.values import SHIPPED_CATALOG
from tests.operators.conftest import (
    one_round,  # noqa: F401 an autouse fixture here too
    small_benchmarks,
)
from tests.operators.harness import Dags
from tests.workloads.conftest import run_job  # noqa: F401 the fixture

HostOf = Callable[[str], DatabaseHost]


@pytest.fixture(scope="session")
def dags() -> Dags:
    """The project's Dags, parsed once."""
    return Dags()


@pytest.fixture(scope="session")
def catalog() -> KnobCatalog:
    """The shipped catalog."""
    return load_catalog(SHIPPED_CATALOG, dbms=DBMS.name, versions=DBMS.versions)


@pytest.fixture(scope="module")
def host_of() -> Iterator[HostOf]:
    """Gives the running host of a release. One that cannot be fetched fails the test: no version is passed over."""
    folder = Path(tempfile.mkdtemp(prefix="otterflow-v-"))
    folder.chmod(0o755)
    hosts: dict[str, DatabaseHost] = {}

    def start(release: str) -> DatabaseHost:
        if release not in hosts:
            bin_dir = _where_the_user_reaches(fetch(release), folder / f"programs-{release}")
            hosts[release] = DatabaseHost(folder / release, name="pg-" + release.replace(".", "-"), bin_dir=bin_dir)
            hosts[release].start()
        return hosts[release]

    yield start
    for host in hosts.values():
        host.stop()
    shutil.rmtree(folder)


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[DatabaseHost], None]:
    """Puts a host, a benchmark of two seconds and an empty repository into the environment of this test."""
    include = small_benchmarks(tmp_path)
    path = include / "benchmarks" / "pgbench_tpcb.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"warmup_s": 0, "duration_s": 2}))
    monkeypatch.setenv("OTTERFLOW_INCLUDE_DIR", str(include))
    monkeypatch.setenv("OTTERFLOW_HOME", str(tmp_path / "home"))

    def use(host: DatabaseHost) -> None:
        for name, value in host.environment().items():
            monkeypatch.setenv(name, value)

    return use


def _where_the_user_reaches(bin_dir: Path, copy: Path) -> Path:
    """`bin_dir`, or a copy of its release where the checkout is closed to the servers' user (one under /root)."""
    if server_user().can_reach(bin_dir):
        return bin_dir
    release = next(
        folder for folder in bin_dir.parents if folder.parent.name == "postgresql" and ".build" in str(folder)
    )
    shutil.copytree(release, copy, symlinks=True)
    return copy / bin_dir.relative_to(release)
