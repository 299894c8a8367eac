"""The faults that the bench injects, each with where it strikes and what it may be recorded as."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from signal import SIGKILL
from typing import Any

from tests.bench.faults import acts, meddling
from tests.bench.faults.acts import FINISH, RUN, START, Act, Scene, all_of, of_system
from tests.bench.faults.on_mariadb import Mariadb, MariadbByCopy
from tests.bench.faults.on_postgresql import Postgresql
from tests.bench.faults.system import System

SYSTEMS: tuple[System[Any], ...] = (Postgresql(), Mariadb(), MariadbByCopy())


def nothing(scene: Scene) -> None:
    """Nothing has to be mended."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault. `strike` does it, `mend` is what a person then does before the red run is cleared.

    It strikes ahead of a task, in the middle of it (as soon as `amid` holds of the scene), or as its worker dies; and
    once more by `then` when the experiment has ended. `blamed` has the states one of which the struck trial must be
    recorded in: empty for a fault of the machinery, of which no try of any trial may be called the culprit. `form`
    changes the experiment's form, `ends` is its last state, and `keeps_table` whether the table of the benchmark is
    there by then.
    """

    kind: str
    name: str
    dag: str
    task: str
    strike: Act = nothing
    mend: Act = nothing
    then: Act = nothing
    amid: Callable[[Scene], bool] | None = None
    worker_dies: bool = False
    blamed: frozenset[str] = frozenset()
    form: Mapping[str, Any] = field(default_factory=dict)
    ends: str = "finished"
    keeps_table: bool = True


def measured(scene: Scene) -> bool:
    """In the middle of a measured run."""
    return scene.system.is_measured(scene.host)


def restored(scene: Scene) -> bool:
    """In the middle of a restore."""
    return scene.system.is_being_restored(scene.host)


def kept(scene: Scene) -> bool:
    """In the middle of taking the snapshot."""
    return scene.system.is_kept(scene.host)


CONFIGURATION = frozenset({"crashed"})
BENCHMARK = frozenset({"failed"})
OVERRIDDEN = frozenset({"not_applied"})

BUDGET = {"time_budget_min": 30}
RESTORES = {"restore_every": 1}
OVERRIDE, TAKE_BACK = of_system("override"), of_system("take_back")

ITERATION = ("begin", "restore", "restart", "benchmark", "collect", "recommend", "apply", "next_iteration")
"""The tasks of an iteration's run that make the trial."""
DATA = ("restore", "take_snapshot")
"""The tasks that put the data back and keep them."""
START_OR_FINISH = ((START, "take_snapshot"), (FINISH, "compare"), (FINISH, "install_winner"))


def bad_configurations(system: System[Any]) -> list[Fault]:
    """Configurations that the server does not start with."""
    return [
        Fault(kind="bad knob", name=what, dag=RUN, task="begin", strike=acts.plan(**knobs), blamed=CONFIGURATION)
        for what, knobs in system.bad_knobs.items()
    ]


def deaths_of_the_server(system: System[Any]) -> list[Fault]:
    """The server or the host dies, hangs, or somebody ends it."""
    session_ended, blamed_then = system.session_ended
    slowly = Fault(kind="server", name="the server is SIGKILLed before restart, and recovers slowly", dag=RUN,
                   task="restart", strike=acts.recover_slowly)  # fmt: skip

    def hit(name: str, strike: Act, blamed: frozenset[str] = frozenset(), **more: Any) -> Fault:
        name = f"{name} in the measured run"
        return Fault(
            kind="server", name=name, dag=RUN, task="benchmark", strike=strike, amid=measured, blamed=blamed, **more
        )

    return [
        *(
            hit(f"the server is {death.name}", acts.send(death.signal), frozenset(death.blamed))
            for death in system.deaths
        ),
        hit("the server hangs for a while", acts.hang_for_a_while),
        hit("an administrator restarts the server", acts.restart_server),
        hit(session_ended, of_system("end_a_session"), blamed_then),
        hit("the host reboots", acts.reboot),
        hit("the job is killed", acts.kill_jobs),
        Fault(kind="server", name="the server is SIGKILLed before restart", dag=RUN, task="restart",
              strike=acts.send(SIGKILL)),
        *([slowly] if system.recovers_by_itself else []),
        Fault(kind="server", name="the server is SIGKILLed before restore", dag=RUN, task="restore",
              strike=acts.send(SIGKILL)),
    ]  # fmt: skip


