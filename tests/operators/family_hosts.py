"""Hosts of MySQL's family for whole experiments: MariaDB of this machine, other releases where they can be had."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from stack.family_host import FamilyHost
from stack.mariadb_host import MariadbHost
from stack.processes import StackError
from stack.suite_host import SuiteHost
from stack.suites import fetch
from tests.dbms.mysql_family.servers import THIS_MACHINES
from tests.operators.conftest import small_benchmarks

SMALL = {"tables": 2, "table_size": 2000, "threads": 2, "load_threads": 2}


@contextmanager
def running_host(
    server: str, name: str = "private", *, of_suite: Callable[..., FamilyHost] = SuiteHost, **fields: Any
) -> Iterator[FamilyHost]:
    """A running host with the server of that name in `servers.ALL`; the test is skipped where it cannot be had.

    `of_suite` makes the host of a server that is not this machine's; `fields` are those of a `Host`.
    """
    folder = Path(tempfile.mkdtemp(prefix="otterflow-family-"))
    folder.chmod(0o755)  # the server's user has to pass
    try:
        host = (
            MariadbHost(folder, name, **fields)
            if server == THIS_MACHINES
            else of_suite(folder, fetch(server), name, **fields)
        )
    except StackError as error:
        shutil.rmtree(folder)
        pytest.skip(f"{server} cannot be had here, so nothing was tried on it: {error}")
    try:
        host.start()
        yield host
    finally:
        host.stop()
        shutil.rmtree(folder)


def set_up(host: FamilyHost, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have otterflow find the host, a small benchmark in `folder`, and an empty repository."""
    include = small_benchmarks(folder)
    path = include / "benchmarks" / "sysbench_uniform_read_write.yaml"
    record = yaml.safe_load(path.read_text())
    record |= {"workload": record["workload"] | SMALL, "warmup_s": 1, "duration_s": 3}
    path.write_text(yaml.safe_dump(record))
    for name, value in host.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OTTERFLOW_INCLUDE_DIR", str(include))
    monkeypatch.setenv("OTTERFLOW_HOME", str(folder / "home"))
