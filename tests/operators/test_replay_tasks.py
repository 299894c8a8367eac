"""The tasks of a replay on a real repository: recordings, names, and what is done again and what is not."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowSkipException, DagRunTriggerException, TaskDeferred

from otterflow import settings
from otterflow.errors import InvalidInput, MachineryFault
from otterflow.experiment.backfill import load_replay
from otterflow.operators import make_recording, triggers
from otterflow.operators.check_interval import CHECK_INTERVAL, CheckIntervalOperator
from otterflow.operators.check_recording import interval_of
from otterflow.operators.command_line import main
from otterflow.operators.connections import open_repository
from otterflow.operators.judge_backfill import JudgeBackfillOperator
from otterflow.operators.judge_interval import JudgeIntervalOperator
from otterflow.operators.make_recording import MakeRecordingOperator
from otterflow.operators.start_experiment import StartExperimentOperator
from otterflow.operators.triggers import RecordingTrigger, TargetTrigger
from otterflow.repository import Repository
from tests.experiment.test_backfill import REPLAY
from tests.experiment.test_intervals import GAIN, tried
from tests.operators.harness import Run
from tests.operators.test_nights import Pulled
from tests.repository.samples import new_experiment
from tests.workloads.recording.test_definition import GOOD

START = datetime(2026, 11, 29, 2, tzinfo=UTC)
RECORDING, NAME = "shop-20261129T0200Z", "replay-shop-20261129T0200Z"
CONFIGURATION = {"name": "bigger", "dbms": "postgresql", "knobs": {"work_mem": "64MB"}}
BLOCK = REPLAY | {"candidates": ["configuration:bigger"], "baseline": "target", "rounds": 5, "form": {}}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    include = Path(__file__).resolve().parents[2] / "include"
    for name in ("benchmarks", "knob_catalogs", "targets"):
        (tmp_path / name).symlink_to(include / name)
    (tmp_path / "recordings").mkdir()
    write(tmp_path, BLOCK)
    (tmp_path / "configurations").mkdir()
    (tmp_path / "configurations" / "bigger.yaml").write_text(yaml.safe_dump(CONFIGURATION))
    monkeypatch.setenv("OTTERFLOW_INCLUDE_DIR", str(tmp_path))
    monkeypatch.delenv("OTTERFLOW_TARGETS_DIR", raising=False)
    monkeypatch.delenv("OTTERFLOW_RECORDINGS_DIR", raising=False)
    monkeypatch.setenv("OTTERFLOW_HOME", str(tmp_path / "home"))
    found = open_repository()
    recorded(found, START)
    return found


def write(folder: Path, block: dict[str, Any], **changes: Any) -> None:
    record = GOOD | {"replay_on": "example_command", "replay": block} | changes
    (folder / "recordings" / "shop.yaml").write_text(yaml.safe_dump(record))


def recorded(repository: Repository, start: datetime) -> None:
    repository.add_recording(
        f"shop-{start:%Y%m%dT%H%MZ}", name="shop", target="example_command", path="/srv/x", start=start,
        end=start + timedelta(hours=1), manifest={"complete": True},
    )  # fmt: skip


def context(
    start: datetime = START, *, cleared: int = 0, known: Any = None, kind: str = "backfill", **params: Any
) -> Any:
    run = Run("replay_shop", {}, "backfill")
    return {
        "params": {"candidates": [], "baseline": "", "rounds": None} | params,
        "run_id": "backfill",
        "ti": Pulled(run, "task", known or {}),
        "dag_run": SimpleNamespace(
            data_interval_start=start,
            data_interval_end=start + timedelta(hours=1),
            run_type=kind,
            clear_number=cleared,
            run_after=start,
            start_date=datetime.now(UTC),
        ),
    }


def check(**given: Any) -> Any:
    return CheckIntervalOperator(task_id=CHECK_INTERVAL, recording="shop").execute(context(**given))


def behind(task: Any, asked: Any, **given: Any) -> Any:
    """What a task behind `check_interval` does."""
    found = context(**given)
    found["ti"].run.returned[CHECK_INTERVAL] = asked
    return task.execute(found)


def test_an_interval_has_its_experiment_its_arms_and_its_form(repository: Repository) -> None:
    asked = check()
    assert json.loads(json.dumps(asked)) == asked
    assert (asked["experiment"], asked["recording"], asked["candidates"]) == (
        NAME, RECORDING, {"bigger": "configuration:bigger"},
    )  # fmt: skip
    form = asked["form"]
    assert form["arms"] == {"bigger": {"work_mem": "64MB"}}
    assert (form["install"], form["final_rounds"], form["target"]) == (False, 5, "example_command")
    with pytest.raises(DagRunTriggerException) as caught:
        behind(StartExperimentOperator(task_id="start", check=CHECK_INTERVAL), asked)
    assert (caught.value.trigger_dag_id, caught.value.dag_run_id, caught.value.conf) == (
        "tuning_experiment",
        NAME,
        form,
    )


@pytest.mark.slow
def test_what_a_run_is_given_is_instead_of_what_the_file_says(repository: Repository) -> None:
    tried(repository, "night", GAIN)
    asked = check(candidates=["experiment:night"], rounds=7)
    assert asked["form"]["arms"] == {"night": {"work_mem": 65536}}
    assert asked["form"]["final_rounds"] == 7
    with pytest.raises(InvalidInput, match="'nobody' is unknown"):
        check(candidates=["configuration:nobody"])


def test_a_recording_that_is_not_there_is_waited_for_only_as_long_as_it_may_come(repository: Repository) -> None:
    with pytest.raises(AirflowSkipException, match="there is no recording 'shop-20261129T0500Z'; the log of make_rec"):
        check(start=START + timedelta(hours=3))
    just_now = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=1, minutes=5)
    with pytest.raises(TaskDeferred) as deferred:
        check(start=just_now)
    trigger = deferred.value.trigger
    assert isinstance(trigger, RecordingTrigger)
    assert trigger.serialize()[1]["name"] == f"shop-{just_now:%Y%m%dT%H%MZ}"
    assert not trigger.is_so(repository)
    recorded(repository, just_now)
    assert trigger.is_so(repository)
    task = CheckIntervalOperator(task_id=CHECK_INTERVAL, recording="shop")
    resumed = getattr(task, deferred.value.method_name)(context(just_now), trigger.serialize()[1]["until"])
    assert resumed["recording"] == f"shop-{just_now:%Y%m%dT%H%MZ}"
    repository.remove_recording(RECORDING)
    with pytest.raises(AirflowSkipException, match="was removed on"):
        check()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"start": datetime.now(UTC) + timedelta(days=400)}, "interval: .* has not begun; choose one of the past"),
        ({"candidates": ["experiment:nobody"]}, "nobody"),
    ],
)
def test_bad_input_is_refused_by_its_field(repository: Repository, given: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        check(**given)


def test_a_load_that_is_recorded_while_it_runs_is_replayed_when_it_is_recorded(
    repository: Repository, tmp_path: Path
) -> None:
    """Such a recording's runs begin with their intervals, and so do those that replay."""
    write(tmp_path, BLOCK, method="window")
    asked = context()
    asked["dag_run"].data_interval_end = START
    assert CheckIntervalOperator(task_id=CHECK_INTERVAL, recording="shop").execute(asked)["recording"] == RECORDING
    asked["dag_run"].run_after = begun = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=5)
    with pytest.raises(TaskDeferred) as deferred:
        CheckIntervalOperator(task_id=CHECK_INTERVAL, recording="shop").execute(asked)
    waits_until = datetime.fromisoformat(deferred.value.trigger.serialize()[1]["until"])
    assert waits_until == begun + timedelta(hours=2), "its end, and an hour"


