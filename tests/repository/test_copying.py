"""Copying a repository: everything arrives, the copy goes on where the original stopped, nothing is written over."""

from __future__ import annotations

import pytest
from sqlalchemy import URL

from otterflow.errors import InvalidInput, RepositoryUnavailable
from otterflow.repository import Repository, copy_repository
from otterflow.repository.copying import BATCH_ROWS
from stack.processes import free_port
from tests.repository.samples import content, findings, measured, new_experiment


def _fill(repository: Repository) -> None:
    repository.create_experiment(new_experiment())
    repository.prepare_experiment("night", **findings(facts={"exact": [1e22, 1.0, 1, True, "\u0000 ä", None]}))
    repository.hold_target("staging", "night")
    for iteration in range(3):
        measured(repository, iteration)
    many = {f"metric_{i}": float(i) for i in range(2 * BATCH_ROWS + 1)}
    repository.record_metrics("night", 0, many, host={}, reset=[])
    repository.record_measurement("night", round=0, arm="best", value=2, result={}, state="ok")
    for scope, subject in (("experiment", "night"), ("all", "postgresql")):
        repository.record_model("ranking", scope=scope, subject=subject, content={"a": 1e22}, sources={}, version=1)


@pytest.mark.slow
def test_a_copy_holds_the_same_and_goes_on(repository: Repository, url: URL, bare_url: URL) -> None:
    _fill(repository)
    copied = copy_repository(url, bare_url)
    assert content(bare_url) == content(url)
    assert copied == {table: len(rows) for table, rows in content(url).items()}
    copy = Repository.open(bare_url)
    copy.create_experiment(new_experiment("day"))
    measured(copy, experiment="day")
    assert [experiment.name for experiment in copy.experiments()] == ["night", "day"]


@pytest.mark.slow
def test_an_empty_repository_is_copied(repository: Repository, url: URL, bare_url: URL) -> None:
    assert set(copy_repository(url, bare_url).values()) == {0}
    measured_after = Repository.open(bare_url)
    measured_after.create_experiment(new_experiment())
    measured(measured_after)


@pytest.mark.slow
def test_nothing_is_written_over(repository: Repository, url: URL, bare_url: URL) -> None:
    _fill(repository)
    Repository.open(bare_url).hold_target("staging", "day")
    before = content(bare_url)
    with pytest.raises(InvalidInput, match=r"destination: .* is not empty: rows in targets; give a database without"):
        copy_repository(url, bare_url)
    assert content(bare_url) == before


@pytest.mark.slow
def test_a_repository_is_not_copied_onto_itself(repository: Repository, url: URL) -> None:
    _fill(repository)
    before = content(url)
    with pytest.raises(InvalidInput, match="is not empty"):
        copy_repository(url, url)
    assert content(url) == before


def test_a_destination_that_is_not_there_is_named(repository: Repository, url: URL) -> None:
    with pytest.raises(RepositoryUnavailable, match="refused"):
        copy_repository(url, f"postgresql://u:p@127.0.0.1:{free_port()}/db")
