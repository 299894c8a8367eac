"""An experiment that has ended, in a repository of its own, and what came of it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from otterflow.experiment.outcome import outcome
from otterflow.experiment.plan import load_plan
from otterflow.experiment.spec import ExperimentSpec
from otterflow.operators.connections import open_repository
from otterflow.repository import Experiment, Repository
from otterflow.repository.records import Measurement, TrialState
from tests.repository.samples import new_experiment, prepare

SETTINGS = Path(__file__).parents[1] / "knobs" / "pg_settings_15.json"
FORM: dict[str, Any] = {"experiment": "night", "target": "example_command", "benchmark": "analytics", "iterations": 5}
SPACE = [
    {"name": "shared_buffers", "type": "integer", "min": 16, "max": 1_000_000, "scale": "log", "default": 16384},
    {"name": "work_mem", "type": "integer", "min": 64, "max": 1_000_000, "scale": "log", "default": 4096},
    {"name": "random_page_cost", "type": "real", "min": 0.5, "max": 8.0, "scale": "log", "default": 4.0},
]
BASELINE: dict[str, Any] = {"shared_buffers": 16384, "work_mem": 4096, "random_page_cost": 4.0}
RULES: dict[str, Any] = {"shared_buffers": 786432, "work_mem": 4096, "random_page_cost": 1.1}
BEST: dict[str, Any] = {"shared_buffers": 262144, "work_mem": 65536, "random_page_cost": 4.0}
FACTS = {"ram_bytes": 24 * 2**30, "cores": 4, "disk": "ssd", "max_connections": 100}
ABLATION = {
    "trials": 2,
    "kept": [{"knob": "work_mem", "percent": 61.0, "low": 40.0, "high": 80.0, "tested": True, "why": "worth more"}],
    "dropped": [{"knob": "random_page_cost", "percent": 0.1, "low": -1.0, "high": 1.2, "tested": False, "why": "not"}],
}


@dataclass(frozen=True)
class Ended:
    """The experiment and its result."""

    repository: Repository

    @property
    def experiment(self) -> Experiment:
        return self.repository.experiment("night")

    def result(self, measurements: list[Measurement], **more: Any) -> dict[str, Any]:
        """What came of it, by these turns, with `more` over it."""
        arms = {"baseline": BASELINE, "rules": RULES, "best": BEST}
        plan = load_plan(ExperimentSpec.from_params(FORM))
        return outcome(self.experiment, plan, self.repository.trials("night"), measurements, arms, BEST) | more


def turns(**values: list[float]) -> list[Measurement]:
    """The measurements of a comparison."""
    return [
        Measurement(1, n, arm, v, {}, TrialState.ok, datetime.now(UTC))
        for arm, of in values.items()
        for n, v in enumerate(of, 1)
    ]


WON = turns(baseline=[4.0, 8.0, 4.1, 4.2], rules=[3.0, 6.0, 3.1, 3.0], best=[2.0, 4.1, 2.0, 2.1])


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a repository with the experiment, to copy: making one anew takes time."""
    path = tmp_path_factory.mktemp("kept") / "repository.db"
    _fill(Repository.open(f"sqlite:///{path}"))
    return path


@pytest.fixture
def ended(kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ended:
    """An experiment `night`: baseline, rules, a crash, the best; the best is in force."""
    monkeypatch.setenv("OTTERFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("OTTERFLOW_TARGETS_DIR", raising=False)
    (tmp_path / "home").mkdir()
    shutil.copy(kept, tmp_path / "home" / "repository.db")
    return Ended(open_repository())


def _fill(repository: Repository) -> None:
    spec = ExperimentSpec.from_params(FORM)
    repository.create_experiment(
        new_experiment("night", target=spec.target, benchmark=spec.benchmark, objective="run_time", spec=spec.record())
    )
    live = {row["name"]: row for row in json.loads(SETTINGS.read_text())}
    prepare(
        repository, "night", live=live, rules=RULES, baseline=BASELINE, space=SPACE, facts=FACTS,
        baseline_file="work_mem = 4MB\n", versions={"text": "PostgreSQL 15.18"}, hardware={"cpu_model": "EPYC"},
    )  # fmt: skip
    repository.record_last_good("night", configuration=BEST, file="shared_buffers = 2GB\n")
    tried(repository, 0, "baseline", BASELINE, 4.0)
    tried(repository, 1, "rules", RULES, 3.0)
    tried(repository, 2, "model", {**BEST, "work_mem": 999_999}, None)
    tried(repository, 3, "model", BEST, 2.0)


def tried(repository: Repository, iteration: int, kind: str, config: dict[str, Any], value: float | None) -> None:
    """A trial that ended with a value, or crashed."""
    repository.plan_trial("night", iteration, kind=kind, wanted=config, repairs=[], reasons={}, seed=0)
    repository.begin_try("night", iteration)
    repository.record_in_force("night", iteration, config)
    if value is None:
        repository.end_trial("night", iteration, "crashed", message="out of memory")
        return
    repository.record_result("night", iteration, result={}, objective=value, repeats=[value])
    repository.end_trial("night", iteration, "ok")
