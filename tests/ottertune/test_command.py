"""`python -m otterflow ottertune`: its output, its exit codes, and which repository it finds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from otterflow.operators.command_line import WRONG_INPUT, main
from otterflow.repository import Repository
from tests.ottertune.sets import changed, summary

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"


@pytest.fixture(autouse=True)
def url(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    url = f"sqlite:///{tmp_path / 'repository.db'}"
    monkeypatch.setenv("OTTERFLOW_REPOSITORY", url)
    return url


def run(*arguments: object) -> int:
    return main(["ottertune", *(str(argument) for argument in arguments)])


def test_import_prints_the_report(folder: Path, repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    changed(folder, "1__summary", summary(observation_time=-1))
    assert run("import", folder, "--experiment", "past", "--ram-gb", 16, "--cores", 4, "--disk", "ssd") == 0
    out = capsys.readouterr().out
    assert "2 of 3 sets are trials of experiment 'past'" in out
    assert "summary.observation_time  -1" in out
    assert repository.experiment("past").facts["ram_bytes"] == 16 * 2**30


@pytest.mark.slow
def test_import_again_says_that_nothing_changed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("import", folder, "--experiment", "past")
    assert run("import", folder, "--experiment", "past") == 0
    assert "stored before; nothing was changed" in capsys.readouterr().out


@pytest.mark.slow
def test_the_report_as_json(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("import", folder, "--experiment", "past", "--json")
    assert json.loads(capsys.readouterr().out)["imported"] == ["0", "1", "2"]
    run("export", "--experiment", "past", "--iteration", 1, "--to", tmp_path / "out", "--json")
    assert json.loads(capsys.readouterr().out)["written"] == ["past-0001"]


def test_wrong_input_ends_with_the_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("import", tmp_path / "nowhere", "--experiment", "past") == WRONG_INPUT
    assert "folder: " in capsys.readouterr().err
    assert run("export", "--experiment", "past", "--to", tmp_path / "out") == WRONG_INPUT
    assert "experiment: 'past' is unknown" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_without_a_url_it_is_the_tasks_repository(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTTERFLOW_REPOSITORY")
    monkeypatch.setenv("OTTERFLOW_HOME", str(tmp_path / "home"))
    assert run("import", folder, "--experiment", "past") == 0
    repository = Repository.open(f"sqlite:///{tmp_path / 'home' / 'repository.db'}")
    assert repository.experiment("past").state == "finished"


@pytest.mark.slow
def test_in_a_shell_stdout_is_the_report_alone(folder: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OTTERFLOW_REPOSITORY"}
    command = [sys.executable, "-m", "otterflow", "ottertune", "import", str(folder), "--experiment", "past", "--json"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        env=environment | {"PYTHONPATH": str(PLUGINS), "OTTERFLOW_HOME": str(tmp_path / "new")},
    )
    assert json.loads(done.stdout)["stored"]
    assert str(tmp_path / "new" / "repository.db") in done.stderr


def test_a_connection_in_the_environment_is_followed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTTERFLOW_REPOSITORY")
    file = tmp_path / "elsewhere.db"
    connection = json.dumps({"conn_type": "sqlite", "host": str(file)})
    monkeypatch.setenv("AIRFLOW_CONN_OTTERFLOW_REPOSITORY", connection)
    assert run("import", folder, "--experiment", "past") == 0
    assert Repository.open(f"sqlite:///{file}").experiment("past").state == "finished"
