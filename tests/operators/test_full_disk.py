"""A disk that fills up under the benchmark: what becomes of the trial, and how the experiment goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otterflow.operators.connections import open_repository
from stack.host import DatabaseHost
from tests.operators.conftest import small_benchmarks
from tests.operators.harness import FAILED, SUCCESS, Dags, Run
from tests.operators.test_experiment_in_process import explain
from tests.small_disk import fill, make_room, small_disk

pytestmark = pytest.mark.integration


@pytest.fixture
def small_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DatabaseHost]:
    """A database host whose every file is on a file system of 900 MiB."""
    with small_disk(900) as folder:
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


def test_a_full_disk_stops_the_run_and_a_clear_goes_on(small_host: DatabaseHost, dags: Dags) -> None:
    def sabotage(run: Run, task: str) -> None:
        if (run.run_id, task) == ("in-process-0001", "benchmark"):
            fill(small_host.root)

    form: dict[str, Any] = {"experiment": "in-process", "target": small_host.name, "benchmark": "pgbench_tpcb"}
    form |= {
        "iterations": 2,
        "restore_every": 0,
        "reference_every": 0,
        "final_rounds": 3,
        "ablation_percent": 0,
        "quiet_gate": False,
    }
    runs = dags.follow("tuning_experiment", form, before=sabotage)
    assert runs[-1].run_id == "in-process-0001", explain(runs)
    assert runs[-1].states["benchmark"] == FAILED, explain(runs)
    assert "No space left on device" in explain(runs)
    assert small_host.cluster.is_running, "the server is up, though its disk is full"

    make_room(small_host.root)
    again = dags.follow("tuning_iteration", {"experiment": "in-process", "iteration": 1})
    assert [r.state for r in again] == [SUCCESS, SUCCESS], explain(again)
    assert open_repository().trials("in-process")[1].state == "ok"
    assert small_host.cluster.is_running
