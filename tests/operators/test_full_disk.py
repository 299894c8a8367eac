"""A disk that fills up under the benchmark: what becomes of the trial, and how the experiment goes on."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otterflow.operators.connections import open_repository
from stack.host import DatabaseHost
from tests.operators.conftest import small_benchmarks
from tests.operators.harness import FAILED, SUCCESS, Dags, Run
from tests.operators.test_experiment_in_process import explain

pytestmark = pytest.mark.integration


@pytest.fixture
def small_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DatabaseHost]:
    """A database host whose every file is on a file system of 900 MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system takes root")
    folder = Path(tempfile.mkdtemp(prefix="otterflow-full-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=900M,mode=0755", "tmpfs", str(folder)], check=True)
    host = DatabaseHost(folder)
    try:
        host.start()
        for name, value in host.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("OTTERFLOW_INCLUDE_DIR", str(small_benchmarks(tmp_path)))
        monkeypatch.setenv("OTTERFLOW_HOME", str(tmp_path / "home"))
        yield host
    finally:
        host.stop()
        subprocess.run(["umount", str(folder)], check=True)
        shutil.rmtree(folder)


def fill(ballast: Path) -> None:
    """Write until the file system takes no more."""
    with contextlib.suppress(OSError), ballast.open("wb") as file:
        while True:
            file.write(b"\0" * 2**20)
            file.flush()


def test_a_full_disk_stops_the_run_and_a_clear_goes_on(small_host: DatabaseHost, dags: Dags) -> None:
    ballast = small_host.root / "ballast"

    def sabotage(run: Run, task: str) -> None:
        if (run.run_id, task) == ("in-process-0001", "benchmark"):
            fill(ballast)

    form: dict[str, Any] = {"experiment": "in-process", "target": small_host.name, "benchmark": "pgbench_tpcb"}
    form |= {"iterations": 2, "restore_every": 0, "reference_every": 0, "final_rounds": 1}
    runs = dags.follow("tuning_experiment", form, before=sabotage)
    assert runs[-1].run_id == "in-process-0001", explain(runs)
    assert runs[-1].states["benchmark"] == FAILED, explain(runs)
    assert "No space left on device" in explain(runs)
    assert small_host.cluster.is_running, "the server is up, though its disk is full"

    ballast.unlink()
    again = dags.follow("tuning_iteration", {"experiment": "in-process", "iteration": 1})
    assert [r.state for r in again] == [SUCCESS, SUCCESS], explain(again)
    assert open_repository().trials("in-process")[1].state == "ok"
    assert small_host.cluster.is_running
