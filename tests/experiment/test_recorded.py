"""Which recording is replayed: the benchmark's file names it, or the form does, by its id or by its folder."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from otterflow.errors import InvalidInput
from otterflow.experiment.frozen import files_of, plan_of
from otterflow.experiment.plan import Plan, load_plan
from otterflow.experiment.spec import ExperimentSpec
from otterflow.repository import Repository
from otterflow.workloads.replay.settings import RecordedLoad
from tests import records
from tests.experiment.test_frozen import include as include

START, END = datetime(2026, 11, 29, 2, tzinfo=UTC), datetime(2026, 11, 29, 3, tzinfo=UTC)
ID, FOLDER = "shop-20261129T0200Z", "/srv/recordings/shop-20261129T0200Z"
FORM: dict[str, Any] = {"experiment": "e", "target": "example_command", "benchmark": "replay"}


@pytest.fixture
def repository(include: Path) -> Repository:
    """Knows of one recording."""
    from otterflow.operators.connections import open_repository

    repository = open_repository()
    repository.add_recording(ID, name="shop", target="staging", path=FOLDER, start=START, end=END, manifest={})
    return repository


def planned(recordings: Repository | None = None, **fields: Any) -> Plan:
    return load_plan(ExperimentSpec.from_params(FORM | fields), recordings)


def folder(plan: Plan) -> str | None:
    assert isinstance(plan.benchmark.workload, RecordedLoad)
    return plan.benchmark.workload.recording


@pytest.mark.slow
def test_the_form_names_it_by_its_folder_or_its_id(repository: Repository) -> None:
    assert folder(planned(recording="/elsewhere/a b")) == "/elsewhere/a b"
    assert folder(planned(repository, recording=ID)) == FOLDER


def test_the_folder_is_kept_with_the_experiment(repository: Repository) -> None:
    now = planned(repository, recording=ID)
    kept = records.experiment(spec=now.spec.record(), files=files_of(now))
    assert folder(plan_of(kept)) == FOLDER


def test_the_file_may_name_it(include: Path) -> None:
    path = include / "benchmarks" / "replay.yaml"
    record = yaml.safe_load(path.read_text())
    record["workload"]["recording"] = "/srv/recordings/always-this"
    path.write_text(yaml.safe_dump(record))
    assert folder(planned()) == "/srv/recordings/always-this"
    with pytest.raises(InvalidInput, match="recording: '/other' is given, and benchmark 'replay' replays /srv/record"):
        planned(recording="/other")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "recording: none is given, and benchmark 'replay' replays one; give a recording's id, or its folder on"),
        (
            {"benchmark": "pgbench_tpcb", "recording": "/r"},
            "recording: '/r' is given, and benchmark 'pgbench_tpcb' rep",
        ),
        ({"recording": "shop-20261130T0200Z"}, "recording: 'shop-20261130T0200Z' is unknown"),
        (
            {"recording": "r/x"},
            "recording: value 'r/x' is not valid; give a recording's id, such as shop-20261129T0200Z",
        ),
        ({"recording": "/r", "duration_s": 60}, "duration_s: 60 s of benchmark 'replay', which lasts as long as its"),
        ({"recording": "/r", "repeats": 2}, "repeats: 2 replays by 'replay', each but the first on the data that one"),
        ({"recording": "/r", "warmup_s": 0}, "warmup_s: 0 s of benchmark 'replay'"),
        (
            {"recording": "/r", "objective": "throughput"},
            "objective: 'throughput' is not measured by benchmark 'replay'",
        ),
    ],
)
def test_what_is_refused(repository: Repository, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        planned(repository, **fields)
    assert said in str(caught.value)


def test_one_that_was_removed_is_refused(repository: Repository) -> None:
    repository.remove_recording(ID)
    with pytest.raises(InvalidInput, match=f"recording: '{ID}' was removed on 20"):
        planned(repository, recording=ID)


def test_an_id_needs_the_repository() -> None:
    with pytest.raises(InvalidInput, match=f"recording: '{ID}' is looked up in the repository"):
        planned(recording=ID)
