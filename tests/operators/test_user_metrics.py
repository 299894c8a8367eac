"""User-defined metrics on a real server: tried before anything is touched, read around every run, recorded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from otterflow.errors import InvalidInput
from otterflow.experiment.plan import load_plan
from otterflow.experiment.spec import ExperimentSpec
from otterflow.measures.user_metrics import LATE_S, LATE_SHARE, Reading
from otterflow.operators.connections import open_repository
from stack.host import DatabaseHost
from tests.operators.harness import SUCCESS, Dags, Run
from tests.operators.test_data import prepare
from tests.operators.test_experiment_in_process import explain

pytestmark = pytest.mark.integration

GOOD: list[dict[str, Any]] = [
    {
        "sql": "SELECT sum(abalance) AS balance, count(*) FILTER (WHERE filler LIKE '%x') AS odd\n"
        "FROM pgbench_accounts -- all of them\n; ",
        "numbers": {"balance": "difference", "odd": "gauge"},
    },
    {
        "sql": "SELECT xact_commit AS commits FROM pg_stat_database WHERE datname = 'bench'",
        "numbers": {"commits": "rate"},
        "database": "postgres",
    },
    {"command": "echo 12.5", "numbers": {"temperature": "gauge"}},
]


@pytest.fixture
def define(lab: DatabaseHost) -> Any:
    """Give the small pgbench benchmark metrics."""

    def write(*metrics: dict[str, Any]) -> None:
        path = Path(os.environ["OTTERFLOW_INCLUDE_DIR"]) / "benchmarks" / "pgbench_tpcb.yaml"
        path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"metrics": list(metrics)}))

    return write


@pytest.fixture
def form(params: dict[str, Any]) -> dict[str, Any]:
    return {**params, "benchmark": "pgbench_tpcb", "iterations": 1}


def test_their_numbers_are_recorded_with_the_trial(
    lab: DatabaseHost, dags: Dags, define: Any, form: dict[str, Any]
) -> None:
    """The tables that the SQL speaks of are made by the benchmark's own load, after check_target."""
    define(*GOOD)
    runs = dags.follow("tuning_experiment", form, most=2)
    assert all(r.state == SUCCESS for r in runs), explain(runs)
    (trial,) = open_repository().trials("in-process")
    assert trial.result is not None
    numbers = trial.result["metrics"]
    assert numbers.keys() == {"balance", "odd", "commits", "temperature"}
    assert numbers["temperature"] == 12.5
    assert numbers["odd"] == 0
    assert numbers["balance"] == int(numbers["balance"])
    made, seconds = trial.result["transactions"], trial.result["seconds"]
    assert made / (seconds * (1 + LATE_SHARE) + LATE_S) < numbers["commits"] < (made + 100) / seconds, (
        "autovacuum's too"
    )
    assert {name: trial.metrics[f"metrics.{name}"] for name in numbers} == numbers


def test_each_is_tried_before_anything_is_touched(
    lab: DatabaseHost, dags: Dags, define: Any, form: dict[str, Any]
) -> None:
    """With the data loaded, so that nothing is excused which the load is yet to make."""
    assert prepare(dags, form, "loaded").states["take_snapshot"] == SUCCESS
    wrong: dict[str, dict[str, Any]] = {
        "text": {"sql": "SELECT 'seven' AS text"},
        "empty": {"sql": "SELECT 1 AS empty WHERE false"},
        "writes": {"sql": "SELECT nextval('numbers') AS writes"},
        "makes": {"sql": "CREATE TABLE mine AS SELECT 1 AS makes"},
        "twice": {"sql": "SELECT 1 AS twice; SELECT 2 AS twice"},
        "slow": {"sql": "SELECT 1 AS slow FROM pg_sleep(5)", "timeout_s": 0.2},
        "nowhere": {"sql": "SELECT 1 AS nowhere", "database": "nowhere"},
        "broken": {"command": "echo no such file >&2; exit 3"},
        "words": {"command": "echo many"},
        "idle": {"command": "sleep 5; echo 1", "timeout_s": 0.2},
        "percent": {"sql": "SELECT '100%'::text LIKE '100%' AS percent"},
    }
    define(*({**how, "numbers": {name: "gauge"}} for name, how in wrong.items()))
    with lab.cluster.connect("bench") as connection:
        connection.execute("CREATE SEQUENCE numbers")
    before = _tables(lab)
    run = dags.run("tuning_experiment", form)
    message = str(run.errors["check_target"])
    for sentence in (
        "metric text: its column text is 'seven', not a number",
        "metric empty: its SQL gave no row, not one",
        "metric writes: its SQL failed in database 'bench': cannot execute nextval() in a read-only transaction",
        "metric makes: its SQL failed in database 'bench': syntax error",
        "metric twice: its SQL failed in database 'bench': syntax error",
        "metric slow: its SQL took longer than timeout_s (0.2 s)",
        "metric nowhere: there is no database 'nowhere'",
        "metric broken: its command ended with exit code 3: no such file",
        "metric words: its command printed 'many', neither a number nor a JSON object",
        "metric idle: its command took longer than timeout_s (0.2 s)",
        "metric percent: its column percent is True, not a number",
    ):
        assert sentence in message, message
    assert _tables(lab) == before
    assert open_repository().holder(lab.name) is None


