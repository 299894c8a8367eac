"""A turn of the final comparison whose worker was killed; and whom the tuning of a live server does not reach."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from otterflow.operators import compare, live_server
from otterflow.operators.measurement import Measured
from otterflow.repository import NewExperiment, Repository


@pytest.mark.parametrize("exists", [None, "warmup", "run1"])
def test_a_turn_that_has_begun_is_gone_on_with_and_its_server_not_restarted(
    exists: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Repository.open(f"sqlite:///{tmp_path}/repository.db")
    repository.create_experiment(
        NewExperiment(
            name="e", target="t", benchmark="b", objective="throughput", spec={}, seed=0, code_version="test",
            target_definition={},
        )
    )  # fmt: skip
    in_force: list[Any] = []
    bench: Any = SimpleNamespace(
        experiment=repository.experiment("e"),
        server=SimpleNamespace(put_in_force=lambda text, config: in_force.append(config)),
        config_text=str,
        job_exists=lambda name, on_driver: on_driver and name == f"compare1-2-best-{exists}",
        clean_jobs=lambda name: None,
    )
    monkeypatch.setattr(compare, "measure", lambda *args, **kwargs: Measured(7.0, [7.0], {}, 1.0))
    task = compare.CompareOperator(task_id="compare", experiment="e")
    task._turn(repository, bench, 2, "best", {"jit": True})
    assert in_force == ([{"jit": True}] if exists is None else [])
    assert [(m.round, m.arm, m.value) for m in repository.measurements("e")] == [(2, "best", 7.0)]


def test_roles_with_a_value_of_their_own_for_a_tuned_knob_are_named(caplog: pytest.LogCaptureFixture) -> None:
    rows = [
        {"database": None, "role": "app", "name": "work_mem"},
        {"database": "shop", "role": "nightly", "name": "work_mem"},
        {"database": "elsewhere", "role": "other", "name": "work_mem"},
        {"database": None, "role": "app", "name": "jit"},
        {"database": "shop", "role": None, "name": "work_mem"},
        {"database": None, "role": "otterflow", "name": "work_mem"},
    ]
    with caplog.at_level("WARNING"):
        live_server.warn_of_own_values(rows, {"work_mem"}, "shop", "otterflow")
    assert [record.args for record in caplog.records] == [("app", "work_mem"), ("nightly", "work_mem")]
