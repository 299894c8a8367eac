"""The family of replay Dags, and what makes one verdict of all: policies, intervals, a broken block by itself."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.dags import test_integrity as policies
from tests.dags.orders import SKIPPED, Walk
from tests.dags.test_integrity import edges
from tests.experiment.test_backfill import REPLAY
from tests.workloads.recording.test_definition import GOOD

FILE = Path(__file__).resolve().parents[2] / "dags" / "replay.py"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OTTERFLOW_RECORDINGS_DIR", str(tmp_path))
    return tmp_path


def write(folder: Path, name: str, replay: Any = REPLAY, **changes: Any) -> None:
    block = {} if replay is None else {"replay": replay}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(GOOD | {"name": name} | block | changes))


def load() -> Any:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(FILE))
    assert not bag.import_errors
    return bag


def test_each_recording_that_is_to_be_replayed_is_a_dag_that_keeps_the_policies(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, "one")
    write(folder, "two", cron="0 * * * *", timezone="America/New_York")
    write(folder, "three", replay=None)
    (folder / "torn.yaml").write_text("name: [")
    bag = load()
    assert set(bag.dags) == {"replay_one", "replay_two"}, "what is wrong with torn.yaml, the Dag that records says"
    for dag_id, dag in bag.dags.items():
        monkeypatch.setitem(policies.SCHEDULES, dag_id, dag.schedule)
        policies.test_policies(bag, dag_id)
        policies.test_every_task_says_when_it_may_act(bag, dag_id)
        assert dag.max_active_runs == 1
    assert edges(bag.dags["replay_one"]) == {
        "make_recording": {"check_interval"},
        "check_interval": {"start"},
        "start": {"wait"},
        "wait": {"verdict"},
        "verdict": set(),
    }
    params = bag.dags["replay_one"].params
    assert (params["candidates"], params["baseline"], params["rounds"]) == (REPLAY["candidates"], "source", 3)


def test_runs_have_the_recordings_intervals(folder: Path) -> None:
    write(folder, "one")
    timetable = load().dags["replay_one"].timetable
    assert (timetable.expression, str(timetable.timezone)) == ("0 23 * * *", "Europe/Berlin")
    assert timetable.interval == timedelta(hours=1)


def test_a_broken_block_is_a_dag_that_says_so_and_takes_no_other_along(folder: Path) -> None:
    write(folder, "good")
    write(folder, "odd", REPLAY | {"rounds": 1})
    bag = load()
    assert set(bag.dags) == {"replay_good", "replay_odd"}
    task = bag.dags["replay_odd"].get_task("read_replay")
    with pytest.raises(Exception, match=r"odd\.yaml: replay\.rounds: value 1 is not valid"):
        task.execute({})
    write(folder, "odd")
    with pytest.raises(Exception, match=r"odd\.yaml is right by now"):
        task.execute({})


def test_nothing_starts_in_an_interval_left_out(folder: Path) -> None:
    write(folder, "one")
    walk = Walk(load().dags["replay_one"], may_skip={"check_interval", "start"}.__contains__)
    starts = list(walk.starts())
    assert not any(s.states["check_interval"] == SKIPPED for s in starts if s.task == "start")
    assert any(s.states["start"] == SKIPPED for s in starts if s.task == "wait"), "its run was there already"
