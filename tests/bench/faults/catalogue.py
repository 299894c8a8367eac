"""The faults that the bench injects, each with where it strikes and what it may be recorded as."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.bench.faults import acts, meddling
from tests.bench.faults.acts import FINISH, RUN, START, Act, Scene, all_of, execute


def nothing(scene: Scene) -> None:
    """Nothing has to be mended."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault. `strike` does it, `mend` is what a person then does before the red run is cleared.

    It strikes ahead of a task, in the middle of the benchmark (`under_load`), or as a task's worker dies; and once more
    by `then` when the experiment has ended. `blamed` has
    the states one of which the struck trial must be recorded in: empty for a fault of the machinery, of which no try of
    any trial may be called the culprit. `form` changes the experiment's form, and `ends` is its last state.
    """

    kind: str
    name: str
    dag: str
    task: str
    strike: Act = nothing
    mend: Act = nothing
    then: Act = nothing
    under_load: bool = False
    worker_dies: bool = False
    blamed: frozenset[str] = frozenset()
    form: Mapping[str, Any] = field(default_factory=dict)
    ends: str = "finished"


CONFIGURATION = frozenset({"crashed"})
BENCHMARK = frozenset({"failed"})
OVERRIDDEN = frozenset({"not_applied"})

BAD_KNOBS: dict[str, dict[str, Any]] = {
    "8 TiB of shared memory": {"shared_buffers": 2**30 - 1},
    "an enum value that does not exist": {"wal_compression": "bogus"},
    "a number below the server's least": {"shared_buffers": 1},
    "a number where a word belongs": {"wal_compression": 7},
}
BAD_LINE = "work_mem = many"
OVERRIDE = "ALTER SYSTEM SET work_mem = '1234kB'"
RESET = "ALTER SYSTEM RESET work_mem"
RELOAD = "SELECT pg_reload_conf()"
BUDGET = {"time_budget_min": 30}

ITERATION = ("begin", "restore", "restart", "benchmark", "collect", "recommend", "apply", "next_iteration")
"""The tasks of an iteration's run that make the trial."""
START_OR_FINISH = ((START, "take_snapshot"), (FINISH, "compare"), (FINISH, "install_winner"))


def bad_configurations() -> list[Fault]:
    """Configurations that the server does not start with."""
    return [
        Fault(kind="bad knob", name=what, dag=RUN, task="begin", strike=acts.plan(**knobs), blamed=CONFIGURATION)
        for what, knobs in BAD_KNOBS.items()
    ]


def deaths_of_the_server() -> list[Fault]:
    """The server or the host dies, or somebody ends it."""
    killed, quit_, stopped = map(acts.postmaster, (signal.SIGKILL, signal.SIGQUIT, signal.SIGINT))

    def measured(name: str, strike: Act, *blamed: str) -> Fault:
        blames = frozenset(blamed)
        return Fault(kind="server", name=name, dag=RUN, task="benchmark", strike=strike, under_load=True, blamed=blames)

    return [
        measured("postmaster SIGKILLed in the measured run", killed, "crashed"),
        measured("postmaster stopped at once (SIGQUIT) in the measured run", quit_, "crashed"),
        measured("an administrator's fast shutdown in the measured run", stopped),
        measured("a backend SIGKILLed (out of memory) in the measured run", acts.kill_a_backend, "crashed", "failed"),
        measured("the host reboots in the measured run", acts.reboot),
        measured("the job is killed in the measured run", acts.kill_jobs),
        Fault(kind="server", name="postmaster SIGKILLed before the restart", dag=RUN, task="restart", strike=killed),
        Fault(kind="server", name="postmaster SIGKILLed before the restore", dag=RUN, task="restore", strike=killed),
    ]


def cut_connections() -> list[Fault]:
    """SSH is gone until somebody mends it."""
    places = [(START, "check_target"), *((RUN, task) for task in ITERATION), *START_OR_FINISH]
    return [
        Fault(kind="SSH", name=f"SSH gone before {task}", dag=dag, task=task, strike=acts.cut_ssh, mend=acts.mend_ssh)
        for dag, task in places
    ] + [
        Fault(kind="SSH", name="SSH gone for a while in the measured run", dag=RUN, task="benchmark",
              strike=acts.interrupt_ssh, under_load=True),
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


def edits() -> list[Fault]:
    """Somebody edits, deletes or damages something on the host."""
    at_restart = {"kind": "edits", "dag": RUN, "task": "restart"}
    main, knobs = acts.main_file, acts.knobs_file
    return [
        Fault(**at_restart, name="ALTER SYSTEM sets a tuned knob", strike=execute(OVERRIDE), mend=execute(RESET),
              blamed=OVERRIDDEN),
        Fault(kind="edits", name="a tuned knob is changed in the measured run", dag=RUN, task="benchmark",
              strike=all_of(execute(OVERRIDE), execute(RELOAD)), mend=execute(RESET), under_load=True,
              blamed=OVERRIDDEN),
        Fault(**at_restart, name="postgresql.conf gets a line that the server refuses",
              strike=acts.append(main, BAD_LINE), mend=acts.remove(main, BAD_LINE)),
        Fault(**at_restart, name="somebody edits the knobs file", strike=acts.append(knobs, "work_mem = '77MB'")),
        Fault(**at_restart, name="somebody deletes the knobs file", strike=acts.delete_knobs_file),
        Fault(**at_restart, name="the password is changed", strike=acts.change_password,
              mend=acts.change_password_back),
        Fault(kind="edits", name="the snapshot is gone", dag=RUN, task="restore", strike=acts.remove_snapshot,
              mend=acts.bring_snapshot_back),
        Fault(kind="edits", name="the snapshot is damaged", dag=RUN, task="restore", strike=acts.damage_snapshot,
              mend=acts.mend_snapshot),
        Fault(kind="edits", name="the benchmark's table is gone", dag=RUN, task="benchmark",
              strike=execute("ALTER TABLE accounts RENAME TO gone", "bench"), blamed=BENCHMARK),
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
        cleared("all others, once it has failed", RUN, "restart", execute(OVERRIDE),
                mend=all_of(clear, execute(RESET)), blamed=OVERRIDDEN),
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
              under_load=under_load, form=BUDGET)
        for way, by_s in (("forward", 7200.0), ("back", -7200.0))
        for when, task, under_load in (
            ("in the measured run", "benchmark", True), ("before restart", "restart", False)
        )
    ]  # fmt: skip


def faults() -> list[Fault]:
    """All of them."""
    return [
        *bad_configurations(), *deaths_of_the_server(), *cut_connections(), *deaths_of_a_worker(),
        *lost_repositories(), *full_disks(), *edits(), *cleared_runs(), *others_on_the_server(), *moved_clocks(),
    ]  # fmt: skip
