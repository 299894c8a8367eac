"""Intervals of a backfill with the real operators on a real server: compared, judged, and nothing left of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from otterflow.operators.connections import open_repository
from otterflow.operators.triggers import ENDED, RED
from stack.host import DatabaseHost
from tests.experiment.test_backfill import REPLAY
from tests.operators.harness import FAILED, SKIPPED, SUCCESS, Dags, Run
from tests.operators.test_experiment_in_process import explain, in_force_on
from tests.operators.test_replay_in_process import COPY, Recorded, copy, load, recorded  # noqa: F401 fixtures
from tests.operators.test_replay_in_process import REPLAY as BENCHMARK
from tests.workloads.recording.test_definition import GOOD

pytestmark = pytest.mark.integration

START = datetime(2026, 11, 29, 2, tzinfo=UTC)
DAG = "replay_shop"
Interval = Callable[..., Run]


@pytest.fixture
def interval(
    lab: DatabaseHost, dags: Dags, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    copy: Any, recorded: Recorded,  # noqa: F811 fixtures
) -> Interval:  # fmt: skip
    """Runs the Dag for the interval of an hour; what it triggers is run while it waits. The source is the host too."""
    from airflow.dag_processing.dagbag import DagBag

    include = Path(os.environ["OTTERFLOW_INCLUDE_DIR"])
    record = yaml.safe_load((lab.targets_dir / f"{lab.name}.yaml").read_text())
    targets = tmp_path / "targets"
    targets.mkdir()
    for name in (lab.name, "production"):
        own = {"name": name, "database": COPY, "is_a_copy": True}
        (targets / f"{name}.yaml").write_text(yaml.safe_dump(record | own))
    monkeypatch.setenv("OTTERFLOW_TARGETS_DIR", str(targets))
    (include / "recordings").mkdir(exist_ok=True)
    path = recorded(list(load()))
    (include / "benchmarks" / "replayed.yaml").write_text(yaml.safe_dump(BENCHMARK))
    block = REPLAY | {"benchmark": "replayed", "candidates": ["configuration:bigger"], "form": {}}
    shop = GOOD | {"source": "production", "replay_on": lab.name, "replay": block}
    (include / "recordings" / "shop.yaml").write_text(yaml.safe_dump(shop))
    for name, knobs in {"bigger": {"work_mem": "64MB", "jit": False}, "odd": {"work_mem": "1kB"}}.items():
        file = include / "configurations" / f"{name}.yaml"
        file.write_text(yaml.safe_dump({"name": name, "dbms": "postgresql", "knobs": knobs}))
    monkeypatch.setitem(dags.dags, DAG, DagBag(dag_folder=str(Path("dags/replay.py").resolve())).dags[DAG])
    for hour in range(3):
        start = START + timedelta(hours=hour)
        open_repository().add_recording(
            f"shop-{start:%Y%m%dT%H%MZ}", name="shop", target=lab.name, path=str(path), start=start,
            end=start + timedelta(hours=1), manifest={"complete": True},
        )  # fmt: skip

    def run(hour: int = 0, *, cleared: int = 0, held: Callable[[], None] | None = None, **conf: Any) -> Run:
        start = START + timedelta(hours=hour)
        dag_run = SimpleNamespace(
            data_interval_start=start, data_interval_end=start + timedelta(hours=1), run_type="backfill",
            clear_number=cleared,
        )  # fmt: skip
        runs: list[Run] = []

        def answer(deferred: Any) -> Any:
            path, arguments = deferred.trigger.serialize()
            if path.endswith("TargetTrigger"):
                assert held is not None, "nobody holds the target"
                held()
                return arguments["until"]
            name = arguments["experiment"]
            conf_of = next(conf for dag, _, conf in triggered if dag == "tuning_experiment")
            runs.extend(dags.follow("tuning_experiment", conf_of, run_id=name))
            return ENDED if runs[-1].state == SUCCESS else RED

        triggered: list[tuple[str, str, dict[str, Any]]] = []
        monkeypatch.setattr(dags, "answer", answer)
        done = dags.run(
            DAG, conf, f"backfill-{hour}", before=lambda run, task: triggered.extend(run.triggered), dag_run=dag_run
        )
        assert FAILED not in [run.state for run in runs] or done.state == FAILED, explain(runs)
        return done

    return run


@pytest.mark.usefixtures("all_rounds")
def test_an_interval_is_compared_with_the_source_and_judged_and_nothing_is_left(
    lab: DatabaseHost, interval: Interval
) -> None:
    before = in_force_on(lab)
    done = interval()
    assert done.state == SUCCESS, explain([done])
    (verdict,) = done.returned["verdict"]
    assert verdict["recording"] == "shop-20261129T0200Z"
    assert verdict["believed"] is True, verdict["why_not"]
    assert {arm: len(values) for arm, values in verdict["arms"].items()} == {"baseline": 3, "bigger": 3}
    assert verdict["divergence"] == []
    assert verdict["errors"] == {"baseline": 0, "bigger": 0}
    assert verdict["worst_class"]["class"]
    assert verdict["low"] < verdict["ratio"] < verdict["high"]
    repository = open_repository()
    experiment = repository.experiment("replay-shop-20261129T0200Z")
    assert experiment.spec["arms"]["baseline"] == {"work_mem": int(before["work_mem"]), "jit": True}
    assert repository.holder(lab.name) is None
    assert in_force_on(lab) == before

    again = interval()
    assert again.states["check_interval"] == SKIPPED, "it has its result"
    assert "has the result" in again.returned["check_interval"]
    cleared = interval(cleared=1, rounds=4)
    assert cleared.returned["verdict"][0]["experiment"] == "replay-shop-20261129T0200Z-2"
    assert repository.experiment("replay-shop-20261129T0200Z").outcome == experiment.outcome, "the old one is kept"


def test_an_interval_that_fails_does_not_spoil_the_next_and_is_measured_again_when_cleared(
    lab: DatabaseHost, interval: Interval
) -> None:
    failed = interval(candidates=["configuration:odd"])
    assert failed.state == FAILED
    said = str(failed.errors["verdict"])
    assert "experiment replay-shop-20261129T0200Z has no result; it is created: its target was not ready" in said
    following = interval(1)
    assert following.state == SUCCESS, explain([following])
    cleared = interval(cleared=1)
    assert cleared.state == SUCCESS, explain([cleared])
    assert cleared.returned["verdict"][0]["experiment"] == "replay-shop-20261129T0200Z-2"


def test_an_interval_waits_for_a_target_that_is_held(lab: DatabaseHost, interval: Interval) -> None:
    repository = open_repository()
    repository.hold_target(lab.name, "a-night")
    waited: list[str] = []

    def night_ends() -> None:
        waited.append(repository.experiment("replay-shop-20261129T0300Z").message)
        repository.release_target(lab.name, "a-night")

    done = interval(1, held=night_ends)
    assert done.state == SUCCESS, explain([done])
    assert len(waited) == 1
    assert "held by 'a-night'" in waited[0]
