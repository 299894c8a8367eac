"""The whole stack: Airflow, experiments triggered over REST, a real PostgreSQL behind a real sshd."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import psutil
import pytest
import yaml

from otterflow.workloads.recording.reading import open_recording
from otterflow.workloads.replay.shipping import replayer_archive
from stack.airflow import ADMIN
from stack.lab import Lab, MariadbLab
from stack.postgres import DATABASE, ROLE
from stack.processes import belonging_to
from tests.e2e import question, trigger_form
from tests.e2e.folders import lab_folder, stopped_at_the_end
from tests.e2e.pages_lab import chromium, logged_in, tuning
from tests.e2e.watching import must_not_have_failed, states, wait_for
from tests.operators.conftest import small_benchmarks
from tests.operators.test_experiment_in_process import as_shown, in_force_on

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3600)]

MOST_BACK_S = 120
"""Within a minute, and as much again: these tests share their processors with others."""
FORM = {
    "target": "demo",
    "benchmark": "pgbench_tpcb",
    "iterations": 4,
    "restore_every": 3,
    "reference_every": 3,
    "final_rounds": 3,
    "ablation_percent": 0,
    "quiet_gate": False,
    "drop_cache": True,
}


def schedules(folder: Path) -> Path:
    """A schedule whose window opens in an hour, and closes in seven; and one that is wrong."""
    made = folder / "schedules"
    made.mkdir()
    now = datetime.now(UTC)
    night = {
        "name": "night",
        "target": "demo",
        "benchmark": "pgbench_tpcb",
        "cron": f"{now + timedelta(hours=1):%-M %-H} * * *",
        "timezone": "UTC",
        "until": f"{now + timedelta(hours=7):%H:%M}",
        "form": {
            "iterations": 3,
            "restore_every": 0,
            "reference_every": 0,
            "final_rounds": 3,
            "ablation_percent": 0,
            "quiet_gate": False,
        },
    }
    (made / "night.yaml").write_text(yaml.safe_dump(night))
    (made / "torn.yaml").write_text(yaml.safe_dump(night | {"name": "torn", "until": "25:00"}))
    return made


FOUND = "work_mem = '8MB'\n"
"""What is in the source's knobs file before a window."""
SHARE = 0.5
"""Of the transactions, in a sample."""


FOR_LONG = "_for_long"
"""How the name of a window ends that a machine is given which is too busy for the short one."""


def recordings(folder: Path) -> Path:
    """The load of the lab's own server by another name: from its log, each minute, and for a window when asked."""
    made = folder / "recordings"
    made.mkdir()
    recording = {
        "name": "shop_log", "source": "shop", "database": "bench", "replay_on": "elsewhere", "timezone": "UTC",
        "dir": str(folder / "kept" / "recordings"), "cron": "* * * * *", "length": "1min", "method": "server_log",
    }  # fmt: skip
    (made / "shop_log.yaml").write_text(yaml.safe_dump(recording))
    window = {"name": "shop_window", "method": "window", "cron": "0 0 29 2 *", "length": "2min"}
    (made / "shop_window.yaml").write_text(yaml.safe_dump(recording | window))
    sample = {"name": "shop_sample", "method": "transaction_sample", "share": SHARE, "length": "90s"}
    (made / "shop_sample.yaml").write_text(yaml.safe_dump(recording | window | sample))
    for own in (window, window | sample):
        name = f"{own['name']}{FOR_LONG}"
        (made / f"{name}.yaml").write_text(yaml.safe_dump(recording | own | {"name": name, "length": "8min"}))
    return made


def watched_when_nearly_idle(include: Path) -> None:
    """A live load may be small: on a busy machine the customers of these tests get little done."""
    path = include / "benchmarks" / "live.yaml"
    record = yaml.safe_load(path.read_text())
    record["workload"]["least_transactions"] = 1
    path.write_text(yaml.safe_dump(record))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with lab_folder() as folder:
        small = {"OTTERFLOW_INCLUDE_DIR": str(small_benchmarks(folder))}
        watched_when_nearly_idle(folder / "include")
        made = {"OTTERFLOW_SCHEDULES_DIR": str(schedules(folder)), "OTTERFLOW_RECORDINGS_DIR": str(recordings(folder))}
        lab = Lab(folder / "lab", backfills=True, environment=small | made)
        with patch.dict(os.environ, small), stopped_at_the_end(lab):
            lab.start(print)
            yield lab


