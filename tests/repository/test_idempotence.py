"""Everything said twice leaves what it left when said once: tasks are retried, killed after a write, and run twice."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import URL

from otterflow.errors import OtterflowError
from otterflow.repository import Repository
from tests.repository.samples import BASELINE, FILES, RULES, content, findings, measured, new_experiment
from tests.repository.test_importing import experiment as an_import

Write = Callable[[Repository], Any]

READS = {
    "experiment", "experiments", "trial", "trials", "holder", "holders", "raw_counters", "metric_rows", "measurements",
    "model", "measurements_of",
    "models", "progress", "standing", "identity", "same_server", "is_free", "recording", "recordings", "manifests",
    "promotion", "promotions", "name", "glimpses", "known_points", "newest_names", "newest_with_last_good",
    "opened_by", "opener", "openers", "pulse", "targets_of", "headlines", "goal_files_of", "found_of",
    "openers_of", "recorded",
}  # fmt: skip
CLOCK = {"start_clock", "count_time", "stop_clock"}
"""What these write is the time that has passed: `test_running_time.py`."""

PLAN: dict[str, Any] = {"kind": "model", "wanted": RULES, "repairs": [{"knob": "jit"}], "reasons": {"a": 1}, "seed": 3}
MEASUREMENT: dict[str, Any] = {"round": 0, "arm": "best", "value": 2.5, "result": {"seconds": 2.5}, "state": "ok"}
MODEL: dict[str, Any] = {"content": {"names": ["jit"]}, "sources": {"night": {"trials": 1}}, "version": 1}
RECORDING: dict[str, Any] = {
    "name": "shop", "target": "staging", "path": "/srv/recordings/shop-20261129T0200Z",
    "start": datetime(2026, 11, 29, 2, tzinfo=UTC), "end": datetime(2026, 11, 29, 3, tzinfo=UTC),
    "manifest": {"statements": 7},
}  # fmt: skip

PROPOSAL: dict[str, Any] = {"form": {"target": "staging"}, "proposal": {"changes": []}, "schedule": "nightly"}

WRITES: dict[str, Write] = {
    "migrate": lambda r: r.migrate(),
    "create_experiment": lambda r: r.create_experiment(new_experiment("fresh")),
    "prepare_experiment": lambda r: r.prepare_experiment("night", **findings()),
    "set_experiment_state": lambda r: r.set_experiment_state("night", "stopped", "by the user"),
    "keep_files": lambda r: r.keep_files("night", FILES),
    "request_stop": lambda r: r.request_stop("night", "enough"),
    "extend": lambda r: r.extend("night", iterations=20, time_budget_min=5),
    "record_last_good": lambda r: r.record_last_good("night", configuration=RULES, file="jit = off\n"),
    "record_outcome": lambda r: r.record_outcome("night", {"ratio": 1.5}),
    "hold_target": lambda r: r.hold_target("staging", "night"),
    "take_lease": lambda r: r.take_lease("night", "tuning_iteration/night-0000"),
    "name_heir": lambda r: r.name_heir("night", "tuning_iteration/night-0000", "tuning_finish/f", state="finishing"),
    "close_experiment": lambda r: r.close_experiment("night", "finished", "done"),
    "identify_target": lambda r: r.identify_target("staging", "7123 on db1"),
    "release_target": lambda r: r.release_target("staging", "night"),
    "plan_trial": lambda r: r.plan_trial("night", 1, **PLAN),
    "begin_try": lambda r: r.begin_try("night", 0),
    "add_reasons": lambda r: r.add_reasons("night", 0, {"outlook": 0.5}),
    "end_trial": lambda r: r.end_trial("night", 0, "crashed", message="gone", log_tail="PANIC"),
    "record_in_force": lambda r: r.record_in_force("night", 0, RULES),
    "record_before": lambda r: r.record_before("night", 0, {"n": 1}),
    "record_after": lambda r: r.record_after("night", 0, {"n": 2}),
    "record_result": lambda r: r.record_result("night", 0, result={"seconds": 2}, objective=2, repeats=[2, 2]),
    "record_metrics": lambda r: r.record_metrics("night", 0, {"a": 1.0, "b": 2.0}, host={"c": 3.0}, reset=["d"]),
    "record_seconds": lambda r: r.record_seconds("night", 0, "restart", 3.5),
    "record_measurement": lambda r: r.record_measurement("night", **MEASUREMENT),
    "record_model": lambda r: r.record_model("ranking", scope="experiment", subject="night", **MODEL),
    "add_recording": lambda r: r.add_recording("shop-20261129T0200Z", **RECORDING),
    "remove_recording": lambda r: r.remove_recording("shop-20261128T0200Z"),
    "retain_models": lambda r: r.retain_models("experiment", ["day"]),
    "propose": lambda r: r.propose("staging", run="promote_configuration/new", **PROPOSAL),
    "move_promotion": lambda r: r.move_promotion(1, "approved", since={"proposed"}, answer={"by": "dba"}),
    "add_window": lambda r: r.add_window(1, {"phase": "before", "number": 1, "value": 2.5}),
    "forget_notice": lambda r: r.forget_notice("report/day"),
}


def _store_imported(repository: Repository) -> None:
    repository.store_imported(an_import("past"))  # says whether it was new, so the second answer differs


def _supersede(repository: Repository) -> None:
    repository.supersede_unanswered("staging", "nightly")  # says what was superseded: nothing, the second time


def _begin_notice(repository: Repository) -> None:
    repository.begin_notice("report/night")  # says whether it is to be sent


WRITES["store_imported"] = _store_imported
WRITES["supersede_unanswered"] = _supersede
WRITES["begin_notice"] = _begin_notice


def _planned(repository: Repository) -> None:
    repository.add_recording("shop-20261128T0200Z", **RECORDING)
    repository.propose("staging", run="promote_configuration/earlier", **PROPOSAL)
    repository.create_experiment(new_experiment())
    repository.plan_trial("night", 0, **{**PLAN, "wanted": BASELINE})


def _begun(repository: Repository) -> None:
    _planned(repository)
    repository.set_experiment_state("night", "running")
    repository.begin_try("night", 0)


def _finished(repository: Repository) -> None:
    repository.add_recording("shop-20261128T0200Z", **RECORDING)
    repository.propose("staging", run="promote_configuration/earlier", **PROPOSAL)
    repository.create_experiment(new_experiment())
    measured(repository)
    repository.record_measurement("night", **{**MEASUREMENT, "value": 7.0})
    repository.record_model("ranking", scope="experiment", subject="night", **{**MODEL, "version": 0})
    repository.request_stop("night", "release tonight")
    repository.hold_target("staging", "night")
    repository.set_experiment_state("night", "finished")


def test_no_write_is_forgotten_here() -> None:
    public = {name for name in dir(Repository) if not name.startswith("_")}
    assert public - READS - CLOCK - {"open"} == set(WRITES)


@pytest.mark.slow
@pytest.mark.parametrize("start", [_planned, _begun, _finished], ids=lambda start: start.__name__.strip("_"))
@pytest.mark.parametrize("name", WRITES)
def test_a_write_said_twice(repository: Repository, url: URL, name: str, start: Write) -> None:
    start(repository)
    first = WRITES[name](repository)
    once = content(url)
    assert WRITES[name](repository) == first
    assert content(url) == once


@pytest.mark.slow
@settings(max_examples=10)
@example(names=["add_reasons", "record_before", "begin_try"], seed=2)
@example(names=["record_result", "begin_try"], seed=1)
@given(names=st.lists(st.sampled_from(sorted(WRITES)), min_size=1, max_size=14), seed=st.integers(1, 3))
def test_a_whole_night_in_which_every_task_runs_up_to_three_times(
    migrated_file: Path, names: list[str], seed: int
) -> None:
    """However the writes follow each other, and also when some are refused, repeating each leaves the same rows."""
    with tempfile.TemporaryDirectory(prefix="otterflow-") as folder:
        urls = [URL.create("sqlite", database=str(Path(folder, name))) for name in ("once.db", "often.db")]
        for url, is_repeated in zip(urls, (False, True), strict=True):
            shutil.copyfile(migrated_file, str(url.database))
            repository = Repository.open(url, migrate=False)
            _planned(repository)
            for position, name in enumerate(names):
                for _ in range(1 + (seed + position) % 3 if is_repeated else 1):
                    with suppress(OtterflowError):
                        WRITES[name](repository)
        assert content(urls[0], times=False) == content(urls[1], times=False)
