"""The family of nightly Dags: one a file, the house's policies, a broken file by itself, and a hundred at once."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.dags import test_integrity as policies
from tests.dags.orders import FAILED, SKIPPED, SUCCESS, UPSTREAM_FAILED, Walk
from tests.dags.test_integrity import edges
from tests.experiment.test_schedule import GOOD

FILE = Path(__file__).resolve().parents[2] / "dags" / "nightly.py"
NOTICES = [{"kind": "mail", "to": "dba@example.com"}, {"kind": "webhook", "http_conn_id": "chat"}]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OTTERFLOW_SCHEDULES_DIR", str(tmp_path))
    return tmp_path


def write(folder: Path, name: str, **changes: Any) -> None:
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(GOOD | {"name": name} | changes))


def load() -> Any:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(FILE))
    assert not bag.import_errors
    return bag


def test_without_a_schedule_there_is_no_dag(folder: Path) -> None:
    assert load().dags == {}


def test_each_file_is_a_dag_that_keeps_the_policies(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, "one")
    write(folder, "two", notify=NOTICES, timezone="America/New_York")
    bag = load()
    assert set(bag.dags) == {"nightly_one", "nightly_two"}
    for dag_id, dag in bag.dags.items():
        monkeypatch.setitem(policies.SCHEDULES, dag_id, dag.schedule)
        policies.test_policies(bag, dag_id)
        policies.test_every_task_says_when_it_may_act(bag, dag_id)
        assert dag.max_active_runs == 1
    assert "America/New_York" in str(bag.dags["nightly_two"].timetable.timezone)
    assert edges(bag.dags["nightly_two"]) == {
        "check_window": {"start"},
        "start": {"wait"},
        "wait": {"close"},
        "close": {"wait_end"},
        "wait_end": {"summary"},
        "summary": {"notify"},
        "notify": set(),
    }


def test_a_schedule_that_says_where_its_winner_goes_asks_for_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, "one", promote={"target": "production"}, notify=NOTICES)
    bag = load()
    dag = bag.dags["nightly_one"]
    assert edges(dag)["summary"] == {"propose", "notify"}
    monkeypatch.setitem(policies.SCHEDULES, "nightly_one", dag.schedule)
    policies.test_policies(bag, "nightly_one")
    policies.test_every_task_says_when_it_may_act(bag, "nightly_one")


def test_a_broken_file_is_a_dag_that_says_so_and_takes_no_other_along(folder: Path) -> None:
    write(folder, "good")
    write(folder, "odd", until="half past five")
    (folder / "torn.yaml").write_text("name: [")
    bag = load()
    assert set(bag.dags) == {"nightly_good", "nightly_odd", "nightly_torn"}
    task = bag.dags["nightly_odd"].get_task("read_schedule")
    with pytest.raises(Exception, match="until: value 'half past five' is not valid"):
        task.execute({})
    write(folder, "odd")
    with pytest.raises(Exception, match=r"odd\.yaml is right by now"):
        task.execute({})


def test_the_summary_comes_last_whatever_happened_and_nothing_starts_in_a_night_left_out(folder: Path) -> None:
    write(folder, "one")
    walk = Walk(load().dags["nightly_one"], may_skip={"check_window", "start", "close"}.__contains__)
    starts = list(walk.starts())
    ended = {SUCCESS, FAILED, SKIPPED, UPSTREAM_FAILED}
    assert all(s.states["wait_end"] in ended for s in starts if s.task == "summary")
    assert not any(s.states["check_window"] == SKIPPED for s in starts if s.task == "start")
    assert any(s.states["close"] == SKIPPED for s in starts if s.task == "wait_end"), "the experiment ended by itself"


@pytest.mark.slow
def test_a_hundred_schedules_are_parsed_in_a_moment(folder: Path) -> None:
    load()  # imports
    begun = time.process_time()
    for number in range(100):
        write(folder, f"number{number}", form={"iterations": 12})
    written = time.process_time()
    assert len(load().dags) == 100
    assert time.process_time() - written < 5, f"writing them took {written - begun:.1f} s"
