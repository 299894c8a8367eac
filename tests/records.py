"""The repository's records of a made-up experiment, for tests of what is decided from records alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from otterflow.experiment.spec import ExperimentSpec
from otterflow.repository import Experiment, Trial
from otterflow.repository.records import ExperimentState, TrialKind, TrialState

SPACE = [{"name": "work_mem", "type": "integer", "min": 64, "max": 1_000_000, "scale": "log", "default": 4096}]
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def experiment(spec: dict[str, Any] | None = None, **found: Any) -> Experiment:
    """An experiment under way; `spec` are fields of the form, `found` of the record."""
    form = {"experiment": "e", "target": "t", "benchmark": "b", **(spec or {})}
    record: dict[str, Any] = {
        "name": "e", "target": "t", "dbms": "postgresql",
        "benchmark": "b", "objective": "throughput", "seed": 0, "code_version": "",
        "comparison": 1, "spec": ExperimentSpec.from_params(form).record(), "state": ExperimentState.running,
        "message": "", "stop_requested": False, "stop_reason": "", "space": SPACE, "baseline": {"work_mem": 4096},
        "baseline_file": "", "rules": None, "facts": {}, "live": {}, "versions": {}, "hardware": {},
        "catalog_hash": "", "last_good": None, "outcome": None, "created_at": BEGIN, "started_at": BEGIN,
        "ended_at": None,
    }  # fmt: skip
    return Experiment(**record | found)


def trial(iteration: int, value: float | None, *, p99: float | None = 5.0, kind: str = "model", **more: Any) -> Trial:
    """A trial that ended with `value` as its throughput, or crashed; its configuration is its own unless given."""
    result: dict[str, Any] = {"throughput": 100.0, "errors": 0, "transactions": 10, "seconds": 1.0}
    if p99 is not None:
        result["latency_ms"] = {"p99": p99}
    known: dict[str, Any] = {
        "wanted": {"work_mem": 64 + iteration}, "state": TrialState.ok if value is not None else TrialState.crashed,
        "objective": value, "result": result if value is not None else None,
    }  # fmt: skip
    return Trial(experiment="e", iteration=iteration, attempt=1, kind=TrialKind(kind), seed=0, **{**known, **more})
