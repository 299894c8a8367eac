"""The worker of each task of a promotion, a rollback, a recording, a night and a replay is killed, by `make bench`.

The process that runs a task gets SIGKILL on the task's first try, some moments after it has begun, so the rounds hit it
in different places: while it is imported, while it asks the host, after it has acted. What must come of it is what
comes of a run that nobody disturbs. Trials have the same in `bench_faults.py`.
"""

# ruff: noqa: F811 - fixtures are imported, and are named as arguments

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from stack.lab import Lab
from tests.e2e.backfills import DAG as REPLAY_DAG
from tests.e2e.backfills import recording_id
from tests.e2e.test_backfill import STARTS
from tests.e2e.test_backfill import lab as replay_lab  # noqa: F401 - a fixture
from tests.e2e.test_whole_stack import (
    asked,
    customers,
    lab,  # noqa: F401 - a fixture
    over,
    recorded,
    shop,  # noqa: F401 - a fixture
    sold,
    triggered,
)
from tests.e2e.watching import states, wait_for
from tests.operators.test_experiment_in_process import in_force_on

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3600)]

AFTER_S = (0.0, 0.4, 0.8)
"""How long after a task has begun its process is killed."""
LONG_S = 1800
"""How long a run may take on a machine that has other work: each task waits five seconds for its second try."""


class Killer:
    """Kills the process of each task of a Dag's runs, on its first try. `killed` has the tasks, in that order."""

    def __init__(self, lab: Lab, dag_ids: tuple[str, ...], after_s: float) -> None:
        self.killed: list[str] = []
        self._lab, self._dag_ids, self._after_s = lab, dag_ids, after_s
        self._over = {run for dag_id in dag_ids for run in self._runs(dag_id)}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._work)

    @contextmanager
    def at_work(self) -> Iterator[Killer]:
        """Kills meanwhile, in the runs that begin from now on."""
        self._thread.start()
        try:
            yield self
        finally:
            self._done.set()
            self._thread.join()

    def _runs(self, dag_id: str) -> list[tuple[str, str]]:
        return [(dag_id, str(run["dag_run_id"])) for run in self._lab.airflow.client.dag_runs(dag_id)]

    def _work(self) -> None:
        hit: set[tuple[str, str, str]] = set()
        while not self._done.wait(0.1):
            try:
                for dag_id, run_id in [run for each in self._dag_ids for run in self._runs(each)]:
                    if (dag_id, run_id) not in self._over:
                        self._kill_in(dag_id, run_id, hit)
            except httpx.HTTPError:  # the API server is busy: it is asked again
                continue

    def _kill_in(self, dag_id: str, run_id: str, hit: set[tuple[str, str, str]]) -> None:
        for task in self._lab.airflow.client.task_instances(dag_id, run_id):
            key = dag_id, run_id, str(task["task_id"])
            if task["state"] != "running" or not task["pid"] or int(task["try_number"]) != 1 or key in hit:
                continue
            hit.add(key)
            time.sleep(self._after_s)
            try:
                os.kill(int(task["pid"]), signal.SIGKILL)
            except ProcessLookupError:  # it was quicker
                continue
            self.killed.append(f"{dag_id}.{task['task_id']}")


def end_of(lab: Lab, dag_id: str, run_id: str) -> str:
    """The state in which the run has ended."""
    run = wait_for(f"{run_id} ends", lambda: over(lab.airflow.client.dag_run(dag_id, run_id)), LONG_S)
    return str(run["state"])


@pytest.mark.parametrize("after_s", AFTER_S)
def test_a_night(lab: Lab, after_s: float) -> None:
    """First of all: the shop has tables that an experiment would refuse to touch."""
    client, run_id = lab.airflow.client, f"night-{after_s:g}"
    client.unpause("nightly_night")
    killer = Killer(lab, ("nightly_night", "tuning_experiment", "tuning_iteration", "tuning_finish"), after_s)
    with killer.at_work():
        client.trigger("nightly_night", {}, run_id)
        state = end_of(lab, "nightly_night", run_id)
    print(f"\n{after_s:g} s: {state}, killed {', '.join(killer.killed)}")
    assert state == "success", states(lab, "nightly_night", run_id)
    row = client.xcom("nightly_night", run_id, "summary")
    experiment = lab.repository.experiment(row["experiment"])
    assert (experiment.state, row["trials"]) == ("finished", 3), experiment.message
    assert [t.attempt for t in lab.repository.trials(experiment.name)] == [1, 1, 1]
    assert lab.repository.holder("demo") is None
    assert not lab.host.locks()
    assert {"nightly_night.start", "nightly_night.summary"} <= {*killer.killed}


