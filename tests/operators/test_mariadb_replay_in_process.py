"""An experiment on MariaDB that replays a recording on a copy of the user's own, with the real operators and server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pymysql.cursors import Cursor

from otterflow.dbms.statement import Statement
from otterflow.operators.connections import open_repository
from otterflow.operators.undo import UndoTuningOperator
from stack.mariadb_host import MariadbHost
from tests.dbms.mysql_family.conftest import clean_host, mariadb, mariadb_host, private_mariadb  # noqa: F401 fixtures
from tests.operators.harness import Dags, Run
from tests.operators.test_mariadb_in_process import lab, params  # noqa: F401 fixtures
from tests.operators.test_replay_in_process import MIX, REPLAY
from tests.workloads.recording.samples import write

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

COPY, ROWS = "staging", 100


def load() -> Iterator[Statement]:
    """Sessions that look at stock and take of it."""
    for number in range(3):
        for place in range(20):
            at_s = 0.01 * place + 0.001 * number
            row = 1 + (number * 20 + place) % ROWS
            for text in (
                "BEGIN",
                f"SELECT n FROM stock WHERE id < {row}",
                f"UPDATE stock SET n = n - 1 WHERE id = {row}",
                "COMMIT",
            ):
                yield Statement(f"s{number}", at_s, text, place, duration_ms=0.2)


def make_copy(cursor: Cursor) -> None:
    """The database that the load is sent to."""
    rows = ", ".join(f"({number}, 1000)" for number in range(1, ROWS + 1))
    cursor.execute(f"CREATE DATABASE {COPY}")
    cursor.execute(f"CREATE TABLE {COPY}.stock (id INT PRIMARY KEY, n INT) ENGINE=InnoDB")
    cursor.execute(f"INSERT INTO {COPY}.stock VALUES {rows}")


Rows = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def copy(lab: MariadbHost) -> Iterator[Rows]:  # noqa: F811
    """The user's copy; runs SQL in it."""

    def run(sql: str) -> list[dict[str, Any]]:
        with lab.mariadb.connect(None) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall()) if cursor.description else []

    with lab.mariadb.connect(None) as connection, connection.cursor() as cursor:
        make_copy(cursor)
    yield run
    run(f"DROP DATABASE {COPY}")


@pytest.fixture
def recorded(lab: MariadbHost) -> Iterator[Callable[..., None]]:  # noqa: F811
    """Makes a recording on the driver host, and the benchmark's file for it."""
    folder = lab.root / "recordings"
    folder.mkdir()

    def make(kind: dict[str, Any], dbms: str = "mariadb") -> None:
        path = folder / "of-today"
        write(path, sorted(load(), key=lambda each: each.at_s), dbms)
        for each in (folder, path, *path.iterdir()):
            os.chown(each, lab.user.uid, lab.user.gid)
        benchmark = kind | {"workload": kind["workload"] | {"recording": str(path)}}
        file = Path(os.environ["OTTERFLOW_INCLUDE_DIR"]) / "benchmarks" / "replayed.yaml"
        file.write_text(yaml.safe_dump(benchmark))

    yield make
    shutil.rmtree(folder)


@pytest.fixture
def form(
    lab: MariadbHost,  # noqa: F811
    params: dict[str, Any],  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, Any]:
    """An experiment on the copy."""
    record = yaml.safe_load((lab.targets_dir / f"{lab.name}.yaml").read_text())
    folder = tmp_path / "targets"
    folder.mkdir()
    changes = {"database": COPY, "is_a_copy": True, "snapshot": record["snapshot"] | {"method": "dump"}}
    (folder / f"{lab.name}.yaml").write_text(yaml.safe_dump(record | changes))
    monkeypatch.setenv("OTTERFLOW_TARGETS_DIR", str(folder))
    return params | {"benchmark": "replayed", "iterations": 2, "restore_every": 1}


def explain(runs: list[Run]) -> list[Any]:
    return [(run.run_id, run.states, run.errors) for run in runs]


def test_an_experiment_replays_on_the_copy_and_puts_it_back(
    lab: MariadbHost,  # noqa: F811
    dags: Dags,
    form: dict[str, Any],
    copy: Rows,
    recorded: Callable[..., None],
) -> None:
    recorded(REPLAY)
    before: list[int] = []

    def look(run: Run, task: str) -> None:
        if task == "benchmark":
            before.append(int(copy(f"SELECT SUM(n) AS n FROM {COPY}.stock")[0]["n"]))

    runs = dags.follow("tuning_experiment", form, before=look)
    assert all(run.state == "success" for run in runs), explain(runs)
    trials = open_repository().trials(form["experiment"])
    assert [trial.state for trial in trials] == ["ok"] * 2, [trial.message for trial in trials]
    assert before == [ROWS * 1000] * 2, "each trial begins with the data as they were"
    for trial in trials:
        assert trial.result is not None
        told = trial.result["replay"]
        assert told["statements"]["done"] == told["statements"]["to_send"] == 240
        assert (told["errors"], trial.result["transactions"]) == ({}, 60)
        assert "performance_schema" in told["server_times"]["why_not"]
        assert trial.result["total_time_s"] > 0
    UndoTuningOperator(task_id="undo", target=lab.name, experiment="", remove="True").execute({"run_id": "undo"})
    assert int(copy(f"SELECT COUNT(*) AS n FROM {COPY}.stock")[0]["n"]) == ROWS, "a copy of the user's own stays"


def test_a_mix_finds_a_throughput(
    lab: MariadbHost,  # noqa: F811
    dags: Dags,
    form: dict[str, Any],
    copy: Rows,
    recorded: Callable[..., None],
) -> None:
    recorded(MIX)
    runs = dags.follow("tuning_experiment", form)
    assert all(run.state == "success" for run in runs), explain(runs)
    for trial in open_repository().trials(form["experiment"]):
        assert trial.state == "ok", trial.message
        assert trial.result is not None
        assert trial.result["throughput"] > 10
        assert trial.result["replay"]["mix"]["covers"]["share"] == 1


def test_a_recording_of_another_dbms_is_refused(
    lab: MariadbHost,  # noqa: F811
    dags: Dags,
    form: dict[str, Any],
    copy: Rows,
    recorded: Callable[..., None],
) -> None:
    recorded(REPLAY, dbms="postgresql")
    runs = dags.follow("tuning_experiment", form)
    assert runs[0].state == "failed"
    assert "is of postgresql, and the target is of mariadb; choose a recording of the same DBMS" in str(runs[0].errors)
