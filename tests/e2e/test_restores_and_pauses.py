"""What Airflow's scheduler makes of a restore, of tasks that are skipped, and of Dags that are paused.

Experiments by the form's defaults, as far as minutes allow, on a benchmark that writes; all run side by side. Each of
the benchmark's transactions updates one row of `pgbench_branches`, and the server counts the updates since the table
was made. After a trial that began with the data as they were loaded there are those of the trial alone, of each try
where the quiet gate had it measured again; after any other there are those of all trials before as well.
`tuning_finish` is paused meanwhile, for what it does is no matter here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from stack.host import DatabaseHost
from stack.lab import DAG_IDS, Lab
from tests.e2e.conftest import COUNTED, WideLab
from tests.e2e.watching import must_not_have_failed, paused, run_state, states, times, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3600)]

IN_ORDER = ("begin", "restore", "free_cache", "restart", "benchmark", "collect")

TWELVE = {"experiment": "twelve", "target": "demo", "benchmark": COUNTED, "iterations": 12, "ablation_percent": 0}
"""The form's own `restore_every` (empty: 10), `drop_cache` (off) and all else but the ablation."""

COPY = {"snapshot": {"method": "copy"}}
HOSTS: Mapping[str, Mapping[str, Any]] = {
    "every0_keep": {},
    "every1_keep": COPY,
    "every2_keep": {},
    "every0_drop": {**COPY, "free_cache": "none"},
    "every1_drop": {},
    "every2_drop": COPY,
}
"""A host for each combination of `restore_every` and `drop_cache`; the experiment is called like its target."""
LOST = ("every1_keep", "every1_drop")
"""Those whose snapshot is damaged before the third trial."""


def form_of(name: str) -> dict[str, Any]:
    """The form of a combination's experiment: three trials, or two where none is restored."""
    every, drop = int(name[5]), name.endswith("drop")
    asked = {"restore_every": every, "drop_cache": drop, "iterations": 3 if every else 2, "ablation_percent": 0}
    return {"experiment": name, "target": name, "benchmark": COUNTED, **asked}


@pytest.fixture(scope="module")
def lab(wide_lab: WideLab) -> Lab:
    return wide_lab.lab


@pytest.fixture(scope="module")
def under_way(lab: Lab) -> Iterator[None]:
    """All experiments are begun, one after the other; those that are waited for first come last."""
    for form in [TWELVE, *map(form_of, sorted(HOSTS, key=LOST.__contains__))]:
        trigger(lab, form, form["experiment"])
        run_succeeds(lab, "tuning_experiment", form["experiment"], form["experiment"])
    with paused(lab, "tuning_finish"):
        yield


def trigger(lab: Lab, form: Mapping[str, Any], run_id: str) -> None:
    """Start a run of tuning_experiment."""

    def there() -> bool:
        if run_state(lab, "tuning_experiment", run_id) is None:
            lab.airflow.client.trigger("tuning_experiment", dict(form), run_id)
        return True

    wait_for(f"{run_id} is triggered", there)


def run_succeeds(lab: Lab, dag_id: str, run_id: str, experiment: str) -> None:
    """Wait for it; a run of the experiment that fails ends the wait, with the logs of its failed tasks."""

    def succeeded() -> bool:
        must_not_have_failed(lab, experiment)
        return run_state(lab, dag_id, run_id) == "success"

    wait_for(f"{run_id} succeeds", succeeded)


def check_order(lab: Lab, run_id: str) -> None:
    """Each task of the run began after the one before it had ended."""
    found = times(lab, "tuning_iteration", run_id)
    started = [task for task in IN_ORDER if task in found]
    for before, after in pairwise(started):
        assert found[before][1] <= found[after][0], f"{run_id}: {after} began before {before} had ended: {found}"


def was_fresh(lab: Lab, name: str, iteration: int) -> bool:
    """Whether the trial began with the data as they were loaded, by what it and the one before it left.

    What a trial says it has made is of its last try: a restored one that was tried again has left more than that, and
    less than there was before it. No trial before the fourth is tried again, for the gate has to learn first.
    """
    results = {t.iteration: t.result for t in lab.repository.trials(name) if t.result is not None}
    assert all(result["transactions"] > 0 for result in results.values()), results
    left = {number: result["metrics"]["updates"] for number, result in results.items()}
    before = max((number for number in left if number < iteration), default=None)
    is_less = before is not None and left[iteration] < left[before]
    return bool(is_less or left[iteration] <= results[iteration]["transactions"])


