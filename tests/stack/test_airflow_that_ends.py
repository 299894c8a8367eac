"""A process of the private Airflow that ends by itself is told of at once, wherever a test waits; stand-ins for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import httpx
import pytest

from stack.airflow import AirflowStack
from stack.airflow_client import AirflowClient
from stack.lab import Lab
from stack.processes import StackError
from tests.e2e.watching import wait_for, watched

pytestmark = pytest.mark.slow

STAND_IN = f"""\
#!{sys.executable} -IS
import os, subprocess, sys, time
home, name = os.environ["AIRFLOW_HOME"], sys.argv[1]
print("this is", name, flush=True)
if name == "db":
    sys.exit()
if name == "standalone":
    children = [subprocess.Popen([sys.argv[0], each]) for each in ("scheduler", "dag-processor")]
if name in ("standalone", "api-server") and not any(each.endswith(" ends") for each in os.listdir(home)):
    open(home + "/healthy", "w").close()
while not os.path.exists(home + "/" + name + " ends"):
    time.sleep(0.05)
sys.exit("duplicate key of " + name)
"""
"""It starts nothing that could be left for a moment when it is ended."""


Start = Callable[..., AirflowStack]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts one; a component of it ends once there is the file `<component> ends` in its home."""
    program = tmp_path / "airflow"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    started: list[AirflowStack] = []
    monkeypatch.setattr("stack.airflow._airflow", lambda: str(program))
    monkeypatch.setattr(AirflowClient, "is_healthy", lambda *_: (started[-1].home / "healthy").exists())

    def begin(ends: str | None = None, *, standalone: bool = False) -> AirflowStack:
        airflow = AirflowStack(tmp_path / "control", {}, standalone=standalone)
        started.append(airflow)
        if ends is not None:
            airflow.home.mkdir(parents=True)
            end(airflow, ends)
        airflow.start()
        return airflow

    yield begin
    for airflow in started:
        airflow.stop()


def end(airflow: AirflowStack, component: str) -> None:
    (airflow.home / f"{component} ends").touch()


def wait_for_nothing(airflow: AirflowStack, timeout_s: float) -> None:
    with watched(cast("Lab", SimpleNamespace(airflow=airflow))):
        wait_for("nothing", lambda: None, timeout_s)


@pytest.mark.parametrize("standalone", [False, True])
@pytest.mark.parametrize("component", ["scheduler", "dag-processor"])
def test_a_wait_ends_at_once_and_says_which_process_has_ended_and_the_end_of_its_log(
    start: Start, component: str, standalone: bool
) -> None:
    airflow = start(standalone=standalone)
    with pytest.raises(AssertionError, match="not within 1 s: nothing"):
        wait_for_nothing(airflow, 1)
    end(airflow, component)
    with pytest.raises(StackError, match=rf"{component} has ended by itself\n(.|\n)*duplicate key of {component}"):
        wait_for_nothing(airflow, 60)
    with pytest.raises(StackError, match=f"{component} has ended by itself"):
        airflow.wait_for_dags("one")


def test_one_that_ends_at_the_start_is_told_of(start: Start) -> None:
    with pytest.raises(StackError, match=r"scheduler has ended by itself\n(.|\n)*duplicate key of scheduler"):
        start("scheduler")


def test_a_scheduler_that_is_killed_on_purpose_has_not_ended_by_itself_and_its_successor_may(start: Start) -> None:
    airflow = start()
    airflow.kill_scheduler()
    airflow.must_run()
    airflow.start_scheduler()
    end(airflow, "scheduler")
    with pytest.raises(StackError, match="scheduler has ended by itself"):
        wait_for_nothing(airflow, 60)


def test_an_api_server_that_answers_late_is_asked_again_until_it_has_ended(start: Start) -> None:
    airflow = start()
    asked: list[str] = []

    def ask() -> None:
        asked.append("once")
        end(airflow, "api-server")
        raise httpx.ConnectError("refused")

    with watched(cast("Lab", SimpleNamespace(airflow=airflow))):
        with pytest.raises(StackError, match="api-server has ended by itself"):
            wait_for("an answer", ask, 60)
    assert asked
