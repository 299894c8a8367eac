"""What comparisons are judged by: files once however many share them, and of a server's settings the wanted ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from otterflow.repository import Found, GoalFiles, Repository
from tests.repository.samples import BASELINE, FILES, findings, new_experiment

LIVE = {
    "shared_buffers": {"setting": "16384", "unit": "8kB", "enumvals": None},
    "odd.name": {"setting": 'it\'s "quoted"', "unit": None, "enumvals": ["a", "b"]},
    "jit": {"setting": "on", "unit": None, "enumvals": None},
}


@pytest.fixture
def repository(repository: Repository) -> Repository:
    """Two experiments with the same files, one with others, one without any that was never prepared."""
    for name in ("one", "two"):
        repository.create_experiment(new_experiment(name, files=FILES))
    repository.create_experiment(new_experiment("three", files=replace(FILES, texts={})))
    repository.create_experiment(new_experiment("bare"))
    for name in ("one", "two", "three"):
        repository.prepare_experiment(name, **findings(live=LIVE))
    return repository


def test_files_are_those_of_the_whole_record_and_shared_where_they_are_the_same(repository: Repository) -> None:
    found = repository.goal_files_of(["one", "two", "three", "bare", "nobody"])
    kept = {name: repository.experiment(name).files for name in ("one", "two", "three")}
    assert found == {name: GoalFiles(of.target, of.benchmark, of.texts) for name, of in kept.items() if of is not None}
    assert len(found) == 3
    assert found["one"] is found["two"]
    assert repository.goal_files_of([]) == {}


def test_of_the_settings_those_of_the_knobs_are_read(repository: Repository) -> None:
    found = repository.found_of(["one", "two", "bare", "nobody"], ["odd.name", "shared_buffers", "nosuch"])
    wanted = {knob: LIVE[knob] for knob in ("shared_buffers", "odd.name")}
    assert found == {"one": Found(BASELINE, wanted), "two": Found(BASELINE, wanted), "bare": Found({}, {})}
    assert repository.found_of(["one"], []) == {"one": Found(BASELINE, {})}
    assert repository.found_of([], ["jit"]) == {}