def states_so_far(lab: Lab, run_id: str) -> dict[str, str | None]:
    """The tasks' states, of an iteration's run that there may not be yet."""
    known = run_state(lab, "tuning_iteration", run_id)
    return states(lab, "tuning_iteration", run_id) if known else dict.fromkeys(IN_ORDER)


def is_restored(lab: Lab, run_id: str) -> bool:
    return states_so_far(lab, run_id)["restore"] == "success"


def has_failed(lab: Lab, run_id: str) -> bool:
    return run_state(lab, "tuning_iteration", run_id) == "failed"


def test_every_dag_but_the_scheduled_one_runs_without_being_unpaused(lab: Lab) -> None:
    lab.airflow.wait_for_dags("model_refresh", "import_ottertune", "export_ottertune")
    is_paused = {dag_id for dag_id, dag in lab.airflow.client.dags().items() if dag["is_paused"]}
    assert is_paused == {"model_refresh"}
    assert is_paused.isdisjoint(DAG_IDS)


def test_an_experiment_is_refused_while_a_dag_that_it_needs_is_paused(lab: Lab) -> None:
    with paused(lab, "tuning_finish"):
        trigger(lab, TWELVE, "while-paused")
        wait_for("the run fails", lambda: run_state(lab, "tuning_experiment", "while-paused") == "failed")
    assert states(lab, "tuning_experiment", "while-paused")["check_experiment"] == "failed"
    log = "\n".join(lab.airflow.client.task_log("tuning_experiment", "while-paused", "check_experiment"))
    assert "tuning_finish: this Dag is paused, so its runs would not start; unpause it with the switch" in log
    assert "airflow dags unpause tuning_finish" in log
    assert "airflow dags unpause tuning_iteration" not in log, "which is not paused"
    assert lab.repository.experiments() == [], "the name is still free"


