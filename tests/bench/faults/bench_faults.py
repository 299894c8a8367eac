"""Faults, each injected into an experiment on a real server, and what is left afterwards.

Run by `make bench`, for PostgreSQL and MariaDB; of the faults of keeping data and putting them back, once more for
MariaDB's copy of the data directory. Every fault strikes an experiment of two trials on a private host that holds
something of the user's own as well. What a person would do is done (mend, clear the red run); then it must hold that

* the server is up, on a configuration known to be good;
* no trial is lost, and no try of one is called the culprit of a fault of the machinery;
* the target is free;
* the benchmark's data are whole, and what is the user's own is as it was.

The last lines for each DBMS print survived / tried, for each kind and in all. `ARGS="-k mariadb"` tries that alone.
Without an Airflow: what its scheduler adds is in
`bench_scheduler.py`.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest

from otterflow.errors import TEACHES_NOTHING
from otterflow.operators.connections import open_repository
from stack.host import Host
from tests.bench.faults.acts import EXPERIMENT, FINISH, RUN, START, STRUCK, Scene, repository_up
from tests.bench.faults.catalogue import SYSTEMS, Fault, faults
from tests.bench.faults.system import ACCOUNTS, QUIET, System
from tests.moved_clock import WorkerClock
from tests.operators.conftest import INCLUDE
from tests.operators.harness import FAILED, SUCCESS, Dags, Run
from tests.operators.test_experiment_in_process import explain
from tests.small_disk import make_room, small_disk

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

MOST_CLEARS = 3
"""How often a person clears a red run before giving up."""
SURVIVED: dict[tuple[str, str, str], bool] = {}
"""By the DBMS, and a fault's kind and name."""

WAIT_S = 60
"""How long a fault waits for the middle of a task."""
LOOK_S = 0.01
"""How often it looks."""
DISK_MIB = 3000
"""Room for a data directory with a redo log, and its copies."""


@pytest.fixture(scope="module")
def system(request: pytest.FixtureRequest) -> System[Any]:
    """The DBMS."""
    found: System[Any] = request.param
    return found


@pytest.fixture(scope="module")
def host(system: System[Any]) -> Iterator[Host]:
    """A database host on a file system of its own, which may be filled; with something of the user's own on it."""
    with small_disk(DISK_MIB) as folder:
        host = system.make_host(folder)
        try:
            host.start()
            system.keep_something(host)
            yield host
        finally:
            host.stop()
            tell(system.name)


def tell(system: str) -> None:
    """Print how many faults a system survived, of how many."""
    of_system = {(kind, name): survived for (tried, kind, name), survived in SURVIVED.items() if tried == system}
    kinds: dict[str, list[bool]] = defaultdict(list)
    for (kind, _), survived in of_system.items():
        kinds[kind].append(survived)
    print(f"\n{system}")
    for kind, all_survived in kinds.items():
        print(f"  {kind:<16} {sum(all_survived):>3} / {len(all_survived)}")
    print(f"survived {sum(of_system.values())} / tried {len(of_system)}")
    for kind, name in (fault for fault, survived in of_system.items() if not survived):
        print(f"  not survived: {kind}: {name}")


@pytest.fixture
def lab(system: System[Any], host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """The host as it was made, and an empty repository; whatever the fault before did."""
    for name, value in host.environment().items():
        monkeypatch.setenv(name, value)
    include = tmp_path / "include"
    shutil.copytree(INCLUDE, include)
    system.write_benchmark(include / "benchmarks")
    monkeypatch.setenv("OTTERFLOW_INCLUDE_DIR", str(include))
    monkeypatch.setenv("OTTERFLOW_HOME", str(tmp_path / "home"))
    make_room(host.root)
    system.make_clean(host)
    return host


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
        if self.fault.amid is None:
            self._now()
        else:
            self.thread = threading.Thread(target=self._wait_and_strike, args=[self.fault.amid])
            self.thread.start()

    def after(self) -> None:
        """What is to be done once the experiment has ended."""
        self.scene.run = None
        self.fault.then(self.scene)

    def _wait_and_strike(self, amid: Callable[[Scene], bool]) -> None:
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            with contextlib.suppress(psycopg.Error, pymysql.Error):
                if amid(self.scene):
                    self._now()
                    return
            time.sleep(LOOK_S)

    def _now(self) -> None:
        self.struck = True
        self.fault.strike(self.scene)

    def join(self) -> None:
        """Wait until a fault that strikes in the middle of a task has struck."""
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


CASES = [(system, fault) for system in SYSTEMS for fault in faults(system)]


@pytest.mark.parametrize(
    ("system", "fault"), CASES, indirect=["system"], scope="module",
    ids=[f"{system.name}: {fault.kind}: {fault.name}" for system, fault in CASES],
)  # fmt: skip
def test_fault(system: System[Any], fault: Fault, lab: Host, dags: MortalDags, monkeypatch: pytest.MonkeyPatch) -> None:
    SURVIVED[system.name, fault.kind, fault.name] = False
    form = {
        "experiment": EXPERIMENT,
        "target": lab.name,
        "benchmark": QUIET,
        "iterations": STRUCK + 1 + (fault.task == "apply"),  # after the last trial, there is nothing to apply
        "restore_every": int(fault.task == "restore"),
        "reference_every": 0,
        "final_rounds": 3,
        "quiet_gate": False,
        "ablation_percent": 0,
    }
    scene = Scene(system, lab, dags, WorkerClock(monkeypatch), {**form, **fault.form})
    strike = Strike(fault, scene)
    try:
        runs = carry_out(dags, strike)
    finally:
        repository_up(scene)
        lab.sshd.start()
    assert strike.struck, "the fault did not strike"
    told = explain(runs)
    assert scene.server.is_running, told
    repository = open_repository()
    experiment = repository.experiment(EXPERIMENT)
    assert repository.holder(lab.name) is None, told
    assert (runs[-1].dag_id, runs[-1].state, experiment.state) == (FINISH, SUCCESS, fault.ends), told
    check_trials(fault, scene.form["iterations"], told)
    check_server(scene, fault, experiment.outcome or {})
    SURVIVED[system.name, fault.kind, fault.name] = True


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


def check_server(scene: Scene, fault: Fault, outcome: dict[str, Any]) -> None:
    """The server is on the configuration that the experiment left in force; data, and the user's own, are whole."""
    system, host = scene.system, scene.host
    shown = system.in_force(host)
    assert outcome["in_force"]
    good = {knob: system.as_shown(value) for knob, value in outcome["in_force"].items()}
    assert {knob: shown[knob] for knob in good} == good, "the server is on a configuration known to be good"
    if fault.keeps_table:
        assert system.accounts(host) == ACCOUNTS
    system.check_what_is_kept(host)
