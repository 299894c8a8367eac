"""The family of Dags that record: one a file, the house's policies, a broken file by itself, and a hundred at once."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.dags import test_integrity as policies
from tests.dags.orders import FAILED, SKIPPED, SUCCESS, UPSTREAM_FAILED, Walk
from tests.dags.test_integrity import edges
from tests.workloads.recording.test_definition import GOOD

FILE = Path(__file__).resolve().parents[2] / "dags" / "record.py"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OTTERFLOW_RECORDINGS_DIR", str(tmp_path))
    return tmp_path


def write(folder: Path, name: str, **changes: Any) -> None:
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(GOOD | {"name": name} | changes))


def load() -> Any:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(FILE))
    assert not bag.import_errors
    return bag


def test_without_a_file_there_is_no_dag(folder: Path) -> None:
    assert load().dags == {}


def test_each_file_is_a_dag_that_keeps_the_policies(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, "shop")
    write(folder, "bank", method="window", timezone="America/New_York")
    bag = load()
    assert set(bag.dags) == {"record_shop", "record_bank"}
    for dag_id, dag in bag.dags.items():
        monkeypatch.setitem(policies.SCHEDULES, dag_id, dag.schedule)
        policies.test_policies(bag, dag_id)
        policies.test_every_task_says_when_it_may_act(bag, dag_id)
        assert dag.max_active_runs == 1
    policies.test_dags_survive_serialization(bag)
    assert edges(bag.dags["record_shop"]) == {
        "check": {"record"}, "record": {"keep_manifest"}, "keep_manifest": set(),
    }  # fmt: skip
    assert edges(bag.dags["record_bank"]) == {
        "check": {"capture"}, "capture": {"put_back", "record"}, "put_back": {"record"}, "record": {"keep_manifest"},
        "keep_manifest": set(),
    }  # fmt: skip


def test_a_runs_data_interval_is_what_is_recorded(folder: Path) -> None:
    from airflow.timetables.base import TimeRestriction

    write(folder, "shop", length="2h")
    timetable: Any = load().dags["record_shop"].timetable
    from airflow.timetables.trigger import CronTriggerTimetable

    core = CronTriggerTimetable(timetable.expression, timezone=timetable.timezone, interval=timetable.interval)
    info = core.next_dagrun_info(
        last_automated_data_interval=None, restriction=TimeRestriction(earliest=None, latest=None, catchup=False)
    )
    assert info is not None
    assert info.data_interval is not None
    assert info.data_interval.end - info.data_interval.start == timedelta(hours=2)
    assert info.run_after == info.data_interval.end
    assert info.data_interval.end.in_timezone("Europe/Berlin").hour == 23


def test_a_broken_file_is_a_dag_that_says_so_and_takes_no_other_along(folder: Path) -> None:
    write(folder, "shop")
    write(folder, "odd", share=2)
    (folder / "torn.yaml").write_text("name: [")
    bag = load()
    assert set(bag.dags) == {"record_shop", "record_odd", "record_torn"}
    task = bag.dags["record_odd"].get_task("read_recording")
    with pytest.raises(Exception, match="share: value 2 is not valid"):
        task.execute({})
    write(folder, "odd")
    with pytest.raises(Exception, match=r"odd\.yaml is right by now"):
        task.execute({})


def test_the_source_is_put_back_whatever_happened_and_before_the_log_is_read(folder: Path) -> None:
    write(folder, "shop", method="window")
    walk = Walk(load().dags["record_shop"], may_skip={"check", "put_back"}.__contains__)
    starts, ends = list(walk.starts()), list(walk.ends())
    assert all(end["put_back"] in {SUCCESS, FAILED, SKIPPED} for end in ends), "it always runs"
    assert all(s.states["put_back"] == SUCCESS for s in starts if s.task == "record")
    failed = [end for end in ends if end["capture"] == FAILED]
    assert failed
    assert {end["record"] for end in failed} <= {UPSTREAM_FAILED, SKIPPED}


@pytest.mark.slow
def test_a_hundred_files_are_parsed_in_a_moment(folder: Path) -> None:
    load()  # imports
    for number in range(100):
        write(folder, f"number{number}")
    written = time.process_time()
    assert len(load().dags) == 100
    assert time.process_time() - written < 5