def cut_short(folder: Path) -> Callable[[], object]:
    """Take the second half of a snapshot's largest file away; returns how to put it back."""
    largest = max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    whole = largest.read_bytes()
    largest.write_bytes(whole[: len(whole) // 2])
    return lambda: largest.write_bytes(whole)


def lose(folder: Path) -> Callable[[], object]:
    """Take a snapshot's data away; returns how to put it back."""
    elsewhere = folder.with_name("elsewhere")
    folder.rename(elsewhere)
    return lambda: elsewhere.rename(folder)


@pytest.mark.usefixtures("under_way")
def test_a_restore_that_fails_touches_no_number_and_goes_on_once_it_is_mended(wide_lab: WideLab) -> None:
    lab, put_back = wide_lab.lab, {}
    for name in LOST:
        second = f"{name}-0001"
        wait_for(f"{second} restores", partial(is_restored, lab, second))
        place = wide_lab.hosts[name].snapshot_dir
        put_back[name] = (
            lose(place / f"{name}-copy" / "data") if HOSTS[name] == COPY else cut_short(place / f"{name}-dump" / "data")
        )
    for name in LOST:
        third = f"{name}-0002"
        wait_for(f"{third} fails", partial(has_failed, lab, third))
        check_failed_restore(lab, wide_lab.hosts[name], name)
        put_back[name]()
        wait_for("it is cleared", partial(cleared, lab, third))


def cleared(lab: Lab, run_id: str) -> bool:
    """Clear an iteration's run that has failed; says whether it runs again."""
    if run_state(lab, "tuning_iteration", run_id) == "failed":
        lab.airflow.client.clear("tuning_iteration", run_id)
    return run_state(lab, "tuning_iteration", run_id) != "failed"


def check_failed_restore(lab: Lab, host: DatabaseHost, name: str) -> None:
    """The third trial's restore has failed: nothing after it ran but recover, and nothing was recorded of it."""
    found = states(lab, "tuning_iteration", f"{name}-0002")
    assert (found["begin"], found["restore"], found["recover"]) == ("success", "failed", "failed"), found
    assert found["free_cache"] == ("upstream_failed" if form_of(name)["drop_cache"] else "skipped")
    never_ran = ("restart", "benchmark", "collect", "recommend", "apply", "next_iteration")
    assert {found[task] for task in never_ran} == {"upstream_failed"}, found
    *before, trial = lab.repository.trials(name)
    assert [(t.state, bool(t.objective)) for t in before] == [("ok", True), ("ok", True)]
    assert not trial.state.ended, trial.message
    assert (trial.objective, trial.result, trial.in_force) == (None, None, None)
    with host.cluster.connect("postgres") as connection:
        assert connection.execute("SELECT 1").fetchall() == [(1,)]
    log = "\n".join(lab.airflow.client.task_log("tuning_iteration", f"{name}-0002", "recover"))
    assert "the server is up on" in log
    assert "clear the run from begin" in log


@pytest.mark.usefixtures("under_way")
@pytest.mark.parametrize("name", HOSTS)
def test_the_restart_waits_for_restore_and_cache_where_either_is_skipped(wide_lab: WideLab, name: str) -> None:
    lab, form = wide_lab.lab, form_of(name)
    run_succeeds(lab, "tuning_iteration", f"{name}-{form['iterations'] - 1:04d}", name)
    trials = lab.repository.trials(name)
    assert [t.state for t in trials] == ["ok"] * form["iterations"], [t.message for t in trials]
    drops = form["drop_cache"] and allows_dropping(wide_lab, name)
    for iteration in range(form["iterations"]):
        run_id = f"{name}-{iteration:04d}"
        check_order(lab, run_id)
        restored = form["restore_every"] > 0 and iteration > 0 and iteration % form["restore_every"] == 0
        wanted = {task: "success" for task in (*IN_ORDER, "next_iteration")} | {"recover": "skipped"}
        wanted |= {"restore": "success" if restored else "skipped", "free_cache": "success" if drops else "skipped"}
        found = states(lab, "tuning_iteration", run_id)
        assert {task: found[task] for task in wanted} == wanted, run_id
        assert was_fresh(lab, name, iteration) == (restored or iteration == 0), run_id


def allows_dropping(wide_lab: WideLab, name: str) -> bool:
    """Whether the target's file lets the page cache be dropped: this machine may not let anybody."""
    return HOSTS[name].get("free_cache") != "none" and wide_lab.hosts[name].target.free_cache.method == "sudo"


@pytest.mark.usefixtures("under_way")
def test_twelve_iterations_by_the_forms_defaults_are_restored_at_the_tenth(lab: Lab) -> None:
    run_succeeds(lab, "tuning_iteration", "twelve-0011", "twelve")
    spec = lab.repository.experiment("twelve").spec
    assert (spec["restore_every"], spec["drop_cache"]) == (None, False)
    trials = lab.repository.trials("twelve")
    assert len(trials) == 12
    for iteration in range(12):
        run_id = f"twelve-{iteration:04d}"
        check_order(lab, run_id)
        assert run_state(lab, "tuning_iteration", run_id) == "success"
        found = states(lab, "tuning_iteration", run_id)
        assert found["restore"] == ("success" if iteration == 10 else "skipped"), run_id
        assert found["free_cache"] == "skipped", run_id
    fresh = {t.iteration: was_fresh(lab, "twelve", t.iteration) for t in trials if t.state == "ok"}
    said = [(t.iteration, t.state, t.message, t.result and t.result.get("host_work")) for t in trials]
    assert {iteration for iteration, found in fresh.items() if found} == {0, 10} & set(fresh), (fresh, said)
    assert len(fresh) > 2, said


@pytest.mark.usefixtures("under_way")
def test_a_run_that_waits_for_a_paused_dag_is_told_of_by_the_task_that_triggered_it(lab: Lab) -> None:
    run_succeeds(lab, "tuning_iteration", "every1_keep-0002", "every1_keep")
    log = "\n".join(lab.airflow.client.task_log("tuning_iteration", "every1_keep-0002", "next_iteration"))
    assert "tuning_finish is paused; the run every1_keep-finish-1 waits until it is unpaused" in log
    assert "airflow dags unpause tuning_finish" in log
    assert run_state(lab, "tuning_finish", "every1_keep-finish-1") == "queued"

    def unpaused_and_started() -> bool:
        lab.airflow.client.unpause("tuning_finish")
        return run_state(lab, "tuning_finish", "every1_keep-finish-1") != "queued"

    wait_for("the run starts once it is unpaused", unpaused_and_started)
