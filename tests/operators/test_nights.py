"""The tasks of a night on a real repository: window, target, names, and the end of a night that has not ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from airflow.sdk.exceptions import AirflowSkipException, DagRunTriggerException

from otterflow.errors import MachineryFault
from otterflow.operators import check_window as module
from otterflow.operators import notify_night
from otterflow.operators.check_window import CheckWindowOperator
from otterflow.operators.close_night import CloseNightOperator
from otterflow.operators.connections import open_repository
from otterflow.operators.notify_night import NotifyNightOperator
from otterflow.operators.propose_night import ProposeNightOperator
from otterflow.operators.start_night import StartNightOperator
from otterflow.operators.summarise_night import SummariseNightOperator
from otterflow.repository import Repository
from tests.experiment.test_schedule import GOOD
from tests.operators.harness import Run, TaskInstance
from tests.repository.samples import new_experiment, prepare

OPENS = datetime(2026, 11, 20, 21, 30, tzinfo=UTC)
"""22:30 in Berlin; the window closes at 05:30, 04:30 UTC."""
NAME = "staging-20261120"


class Clock(datetime):
    """The wall clock of `check_window`."""

    at = OPENS

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return cls.at.astimezone(tz)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    (tmp_path / "staging.yaml").write_text(yaml.safe_dump(GOOD | {"form": {"iterations": 9}}))
    monkeypatch.setenv("OTTERFLOW_SCHEDULES_DIR", str(tmp_path))
    monkeypatch.setenv("OTTERFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(module, "datetime", Clock)
    monkeypatch.setattr(Clock, "at", OPENS)
    return open_repository()


class Pulled(TaskInstance):
    """Airflow's task instance, with what the tasks before have returned."""

    def xcom_pull(self, *, task_ids: str) -> Any:
        return self.run.returned.get(task_ids)


def context(*, check_window_is: str = "skipped", **returned: Any) -> Any:
    run = Run("nightly_staging", {}, "scheduled")
    run.returned.update(returned)
    run.states["check_window"] = "success" if "check_window" in returned else check_window_is
    return {
        "params": {},
        "run_id": "scheduled",
        "ti": Pulled(run, "task"),
        "dag_run": SimpleNamespace(run_after=OPENS),
    }


def check() -> Any:
    return CheckWindowOperator(task_id="check_window", schedule="staging", dag=dag()).execute(context())


def dag() -> Any:
    from airflow.sdk import DAG

    return DAG("nightly_staging", schedule=None)


def end(repository: Repository, name: str) -> None:
    repository.close_experiment(name, "stopped", "for a test")


def test_the_night_has_its_experiment_its_window_and_its_form(repository: Repository) -> None:
    night = check()
    assert (night["experiment"], night["closes"]) == (NAME, "2026-11-21T04:30:00+00:00")
    assert night["form"]["iterations"] == 9
    assert night["form"]["install"] is False
    assert "resume" not in night["form"]


@pytest.mark.parametrize("late", [timedelta(hours=6, minutes=51), timedelta(hours=9), timedelta(days=3)])
def test_a_night_that_was_missed_is_not_caught_up_by_day(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, late: timedelta
) -> None:
    monkeypatch.setattr(Clock, "at", OPENS + late)
    with pytest.raises(AirflowSkipException, match="Fri 22:30 to Sat 05:30 has closed, or closes within 10 min"):
        check()


def test_airflow_that_was_down_when_the_window_opened_uses_the_rest_of_it(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Clock, "at", OPENS + timedelta(hours=5))
    assert check()["closes"] == "2026-11-21T04:30:00+00:00"


def test_a_target_that_is_held_is_left_alone(repository: Repository) -> None:
    repository.create_experiment(new_experiment("by-day", target="staging"))
    repository.hold_target("staging", "by-day")
    with pytest.raises(AirflowSkipException, match="target 'staging' is held by experiment 'by-day'"):
        check()


