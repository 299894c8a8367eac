"""Experiments that replay a recording on a copy of the user's own, with the real operators and a real server."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from otterflow.dbms.statement import Statement
from otterflow.operators.connections import open_repository
from otterflow.remote.script import JobScript
from otterflow.workloads.recording.manifest import STATEMENTS_FILE
from otterflow.workloads.replay.workload import ReplayWorkload
from stack.host import DatabaseHost
from tests.operators.harness import FAILED, SUCCESS, Dags, Run
from tests.operators.test_undo import undo
from tests.workloads.recording.samples import write

pytestmark = pytest.mark.integration

COPY, COMMENT = "staging", "the shop of Sunday\nfrom a dump"
ROWS = 200
REPLAY: dict[str, Any] = {
    "name": "replayed", "title": "replayed", "kind": "oltp", "objective": "total_time",
    "workload": {"driver": "replay", "schedule": "fast"}, "run_timeout_s": 60, "max_error_share": 0.05,
}  # fmt: skip

MIX = REPLAY | {
    "objective": "throughput", "workload": {"driver": "mix", "clients": 2}, "warmup_s": 1, "duration_s": 2,
}  # fmt: skip


def load(sessions: int = 3, each: int = 20) -> Iterator[Statement]:
    """Sessions that look at stock and take of it."""
    for number in range(sessions):
        for place in range(each):
            at_s = 0.01 * place + 0.001 * number
            fields: dict[str, Any] = {"transaction": place, "duration_ms": 0.2}
            session, row = f"s{number}", str(1 + (number * each + place) % ROWS)
            yield Statement(session, at_s, "BEGIN", **fields)
            yield Statement(session, at_s, "SELECT n FROM stock WHERE id < $1", parameters=(row,), **fields)
            yield Statement(
                session, at_s, "UPDATE stock SET n = n - 1 WHERE id = $1", parameters=(row,), prepared="take", **fields
            )
            yield Statement(session, at_s, "COMMIT", **fields)


@pytest.fixture
def copy(lab: DatabaseHost) -> Iterator[Callable[[str], list[Any]]]:
    """The user's copy, with a comment of the user's; runs SQL in it."""
    with lab.cluster.connect("postgres") as connection:
        connection.execute(f"CREATE DATABASE {COPY}")
        connection.execute(f"COMMENT ON DATABASE {COPY} IS '{COMMENT}'")

    def run(sql: str) -> list[Any]:
        with lab.cluster.connect(COPY) as connection:
            done = connection.execute(sql)
            return list(done.fetchall()) if done.description else []

    run(f"CREATE TABLE stock AS SELECT i AS id, 1000 AS n FROM generate_series(1, {ROWS}) i")
    yield run
    with lab.cluster.connect("postgres") as connection:
        connection.execute(f"DROP DATABASE {COPY} WITH (FORCE)")


Recorded = Callable[..., Path]


@pytest.fixture
def recorded(lab: DatabaseHost) -> Iterator[Recorded]:
    """Makes a recording on the driver host, and the benchmark's file that replays it."""
    folder = lab.root / "recordings"
    folder.mkdir()

    def make(statements: Sequence[Statement], kind: dict[str, Any] = REPLAY, **workload: Any) -> Path:
        path = folder / "of-today"
        shutil.rmtree(path, ignore_errors=True)
        write(path, sorted(statements, key=lambda each: each.at_s))
        for each in (folder, path, *path.iterdir()):
            os.chown(each, lab.user.uid, lab.user.gid)
        settings = {"recording": str(path), **workload}
        benchmark = kind | {"workload": kind["workload"] | settings}
        file = Path(os.environ["OTTERFLOW_INCLUDE_DIR"]) / "benchmarks" / "replayed.yaml"
        file.write_text(yaml.safe_dump(benchmark))
        return path

    yield make
    shutil.rmtree(folder)


@pytest.fixture
def form(params: dict[str, Any], retarget: Any) -> dict[str, Any]:
    """An experiment on the copy."""
    retarget(database=COPY, is_a_copy=True)
    return params | {"benchmark": "replayed", "iterations": 3, "restore_every": 1}


