"""Experiments and trials to begin a test with, and all that a repository holds as one comparable value."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, select

from otterflow.repository import ExperimentFiles, NewExperiment, Repository
from otterflow.repository.database import Database
from otterflow.repository.tables import Base, UtcDateTime

BASELINE = {"shared_buffers": 16384, "random_page_cost": 4.0, "jit": True, "wal_sync_method": "fdatasync"}
RULES = {"shared_buffers": 131072, "random_page_cost": 1.1, "jit": False, "wal_sync_method": "fdatasync"}
FILES = ExperimentFiles(
    target={"name": "staging"},
    benchmark={"name": "analytics", "passes": 1},
    catalog={"knobs": []},
    texts={"a.sql": "1"},
)


def new_experiment(name: str = "night", **changes: Any) -> NewExperiment:
    """An experiment of 10 iterations on the target `staging`."""
    values: dict[str, Any] = {
        "name": name,
        "target": "staging",
        "dbms": "postgresql",
        "benchmark": "analytics",
        "objective": "run_time_s",
        "spec": {"iterations": 10, "time_budget_min": None, "risks": ["durability"]},
        "seed": 7,
        "code_version": "0.1.0",
        "target_definition": {"name": "staging", "dbms": "postgresql"},
    }
    return NewExperiment(**{**values, **changes})


def findings(**changes: Any) -> dict[str, Any]:
    """What `prepare_experiment` records."""
    values: dict[str, Any] = {
        "space": [{"name": "shared_buffers", "type": "integer", "min": 16, "max": 1073741823}],
        "baseline": BASELINE,
        "baseline_file": "# as found\n",
        "rules": RULES,
        "facts": {"ram_bytes": 8 * 2**30},
        "versions": {"postgresql": "15.14"},
        "hardware": {"cores": 2},
        "catalog_hash": "c0ffee",
        "live": {"shared_buffers": {"setting": "16384", "source": "configuration file"}},
    }
    return {**values, **changes}


def prepare(repository: Repository, name: str, **given: Any) -> None:
    """What `prepare_experiment` records of an experiment of which only the given matters."""
    nothing: dict[str, Any] = {
        "space": [], "live": {}, "facts": {}, "versions": {}, "hardware": {}, "rules": {}, "catalog_hash": "",
        "baseline": {}, "baseline_file": "",
    }  # fmt: skip
    repository.prepare_experiment(name, **{**nothing, **given})


def plan(repository: Repository, iteration: int = 0, experiment: str = "night", **changes: Any) -> None:
    """Plan a trial of the baseline."""
    values: dict[str, Any] = {"kind": "baseline", "wanted": BASELINE, "repairs": [], "reasons": {}, "seed": 1}
    repository.plan_trial(experiment, iteration, **{**values, **changes})


def measured(repository: Repository, iteration: int = 0, experiment: str = "night", value: float = 10.0) -> None:
    """Plan, try and measure a trial to its end."""
    plan(repository, iteration, experiment)
    repository.begin_try(experiment, iteration)
    repository.record_in_force(experiment, iteration, BASELINE)
    repository.record_before(experiment, iteration, {"dbms": {"xact_commit": 1}})
    repository.record_after(experiment, iteration, {"dbms": {"xact_commit": 5}})
    repository.record_result(experiment, iteration, result={"seconds": value}, objective=value, repeats=[value])
    repository.record_metrics(experiment, iteration, {"xact_commit": 0.4}, host={"load_1m": 1.5}, reset=[])
    repository.record_seconds(experiment, iteration, "benchmark", value + 1)
    repository.end_trial(experiment, iteration, "ok")


def content(url: URL, *, times: bool = True) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, ordered; with `times` false, a time is only told from its absence."""
    with Database(url).read() as session:
        return {
            table.name: sorted(
                (
                    tuple(
                        value is not None if isinstance(column.type, UtcDateTime) and not times else value
                        for column, value in zip(table.columns, row, strict=True)
                    )
                    for row in session.execute(select(table))
                ),
                key=repr,
            )
            for table in Base.metadata.sorted_tables
        }