def test_a_cleared_night_goes_on_with_its_experiment_and_a_second_one_has_a_number(repository: Repository) -> None:
    repository.create_experiment(new_experiment(NAME, target="staging"))
    repository.hold_target("staging", NAME)
    assert check()["experiment"] == NAME
    end(repository, NAME)
    repository.release_target("staging", NAME)
    assert check()["experiment"] == f"{NAME}-2"
    assert check()["form"]["experiment"] == f"{NAME}-2"


def test_the_night_is_triggered_under_its_experiments_name(repository: Repository) -> None:
    night = check()
    with pytest.raises(DagRunTriggerException) as caught:
        StartNightOperator(task_id="start", schedule="staging", dag=dag()).execute(context(check_window=night))
    assert (caught.value.trigger_dag_id, caught.value.dag_run_id) == ("tuning_experiment", NAME)
    assert caught.value.conf == night["form"]


def test_what_has_ended_by_itself_is_not_closed(repository: Repository) -> None:
    night = check()
    close = CloseNightOperator(task_id="close", dag=dag())
    close.experiment = NAME
    with pytest.raises(AirflowSkipException, match="was never recorded"):
        close.execute(context(check_window=night))
    repository.create_experiment(new_experiment(NAME, target="staging"))
    close.execute(context(check_window=night))  # not inspected yet: nothing of the target was touched
    assert repository.experiment(NAME).state == "stopped"
    with pytest.raises(AirflowSkipException, match="has ended: stopped"):
        close.execute(context(check_window=night))


def test_a_night_without_a_result_is_red_and_says_why(repository: Repository) -> None:
    summary = SummariseNightOperator(task_id="summary", schedule="staging", dag=dag())
    with pytest.raises(AirflowSkipException, match="left out"):
        summary.execute(context())
    night = check()
    with pytest.raises(MachineryFault, match="was never recorded; its run of tuning_experiment says why"):
        summary.execute(context(check_window=night))
    repository.create_experiment(new_experiment(NAME, target="staging"))
    end(repository, NAME)
    with pytest.raises(MachineryFault, match=f"experiment {NAME} has no result; it is stopped: for a test"):
        summary.execute(context(check_window=night))


@pytest.mark.slow
def test_a_night_replays_the_latest_recording_and_goes_on_with_it(repository: Repository, tmp_path: Path) -> None:
    recorded = GOOD | {"benchmark": "replay", "recording": {"name": "shop"}}
    (tmp_path / "staging.yaml").write_text(yaml.safe_dump(recorded))
    with pytest.raises(AirflowSkipException, match="of the 0 recordings of 'shop' none is complete, there, and of the"):
        check()
    for hours in (30, 3):
        add_recording(repository, OPENS - timedelta(hours=hours))
    night = check()
    assert night["form"]["recording"] == "shop-20261120T1830Z"
    repository.create_experiment(new_experiment(NAME, target="staging", spec=night["form"]))
    add_recording(repository, OPENS - timedelta(hours=1))
    assert check()["form"]["recording"] == "shop-20261120T1830Z", "what it has begun with"
    with pytest.raises(DagRunTriggerException) as caught:
        StartNightOperator(task_id="start", schedule="staging", dag=dag()).execute(context(check_window=night))
    assert caught.value.conf is not None
    assert caught.value.conf["recording"] == "shop-20261120T1830Z"


def proposing(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "staging.yaml").write_text(yaml.safe_dump(GOOD | {"promote": {"target": "shop"}}))


def ask(name: str, then: str = "proposed") -> Any:
    """What the night's task `propose` triggers."""
    task = ProposeNightOperator(task_id="propose", schedule="staging", dag=dag())
    with pytest.raises(DagRunTriggerException) as caught:
        task.execute(context(summary={"experiment": name, "then": then}))
    return caught.value