def ended(lab: Lab | MariadbLab, name: str) -> Any:
    """The experiment once it has ended."""
    known = {e.name: e for e in lab.repository.experiments()}
    return known[name] if name in known and known[name].state.ended else None


def finishes(lab: Lab | MariadbLab, name: str) -> Any:
    """Wait for the experiment's end; a run that fails on the way ends the wait with the logs of its failed tasks."""

    def ended_or_failed() -> Any:
        must_not_have_failed(lab, name)
        return ended(lab, name)

    return wait_for(f"experiment {name} ends", ended_or_failed)


def test_four_trials_are_triggered_by_the_form_watched_and_end_with_the_winner_in_force(lab: Lab) -> None:
    client = lab.airflow.client
    with chromium() as browser:
        page = logged_in(browser, lab, ADMIN)
        trigger_form.triggered(page, lab, "four", {**FORM, "experiment": "four"})
        conf = client.dag_run("tuning_experiment", "four")["conf"]
        assert FORM.items() <= conf.items(), "the form sends what was filled in"
        wait_for("the experiment is there", lambda: [e for e in lab.repository.experiments() if e.name == "four"])
        shown = tuning(page)
        shown.get_by_role("link", name="four", exact=True).first.click()
        experiment = finishes(lab, "four")
        assert experiment.state == "finished", experiment.message
        shown.locator("h1 .state.finished").wait_for()  # the page has followed by itself
        shown.get_by_text("4 of 4").wait_for()
        with page.expect_download() as report:
            shown.get_by_role("link", name="Report", exact=True).click()
        assert "four" in report.value.path().read_text()
        shown.locator("a[href='/otterflow/experiment/four/trial/1']").first.click()
        shown.get_by_role("heading", level=1).get_by_text("four").wait_for()
    wait_for("the last run ends", lambda: client.dag_run("tuning_finish", "four-finish-1")["state"] == "success")
    trials = lab.repository.trials("four")
    assert [t.state for t in trials] == ["ok"] * 4, [t.message for t in trials]
    assert client.dag_run("tuning_experiment", "four")["state"] == "success"
    for iteration in range(4):
        run_id = f"four-{iteration:04d}"
        assert client.dag_run("tuning_iteration", run_id)["state"] == "success"
        found = states(lab, "tuning_iteration", run_id)
        assert found["restore"] == ("success" if iteration == 3 else "skipped")
        assert found["recover"] == "skipped"
        for task in ("restart", "benchmark", "collect", "next_iteration"):
            assert found[task] == "success", (run_id, task)
    assert [t.kind for t in trials][:2] == ["baseline", "rules"]
    assert trials[3].kind == "reference"
    recommended = client.xcom("tuning_iteration", "four-0000", "recommend")
    assert recommended["iteration"] == 1
    assert recommended["configuration"] == trials[1].wanted
    in_force = in_force_on(lab.host)
    outcome = experiment.outcome
    assert outcome["in_force"]
    for knob, value in outcome["in_force"].items():
        assert in_force[knob] == as_shown(value), knob
    assert lab.repository.holder("demo") is None


def is_refused(lab: Lab, dag_id: str, run_id: str, task: str) -> bool:
    return states(lab, dag_id, run_id)[task] == "failed"


def has_failed(lab: Lab, dag_id: str, run_id: str) -> bool:
    return bool(lab.airflow.client.dag_run(dag_id, run_id)["state"] == "failed")