def explain(runs: list[Run]) -> str:
    return "\n".join(f"{r.run_id}: {r.states} {r.errors}" for r in runs)


def comment(lab: DatabaseHost) -> str:
    with lab.cluster.connect("postgres") as connection:
        sql = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"
        row = connection.execute(sql, [COPY]).fetchone()
    assert row is not None
    return str(row[0])


def test_an_experiment_replays_on_the_copy_and_puts_it_back(
    lab: DatabaseHost, dags: Dags, form: dict[str, Any], copy: Callable[[str], list[Any]], recorded: Recorded,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    recorded(list(load()))
    before: list[Any] = []

    def look(run: Run, task: str) -> None:
        if task == "benchmark":
            before.append(copy("SELECT sum(n) FROM stock")[0][0])

    runs = dags.follow("tuning_experiment", form, before=look)
    assert all(run.state == SUCCESS for run in runs), explain(runs)
    trials = open_repository().trials(form["experiment"])
    assert [trial.state for trial in trials] == ["ok"] * 3, [trial.message for trial in trials]
    assert before == [ROWS * 1000] * 3, "each trial begins with the data as they were"
    for trial in trials:
        assert trial.result is not None
        assert trial.objective == trial.result["total_time_s"] > 0
        assert trial.result["transactions"] == 60
        assert trial.result["replay"]["statements"]["done"] == 240
        assert {each["transactions"] for each in trial.result["types"].values()} == {60}
    assert "'staging' (7." in caplog.text
    assert "240 statements of 3 sessions of shop" in caplog.text
    assert comment(lab).endswith(f"\n{COMMENT}")
    assert not list(Path(lab.target.work_dir).glob("jobs/*/")), "job folders are left, password files in them"


def test_an_experiment_draws_from_a_recording(
    lab: DatabaseHost, dags: Dags, form: dict[str, Any], copy: Callable[[str], list[Any]], recorded: Recorded,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    path = recorded([*load(), Statement("s0", 1.0, "VACUUM", duration_ms=0.1)], MIX)
    runs = dags.follow("tuning_experiment", form)
    assert all(run.state == SUCCESS for run in runs), explain(runs)
    trials = open_repository().trials(form["experiment"])
    assert [trial.state for trial in trials] == ["ok"] * 3, [trial.message for trial in trials]
    for trial in trials:
        assert trial.result is not None
        assert trial.objective == trial.result["throughput"] > 30
        assert trial.result["seconds"] == 2.0
        told = trial.result["replay"]["mix"]
        assert told["sample"]["recorded"] == 60
        assert told["covers"]["left_out"] == {"administration": {"statements": 1, "share": 0.002079}}
    assert "the mix covers 99.8% of the recorded seconds; left out: 1 statements: administration" in caplog.text
    (sample,) = path.glob("mix-*")
    assert sample.stat().st_mode & 0o777 == 0o600


def test_a_database_that_is_not_called_a_copy_is_not_touched(
    lab: DatabaseHost, form: dict[str, Any], copy: Callable[[str], list[Any]], recorded: Recorded, refused: Any,
    retarget: Any,
) -> None:  # fmt: skip
    recorded(list(load()))
    retarget(database=COPY)
    said = refused(benchmark="replayed")
    assert f"{lab.name}.yaml: is_a_copy: 'staging' (7." in said
    assert comment(lab) == COMMENT


def test_a_benchmark_that_loads_does_not_take_the_copy(
    lab: DatabaseHost, dags: Dags, form: dict[str, Any], copy: Callable[[str], list[Any]], recorded: Recorded,
    refused: Any,
) -> None:  # fmt: skip
    recorded(list(load()))
    runs = dags.follow("tuning_experiment", form | {"iterations": 1})
    assert all(run.state == SUCCESS for run in runs), explain(runs)
    assert "'staging' holds 1 tables that otterflow did not load" in refused(experiment="other", benchmark="analytics")
    assert copy("SELECT count(*) FROM stock") == [(ROWS,)]


def test_undo_leaves_the_copy_and_takes_the_mark_off(
    lab: DatabaseHost, dags: Dags, form: dict[str, Any], copy: Callable[[str], list[Any]], recorded: Recorded
) -> None:
    recorded(list(load()))
    runs = dags.follow("tuning_experiment", form | {"iterations": 1})
    assert all(run.state == SUCCESS for run in runs), explain(runs)
    assert comment(lab) == f"otterflow data existing used\n{COMMENT}"
    removed = undo(lab, remove=True)["removed"]
    assert not [line for line in removed if line.startswith("database")], removed
    assert comment(lab) == COMMENT
    assert copy("SELECT count(*) FROM stock") == [(ROWS,)]


def test_a_copy_that_the_user_made_anew_is_kept_anew(
    lab: DatabaseHost, dags: Dags, form: dict[str, Any], copy: Callable[[str], list[Any]], recorded: Recorded
) -> None:
    recorded(list(load()))
    assert dags.follow("tuning_experiment", form | {"iterations": 1})[-1].state == SUCCESS
    with lab.cluster.connect("postgres") as connection:
        connection.execute(f"DROP DATABASE {COPY} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {COPY}")
    copy(f"CREATE TABLE stock AS SELECT i AS id, 7 AS n FROM generate_series(1, {ROWS}) i")
    sums: list[Any] = []

    def look(run: Run, task: str) -> None:
        if task == "benchmark":
            sums.append(copy("SELECT sum(n) FROM stock")[0][0])

    runs = dags.follow("tuning_experiment", form | {"experiment": "next", "iterations": 2}, before=look)
    assert all(run.state == SUCCESS for run in runs), explain(runs)
    assert sums == [ROWS * 7] * 2


def test_a_dump_is_restored_in_the_place_of_a_load(
    lab: DatabaseHost, dags: Dags, form: dict[str, Any], copy: Callable[[str], list[Any]], recorded: Recorded,
    retarget: Any, refused: Any,
) -> None:  # fmt: skip
    dump = lab.root / "recordings" / "shop.dump"
    recorded(list(load()), data={"dump": str(dump)})
    retarget()
    assert f"benchmark replayed: data.dump: {dump} on the target cannot be restored" in refused(benchmark="replayed")
    environment = os.environ | {"PGPASSWORD": lab.cluster.password}
    words = ["--format=custom", f"--file={dump}", f"--host={lab.cluster.host}", f"--port={lab.cluster.port}"]
    program = lab.cluster.bin_dir / "pg_dump"
    subprocess.run([program, *words, "--username=otterflow", COPY], check=True, env=environment)
    os.chown(dump, lab.user.uid, lab.user.gid)
    runs = dags.follow("tuning_experiment", form | {"iterations": 2})
    assert all(run.state == SUCCESS for run in runs), explain(runs)
    trials = open_repository().trials(form["experiment"])
    assert [trial.state for trial in trials] == ["ok"] * 2, [trial.message for trial in trials]
    assert runs[0].returned["take_snapshot"] == {"loaded": True, "snapshot": True}


def test_a_copy_that_is_not_there(form: dict[str, Any], recorded: Recorded, refused: Any) -> None:
    recorded(list(load()))
    assert "database: 'staging' is not there" in refused(benchmark="replayed")


def test_a_recording_that_is_damaged_or_not_there(
    form: dict[str, Any], copy: Callable[[str], list[Any]], recorded: Recorded, refused: Any
) -> None:
    path = recorded(list(load()))
    file = path / STATEMENTS_FILE
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    assert "was cut short" in refused(benchmark="replayed")
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert "was changed" in refused(benchmark="replayed")
    shutil.rmtree(path)
    said = refused(benchmark="replayed")
    assert f"recording: {path}/manifest.json: No such file or directory; give the folder of a recording" in said


def test_a_python3_that_is_too_old(
    lab: DatabaseHost, form: dict[str, Any], copy: Callable[[str], list[Any]], recorded: Recorded, refused: Any,
    other_sshd: Callable[..., None],
) -> None:  # fmt: skip
    recorded(list(load()))
    programs = lab.user.make_dir(lab.root / "old", 0o755)
    lab.user.write_file(programs / "python3", "#!/bin/sh\necho 3.8.2\nexit 1\n", 0o755)
    other_sshd({}, {"PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin"})
    assert "python3: is 3.8.2 on the driver host, and the replayer needs 3.9" in refused(benchmark="replayed")
    shutil.rmtree(programs)


def test_a_replay_that_did_other_work_than_the_baselines_has_no_number(
    lab: DatabaseHost, dags: Dags, form: dict[str, Any], copy: Callable[[str], list[Any]], recorded: Recorded
) -> None:
    recorded(list(load()))
    done: list[str] = []

    def empty_it(run: Run, task: str) -> None:
        if task == "benchmark" and run.run_id.endswith("-0001"):
            done.append(run.run_id)
            copy("DELETE FROM stock WHERE id < 190")

    runs = dags.follow("tuning_experiment", form | {"iterations": 2}, before=empty_it)
    assert done, explain(runs)
    trial = open_repository().trials(form["experiment"])[1]
    assert (trial.state, trial.objective) == ("failed", None)
    assert "cannot be judged" in trial.message
    assert "of the time gave other rows: 0 rows of class" in trial.message


@pytest.mark.parametrize("victim", ["postmaster", "backend"])
def test_a_server_that_dies_under_a_replay_is_a_crash_and_the_copy_is_put_back(
    lab: DatabaseHost, dags: Dags, form: dict[str, Any], copy: Callable[[str], list[Any]], recorded: Recorded,
    victim: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """The replayer counts lost connections among its errors and ends well.

    Of a backend that was killed the server's log tells the statement, with a user's value in it, which was told on.
    """
    recorded([*load(), Statement("sleeper", 0.0, "SELECT pg_sleep(2), 's3cret'", duration_ms=2000.0)])
    killers: list[threading.Thread] = []

    def strike() -> None:
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            with contextlib.suppress(psycopg.Error):
                found = copy(
                    "SELECT pid FROM pg_stat_activity WHERE application_name = 'otterflow replay' AND query ~ 's3cret'"
                )
                if found:
                    os.kill(found[0][0] if victim == "backend" else lab.cluster.pid or 0, signal.SIGKILL)
                    return
            time.sleep(0.05)

    def look(run: Run, task: str) -> None:
        if (run.run_id[-5:], task) == ("-0001", "benchmark"):
            killers.append(threading.Thread(target=strike))
            killers[0].start()

    runs = dags.follow("tuning_experiment", form, before=look)
    killers[0].join()
    assert all(run.state == SUCCESS for run in runs), explain(runs)
    trials = open_repository().trials(form["experiment"])
    assert [trial.state for trial in trials] == ["ok", "crashed", "ok"], [trial.message for trial in trials]
    assert "died under the benchmark" in trials[1].message
    said = [caplog.text, *capsys.readouterr(), repr(trials), explain(runs)]
    assert not any("s3cret" in text for text in said)
    if victim == "backend":
        assert "was terminated by signal 9" in trials[1].log_tail
        assert "lines that may hold users' statements are in the log on the host" in trials[1].log_tail


def test_a_replay_that_cannot_keep_up_is_not_believed(
    lab: DatabaseHost, dags: Dags, form: dict[str, Any], copy: Callable[[str], list[Any]], recorded: Recorded,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """With a limit that no replayer keeps, for how quick one is depends on the machine."""
    run = ReplayWorkload.run

    def strict(self: ReplayWorkload, *way: Any) -> JobScript:
        job = run(self, *way)
        told = json.loads(job.files["settings.json"]) | {"most_own_lateness_ms": 0.000_1}
        return replace(job, files={**job.files, "settings.json": json.dumps(told)})

    monkeypatch.setattr(ReplayWorkload, "run", strict)
    recorded(list(load()), schedule="think")
    runs = dags.follow("tuning_experiment", form | {"iterations": 1})
    trial = open_repository().trials(form["experiment"])[0]
    assert runs[-1].state == FAILED, explain(runs)
    assert "the replayer was the limit" in trial.message