def test_a_night_with_a_winner_asks_for_it_and_one_without_does_not(repository: Repository, tmp_path: Path) -> None:
    proposing(repository, tmp_path)
    asked = ask(NAME)
    assert (asked.trigger_dag_id, asked.dag_run_id, asked.reset_dag_run) == ("promote_configuration", NAME, False)
    assert (asked.conf["schedule"], asked.conf["target"]) == ("staging", "shop")
    task = ProposeNightOperator(task_id="propose", schedule="staging", dag=dag())
    for summary in (None, {"experiment": NAME, "then": "kept"}):
        with pytest.raises(AirflowSkipException, match="this night has"):
            task.execute(context(summary=summary))


def test_nights_end_in_one_question(repository: Repository, tmp_path: Path) -> None:
    """The run whose question nobody has answered is done again; one that was answered is left alone."""
    proposing(repository, tmp_path)
    form = ask(NAME).conf
    first = repository.propose("shop", run=f"promote_configuration/{NAME}", form=form, proposal={}, schedule="staging")
    again = ask("staging-20261121")
    assert (again.dag_run_id, again.reset_dag_run, again.skip_when_already_exists) == (NAME, True, False)
    assert repository.promotion(first.id).state == "superseded"
    second = repository.propose("shop", run=f"promote_configuration/{NAME}", form=form, proposal={}, schedule="staging")
    assert second.id != first.id
    repository.move_promotion(second.id, "approved", since={"proposed"})
    new = ask("staging-20261122")
    assert (new.dag_run_id, new.reset_dag_run) == ("staging-20261122", False)
    assert repository.promotion(second.id).state == "approved"


def add_recording(repository: Repository, start: datetime) -> None:
    recording_id = f"shop-{start:%Y%m%dT%H%MZ}"
    repository.add_recording(
        recording_id, name="shop", target="staging", path=f"/r/{recording_id}", start=start,
        end=start + timedelta(hours=1), manifest={"complete": True, "classes": [], "statements": 0},
    )  # fmt: skip


def test_a_night_whose_first_task_failed_is_red_and_told(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`summary` starts whatever happened, so the run was green where it skipped itself, and nobody was told."""
    failed = context(check_window_is="failed")
    with pytest.raises(MachineryFault, match="check_window is failed, and nothing was begun; its log says why"):
        SummariseNightOperator(task_id="summary", schedule="staging", dag=dag()).execute(failed)
    sent: list[Any] = []

    def send(notices: Any, message: Any, context: Any) -> list[Any]:
        sent.append(message)
        return []

    monkeypatch.setattr(notify_night, "send", send)
    NotifyNightOperator(task_id="notify", notices=(), dag=dag()).execute(failed)
    assert sent[0]["subject"] == "otterflow: nightly_staging needs a look"
    assert "check_window is failed" in sent[0]["text"]
    with pytest.raises(AirflowSkipException, match="left out"):
        NotifyNightOperator(task_id="notify", notices=(), dag=dag()).execute(context())


def test_a_server_that_is_held_under_another_name_is_held(repository: Repository) -> None:
    """It made a red night, by the task that holds the target."""
    repository.create_experiment(new_experiment("by-day", target="other_name"))
    repository.hold_target("other_name", "by-day")
    for target in ("other_name", "staging"):
        repository.identify_target(target, "one server")
    with pytest.raises(AirflowSkipException, match="target 'staging' is held by experiment 'by-day'"):
        check()


def test_the_rest_of_a_window_into_which_no_trial_fits_is_left_alone(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour's replay was begun with eleven minutes left."""
    last = "staging-20261119"
    repository.create_experiment(new_experiment(last, target="staging"))
    prepare(repository, last)
    repository.plan_trial(last, 0, kind="baseline", wanted={"work_mem": 4096}, repairs=[], reasons={}, seed=0)
    repository.record_seconds(last, 0, "benchmark", 3000.0)
    end(repository, last)
    monkeypatch.setattr(Clock, "at", OPENS + timedelta(hours=6, minutes=5))
    with pytest.raises(
        AirflowSkipException, match=r"55 min of the window are left, and a trial took up to \d\d min in"
    ):
        check()
    monkeypatch.setattr(Clock, "at", OPENS + timedelta(hours=5))
    assert check()["experiment"] == NAME