def test_a_run_without_candidates_is_refused(repository: Repository, tmp_path: Path) -> None:
    write(tmp_path, BLOCK | {"candidates": []})
    with pytest.raises(InvalidInput, match="there is none to try; give them to the run"):
        check()


def test_only_a_backfill_replays_where_the_file_says_so(repository: Repository, tmp_path: Path) -> None:
    write(tmp_path, BLOCK | {"scheduled": False})
    with pytest.raises(AirflowSkipException, match="only a backfill replays"):
        check(kind="scheduled")
    assert check(kind="backfill")["experiment"] == NAME
    write(tmp_path, BLOCK)
    assert check(kind="scheduled")["experiment"] == NAME


def begun(repository: Repository, asked: Any, **more: Any) -> None:
    """The experiment as `check_experiment` records it."""
    form = asked["form"]
    repository.create_experiment(
        new_experiment(
            asked["experiment"],
            target=form["target"],
            benchmark=form["benchmark"],
            objective="throughput",
            spec=form,
            run="tuning_experiment/" + asked["experiment"],
            **more,
        )
    )


def finished(repository: Repository, asked: Any) -> None:
    begun(repository, asked)
    repository.record_outcome(asked["experiment"], {"winner": "baseline"})
    repository.close_experiment(asked["experiment"], "finished", "")


