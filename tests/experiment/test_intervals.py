"""From the repository to verdicts: which experiments count, which configuration a name stands for, what was tried."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from otterflow.errors import InvalidInput
from otterflow.experiment.candidates import configuration_of
from otterflow.experiment.intervals import intervals_of
from otterflow.experiment.spec import ExperimentSpec
from otterflow.operators.connections import open_repository
from otterflow.repository import ExperimentFiles, Repository
from tests.experiment.test_outcome import BASELINE, SETTINGS
from tests.repository.samples import new_experiment, prepare
from tests.web import made_up

BEGIN = datetime(2026, 11, 29, 2, tzinfo=UTC)
ARMS = {"bigger": {"work_mem": "64MB"}}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setenv("OTTERFLOW_HOME", str(tmp_path))
    monkeypatch.delenv("OTTERFLOW_TARGETS_DIR", raising=False)
    found = open_repository()
    for hour in range(4):
        recorded(found, hour)
    return found


def recording(hour: int) -> str:
    return f"shop-{BEGIN + timedelta(hours=hour):%Y%m%dT%H%MZ}"


def recorded(repository: Repository, hour: int) -> None:
    """The hour's recording, in the repository."""
    start = BEGIN + timedelta(hours=hour)
    repository.add_recording(
        recording(hour), name="shop", target="example_command", path="/srv/x", start=start,
        end=start + timedelta(hours=1), manifest={"complete": True},
    )  # fmt: skip


def tried(
    repository: Repository,
    name: str,
    values: dict[str, list[float]] | None = None,
    arms: Any = None,
    *,
    whole: bool = False,
    words: Mapping[str, Any] | None = None,
    **more: Any,
) -> None:
    """An experiment with given arms, and with a result if `values` are given; `whole`: with all of its settings.

    `words`: what else the form says.
    """
    form = {
        "experiment": name, "target": "example_command", "benchmark": "pgbench_tpcb", "install": False,
        "arms": arms or ARMS, **(words or {}),
    }  # fmt: skip
    spec = ExperimentSpec.from_params(form)
    repository.create_experiment(
        new_experiment(name, target=spec.target, benchmark=spec.benchmark, objective="throughput", spec=spec.record())
    )
    live = {row["name"]: row for row in json.loads(SETTINGS.read_text()) if whole or row["name"] == "work_mem"}
    prepare(repository, name, live=live, rules=BASELINE, baseline=BASELINE)
    for arm, of in (values or {}).items():
        for number, value in enumerate(of, 1):
            result = {"errors": 0, "transactions": 10, "seconds": 1.0}
            repository.record_measurement(name, round=number, arm=arm, value=value, result=result, state="ok")
    if values is not None:
        repository.record_outcome(name, {"winner": "baseline", "best_configuration": {"work_mem": 65536}, **more})
        repository.close_experiment(name, "finished", "")


GAIN = {"baseline": [100.0, 101.0, 99.0], "bigger": [120.0, 122.0, 118.0]}
LOSS = {"baseline": [100.0, 101.0, 99.0], "bigger": [80.0, 82.0, 78.0]}


def test_the_newest_result_of_each_interval_counts_and_those_that_failed_are_told(repository: Repository) -> None:
    tried(repository, f"replay-{recording(0)}", LOSS)
    tried(repository, f"replay-{recording(0)}-2", GAIN)
    tried(repository, f"replay-{recording(0)}-3")
    tried(repository, f"replay-{recording(1)}")
    repository.close_experiment(f"replay-{recording(1)}", "failed", "the staging server was gone")
    tried(repository, f"replay-{recording(2)}", GAIN)
    tried(repository, "another", GAIN)
    found = intervals_of(repository, "shop", None, None)
    assert list(found) == ["bigger"]
    first, second, third = found["bigger"]
    assert (first.experiment, first.recording) == (f"replay-{recording(0)}-2", recording(0))
    assert first.ratio == pytest.approx(1.2, rel=0.01)
    assert second.why_not == "its experiment is failed: the staging server was gone"
    assert not second.believed
    assert (third.start, third.end) == (BEGIN + timedelta(hours=2), BEGIN + timedelta(hours=3))


