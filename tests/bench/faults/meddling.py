"""What other runs do while an experiment is under way: they are cleared, a second one starts, another Airflow comes.

Each act says by an assertion that it was refused, and that it has touched nothing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from otterflow.errors import OtterflowError
from otterflow.operators.connections import open_repository
from tests.bench.faults.acts import EXPERIMENT, FINISH, RUN, START, Act, Scene
from tests.operators.harness import SKIPPED, SUCCESS, Run

OTHER = "other"
"""The other experiment's name, and the name of its target file where it has one of its own."""


def touched(scene: Scene) -> Any:
    """All that a task could change: the server, its file, and what the repository says."""
    repository, server = open_repository(), scene.server
    trials = [(t.iteration, t.attempt, t.state, t.seconds) for t in repository.trials(EXPERIMENT)]
    file = server.knobs_file.read_text() if server.knobs_file.exists() else ""
    return server.pid, file, repository.experiment(EXPERIMENT), trials, repository.holder(scene.host.name)


def clear_all_else(scene: Scene) -> None:
    """Every task of every run but the one under way is cleared, one after the other, whatever became of it."""
    before, under_way = touched(scene), scene.run and (scene.run.dag_id, scene.run.run_id)
    for dag_id, run_id in list(scene.dags.known):
        if (dag_id, run_id) != under_way and dag_id in (START, RUN, FINISH):
            clear_run(scene, dag_id, run_id)
    assert touched(scene) == before


def clear_run(scene: Scene, dag_id: str, run_id: str) -> None:
    """Each task of a run is cleared for itself, and is refused; one finds that the run it triggers is there already."""
    conf = conf_of(scene, dag_id, run_id)
    for task in scene.dags.dags[dag_id].task_ids:
        done = scene.dags.run_task(dag_id, task, conf, run_id)
        if task != "next_iteration" or done.states[task] != SKIPPED:
            assert isinstance(done.errors.get(task), OtterflowError), (run_id, task, done.states, done.errors)


def conf_of(scene: Scene, dag_id: str, run_id: str) -> dict[str, Any]:
    """What the run was triggered with."""
    if dag_id == START:
        return scene.form
    iteration = {"iteration": int(run_id.rpartition("-")[2].partition(".")[0])} if dag_id == RUN else {}
    return {"experiment": EXPERIMENT, **iteration}


def again(task: str) -> Act:
    """A task of the run under way, which is green, is cleared alone."""

    def act(scene: Scene) -> None:
        run = scene.run
        assert run is not None
        assert run.states[task] == SUCCESS
        done = scene.dags.run_task(run.dag_id, task, run.conf, run.run_id)
        assert done.states[task] == SUCCESS, done.errors

    return act


def stop(scene: Scene) -> None:
    """The user asks for a stop."""
    done = scene.dags.run("stop_experiment", {"experiment": EXPERIMENT, "finish_now": False}, "stop")
    assert done.state == SUCCESS, done.errors


def another_holds_the_target(scene: Scene) -> None:
    """While another experiment has the target, all runs of the one that has ended are cleared."""
    repository = open_repository()
    repository.hold_target(scene.host.name, OTHER)
    clear_all_else(scene)
    repository.release_target(scene.host.name, OTHER)


def checked(scene: Scene, **fields: Any) -> Run:
    """The first two tasks of another experiment; the second has the verdict."""
    form = {**scene.form, "experiment": OTHER, **fields}
    first = scene.dags.run_task(START, "check_experiment", form, OTHER)
    assert first.states["check_experiment"] == SUCCESS, first.errors
    return scene.dags.run_task(START, "check_target", form, OTHER)


def refused(scene: Scene, said: str, **fields: Any) -> None:
    """Another experiment is refused, and touches nothing."""
    before = touched(scene)
    error = checked(scene, **fields).errors["check_target"]
    assert isinstance(error, OtterflowError), error
    assert said in str(error)
    assert touched(scene) == before


def second_experiment(scene: Scene) -> None:
    """A second experiment on the target."""
    refused(scene, EXPERIMENT)


def second_target_file(scene: Scene) -> None:
    """A second experiment, by a target file of another name that leads to the same server."""
    folder = Path(os.environ["OTTERFLOW_HOME"]).with_name("targets")
    shutil.copytree(scene.host.targets_dir, folder)
    record = yaml.safe_load((folder / f"{scene.host.name}.yaml").read_text())
    (folder / f"{OTHER}.yaml").write_text(yaml.safe_dump({**record, "name": OTHER}))
    with environment({"OTTERFLOW_TARGETS_DIR": str(folder)}):
        refused(scene, "the same server", target=OTHER)


def second_airflow(scene: Scene) -> None:
    """An experiment of another Airflow, which has a repository of its own, on the same server."""
    before = touched(scene)
    with another_airflow():
        error = checked(scene).errors["check_target"]
        assert isinstance(error, OtterflowError), error
        assert f"experiment: {EXPERIMENT}" in str(error)
    assert touched(scene) == before


def second_airflow_breaks_in(scene: Scene) -> None:
    """Somebody breaks the lock on the host, though its Airflow is there, and another Airflow takes it."""
    scene.host.break_lock()
    with another_airflow():
        done = checked(scene)
        assert done.states["check_target"] == SUCCESS, done.errors


def second_airflow_leaves(scene: Scene) -> None:
    """The other Airflow's experiment ends; nobody acts on the server meanwhile."""
    with another_airflow():
        open_repository().close_experiment(OTHER, "failed", "by hand")
    scene.host.break_lock()


@contextmanager
def another_airflow() -> Iterator[None]:
    """A repository of its own, and run ids of its own."""
    with environment({"OTTERFLOW_HOME": os.environ["OTTERFLOW_HOME"] + "-other"}):
        yield


@contextmanager
def environment(changes: Mapping[str, str]) -> Iterator[None]:
    """The environment with these changes."""
    kept = {name: os.environ[name] for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.update(kept)


def set_clock(by_s: float) -> Act:
    """The worker's clock is set."""

    def act(scene: Scene) -> None:
        scene.clock.set_by(by_s)

    return act
