"""Faults, each injected into an experiment on a real server, and what is left afterwards.

Run by `make bench`. Every fault strikes an experiment of two trials on a private host with a database of the user's
beside the benchmark's. What a person would do is done (mend, clear the red run), and then it must hold that

* the server is up, on a configuration known to be good;
* no trial is lost, and no try of one is called the culprit of a fault of the machinery;
* the target is free;
* the user's own database is as it was.

The last lines print survived / tried, for each kind and in all. Without an Airflow: what its scheduler adds is in
`bench_scheduler.py`.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from otterflow.errors import TEACHES_NOTHING
from otterflow.operators.connections import open_repository
from stack.host import DatabaseHost
from tests.bench.faults.acts import EXPERIMENT, FINISH, RUN, START, STRUCK, Scene, repository_up
from tests.bench.faults.catalogue import Fault, faults
from tests.moved_clock import WorkerClock
from tests.operators.conftest import INCLUDE
from tests.operators.harness import FAILED, SUCCESS, Dags, Run
from tests.operators.test_experiment_in_process import as_shown, explain, in_force_on
from tests.operators.test_faults import under_load
from tests.small_disk import make_room, small_disk

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

MOST_CLEARS = 3
"""How often a person clears a red run before giving up."""
SURVIVED: dict[tuple[str, str], bool] = {}
"""By a fault's kind and name."""

QUIET = "quiet"
QUIET_BENCHMARK = {
    "name": QUIET,
    "title": "Payments between a few accounts, with long pauses",
    "description": "Leaves the machine to the faults: its numbers are of no interest.",
    "kind": "oltp",
    "objective": "throughput",
    "workload": {
        "driver": "pgbench_scripts", "sql": QUIET, "scale": 1, "bytes_per_scale": 100_000, "scripts": {"pay": 1},
        "clients": 2, "threads": 1, "pause_ms": 20,
    },
    "warmup_s": 0,
    "duration_s": 2,
    "load_timeout_s": 60,
    "run_timeout_s": 60,
}  # fmt: skip
QUIET_SQL = {
    "load/10_accounts.sql": "CREATE TABLE accounts AS SELECT n AS id, 0 AS balance FROM generate_series(1, 1000) n;\n",
    "scripts/pay.sql": "\\set id random(1, 1000)\nUPDATE accounts SET balance = balance + 1 WHERE id = :id;\n",
}


@pytest.fixture(scope="module")
def host() -> Iterator[DatabaseHost]:
    """A database host on a file system of its own of 1.5 GiB, which may be filled; with a database of the user's."""
    with small_disk(1500) as folder:
        host = DatabaseHost(folder)
        try:
            host.start()
            with host.cluster.connect("postgres") as connection:
                connection.execute("CREATE DATABASE keepsake")
            with host.cluster.connect("keepsake") as connection:
                connection.execute("CREATE TABLE letters AS SELECT n, md5(n::text) FROM generate_series(1, 1000) AS n")
            yield host
        finally:
            host.stop()
            tell()


def tell() -> None:
    """Print how many faults were survived, of how many."""
    kinds: dict[str, list[bool]] = defaultdict(list)
    for (kind, _), survived in SURVIVED.items():
        kinds[kind].append(survived)
    print()
    for kind, all_survived in kinds.items():
        print(f"  {kind:<16} {sum(all_survived):>3} / {len(all_survived)}")
    print(f"survived {sum(SURVIVED.values())} / tried {len(SURVIVED)}")
    for kind, name in (fault for fault, survived in SURVIVED.items() if not survived):
        print(f"  not survived: {kind}: {name}")


@pytest.fixture
def lab(host: DatabaseHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DatabaseHost]:
    """The host as it was made, and an empty repository; whatever the fault before did."""
    for name, value in host.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OTTERFLOW_INCLUDE_DIR", str(quick_benchmarks(tmp_path)))
    monkeypatch.setenv("OTTERFLOW_HOME", str(tmp_path / "home"))
    make_room(host.root)
    host.break_lock()
    host.cluster.stop()
    host.cluster.knobs_file.unlink(missing_ok=True)
    host.user.write_file(host.cluster.data_dir / "postgresql.auto.conf", "")
    for folder in (host.snapshot_dir, host.work_dir):
        for leftover in folder.iterdir():
            shutil.rmtree(leftover, ignore_errors=True)
    host.start()
    with host.cluster.connect("postgres") as connection:
        connection.execute("DROP DATABASE IF EXISTS bench")
        connection.execute("CREATE DATABASE bench")
    return host


def quick_benchmarks(folder: Path) -> Path:
    """What is shipped, and the quiet benchmark."""
    include = folder / "include"
    shutil.copytree(INCLUDE, include)
    benchmarks = include / "benchmarks"
    (benchmarks / f"{QUIET}.yaml").write_text(yaml.safe_dump(QUIET_BENCHMARK))
    for name, text in QUIET_SQL.items():
        path = benchmarks / QUIET / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return include


