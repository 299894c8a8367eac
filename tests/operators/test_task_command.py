"""`python -m otterflow task`: an experiment by hand, a task at a time, on a real server; what it refuses, and how."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from otterflow.operators.command_line import FAILED, WRONG_INPUT, main
from otterflow.operators.connections import open_repository
from otterflow.operators.task_command import SERVER
from stack.host import DatabaseHost

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"


@pytest.fixture(autouse=True)
def process_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the command sets in the environment is gone after the test; its repository is an empty one."""
    monkeypatch.setenv(*SERVER)
    monkeypatch.setenv("OTTERFLOW_HOME", str(tmp_path / "home"))


@pytest.fixture
def task(capsys: pytest.CaptureFixture[str]) -> Any:
    """`task(name, *options)` runs a task of experiment `by-hand`: what it has printed, read as JSON."""

    def run(name: str, *options: str) -> Any:
        code = main(["task", name, "--experiment", "by-hand", *options])
        said = capsys.readouterr()
        assert code == 0, said.err
        return json.loads(said.out)

    return run


@pytest.mark.integration
def test_an_experiment_is_made_by_hand_a_task_at_a_time(
    lab: DatabaseHost, params: dict[str, Any], task: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    form = {name: value for name, value in params.items() if name != "experiment"}
    assert task("check_experiment", "--conf", json.dumps(form))["benchmark"]
    assert "work_mem" in task("check_target")["knobs"]
    assert task("take_snapshot") is not None
    triggered = task("start_iterations")
    assert triggered["would_trigger"] == "tuning_iteration"
    assert (triggered["run_id"], triggered["conf"]["iteration"]) == ("by-hand-0000", 0)

    assert main(["task", "restart", "--experiment", "by-hand"]) == FAILED
    assert "has not begun; to make another try of it, clear this run from begin" in capsys.readouterr().err
    assert set(task("begin")) == {"skips"}
    assert task("restart")["in_force"]
    assert task("benchmark")["throughput"] > 0
    assert task("collect")["metrics"] > 10
    assert open_repository().trial("by-hand", 0).state == "ok"
    planned = task("recommend", "--iteration", "0")
    assert planned["iteration"] == 1
    assert task("next_iteration", "--iteration", "0")["run_id"] == "by-hand-0001"
    assert set(task("begin")) == {"skips"}, "the newest trial, by the run that was named to go on"

    assert main(["task", "benchmark", "--experiment", "by-hand", "--iteration", "0"]) == FAILED
    assert "is in the hands of run tuning_iteration/by-hand-0001" in capsys.readouterr().err
    assert main(["task", "recover", "--experiment", "by-hand", "--iteration", "1"]) == FAILED
    assert "did not end by itself; the server is up on the baseline" in capsys.readouterr().err
    assert lab.cluster.is_running


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tune", "--experiment", "e"], "task: 'tune' is in no Dag of an experiment; use one of tuning_experiment: "),
        (["restart", "--experiment", "absent"], "experiment: 'absent' is unknown"),
        (["restart", "--experiment", "absent", "--iteration", "0"], "experiment: 'absent' is unknown"),
        (["compare", "--experiment", "e", "--iteration", "1"], "compare is a task of tuning_finish, which has none"),
        (["check_experiment", "--experiment", "e", "--conf", "[1]"], "--conf: '[1]' is no JSON object"),
    ],
)
def test_wrong_input_is_told(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["task", *words]) == WRONG_INPUT
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_a_form_that_is_wrong_fails_the_task(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["task", "check_experiment", "--experiment", "e", "--conf", '{"target": "nowhere"}']) == FAILED
    assert "check_experiment failed: InvalidInput: " in capsys.readouterr().err


@pytest.mark.slow
def test_a_connection_is_read_from_airflows_database_too(tmp_path: Path) -> None:
    """Where Airflow keeps the repository's connection, the command goes there, and says so."""
    environment = {name: value for name, value in os.environ.items() if name != SERVER[0]} | {
        "PYTHONPATH": str(PLUGINS),
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
    }
    made = (
        "from airflow.utils.db import initdb; initdb();"
        "from airflow.models import Connection; from airflow.settings import Session; s = Session();"
        f"s.add(Connection(conn_id='otterflow_repository', conn_type='sqlite', host='{tmp_path}/kept.db')); s.commit()"
    )
    subprocess.run([sys.executable, "-c", made], check=True, env=environment, capture_output=True)
    command = [sys.executable, "-m", "otterflow", "task", "report", "--experiment", "absent"]
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    assert done.returncode == WRONG_INPUT, done.stderr
    assert f"{tmp_path}/kept.db" in done.stderr
    assert "experiment: 'absent' is unknown" in done.stderr
    assert done.stdout == ""
