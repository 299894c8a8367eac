"""A lab with several hosts, for tests whose experiments run side by side."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from stack.free_cache import FreeCacheRule
from stack.host import DatabaseHost
from stack.lab import Lab
from stack.processes import belonging_to
from tests.e2e.watching import watched
from tests.operators.conftest import small_benchmarks

COUNTED = "counted_tpcb"
"""A small benchmark that writes, and counts what was written since the data were loaded: one row a transaction."""


@dataclass(frozen=True)
class WideLab:
    """A lab, and the hosts beside its own by their target's name."""

    lab: Lab
    hosts: Mapping[str, DatabaseHost]


@pytest.fixture(scope="module")
def wide_lab(request: pytest.FixtureRequest) -> Iterator[WideLab]:
    """Everything started as a newcomer starts Airflow, with a host for each of the module's `HOSTS`.

    `HOSTS` has a target's name, and what its file has otherwise than the demo's.
    """
    asked: Mapping[str, Mapping[str, Any]] = request.module.HOSTS
    folder = Path(tempfile.mkdtemp(prefix="otterflow-e2e-"))
    folder.chmod(0o755)
    hosts = {name: DatabaseHost(folder / name, name=name) for name in asked}
    lab = None
    try:
        FreeCacheRule().grant(next(iter(hosts.values())).user)
        with ThreadPoolExecutor() as pool:
            list(pool.map(DatabaseHost.start, hosts.values()))
        lab = _lab(folder, hosts)
        lab.root.mkdir()
        lab.root.chmod(0o755)
        lab.host.start()
        for name, host in hosts.items():
            _write_target(host, asked[name], lab.host.targets_dir)
        lab.start(print)
        with watched(lab):
            yield WideLab(lab, hosts)
    finally:
        if lab is not None:
            lab.stop()
            assert not belonging_to(lab.root), "nothing is left running"
        for host in hosts.values():
            host.stop()
        shutil.rmtree(folder)


def _lab(folder: Path, hosts: Mapping[str, DatabaseHost]) -> Lab:
    include = small_benchmarks(folder)
    _write_counted(include / "benchmarks")
    connections = {name: value for host in hosts.values() for name, value in _connections(host).items()}
    few = {"AIRFLOW__CORE__PARALLELISM": "5"}  # tasks at a time: more of them do not end sooner on two cores
    environment = {"OTTERFLOW_INCLUDE_DIR": str(include), **connections, **few}
    return Lab(folder / "lab", standalone=True, environment=environment)


def _write_counted(benchmarks: Path) -> None:
    record = yaml.safe_load((benchmarks / "pgbench_tpcb.yaml").read_text())
    sql = "SELECT coalesce(max(n_tup_upd), 0) AS updates FROM pg_stat_user_tables WHERE relname = 'pgbench_branches'"
    written = {"sql": sql, "numbers": {"updates": "gauge"}}
    counted = record | {"name": COUNTED, "warmup_s": 0, "duration_s": 2, "metrics": [written]}
    (benchmarks / f"{COUNTED}.yaml").write_text(yaml.safe_dump(counted))


def _connections(host: DatabaseHost) -> dict[str, str]:
    """The host's connections under names of its own, for it is not the only one."""
    return {f"{name}_{host.name.upper()}": value for name, value in host.airflow_connections().items()}


def _write_target(host: DatabaseHost, changes: Mapping[str, Any], folder: Path) -> None:
    record = yaml.safe_load((host.targets_dir / f"{host.name}.yaml").read_text())
    for connection in ("ssh_conn_id", "sql_conn_id"):
        record[connection] = f"{record[connection]}_{host.name}"
    record["snapshot"] |= changes.get("snapshot", {})
    record |= {field: value for field, value in changes.items() if field != "snapshot"}
    (folder / f"{host.name}.yaml").write_text(yaml.safe_dump(record))