def test_runs_that_are_cleared_after_the_end_touch_nothing_and_say_why(lab: Lab) -> None:
    """The experiment of the test before has ended; all of this was green once, or red and then cleared."""
    client = lab.airflow.client
    before = (lab.host.cluster.pid, lab.host.cluster.knobs_file.read_text(), lab.repository.trials("four"))
    experiment = lab.repository.experiment("four")
    clears = {
        ("tuning_iteration", "four-0002", "restart"),
        ("tuning_experiment", "four", "take_snapshot"),
        ("tuning_finish", "four-finish-1", "install_winner"),
    }
    for dag_id, run_id, task in clears:
        client.clear_task(dag_id, run_id, task)
    for dag_id, run_id, task in clears:
        wait_for(f"{task} is refused", partial(is_refused, lab, dag_id, run_id, task))
        wait_for(f"{run_id} ends", partial(has_failed, lab, dag_id, run_id))
        log = "\n".join(line for number in (1, 2) for line in client.task_log(dag_id, run_id, task, number))
        assert "experiment 'four' is finished; its runs are history" in log
        assert "up_for_retry" not in states(lab, dag_id, run_id).values()
    assert (lab.host.cluster.pid, lab.host.cluster.knobs_file.read_text(), lab.repository.trials("four")) == before
    assert lab.repository.experiment("four") == experiment
    assert lab.repository.holder("demo") is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("iterations", 0), ("iterations", -1), ("iterations", 10**9), ("experiment", "a b;c/d"), ("benchmark", "tpcz")],
)
def test_the_form_refuses_over_rest_and_names_the_field(lab: Lab, field: str, value: Any) -> None:
    with pytest.raises(httpx.HTTPStatusError) as caught:
        lab.airflow.client.trigger("tuning_experiment", {**FORM, "experiment": "refused", field: value})
    assert caught.value.response.status_code == 400
    assert field in str(caught.value)
    assert str(value) in str(caught.value)


def task_process(lab: Lab, log_word: str) -> psutil.Process | None:
    """The process that runs a task, found by what Airflow calls it."""
    for process in belonging_to(lab.root):
        try:
            if log_word in " ".join(process.cmdline()):
                return process
        except psutil.Error:
            continue
    return None


def job_is_running(lab: Lab, job: str) -> bool:
    folder = Path(lab.host.target.work_dir) / "jobs" / job
    return (folder / "pid").exists() and not (folder / "exit_code").exists()


def test_a_killed_worker_reattaches_and_a_cancelled_task_ends_its_job(lab: Lab) -> None:
    client = lab.airflow.client
    form = {**FORM, "experiment": "kill", "iterations": 2, "duration_s": 15, "restore_every": 0, "drop_cache": False}
    client.trigger("tuning_experiment", form, "kill")
    wait_for("the measured run of iteration 0", lambda: job_is_running(lab, "kill.0000-1-run1"))
    job_pid = (Path(lab.host.target.work_dir) / "jobs" / "kill.0000-1-run1" / "pid").read_text()
    running = next(t for t in client.task_instances("tuning_iteration", "kill-0000") if t["task_id"] == "benchmark")
    process = psutil.Process(int(running["pid"]))
    os.kill(process.pid, signal.SIGKILL)
    done = wait_for(
        "the benchmark task ends after its retry",
        lambda: states(lab, "tuning_iteration", "kill-0000").get("benchmark") == "success",
    )
    assert done
    trial = lab.repository.trial("kill", 0)
    assert trial.attempt == 1
    assert trial.objective
    second = "\n".join(client.task_log("tuning_iteration", "kill-0000", "benchmark", 2))
    assert "kill.0000-1-run1: attached" in second
    assert job_pid

    wait_for("the measured run of iteration 1", lambda: job_is_running(lab, "kill.0001-1-run1"))
    under_way = wait_for("pgbench runs", lambda: task_process(lab, "pgbench --"))
    under_way.suspend()  # so that the trial lasts for as long as all of this takes
    measured = lab.repository.trial("kill", 0)
    client.clear("tuning_iteration", "kill-0000")
    client.trigger("stop_experiment", {"experiment": "kill", "finish_now": True}, "too-early")
    wait_for("the old run is refused", lambda: states(lab, "tuning_iteration", "kill-0000")["begin"] == "failed")
    wait_for("the stop waits", lambda: client.dag_run("stop_experiment", "too-early")["state"] == "success")
    assert not [run for run in client.dag_runs("tuning_finish") if str(run["dag_run_id"]).startswith("kill")]
    assert lab.repository.trial("kill", 0) == measured
    assert job_is_running(lab, "kill.0001-1-run1"), "the trial under way goes on"
    under_way.resume()
    client.set_task_state("tuning_iteration", "kill-0001", "benchmark", "failed")
    wait_for("the job is ended", lambda: not job_is_running(lab, "kill.0001-1-run1"))
    wait_for("no pgbench is left", lambda: task_process(lab, "pgbench") is None)
    wait_for("recover has ended", lambda: states(lab, "tuning_iteration", "kill-0001")["recover"] == "failed")
    log = "\n".join(client.task_log("tuning_iteration", "kill-0001", "recover"))
    assert "the server is up on the baseline" in log
    wait_for("the run ends", lambda: client.dag_run("tuning_iteration", "kill-0001")["state"] == "failed")
    assert lab.host.cluster.is_running

    client.trigger("stop_experiment", {"experiment": "kill", "finish_now": True}, "stop-kill")
    experiment = wait_for("the experiment ends", lambda: ended(lab, "kill"))
    assert experiment.state == "stopped", experiment.message
    assert lab.repository.holder("demo") is None