class Strike:
    """Lets a fault strike once."""

    def __init__(self, fault: Fault, scene: Scene) -> None:
        self.fault, self.scene = fault, scene
        self.struck = False
        self.thread: threading.Thread | None = None

    def is_due(self, run: Run, task: str) -> bool:
        """Whether the task is the one that the fault is meant for, and has not been struck yet."""
        fault = self.fault
        here = (run.dag_id, task) == (fault.dag, fault.task)
        return here and not self.struck and (fault.dag != RUN or run.conf.get("iteration") == STRUCK)

    def before(self, run: Run, task: str) -> None:
        """What the harness calls ahead of each task."""
        if self.fault.worker_dies or not self.is_due(run, task):
            return
        self.scene.run = run
        if self.fault.under_load:
            self.thread = under_load(self.scene.host, lambda _: self._now())
        else:
            self._now()

    def after(self) -> None:
        """What is to be done once the experiment has ended."""
        self.scene.run = None
        self.fault.then(self.scene)

    def _now(self) -> None:
        self.struck = True
        self.fault.strike(self.scene)

    def join(self) -> None:
        """Wait until a fault that strikes under load has struck."""
        if self.thread is not None:
            self.thread.join()


class MortalDags(Dags):
    """Dags whose workers may die: what the task did is done, nobody was told, and Airflow begins it again."""

    strike: Strike

    def _execute(self, run: Run, task: Any, params: dict[str, Any]) -> None:
        if self.strike.fault.worker_dies and self.strike.is_due(run, task.task_id):
            self.strike.struck = True
            known = dict(self.known)
            super()._execute(Run(run.dag_id, run.conf, run.run_id), task, params)
            self.known.clear()
            self.known.update(known)
            task = self.task(run.dag_id, task.task_id, params)
        super()._execute(run, task, params)


@pytest.fixture(scope="module")
def dags() -> MortalDags:
    """The project's Dags, parsed once."""
    return MortalDags()


def carry_out(dags: MortalDags, strike: Strike) -> list[Run]:
    """The experiment with its fault; then what a person does: mend, and clear what is red."""
    dags.strike = strike
    runs = dags.follow(START, strike.scene.form, before=strike.before)
    for _ in range(MOST_CLEARS):
        strike.join()
        if runs[-1].state != FAILED:
            break
        strike.fault.mend(strike.scene)
        red = runs[-1]
        runs += dags.follow(red.dag_id, red.conf, before=strike.before)
    strike.after()
    return runs


@pytest.mark.parametrize("fault", faults(), ids=lambda fault: f"{fault.kind}: {fault.name}")
def test_fault(fault: Fault, lab: DatabaseHost, dags: MortalDags, monkeypatch: pytest.MonkeyPatch) -> None:
    SURVIVED[fault.kind, fault.name] = False
    form = {
        "experiment": EXPERIMENT,
        "target": lab.name,
        "benchmark": QUIET,
        "iterations": STRUCK + 1 + (fault.task == "apply"),  # after the last trial, there is nothing to apply
        "restore_every": int(fault.task == "restore"),
        "reference_every": 0,
        "final_rounds": 3,
    }
    scene = Scene(lab, dags, WorkerClock(monkeypatch), {**form, **fault.form})
    strike = Strike(fault, scene)
    try:
        runs = carry_out(dags, strike)
    finally:
        repository_up(scene)
        lab.sshd.start()
    assert strike.struck, "the fault did not strike"
    told = explain(runs)
    assert lab.cluster.is_running, told
    repository = open_repository()
    experiment = repository.experiment(EXPERIMENT)
    assert repository.holder(lab.name) is None, told
    assert (runs[-1].dag_id, runs[-1].state, experiment.state) == (FINISH, SUCCESS, fault.ends), told
    check_trials(fault, scene.form["iterations"], told)
    check_server(lab, experiment.outcome or {})
    SURVIVED[fault.kind, fault.name] = True


def check_trials(fault: Fault, iterations: int, told: str) -> None:
    """No trial is lost, and of each what its tries say is true."""
    trials = open_repository().trials(EXPERIMENT)
    assert [trial.iteration for trial in trials] == list(range(iterations)), told
    for trial in trials:
        assert trial.state.ended, told
        assert (trial.state == "ok") == (trial.objective is not None), told
    said = [states_told(trial.iteration, trial.attempt) for trial in trials]
    others = [states for iteration, states in enumerate(said) if iteration != STRUCK]
    assert others == [{"ok"}] * (iterations - 1), f"trials that were not struck: {said}\n{told}"
    if fault.blamed:
        assert said[STRUCK] & fault.blamed, f"{said}\n{told}"
    assert said[STRUCK] <= fault.blamed | {"ok"}, f"{said}\n{told}"


def states_told(iteration: int, newest: int) -> set[str]:
    """The states that the tries of a trial, up to the newest, say of their configuration."""
    tries = [open_repository().trial(EXPERIMENT, iteration, attempt=n) for n in range(1, newest + 1)]
    return {str(t.state) for t in tries if t.state.ended and not t.reasons.get(TEACHES_NOTHING)}


def check_server(lab: DatabaseHost, outcome: dict[str, Any]) -> None:
    """The server is on the configuration that the experiment left in force, and the user's data is as it was."""
    shown = in_force_on(lab)
    assert outcome["in_force"]
    good = {knob: as_shown(value) for knob, value in outcome["in_force"].items()}
    assert {knob: shown[knob] for knob in good} == good, "the server is on a configuration known to be good"
    with contextlib.closing(psycopg.connect(lab.cluster.dsn("keepsake"))) as connection:
        assert connection.execute("SELECT count(*), max(n) FROM letters").fetchone() == (1000, 1000)