@pytest.mark.slow
def test_each_is_judged_by_its_own_words_though_the_files_are_the_same(repository: Repository) -> None:
    made_up.begun(repository, "kept")
    files = repository.experiment("kept").files
    assert files is not None
    for hour, direction in enumerate(("maximise", "minimise")):
        name = f"replay-{recording(hour)}"
        tried(repository, name, GAIN, words={"objective": "throughput * 2", "direction": direction})
        repository.keep_files(name, files)
    more, less = intervals_of(repository, "shop", None, None)["bigger"]
    assert more.ratio == pytest.approx(1.2, rel=0.01)
    assert less.ratio == pytest.approx(1 / 1.2, rel=0.01)


def test_files_that_cannot_be_read_any_more_are_in_the_way_of_what_was_measured_alone(repository: Repository) -> None:
    """Of an interval whose candidate is what was in force nothing was measured, so that nothing is judged."""
    name = f"replay-{recording(0)}"
    tried(repository, name, {"baseline": [100.0]}, {"bigger": {"work_mem": 4096}})
    repository.keep_files(name, ExperimentFiles(target={}, benchmark={}, catalog={}, texts={}))
    (found,) = intervals_of(repository, "shop", None, None)["bigger"]
    assert "nothing was measured" in found.why_not


@pytest.mark.slow
def test_times_and_candidates_choose(repository: Repository) -> None:
    for hour in range(3):
        arms = ARMS if hour else {**ARMS, "smaller": {"work_mem": "1MB"}}
        tried(repository, f"replay-{recording(hour)}", GAIN, arms)
    some = intervals_of(repository, "shop", BEGIN + timedelta(hours=1), BEGIN + timedelta(hours=2))
    assert [interval.recording for interval in some["bigger"]] == [recording(1)]
    assert {arm: len(of) for arm, of in intervals_of(repository, "shop", None, None).items()} == {
        "bigger": 3,
        "smaller": 1,
    }
    assert list(intervals_of(repository, "shop", None, None, "smaller")) == ["smaller"]
    with pytest.raises(InvalidInput, match="'huge' was not tried in that time; tried were bigger, smaller"):
        intervals_of(repository, "shop", None, None, "huge")
    with pytest.raises(
        InvalidInput, match=r"no interval of 'shop' in that time was replayed; run a backfill of replay_"
    ):
        intervals_of(repository, "shop", BEGIN + timedelta(days=1), None)


@pytest.mark.slow
def test_a_name_stands_for_the_configuration_that_it_had_last(repository: Repository) -> None:
    tried(repository, f"replay-{recording(0)}", LOSS, {"bigger": {"work_mem": "16MB"}})
    tried(repository, f"replay-{recording(1)}", GAIN)
    assert [interval.recording for interval in intervals_of(repository, "shop", None, None)["bigger"]] == [recording(1)]


def test_arms_with_one_configuration_are_measured_once_and_judged_each(repository: Repository) -> None:
    arms = {**ARMS, "same": {"work_mem": 65536}, "nothing": {"work_mem": 4096}}
    tried(repository, f"replay-{recording(0)}", GAIN, arms)
    found = intervals_of(repository, "shop", None, None)
    assert found["same"][0].ratio == found["bigger"][0].ratio
    assert "the candidate is what it was to be compared with" in found["nothing"][0].why_not


def test_a_candidate_is_an_experiments_best_or_a_file(repository: Repository, tmp_path: Path) -> None:
    tried(repository, "night", GAIN)
    tried(repository, "under-way")
    folder = tmp_path / "configurations"
    folder.mkdir()
    (folder / "bigger.yaml").write_text("{name: bigger, dbms: postgresql, knobs: {work_mem: 64MB, jit: off}}")
    (folder / "other.yaml").write_text("{name: another, dbms: postgresql, knobs: {work_mem: 64MB}}")
    (folder / "empty.yaml").write_text("{name: empty, dbms: postgresql, knobs: {}}")

    def known(candidate: str, dbms: str = "postgresql") -> dict[str, Any]:
        return configuration_of(candidate, repository, folder, dbms)

    assert known("experiment:night") == {"work_mem": 65536}
    assert known("configuration:bigger") == {"work_mem": "64MB", "jit": False}
    for candidate, says in (
        ("experiment:under-way", "experiment 'under-way' has no result; it is created"),
        ("experiment:nobody", "nobody"),
        ("configuration:nobody", "candidates: 'nobody' is unknown; known configurations: bigger, empty, other"),
        ("configuration:other", "'another' differs from the file's name"),
        ("configuration:empty", "knobs"),
    ):
        with pytest.raises(InvalidInput, match=says):
            known(candidate)
    with pytest.raises(InvalidInput, match="is of postgresql; name one for mariadb"):
        known("experiment:night", "mariadb")