def test_a_night_is_an_experiment_in_its_window_whose_winner_is_proposed(lab: Lab) -> None:
    client = lab.airflow.client
    wait_for("the nights' Dag is parsed", lambda: "nightly_night" in client.dags())
    client.unpause("nightly_night")
    client.trigger("nightly_night", {}, "by-hand")
    wait_for(
        "the night ends", lambda: client.dag_run("nightly_night", "by-hand")["state"] in {"success", "failed"}, 600
    )
    assert states(lab, "nightly_night", "by-hand") == {
        "check_window": "success",
        "start": "success",
        "wait": "success",
        "close": "skipped",
        "wait_end": "success",
        "summary": "success",
    }
    row = client.xcom("nightly_night", "by-hand", "summary")
    experiment = lab.repository.experiment(row["experiment"])
    assert experiment.name.startswith("night-20")
    assert (experiment.state, row["trials"]) == ("finished", 3)
    assert experiment.outcome is not None
    assert experiment.last_good is not None
    assert experiment.outcome["installed"] == "baseline"
    assert row["then"] == ("kept" if row["winner"] == "baseline" else "proposed")
    assert experiment.last_good.configuration == experiment.baseline
    assert lab.repository.holder("demo") is None
    assert (lab.otterflow_home / "nights" / "night.json").exists()


def test_a_schedule_that_is_wrong_says_so_in_a_dag_of_its_own(lab: Lab) -> None:
    client = lab.airflow.client
    client.trigger("nightly_torn", {}, "torn")
    wait_for("the run ends", lambda: client.dag_run("nightly_torn", "torn")["state"] == "failed")
    log = "\n".join(client.task_log("nightly_torn", "torn", "read_schedule", 1))
    assert "until: value '25:00' is not valid" in log


@pytest.fixture(scope="module")
def shop(lab: Lab) -> Iterator[Path]:
    """The lab's server as one whose users' load is recorded, and where recordings are kept."""
    record = yaml.safe_load((lab.host.targets_dir / "demo.yaml").read_text())
    for name, changes in {"shop": {"has_users": True}, "elsewhere": {"sql_conn_id": "nowhere"}}.items():
        (lab.host.targets_dir / f"{name}.yaml").write_text(yaml.safe_dump(record | changes | {"name": name}))
    kept = lab.host.user.make_dir(lab.root.parent / "kept") / "recordings"
    found = lab.host.cluster.knobs_file.read_text() if lab.host.cluster.knobs_file.exists() else ""
    with lab.host.cluster.connect() as connection:
        connection.execute("CREATE TABLE stock AS SELECT 1 AS n")
        yield kept
        connection.execute("DROP TABLE stock")
        lab.host.user.write_file(lab.host.cluster.knobs_file, found, 0o644)
        connection.execute("SELECT pg_reload_conf()")


