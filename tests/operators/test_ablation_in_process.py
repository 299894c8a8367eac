"""A whole experiment on a real PostgreSQL: search, the trials that send knobs home, and the comparison of what is left.

The benchmark is a command that asks the server itself which settings are in force, and answers by two of them. So it is
known which of the changed knobs matter, without any noise.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from otterflow.experiment.loop import SENT_HOME
from otterflow.operators.connections import open_repository
from stack.host import DatabaseHost
from tests.operators.harness import SUCCESS, Dags, Run
from tests.operators.test_experiment_in_process import explain, in_force_on
from tests.report.reading import Page

pytestmark = pytest.mark.integration

MATTER = {"work_mem", "random_page_cost"}
SPEED = """
SELECT json_build_object('errors', 0, 'transactions', 10, 'seconds', 1.0, 'latency_ms', json_build_object('p95', exp(
       0.2 * (SELECT setting::float8 FROM pg_settings WHERE name = 'random_page_cost')
     - 0.2 * ln((SELECT setting::float8 FROM pg_settings WHERE name = 'work_mem') / 4096.0))))
"""
ASKED: dict[str, Any] = {
    "name": "asked",
    "title": "what the server says of its settings",
    "kind": "mixed",
    "objective": "latency_p95",
    "workload": {
        "driver": "command",
        "load": "psql --no-psqlrc --quiet --command='CREATE TABLE nothing ()'",
        "run": f'psql --no-psqlrc --quiet --tuples-only --no-align --command="{" ".join(SPEED.split())}"',
        "measures": ["latency_p95"],
        "bytes_per_scale": 8192,
    },
    "warmup_s": 0,
    "duration_s": 1,
    "load_timeout_s": 30,
    "run_timeout_s": 30,
}


@pytest.mark.usefixtures("all_rounds")
def test_what_is_not_missed_goes_back_and_the_rest_is_put_in_force(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any]
) -> None:
    (Path(os.environ["OTTERFLOW_INCLUDE_DIR"]) / "benchmarks" / "asked.yaml").write_text(yaml.safe_dump(ASKED))

    def clear_one(run: Run, task: str) -> None:
        """A run that sends knobs home is cleared before it hands on: its trial is made once more."""
        if run.run_id == "in-process-0007" and task == "next_iteration":
            for again in ("begin", "restart", "benchmark", "collect", "recommend"):
                dags.run_task("tuning_iteration", again, run.conf, run.run_id)

    form = {**params, "benchmark": "asked", "iterations": 6, "ablation_percent": 70, "gain_that_matters_percent": 30}
    runs = dags.follow("tuning_experiment", form, before=clear_one)
    assert all(run.state == SUCCESS for run in runs), explain(runs)

    repository = open_repository()
    experiment, trials = repository.experiment("in-process"), repository.trials("in-process")
    own = [trial for trial in trials if trial.kind == "ablation"]
    assert [trial.iteration for trial in own] == list(range(6, 6 + len(own)))
    assert 2 <= len(own) <= 4
    assert own[0].reasons[SENT_HOME] == []
    assert own[1].reasons[SENT_HOME]
    assert own[1].attempt == 2, "the cleared one"
    assert experiment.state == "finished"
    assert experiment.finished_because.startswith(f"all 6 iterations are done; then {len(own)} trials sent knobs home")

    result = experiment.outcome
    assert result is not None
    told = result["ablation"]
    changed = {row["knob"] for row in told["kept"] + told["dropped"]}
    assert MATTER & changed, "the search has found something, or this test is of no use"
    assert {row["knob"] for row in told["dropped"]}.isdisjoint(MATTER)
    assert told["dropped"]
    assert result["winner"] == result["installed"] == "reduced"
    assert len(result["comparison"]["values"]["reduced"]) == 3
    assert result["comparison"]["best_over_reduced"]["ratio"] < 1.3
    assert {row["knob"] for row in result["changed_knobs"]} == {row["knob"] for row in told["kept"]}
    shown = in_force_on(lab)
    baseline = experiment.baseline or {}
    for row in told["dropped"]:
        assert result["in_force"][row["knob"]] == baseline[row["knob"]], row
    for knob in MATTER & changed:
        assert float(shown[knob]) == float(result["best_configuration"][knob])

    folder = Path(os.environ["OTTERFLOW_HOME"]) / "results" / "in-process"
    assert json.loads((folder / "result.json").read_text()) == result
    said = Page((folder / "report.html").read_text()).text
    assert f"{len(told['dropped'])} of its {told['changed']} changed knobs are back at the baseline" in said
    assert "Back at their value from before, for they are not missed" in said