@pytest.mark.slow
def test_what_is_done_is_not_done_again_unless_the_run_was_cleared(repository: Repository) -> None:
    finished(repository, check())
    with pytest.raises(AirflowSkipException, match=f"experiment {NAME} has the result; clear this run to measure it"):
        check()
    again = check(cleared=1)
    assert again["experiment"] == again["form"]["experiment"] == f"{NAME}-2"
    finished(repository, again)
    assert repository.experiment(NAME).outcome is not None, "the old result is kept"
    assert check(cleared=1)["experiment"] == f"{NAME}-3"
    assert check(rounds=9)["experiment"] == f"{NAME}-3", "another question"


def test_what_is_under_way_is_gone_on_with_and_what_has_failed_is_measured_by_another(repository: Repository) -> None:
    asked = check()
    begun(repository, asked)
    run = ("tuning_experiment", NAME)
    assert check(known={run: "running"}, cleared=1)["experiment"] == NAME
    repository.hold_target("example_command", NAME)
    assert check(known={run: "failed"})["experiment"] == f"{NAME}-2"
    assert repository.experiment(NAME).state == "stopped"
    assert repository.holder("example_command") is None, "nobody is left who would give it free"


def test_an_interval_without_a_result_is_red_and_says_why(repository: Repository) -> None:
    asked = check()
    verdict = JudgeIntervalOperator(task_id="verdict")
    with pytest.raises(MachineryFault, match="was never recorded; its run of tuning_experiment says why"):
        behind(verdict, asked)
    begun(repository, asked)
    repository.set_experiment_state(NAME, "created", "its target was not ready")
    with pytest.raises(
        MachineryFault, match=f"experiment {NAME} has no result; it is created: its target was not ready"
    ):
        behind(verdict, asked)
    with pytest.raises(AirflowSkipException, match="the log of check_interval says why"):
        verdict.execute(context())