def triggered(lab: Lab, dag_id: str, conf: dict[str, Any], run_id: str) -> None:
    """Trigger it, once the new target file is in its form."""

    def taken() -> bool:
        try:
            lab.airflow.client.trigger(dag_id, conf, run_id)
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.BAD_REQUEST:
                raise
            lab.airflow.client.parse_again(dag_id)  # what was stored half a minute ago is not stored again
            time.sleep(10)
            return False
        return True

    wait_for(f"{dag_id} knows the target", taken)


def begun(lab: Lab, run_id: str) -> str | None:
    """When the question of a promotion was asked."""
    tasks = lab.airflow.client.task_instances("promote_configuration", run_id)
    since: str | None = next(task["start_date"] for task in tasks if task["task_id"] == "approve")
    return since


def asked(lab: Lab, run_id: str) -> None:
    """Wait until the promotion waits for an answer."""
    client = lab.airflow.client

    def waits() -> bool:
        found = states(lab, "promote_configuration", run_id)
        assert found["propose"] != "failed", client.task_log("promote_configuration", run_id, "propose")[-20:]
        return found["approve"] == "awaiting_input"

    wait_for("the question is asked", waits)


def approved(page: Any) -> str:
    """Approve as a person does, who sees tables and picture of the question; where its link leads."""
    tables = page.locator("table").all_inner_texts()
    assert any("best (proposed)" in text and "1.32" in text for text in tables), tables
    assert any("work_mem" in text and "reload" in text for text in tables), tables
    (width,) = page.evaluate(
        "[...document.images].filter((i) => i.src.endsWith('/plot.svg')).map((i) => i.width / i.naturalWidth)"
    )
    assert width > 0.99, "the picture is not made smaller, so its words can be read"
    leads_to = page.get_by_role("link", name="All that was tried, and why").get_attribute("href")
    question.answered(page, "Approve", "go")
    return str(leads_to)


@contextmanager
def customers(lab: Lab) -> Iterator[None]:
    """A load of some hundred transactions a second for as long as the block runs."""
    done = threading.Event()

    def buy() -> None:
        with lab.host.cluster.connect("bench") as connection:
            connection.autocommit = True
            while not done.is_set():
                connection.execute("SELECT count(*) FROM generate_series(1, 100)")

    thread = threading.Thread(target=buy)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_a_promotion_is_approved_and_rolled_back_in_the_browser_within_a_minute(lab: Lab, shop: Path) -> None:
    """Asked, parked, answered and resumed by the scheduler, and then taken back."""
    client, cluster = lab.airflow.client, lab.host.cluster
    lab.host.user.write_file(cluster.knobs_file, "# theirs\njit = off\n", 0o644)
    with cluster.connect("bench") as connection:
        connection.autocommit = True
        connection.execute("SELECT pg_reload_conf()")
    question.proposable(lab.repository)
    with chromium() as browser:
        with customers(lab):
            triggered(lab, "promote_configuration", {**question.FORM, "target": "shop"}, "shop-1")
            asked(lab, "shop-1")
            page = question.opened(browser, lab, "shop-1")
            leads_to = approved(page)
            run = wait_for("the run ends", lambda: over(client.dag_run("promote_configuration", "shop-1")), 900)
        found = states(lab, "promote_configuration", "shop-1")
        (promotion,) = lab.repository.promotions("shop")
        assert run["state"] == "success", (found, promotion.message)
        assert promotion.answer is not None
        assert promotion.answer["by"]["name"]
        assert (promotion.answer["note"], promotion.answer["when"]) == ("go", "now")
        assert leads_to.endswith(f"/otterflow/experiment/{question.EXPERIMENT}")
        assert (found["make_safe"], found["keep_or_roll_back"]) == ("skipped", "success")
        assert promotion.state == "kept", promotion.message
        changed = {change["knob"] for change in promotion.proposal["changes"]}
        assert "work_mem" in changed
        assert all(f"{knob} = " in cluster.knobs_file.read_text() for knob in changed)
        wait_for("rollback knows the target", lambda: question.rollback_offers(page, lab, "shop"))
        since = time.monotonic()
        question.rollback_triggered(page, "back-1", "enough")
    wait_for("the former file is back", lambda: cluster.knobs_file.read_text() == "# theirs\njit = off\n")
    back_s = time.monotonic() - since
    wait_for("the rollback ends", lambda: over(client.dag_run("rollback", "back-1")))
    print(f"the former file is back {back_s:.1f} s after the trigger, the run has ended after "
          f"{time.monotonic() - since:.1f} s")  # fmt: skip
    assert back_s < MOST_BACK_S
    assert "enough" in lab.repository.promotion(promotion.id).message
    assert lab.repository.promotion(promotion.id).state == "rolled_back"
    assert cluster.knobs_file.read_text() == "# theirs\njit = off\n"
    assert lab.repository.holder("shop") is None


