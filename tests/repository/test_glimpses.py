"""What pages ask: few columns of many rows, of those Dags' experiments alone that the reader may see."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import URL

from otterflow.repository import ExperimentState, Repository, Sought
from otterflow.repository.records import headline_of
from tests.repository.samples import RULES, measured, new_experiment, plan, prepare

OURS, THEIRS = "tuning_experiment", "nightly_other"
RATIOS = {"best": {"ratio": 1.2, "low": 1.1, "high": 1.3, "rounds": 3}}


@pytest.fixture(scope="module")
def filled_file(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Path:
    """An SQLite repository to copy: filling it takes longer than the questions."""
    file = tmp_path_factory.mktemp("filled") / "repository.db"
    shutil.copyfile(migrated_file, file)
    fill(Repository.open(f"sqlite:///{file}", migrate=False))
    return file


@pytest.fixture
def filled(repository: Repository, url: URL, filled_file: Path) -> Repository:
    """Three experiments: one of two trials with a result, one of another Dag, one that says not who opened it."""
    if url.get_backend_name() == "sqlite":
        shutil.copyfile(filled_file, str(url.database))
    else:
        fill(repository)
    return repository


def fill(repository: Repository) -> None:
    repository.create_experiment(new_experiment("one", run=f"{OURS}/one"))
    repository.create_experiment(new_experiment("two", run=f"{THEIRS}/two", target="elsewhere", benchmark="50%_off"))
    repository.create_experiment(new_experiment("three"))
    for name in ("one", "two", "three"):
        prepare(repository, name, rules=RULES)
    measured(repository, 0, "one", 10.0)
    plan(repository, 1, "one")
    repository.begin_try("one", 1)
    repository.end_trial("one", 1, "crashed")
    repository.begin_try("one", 1)
    repository.record_outcome("one", {"winner": "best", "comparison": {"ratios": RATIOS}, "trials": []})
    measured(repository, 0, "two", 20.0)


def names(repository: Repository, most: int = 10, skip: int = 0, **sought: str) -> list[str]:
    found = repository.glimpses(Sought(dags={OURS, THEIRS}, **sought), most=most, skip=skip)
    return [glimpse.name for glimpse in found.rows]


def test_only_experiments_of_the_given_dags_are_seen(filled: Repository) -> None:
    assert filled.openers() == {OURS, THEIRS}
    seen = filled.glimpses(Sought(dags={OURS}), most=10)
    assert ([glimpse.name for glimpse in seen.rows], seen.total) == (["three", "one"], 2)
    assert filled.glimpses(Sought(dags={THEIRS}), most=10).total == 1
    assert filled.glimpses(Sought(dags=set()), most=10) == ([], 0)
    assert filled.glimpses(Sought(dags={"nightly%", "tuning_experimen_"}), most=10).total == 0
    assert [e.name for e in filled.experiments(of={OURS})] == ["one", "three"]
    assert filled.newest_names({OURS, THEIRS}, 2) == ["three", "two"]
    assert filled.newest_names({THEIRS}, 5) == ["two"]
    assert [t.name for t in filled.targets_of({THEIRS})] == ["elsewhere"]
    assert filled.newest_with_last_good("staging", {THEIRS}) is None


@pytest.mark.slow
def test_they_are_searched_by_parts_of_words_and_not_by_patterns(filled: Repository) -> None:
    assert names(filled) == ["three", "two", "one"]
    assert names(filled, text="TWO") == ["two"]
    assert names(filled, text="%_") == ["two"]
    assert names(filled, text="%") == ["two"]
    assert names(filled, text="' OR 1=1 --") == []
    assert names(filled, text="\x00") == names(filled, state="\x00") == names(filled, target="\x00") == []
    assert (filled.opener("\x00"), filled.pulse("\x00"), filled.opened_by("\x00")) == (None, None, None)
    assert names(filled, state="created") == ["three", "two", "one"]
    assert names(filled, state="no such") == []
    assert names(filled, target="elsewhere") == ["two"]
    assert names(filled, most=1, skip=1) == ["two"]


def test_a_glimpse_has_the_trials_and_what_came_of_it(filled: Repository) -> None:
    one = filled.glimpses(Sought(dags={OURS}, text="one"), most=1).rows[0]
    assert (one.dag, one.iterations, one.winner, one.ratios) == (OURS, 10, "best", RATIOS)
    assert [(mark.iteration, mark.state, mark.value) for mark in one.marks] == [(0, "ok", 10.0), (1, "crashed", None)]
    assert one.done == 2
    three = filled.glimpses(Sought(dags={OURS}, text="three"), most=1).rows[0]
    assert (three.winner, three.ratios, three.marks, three.state) == (None, {}, [], ExperimentState.created)


def test_experiments_are_read_whole_by_how_their_names_begin(filled: Repository) -> None:
    assert [e.name for e in filled.experiments(begins="t")] == ["two", "three"]
    assert [e.name for e in filled.experiments(begins="t", most=1)] == ["three"]
    assert filled.experiments(begins="%") == []
    assert [e.name for e in filled.experiments()] == ["one", "two", "three"]


def test_who_opened_what(filled: Repository) -> None:
    assert filled.opener("one") == OURS
    assert filled.opener("two") == THEIRS
    assert filled.opener("three") == OURS
    assert filled.opener("nosuch") is None
    assert filled.openers_of(["one", "two", "nosuch"]) == {"one": OURS, "two": THEIRS}
    assert filled.opened_by(f"{THEIRS}/two") == "two"
    assert filled.opened_by(f"{THEIRS}/three") is None


def test_the_pulse_beats_whenever_something_changes_and_rests_otherwise(filled: Repository) -> None:
    beats = [filled.pulse("one")]
    assert filled.pulse("one") == beats[0]
    filled.record_seconds("one", 1, "restart", 1.0)
    beats.append(filled.pulse("one"))
    filled.end_trial("one", 1, "failed")
    beats.append(filled.pulse("one"))
    plan(filled, 2, "one")
    beats.append(filled.pulse("one"))
    filled.request_stop("one", "enough")
    beats.append(filled.pulse("one"))
    filled.record_measurement("one", round=1, arm="best", value=1.0, result={}, state="ok")
    beats.append(filled.pulse("one"))
    filled.set_experiment_state("one", "finishing", "done")
    beats.append(filled.pulse("one"))
    assert len(set(beats)) == len(beats)
    assert filled.pulse("nosuch") is None


def test_a_target_has_its_holder_and_its_newest_experiment(filled: Repository) -> None:
    filled.hold_target("staging", "one")
    staging = next(target for target in filled.targets_of({OURS}) if target.name == "staging")
    assert (staging.holder, staging.experiments, staging.newest, staging.dbms) == ("one", 2, "three", "postgresql")
    filled.record_last_good("one", configuration=RULES, file="")
    assert filled.newest_with_last_good("staging", {OURS}) == "one"


def test_known_configurations_are_the_baselines_and_references_that_gave_a_value(filled: Repository) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=1)
    points = filled.known_points("staging", {OURS}, since=long_ago, most=9)
    assert [(point.value, point.experiment, point.benchmark) for point in points] == [(10.0, "one", "analytics")]
    assert filled.known_points("staging", {THEIRS}, since=long_ago, most=9) == []
    assert filled.known_points("staging", {OURS}, since=datetime.now(UTC) + timedelta(days=1), most=9) == []


@pytest.mark.slow
def test_of_many_known_points_the_newest_are_read_and_put_in_the_order_of_time(filled: Repository) -> None:
    for iteration, value in ((2, 12.0), (4, 14.0)):
        measured(filled, iteration, "one", value)
    long_ago = datetime.now(UTC) - timedelta(days=1)
    points = filled.known_points("staging", {OURS}, since=long_ago, most=2)
    assert [point.value for point in points] == [12.0, 14.0]


def test_a_headline_is_what_lists_show_of_a_result_whatever_its_shape(filled: Repository) -> None:
    found = filled.headlines("", {OURS})
    assert [glimpse.name for glimpse in found] == ["one", "three"]
    assert [glimpse.headline for glimpse in found] == [filled.experiment(name).headline for name in ("one", "three")]
    assert found[0].headline == {"winner": "best", "ratios": RATIOS, "trials": 0}
    assert found[1].headline == {}
    assert [glimpse.name for glimpse in filled.headlines("t", most=1)] == ["three"]
    assert filled.headlines("%") == []
    result = {"winner": "rules", "installed": "baseline", "baseline": 5.0, "best": 4.0, "trials": [{}, {}], "seed": 1}
    assert headline_of(result) == {
        "winner": "rules", "installed": "baseline", "baseline": 5.0, "best": 4.0, "ratios": {}, "trials": 2,
    }  # fmt: skip
    assert headline_of({"comparison": "none", "trials": 3}) == {"ratios": {}, "trials": 0}


def test_dags_are_told_apart_by_upper_and_lower_case(filled: Repository) -> None:
    filled.create_experiment(new_experiment("four", run="Nightly_Other/four"))
    assert [glimpse.name for glimpse in filled.headlines("", {THEIRS})] == ["two"]
    assert [glimpse.name for glimpse in filled.headlines("", {"Nightly_Other"})] == ["four"]
