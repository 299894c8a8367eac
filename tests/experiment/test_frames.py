"""An experiment's results as DataFrames: their rows, their types, their units, and the example in docs/results.md."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from otterflow.errors import InvalidInput
from otterflow.experiment.frames import Results, comparison_frame, results, trials_frame
from otterflow.experiment.spec import ExperimentSpec
from otterflow.repository import Repository
from tests.records import experiment, trial
from tests.repository.samples import new_experiment, prepare

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = ROOT / "tests" / "knobs" / "pg_settings_15.json"
SPACE: list[dict[str, Any]] = [
    {"name": "work_mem", "type": "integer", "min": 64, "max": 1_000_000, "default": 4096},
    {"name": "random_page_cost", "type": "real", "min": 1.0, "max": 8.0, "default": 4.0},
    {"name": "wal_sync_method", "type": "enum", "values": ["fdatasync", "fsync"], "default": "fdatasync"},
    {"name": "jit", "type": "boolean", "default": True},
]
BASELINE: dict[str, Any] = {
    "work_mem": 4096, "random_page_cost": 4.0, "wal_sync_method": "fdatasync", "jit": True,
}  # fmt: skip
BETTER = {**BASELINE, "work_mem": 65536, "jit": False}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> str:
    file = tmp_path_factory.mktemp("frames") / "repository.db"
    shutil.copyfile(migrated_file, file)
    return f"sqlite:///{file}"


@pytest.fixture(scope="module")
def repository(url: str) -> Repository:
    """An experiment `night`: a baseline of 100 per second, a crash, a better trial, one under way, four turns.

    One for all: nobody writes to it.
    """
    found = Repository.open(url, migrate=False)
    form = {"experiment": "night", "target": "t", "benchmark": "gone"}
    found.create_experiment(
        new_experiment(
            "night",
            target="t",
            benchmark="gone",
            objective="throughput",
            spec=ExperimentSpec.from_params(form).record(),
        )
    )
    live = {row["name"]: row for row in json.loads(SETTINGS.read_text())}
    prepare(found, "night", space=SPACE, live=live, baseline=BASELINE)
    tried(found, 0, BASELINE, 100.0)
    tried(found, 1, BETTER, None)
    tried(found, 2, BETTER, 150.0)
    found.plan_trial("night", 3, kind="model", wanted=BETTER, repairs=[], reasons={}, seed=0)
    for number in (1, 2):
        for arm, value in (("baseline", 100.0), ("best", 150.0 if number == 1 else None)):
            state = "crashed" if value is None else "ok"
            found.record_measurement("night", round=number, arm=arm, value=value, result={}, state=state)
    return found


def tried(repository: Repository, iteration: int, config: dict[str, Any], value: float | None) -> None:
    kind = "baseline" if iteration == 0 else "model"
    repository.plan_trial("night", iteration, kind=kind, wanted=config, repairs=[], reasons={}, seed=0)
    repository.begin_try("night", iteration)
    repository.record_in_force("night", iteration, config)
    repository.record_seconds("night", iteration, "restart", 2.0)
    repository.record_seconds("night", iteration, "benchmark", 60.5)
    if value is None:
        repository.end_trial("night", iteration, "crashed", message="out of memory")
        return
    result = {
        "throughput": value, "latency_ms": {"p99": 9.0}, "errors": 0, "transactions": 10, "seconds": 60.0,
        "metrics": {"queue": 3.0},
    }  # fmt: skip
    repository.record_result("night", iteration, result=result, objective=value, repeats=[value])
    repository.record_metrics("night", iteration, {"xact_commit": 0.4}, host={"host.load_1m": 1.5}, reset=[])
    repository.end_trial("night", iteration, "ok")


@pytest.fixture
def night(repository: Repository) -> Results:
    return results(repository, "night")


def test_a_row_for_each_ended_trial_with_what_was_in_force(night: Results) -> None:
    trials = night.trials
    assert trials.index.tolist() == [0, 1, 2]
    assert trials["state"].tolist() == ["ok", "crashed", "ok"]
    assert trials["value"].tolist()[::2] == [100.0, 150.0]
    assert trials["relative"].round(6).tolist()[::2] == [1.0, 1.5]
    assert trials[["value", "relative"]].isna().all(axis=1).tolist() == [False, True, False]
    assert trials["took_s"].tolist() == [62.5] * 3
    assert trials["message"].tolist() == ["", "out of memory", ""]
    assert trials["knob.work_mem"].tolist() == [4096, 65536, 65536]
    assert trials["knob.jit"].tolist() == [True, False, False]


def test_columns_have_their_types_and_units(night: Results) -> None:
    types = {name: str(dtype) for name, dtype in night.trials.dtypes.items()}
    assert types == {
        "kind": "category", "state": "category", "value": "float64", "relative": "float64",
        "started_at": "datetime64[us, UTC]", "took_s": "float64", "message": "string",
        "knob.work_mem": "Int64", "knob.random_page_cost": "Float64", "knob.wal_sync_method": "string",
        "knob.jit": "boolean",
    }  # fmt: skip
    assert night.trials.attrs["units"] == {"value": "1/s", "took_s": "s", "knob.work_mem": "kB"}
    assert set(night.metrics.dtypes.map(str)) == {"float64"}
    assert night.metrics.attrs["units"] == {"throughput": "1/s", "latency_p99": "ms", "seconds": "s"}


def test_types_stay_the_same_where_there_is_nothing(night: Results) -> None:
    empty = trials_frame(experiment(space=SPACE), [], None)
    assert empty.dtypes.drop(["kind", "state"]).equals(night.trials.dtypes.drop(["kind", "state"]))
    assert empty.index.name == "iteration"
    assert comparison_frame([], None).dtypes["value"] == "float64"


def test_metrics_are_those_of_the_result_of_the_dbms_and_of_the_host(night: Results) -> None:
    first = night.metrics.loc[0].to_dict()
    assert first == {
        "throughput": 100.0, "latency_p99": 9.0, "errors": 0.0, "error_share": 0.0, "transactions": 10.0,
        "seconds": 60.0, "metrics.queue": 3.0, "xact_commit": 0.4, "host.load_1m": 1.5,
    }  # fmt: skip
    assert night.metrics.loc[1].isna().all(), "a trial that crashed has no numbers"


def test_the_comparison_has_a_row_for_each_turn(night: Results) -> None:
    by_round = night.comparison.pivot(index="round", columns="arm", values="value")
    assert by_round["baseline"].tolist() == [100.0, 100.0]
    assert by_round["best"].isna().tolist() == [False, True]


def test_a_trial_of_another_shape_of_result_has_no_numbers_of_it(repository: Repository) -> None:
    odd = trial(0, 5.0, kind="baseline", result={"imported": True})
    frame = trials_frame(experiment(), [odd], None)
    assert frame["value"].tolist() == [5.0]
    assert frame["relative"].isna().all(), "nobody can say what the objective was"


def test_an_experiment_that_is_unknown_or_not_prepared_is_refused(repository: Repository) -> None:
    with pytest.raises(InvalidInput, match="nobody"):
        results(repository, "nobody")
    with pytest.raises(InvalidInput, match="no knob"):
        trials_frame(experiment(space=[]), [], None)


@pytest.mark.slow
@pytest.mark.usefixtures("repository")
def test_the_example_of_the_page_runs(url: str) -> None:
    page = (ROOT / "docs" / "results.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (shown,) = re.findall(r'"(sqlite:[^"]+)"', example)
    done = subprocess.run(
        [sys.executable, "-c", example.replace(shown, url)],
        capture_output=True, text=True, timeout=120, check=False, cwd=ROOT / "plugins",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "knob.work_mem" in done.stdout
    assert "65536" in done.stdout


@pytest.mark.slow
def test_nothing_of_pandas_is_loaded_before_a_table_is_made() -> None:
    code = "import sys, otterflow.experiment.frames; print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "False"
    assert pd.__version__