def _tables(host: DatabaseHost) -> list[Any]:
    with host.cluster.connect("bench") as connection:
        return connection.execute(
            "SELECT oid, relname FROM pg_class WHERE relname ~ '^(pgbench|mine|numbers)'"
        ).fetchall()


def test_a_metric_that_the_load_does_not_make_is_found_after_it(
    lab: DatabaseHost, dags: Dags, define: Any, form: dict[str, Any]
) -> None:
    define({"sql": "SELECT count(*) AS orders FROM orders", "numbers": {"orders": "gauge"}})
    run = dags.run("tuning_experiment", form)
    assert run.states["check_target"] == SUCCESS, run.errors
    assert "metric orders: its SQL failed in database 'bench': relation \"orders\" does not exist" in str(
        run.errors["take_snapshot"]
    )
    assert open_repository().holder(lab.name) is None
    assert lab.cluster.is_running


def test_one_that_fails_in_a_trial_is_left_out(
    lab: DatabaseHost, dags: Dags, define: Any, form: dict[str, Any], tmp_path: Path
) -> None:
    backlog = lab.work_dir / "backlog"
    lab.user.write_file(backlog, "7\n")
    define({"command": f"cat {backlog}", "numbers": {"backlog": "gauge"}}, GOOD[2])

    def lose_it(run: Run, task: str) -> None:
        if task == "benchmark":
            backlog.unlink()

    runs = dags.follow("tuning_experiment", form, before=lose_it, most=2)
    assert all(r.state == SUCCESS for r in runs), explain(runs)
    (trial,) = open_repository().trials("in-process")
    assert trial.state == "ok"
    assert trial.result is not None
    assert trial.result["metrics"] == {"temperature": 12.5}
    assert "No such file" in trial.result["absent"]["metrics.backlog"]


def test_an_objective_and_a_constraint_on_them(
    lab: DatabaseHost, dags: Dags, define: Any, form: dict[str, Any]
) -> None:
    """Measured where they can be read; a trial without the number that a constraint needs has failed, and says why."""
    lab.user.write_file(lab.work_dir / "backlog", "7\n")
    define({"command": f"cat {lab.work_dir}/backlog", "numbers": {"backlog": "gauge"}}, GOOD[1])

    def lose_it(run: Run, task: str) -> None:
        if (run.run_id, task) == ("in-process-0001", "benchmark"):
            (lab.work_dir / "backlog").unlink()

    goal = {"objective": "metrics.commits", "direction": "maximise", "constraints": ["metrics.backlog < 100"]}
    runs = dags.follow("tuning_experiment", {**form, **goal, "iterations": 2}, before=lose_it, most=3)
    assert all(r.state == SUCCESS for r in runs), explain(runs)
    measured, failed = open_repository().trials("in-process")
    assert measured.state == "ok"
    assert measured.result is not None
    assert measured.objective == measured.result["metrics"]["commits"]
    assert failed.state == "failed"
    assert "constraint metrics.backlog < 100" in failed.message
    assert "metrics.backlog: its command ended with exit code 1" in failed.message


def test_names_that_clash_are_refused_before_a_host_is_touched(
    lab: DatabaseHost, define: Any, form: dict[str, Any]
) -> None:
    define(GOOD[2], GOOD[2])
    with pytest.raises(InvalidInput, match=r"'temperature' is defined in pgbench_tpcb\.yaml twice"):
        load_plan(ExperimentSpec.from_params(form))


def test_a_reading_survives_its_file() -> None:
    reading = Reading(1.5, {"a": 1.0}, {"b": "no"}, ("b",))
    assert Reading.loads(reading.dumps()) == reading