@pytest.mark.slow
def test_the_verdicts_of_an_interval_and_of_all(
    repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for hour in range(4):
        recorded(repository, START + timedelta(hours=hour))
        tried(repository, f"replay-shop-20261129T{2 + hour:02d}00Z", GAIN)
    asked = check(candidates=["configuration:bigger"], cleared=1) | {"experiment": NAME}
    (verdict,) = behind(JudgeIntervalOperator(task_id="verdict"), asked)
    assert (verdict["recording"], verdict["candidate"], verdict["believed"]) == (RECORDING, "bigger", True)

    task = JudgeBackfillOperator(task_id="verdict")
    of_all: Any = {**context(), "params": {"recording": "shop", "from": None, "to": None, "candidate": ""}}
    record = task.execute(of_all)
    assert record["candidates"][0]["verdict"]["answer"] == "yes"
    assert len(record["candidates"][0]["intervals"]) == 4
    assert json.loads((tmp_path / "home" / "verdicts" / "shop.json").read_text()) == record

    capsys.readouterr()
    out = tmp_path / "out.json"
    assert main(["verdict", "--recording", "shop", "--from", "2026-11-29T03:00", "--json", str(out)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("The rule: better overall and nowhere worse by more than 10 %.")
    assert "Yes: bigger is 1.200 times as good" in said
    assert "over 3 intervals" in said
    assert json.loads(out.read_text())["candidates"][0]["verdict"]["judged"] == 3
    assert main(["verdict", "--recording", "shop", "--to", "yesterday"]) == 2
    assert "to: 'yesterday' is no date" in capsys.readouterr().err
    assert main(["verdict", "--recording", "nobody"]) == 2


def test_a_target_is_free_when_nobody_holds_it(repository: Repository) -> None:
    trigger = TargetTrigger("example_command", START.isoformat())
    assert trigger.is_so(repository)
    repository.hold_target("example_command", "night")
    assert not trigger.is_so(repository)


def test_a_trigger_tells_until_when_it_waited_and_gives_up_then(repository: Repository) -> None:
    import asyncio

    async def first(trigger: Any) -> Any:
        async for event in trigger.run():
            return event.payload

    repository.hold_target("example_command", "night")
    until = START.isoformat()
    assert asyncio.run(first(TargetTrigger("example_command", until))) == until, "too late"
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert asyncio.run(first(RecordingTrigger(RECORDING, later))) == later, "it is there"


def make(start: datetime, **how: Any) -> Any:
    task = MakeRecordingOperator(task_id="make_recording", recording="shop", dag=DAG("replay_shop", schedule=None))
    return task.execute(context(start, **how))


def test_an_interval_that_was_not_recorded_is_made_from_the_logs_that_are_left(repository: Repository) -> None:
    """It was skipped, and whoever wanted it had to backfill the recording's Dag first."""
    start = START + timedelta(hours=3)
    with pytest.raises(DagRunTriggerException) as caught:
        make(start)
    asked = caught.value
    assert (asked.trigger_dag_id, asked.dag_run_id) == ("record_shop", "for-replay-shop-20261129T0500Z")
    assert (asked.logical_date, asked.run_after) == (None, start + timedelta(hours=1))
    assert (asked.wait_for_completion, asked.reset_dag_run) == (False, True)
    run = SimpleNamespace(data_interval_start=None, data_interval_end=None, run_after=asked.run_after)
    assert interval_of(load_replay(recordings_file()).recording, run) == (start, start + timedelta(hours=1))


def test_nothing_is_made_where_nothing_can_be(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    late = START + timedelta(hours=3)
    with pytest.raises(AirflowSkipException, match=f"recording {RECORDING} is there"):
        make(START)
    with pytest.raises(AirflowSkipException, match="may still come by the schedule of record_shop"):
        make(datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=1, minutes=5))
    monkeypatch.setattr(make_recording, "is_paused", lambda context, dag_id: True)
    with pytest.raises(AirflowSkipException, match="record_shop is paused, which would make the recording: unpause"):
        make(late)
    write(settings.include_dir(), BLOCK, method="window")
    with pytest.raises(AirflowSkipException, match="method window records as time passes, and the interval is past"):
        make(late)
    write(settings.include_dir(), BLOCK | {"scheduled": False})
    with pytest.raises(AirflowSkipException, match="scheduled is off in the block replay"):
        make(late, kind="scheduled")


def test_what_is_being_made_is_waited_for_until_its_run_has_ended(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = START + timedelta(hours=3)
    run, recording = ("record_shop", "for-replay-shop-20261129T0500Z"), "shop-20261129T0500Z"
    with pytest.raises(AirflowSkipException, match="run record_shop/for-replay-shop-20261129T0500Z is making it"):
        make(start, known={run: "running"})
    with pytest.raises(TaskDeferred) as deferred:
        check(start=start, known={run: "queued"})
    path, arguments = deferred.value.trigger.serialize()
    assert (path.rpartition(".")[2], arguments["name"], arguments["run"]) == (
        "RecordingTrigger", recording, "/".join(run),
    )  # fmt: skip
    monkeypatch.setattr(triggers, "_in", lambda asked, of: True)
    trigger = RecordingTrigger(**arguments)
    assert not trigger.is_so(repository)
    monkeypatch.setattr(triggers, "_in", lambda asked, of: False)
    assert trigger.is_so(repository), "it came to nothing, and nobody waits any more"
    with pytest.raises(AirflowSkipException, match="there is no recording"):
        check(start=start, known={run: "failed"})


def test_a_recording_without_a_statement_is_not_replayed(repository: Repository) -> None:
    """Thirty days whose logs were gone were thirty restores and experiments that measured nothing."""
    start = START + timedelta(hours=4)
    repository.add_recording(
        "shop-20261129T0600Z", name="shop", target="example_command", path="/srv/x", start=start,
        end=start + timedelta(hours=1), manifest={"complete": False, "statements": 0, "missing": ["the log is empty"]},
    )  # fmt: skip
    with pytest.raises(AirflowSkipException, match="'shop-20261129T0600Z' has no statement: the log is empty"):
        check(start=start)


def recordings_file() -> Path:
    return settings.recordings_dir() / "shop.yaml"