def test_a_newer_proposal_takes_over_the_run_of_the_older(lab: Lab, shop: Path) -> None:
    """As a night does it: the run that waits is reset, and its question is asked anew."""
    client = lab.airflow.client
    form = {"target": "shop", "configuration": {"work_mem": "9MB"}, "objective": "errors", "direction": "minimise"}
    triggered(lab, "promote_configuration", form, "shop-2")
    wait_for("it waits", lambda: states(lab, "promote_configuration", "shop-2")["approve"] == "awaiting_input")
    before = begun(lab, "shop-2")
    client.clear("promote_configuration", "shop-2")
    wait_for("the question is asked anew", lambda: begun(lab, "shop-2") not in (None, before))
    wait_for("it waits", lambda: states(lab, "promote_configuration", "shop-2")["approve"] == "awaiting_input")
    time.sleep(3)
    client.answer("promote_configuration", "shop-2", "approve", "Reject", when="now", note=None)
    run = wait_for("the run ends", lambda: over(client.dag_run("promote_configuration", "shop-2")))
    assert run["state"] == "success"
    assert [p.state for p in lab.repository.promotions("shop")][-1] == "declined"
    assert states(lab, "promote_configuration", "shop-2")["recheck"] == "skipped"


def sold(lab: Lab, until: datetime) -> int:
    """A load of one statement every now and then; how many there were."""
    count = 0
    with lab.host.cluster.connect() as connection:
        while datetime.now(UTC) < until:
            connection.execute("UPDATE stock SET n = n + 1")
            count += 1
            time.sleep(0.2)
    return count


def recorded(record: Any) -> int:
    """How many of those statements a recording has."""
    statements = open_recording(Path(record.path)).statements()
    return sum(statement.text == "UPDATE stock SET n = n + 1" for statement in statements)


def test_a_backfill_records_what_is_left_in_the_log(lab: Lab, shop: Path) -> None:
    client, cluster = lab.airflow.client, lab.host.cluster
    told = "log_min_duration_statement = 0\nlog_line_prefix = '%m|%u|%d|%c|%v|%e|%Q|'\n"
    lab.host.user.write_file(cluster.knobs_file, told, 0o644)
    with cluster.connect() as connection:
        connection.execute("SELECT pg_reload_conf()")
    begun = datetime.now(UTC)
    first = begun.replace(second=0, microsecond=0) + timedelta(minutes=1)
    counts = [sold(lab, first), sold(lab, first + timedelta(seconds=10))]
    time.sleep(max(0.0, (first + timedelta(minutes=1) - datetime.now(UTC)).total_seconds()) + 1)
    client.backfill("record_shop_log", first, first + timedelta(minutes=1))
    client.unpause("record_shop_log")  # in this order: Airflow's scheduler ends where both make one interval's run
    ids = [f"shop_log-{first + timedelta(minutes=at):%Y%m%dT%H%MZ}" for at in (-1, 0)]

    def both() -> bool:
        return set(ids) <= {record.id for record in lab.repository.recordings("shop_log")}

    wait_for("both intervals are recorded", both)
    client.pause("record_shop_log")
    found = [lab.repository.recording(recording) for recording in ids]
    assert [(record.end - record.start).total_seconds() for record in found] == [60, 60]
    assert sum(recorded(record) for record in found) == sum(counts)
    assert abs(recorded(found[0]) - counts[0]) <= 1, "one may have begun just before the minute"
    assert found[1].manifest["missing"] == []