def cut_short() -> list[Fault]:
    """A snapshot or a restore ends in the middle."""
    ways: tuple[tuple[str, Act], ...] = (
        ("the host reboots", acts.reboot), ("the server is SIGKILLed", acts.kill_server),
        ("the job is killed", acts.kill_jobs), ("SSH is gone for a while", acts.interrupt_ssh),
    )  # fmt: skip
    places = (("restore", RUN, "restore", restored), ("the snapshot", START, "take_snapshot", kept))
    return [
        Fault(kind="cut short", name=f"{what} in {where}", dag=dag, task=task, strike=strike, amid=amid, form=RESTORES)
        for where, dag, task, amid in places
        for what, strike in ways
    ]  # fmt: skip


def cut_connections() -> list[Fault]:
    """SSH is gone until somebody mends it."""
    places = [(START, "check_target"), *((RUN, task) for task in ITERATION), *START_OR_FINISH]
    return [
        Fault(kind="SSH", name=f"SSH gone before {task}", dag=dag, task=task, strike=acts.cut_ssh, mend=acts.mend_ssh)
        for dag, task in places
    ] + [
        Fault(kind="SSH", name="SSH gone for a while in the measured run", dag=RUN, task="benchmark",
              strike=acts.interrupt_ssh, amid=measured),
    ]  # fmt: skip


def deaths_of_a_worker() -> list[Fault]:
    """What the task did is done, nobody was told, and Airflow begins it again."""
    places = [*((RUN, task) for task in ITERATION), *START_OR_FINISH]
    return [
        Fault(kind="worker", name=f"the worker dies at the end of {task}", dag=dag, task=task, worker_dies=True)
        for dag, task in places
    ]


def lost_repositories() -> list[Fault]:
    """The repository cannot be opened until somebody brings it back."""
    places = [*((RUN, task) for task in ITERATION if task != "restore"), (FINISH, "compare")]
    return [
        Fault(kind="repository", name=f"the repository is gone before {task}", dag=dag, task=task,
              strike=acts.repository_down, mend=acts.repository_up)
        for dag, task in places
    ]  # fmt: skip


def full_disks() -> list[Fault]:
    """The host's disk takes no byte more until somebody makes room."""
    places = [(RUN, "restore"), (RUN, "restart"), (RUN, "benchmark"), (RUN, "apply"), *START_OR_FINISH]
    return [
        Fault(kind="disk", name=f"the disk is full before {task}", dag=dag, task=task, strike=acts.fill_disk,
              mend=acts.empty_disk)
        for dag, task in places
    ]  # fmt: skip


def edits(system: System[Any]) -> list[Fault]:
    """Somebody edits, deletes or damages something on the host."""
    at_restart: dict[str, Any] = {"kind": "edits", "dag": RUN, "task": "restart"}
    main, knobs = acts.main_file, acts.knobs_file
    at_restore: dict[str, Any] = {"kind": "edits", "dag": RUN, "task": "restore"}
    return [
        Fault(**at_restart, name="something that wins over the knobs file sets a tuned knob",
              strike=OVERRIDE, mend=TAKE_BACK, blamed=OVERRIDDEN),
        Fault(kind="edits", name="a tuned knob is changed in the measured run", dag=RUN, task="benchmark",
              strike=of_system("override_now"), mend=TAKE_BACK, amid=measured, blamed=OVERRIDDEN),
        Fault(**at_restart, name="the server's own file gets a line that it refuses",
              strike=acts.append(main, system.bad_line), mend=acts.remove(main, system.bad_line)),
        Fault(**at_restart, name="somebody edits the knobs file", strike=acts.append(knobs, system.tuned_line)),
        Fault(**at_restart, name="somebody deletes the knobs file", strike=acts.delete_knobs_file),
        *(
            Fault(kind="edits", name=f"the knobs file is made mode {mode:o} before {task}", dag=dag, task=task,
                  strike=acts.open_knobs_file(mode), mend=acts.open_knobs_file(0o644))
            for mode in (0o666, 0o000)
            for dag, task in ((RUN, "restart"), (RUN, "benchmark"), (FINISH, "install_winner"))
        ),
        Fault(**at_restart, name="the password is changed", strike=acts.change_password,
              mend=acts.change_password_back),
        Fault(**at_restore, name="the snapshot is gone", strike=acts.remove_snapshot, mend=acts.bring_snapshot_back),
        Fault(**at_restore, name="the snapshot is damaged", strike=acts.damage_snapshot, mend=acts.mend_snapshot),
        Fault(kind="edits", name="the benchmark's table is gone", dag=RUN, task="benchmark",
              strike=of_system("rename_accounts"), blamed=BENCHMARK, keeps_table=False),
    ]  # fmt: skip


