"""The private Airflow: it comes up with the Dags of a folder, keeps its secrets, and leaves nothing running."""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from stack.airflow import AirflowStack
from stack.processes import StackError, belonging_to
from tests.stack.listening import listening

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

DAG = """
from airflow.sdk import DAG, task

with DAG("hello", schedule=None):

    @task
    def greet(params):
        print("greeting", params["name"])
        return {"hello": params["name"]}

    greet()
"""


@pytest.fixture
def airflow(tmp_path: Path) -> Iterator[AirflowStack]:
    for name in ("dags", "plugins"):
        (tmp_path / name).mkdir()
    stack = AirflowStack(
        tmp_path / "control",
        {"AIRFLOW_CONN_SOMEWHERE": "http://example"},
        dags_folder=tmp_path / "dags",
        plugins_folder=tmp_path / "plugins",
    )
    yield stack
    stack.stop()


def test_start_run_a_dag_stop_and_start_again(airflow: AirflowStack, tmp_path: Path) -> None:
    dag_file = tmp_path / "dags" / "hello.py"
    dag_file.write_text(DAG.replace('"hello", schedule', '"hello", params={"name": "x"}, schedule'))
    airflow.start()
    airflow.start()
    with pytest.raises(httpx.HTTPStatusError):
        httpx.get(f"{airflow.url}/api/v2/dags", trust_env=False).raise_for_status()
    airflow.wait_for_dags("hello")
    port = int(airflow.port_file.read_text())
    assert listening(airflow.root) == {("127.0.0.1", port)}, "loopback only, and no port that two stacks share"
    airflow.client.unpause("hello")
    run_id = airflow.client.trigger("hello", {"name": "otter"}, "one")
    while airflow.client.dag_run("hello", run_id)["state"] not in {"success", "failed"}:
        time.sleep(0.2)
    assert airflow.client.xcom("hello", "one", "greet") == {"hello": "otter"}
    assert any("greeting otter" in line for line in airflow.client.task_log("hello", "one", "greet"))
    assert [run["dag_run_id"] for run in airflow.client.dag_runs("hello")] == ["one"]
    with pytest.raises(httpx.HTTPStatusError, match="409"):
        airflow.client.trigger("hello", {}, "one")
    for path in (airflow.passwords_file, airflow.secrets_file):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    logs = {path.name: path.read_text() for path in airflow.root.glob("*.log")}
    assert {"airflow-api-server.log", "airflow-dag-processor.log", "airflow-scheduler.log"} <= set(logs)
    assert not [name for name, text in logs.items() if airflow.password in text]

    url = airflow.url
    airflow.stop()
    assert belonging_to(airflow.root) == []
    airflow.start()
    assert airflow.url == url
    assert airflow.client.dag_run("hello", "one")["state"] == "success"

    dag_file.write_text("import airflow\n\nraise RuntimeError('no Dag today')\n")
    with pytest.raises(StackError, match="no Dag today"):
        airflow.wait_for_dags("goodbye")


def test_a_setting_that_stops_airflow_is_reported_with_its_log(airflow: AirflowStack) -> None:
    broken = AirflowStack(airflow.root, {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite:////nowhere/at/all.db"})
    with pytest.raises(StackError, match=r"airflow db migrate failed(.|\n)*unable to open database file"):
        broken.start()
    assert belonging_to(airflow.root) == []