def waits_or_is_over(lab: Lab, dag_id: str) -> bool:
    """Whether the run's window is open, which no worker waits for, or the run has ended."""
    deferred = states(lab, dag_id, "window").get("capture") == "deferred"
    return deferred or ended_run(lab, dag_id, "window") is not None


def sold_in_a_window(lab: Lab, name: str, setting: str, seconds: float) -> tuple[Any, int]:
    """The recording of a window with so many seconds of load in it, and of how many statements that was.

    `setting` is in the server's file from the window's opening to its end, and in nobody's before.
    """
    client, cluster = lab.airflow.client, lab.host.cluster

    def is_open() -> bool:
        return setting in cluster.knobs_file.read_text()

    for recording in (name, f"{name}{FOR_LONG}"):
        dag_id = f"record_{recording}"
        lab.host.user.write_file(cluster.knobs_file, FOUND, 0o644)
        client.unpause(dag_id)
        client.trigger(dag_id, {}, "window")
        wait_for("the window is open, while no worker waits", partial(waits_or_is_over, lab, dag_id))
        count = sold(lab, datetime.now(UTC) + timedelta(seconds=seconds)) if is_open() else 0
        in_time = is_open()
        run = wait_for("the run ends", partial(ended_run, lab, dag_id, "window"), 900)
        assert cluster.knobs_file.read_text() == FOUND
        if in_time:
            assert run["state"] == "success", states(lab, dag_id, "window")
            (record,) = lab.repository.recordings(recording)
            return record, count
    raise AssertionError(f"{name}: the window was not open, though it is for eight minutes")


def test_a_window_is_recorded_by_a_job_on_the_host_while_no_worker_waits(lab: Lab, shop: Path) -> None:
    record, count = sold_in_a_window(lab, "shop_window", "log_min_duration_statement", 5)
    assert recorded(record) == count
    assert record.manifest["missing"] == []
    with lab.host.cluster.connect() as connection:
        row = connection.execute("SHOW log_min_duration_statement").fetchone()
    assert row == ("-1",)


def test_a_sample_of_the_transactions_is_recorded_and_replayed_as_an_open_stream(lab: Lab, shop: Path) -> None:
    record, count = sold_in_a_window(lab, "shop_sample", "log_transaction_sample_rate", 20)
    drawn, luck = recorded(record), 5 * (count * SHARE * (1 - SHARE)) ** 0.5
    assert 0 < drawn < count, "not a sample"
    assert abs(drawn - count * SHARE) < luck, (drawn, count)
    assert (record.manifest["method"], record.manifest["share"]) == ("transaction_sample", SHARE)
    told = replayed(lab, Path(record.path))
    assert (told["open_stream"], told["errors"], told["cut"]) == (True, {}, None)
    assert told["statements"]["done"] == told["statements"]["to_send"] >= drawn


def replayed(lab: Lab, recording: Path) -> dict[str, Any]:
    """The recording's replay by the archive that is shipped to a driver host, ten times as quick."""
    cluster, folder = lab.host.cluster, lab.root.parent / "replayed"
    folder.mkdir()
    (folder / "replayer.zip").write_bytes(replayer_archive("postgresql"))
    password = folder / "password"
    password.touch(0o600)
    password.write_text(cluster.password + "\n")
    told = {
        "recording": str(recording), "result_file": str(folder / "result.json"), "host": cluster.host,
        "port": cluster.port, "user": ROLE, "database": DATABASE, "password_file": str(password), "deadline_s": 600,
        "schedule": "think", "factor": 10.0,
    }  # fmt: skip
    (folder / "settings.json").write_text(json.dumps(told))
    command = [sys.executable, "-I", "replayer.zip", "settings.json"]
    subprocess.run(command, cwd=folder, check=True, timeout=900, capture_output=True)
    found: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return found


def ended_run(lab: Lab, dag_id: str, run_id: str) -> dict[str, Any] | None:
    return over(lab.airflow.client.dag_run(dag_id, run_id))


def over(run: dict[str, Any]) -> dict[str, Any] | None:
    return run if run["state"] in {"success", "failed"} else None