def cleared_runs() -> list[Fault]:
    """Runs that are cleared in each state of their experiment."""
    clear, again = meddling.clear_all_else, meddling.again

    def cleared(name: str, dag: str, task: str, strike: Act, **more: Any) -> Fault:
        return Fault(kind="cleared runs", name=name, dag=dag, task=task, strike=strike, **more)

    return [
        cleared("its own check_target, while it prepares", START, "take_snapshot", again("check_target")),
        cleared("its own take_snapshot, while it prepares", START, "start_iterations", again("take_snapshot")),
        cleared("its own restart, before the benchmark", RUN, "benchmark", again("restart")),
        cleared("its own benchmark, once it is measured", RUN, "collect", again("benchmark")),
        cleared("all others, while trial 1 is measured", RUN, "benchmark", clear),
        cleared("all others, while it is stopping; all, once it was stopped", RUN, "benchmark",
                all_of(meddling.stop, clear), then=clear, ends="stopped"),
        cleared("all others, while it compares", FINISH, "compare", clear),
        cleared("all others, while the winner is installed; all, once it has finished", FINISH, "install_winner", clear,
                then=all_of(clear, meddling.another_holds_the_target)),
        cleared("all others, once it has failed", RUN, "restart", OVERRIDE, mend=all_of(clear, TAKE_BACK),
                blamed=OVERRIDDEN),
    ]  # fmt: skip


def others_on_the_server() -> list[Fault]:
    """A second experiment, and a second Airflow."""

    def measured(kind: str, name: str, strike: Act) -> Fault:
        return Fault(kind=kind, name=name, dag=RUN, task="benchmark", strike=strike)

    return [
        measured("two experiments", "on one target", meddling.second_experiment),
        measured("two experiments", "on one server by two target files", meddling.second_target_file),
        measured("two Airflows", "a second one comes while trial 1 is measured", meddling.second_airflow),
        Fault(kind="two Airflows", name="a second one comes before the restart", dag=RUN, task="restart",
              strike=meddling.second_airflow),
        Fault(kind="two Airflows", name="a second one comes while it compares", dag=FINISH, task="compare",
              strike=meddling.second_airflow),
        Fault(kind="two Airflows", name="a second one breaks the lock before the restart", dag=RUN, task="restart",
              strike=meddling.second_airflow_breaks_in, mend=meddling.second_airflow_leaves),
    ]  # fmt: skip


def moved_clocks() -> list[Fault]:
    """The worker's clock is set, under a time budget."""
    return [
        Fault(kind="clock", name=f"set {way} two hours {when}", dag=RUN, task=task, strike=meddling.set_clock(by_s),
              amid=amid, form=BUDGET)
        for way, by_s in (("forward", 7200.0), ("back", -7200.0))
        for when, task, amid in (("in the measured run", "benchmark", measured), ("before restart", "restart", None))
    ]  # fmt: skip


def faults(system: System[Any]) -> list[Fault]:
    """All of them; where another way to keep the same DBMS's data has them all, those of the data alone."""
    found = [
        *bad_configurations(system), *deaths_of_the_server(system), *cut_short(), *cut_connections(),
        *deaths_of_a_worker(), *lost_repositories(), *full_disks(), *edits(system), *cleared_runs(),
        *others_on_the_server(), *moved_clocks(),
    ]  # fmt: skip
    if isinstance(system, MariadbByCopy):
        return [fault for fault in found if fault.task in DATA]
    return found