@pytest.mark.parametrize("after_s", AFTER_S)
def test_a_promotion_and_its_rollback(lab: Lab, shop: Path, after_s: float) -> None:
    client, cluster, run_id = lab.airflow.client, lab.host.cluster, f"killed-{after_s:g}"
    lab.host.user.write_file(cluster.knobs_file, "# theirs\njit = off\n", 0o644)
    with cluster.connect("bench") as connection:
        connection.autocommit = True
        connection.execute("SELECT pg_reload_conf()")
    form = {
        "target": "shop", "configuration": {"work_mem": "9MB"}, "windows": 3, "window_s": 5, "settle_s": 0,
        "objective": "errors", "direction": "minimise", "why": "killed",
    }  # fmt: skip
    killer = Killer(lab, ("promote_configuration", "rollback"), after_s)
    with customers(lab), killer.at_work():
        triggered(lab, "promote_configuration", form, run_id)
        asked(lab, run_id)
        time.sleep(3)  # nobody answers in the second in which it is asked
        client.answer("promote_configuration", run_id, "approve", "Approve", when="now", note="go")
        state = end_of(lab, "promote_configuration", run_id)
        promotion = lab.repository.promotions("shop")[-1]
        print(f"\n{after_s:g} s: {state}, {promotion.state}, killed {', '.join(killer.killed)}")
        found = states(lab, "promote_configuration", run_id)
        assert (state, promotion.state) == ("success", "kept"), (found, promotion.message)
        assert "work_mem = 9MB" in cluster.knobs_file.read_text()
        assert in_force_on(lab.host)["work_mem"] == str(9 * 1024)
        triggered(lab, "rollback", {"target": "shop", "why": "enough"}, run_id)
        assert end_of(lab, "rollback", run_id) == "success"
    print(f"{after_s:g} s: killed {', '.join(killer.killed)}")
    assert lab.repository.promotion(promotion.id).state == "rolled_back"
    assert cluster.knobs_file.read_text() == "# theirs\njit = off\n"
    assert lab.repository.holder("shop") is None
    assert not lab.host.locks()
    assert killer.killed
    assert client.dag_run("rollback", run_id)["state"] == "success"


@pytest.mark.parametrize("after_s", AFTER_S)
def test_a_window_that_is_recorded(lab: Lab, shop: Path, after_s: float) -> None:
    client, cluster, run_id = lab.airflow.client, lab.host.cluster, f"window-{after_s:g}"
    lab.host.user.write_file(cluster.knobs_file, "work_mem = '8MB'\n", 0o644)
    client.unpause("record_shop_window")
    killer = Killer(lab, ("record_shop_window",), after_s)
    with killer.at_work():
        client.trigger("record_shop_window", {}, run_id)

        def capture() -> str | None:
            return states(lab, "record_shop_window", run_id)["capture"]

        wait_for("the window is open", lambda: capture() == "deferred", 300)
        count = sold(lab, datetime.now(UTC) + timedelta(seconds=5))
        was_open = capture() == "deferred"
        state = end_of(lab, "record_shop_window", run_id)
    print(f"\n{after_s:g} s: {state}, killed {', '.join(killer.killed)}")
    assert state == "success", states(lab, "record_shop_window", run_id)
    if was_open:
        record = lab.repository.recordings("shop_window")[-1]
        assert recorded(record) == count
    assert cluster.knobs_file.read_text() == "work_mem = '8MB'\n"
    assert in_force_on(lab.host)["log_min_duration_statement"] == "-1"
    assert killer.killed


def test_a_replay(replay_lab: Lab) -> None:
    client, host = replay_lab.airflow.client, replay_lab.host
    before, name = in_force_on(host), f"replay-{recording_id(STARTS[0])}"
    wait_for("the Dag is parsed", lambda: REPLAY_DAG in client.dags(), 120)
    client.unpause(REPLAY_DAG)
    killer = Killer(replay_lab, (REPLAY_DAG, "tuning_experiment", "tuning_finish"), 0.4)
    with killer.at_work():
        client.backfill(REPLAY_DAG, STARTS[0] + timedelta(minutes=30), STARTS[0] + timedelta(minutes=90))

        def run() -> str | None:
            found = [r for r in client.dag_runs(REPLAY_DAG) if r["run_type"] == "backfill" and over(r)]
            return str(found[0]["dag_run_id"]) if found else None

        run_id = wait_for("the backfill ends", run, LONG_S)
    print(f"\nkilled {', '.join(killer.killed)}")
    assert client.dag_run(REPLAY_DAG, run_id)["state"] == "success", states(replay_lab, REPLAY_DAG, run_id)
    (verdict,) = client.xcom(REPLAY_DAG, run_id, "verdict")
    assert {arm: len(values) for arm, values in verdict["arms"].items()} == {"baseline": 3, "bigger": 3}, verdict
    assert replay_lab.repository.experiment(name).state == "finished"
    assert replay_lab.repository.holder("staging") is None
    assert in_force_on(host) == before
    assert killer.killed
