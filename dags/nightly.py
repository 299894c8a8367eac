"""A Dag `nightly_<name>` for each file in include/schedules/: an experiment a night, inside a window.

### What it does
`check_window` skips the night, with the reason, where the window has closed or the target is held. `start` triggers
`tuning_experiment` with the schedule's form; from there on the night is an experiment like any other, whose loop keeps
the window by itself: nothing is begun that would not be over in time. `wait` holds no worker. `close` ends what has not
ended when the window closes, `wait_end` waits for that, and `summary` logs the night and the table of all nights.
`notify` tells people, and `propose` asks, by `promote_configuration`, whether a winner that was proposed may go where
the file's `promote` says. **The result is in the log of `summary`.**

### When this fails
* `summary` is red: the night has no result, and its log says why and which run to look at. The target is free, or
  that run's log says what to do; it runs on the last configuration known to be good.
* `notify` is red: the mail or web server's answer is in its log. The night itself is not touched by it.
* A Dag has one task, `read_schedule`: its file is wrong, and the log of that task says which field and what is right.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, CronTriggerTimetable, get_parsing_context

from otterflow import settings
from otterflow.errors import InvalidInput
from otterflow.experiment.notices import Event
from otterflow.experiment.schedule import Schedule, dag_of, load_schedule
from otterflow.operators.await_experiment import AwaitExperimentOperator
from otterflow.operators.base import RETRIES
from otterflow.operators.check_window import CHECK_WINDOW, CheckWindowOperator
from otterflow.operators.close_night import CloseNightOperator
from otterflow.operators.notices import EventNotifier
from otterflow.operators.notify_night import NotifyNightOperator
from otterflow.operators.propose_night import ProposeNightOperator
from otterflow.operators.read_schedule import ReadScheduleOperator
from otterflow.operators.start_night import StartNightOperator
from otterflow.operators.summarise_night import SummariseNightOperator

LONGEST = timedelta(hours=26)
"""For waits: longer than any window with its patience."""
COMMON: dict[str, Any] = {
    "doc_md": __doc__,
    "max_active_runs": 1,
    "catchup": False,
    "tags": ["otterflow"],
    "on_failure_callback": EventNotifier(Event.machinery_fault),
    "default_args": {"owner": "otterflow", "execution_timeout": timedelta(minutes=10), **RETRIES},
}


def nightly_dag(schedule: Schedule) -> DAG:
    """The Dag of a schedule."""
    with DAG(
        dag_id=schedule.dag_id,
        description=schedule.description or f"Tunes {schedule.target} by night, until {schedule.until}",
        schedule=CronTriggerTimetable(schedule.cron, timezone=schedule.timezone),
        is_paused_upon_creation=True,
        **COMMON,
    ) as dag:
        check_window = CheckWindowOperator(task_id=CHECK_WINDOW, schedule=schedule.name)
        start = StartNightOperator(task_id="start", schedule=schedule.name)
        wait = AwaitExperimentOperator(
            task_id="wait", check=CHECK_WINDOW, trigger_rule="none_failed", execution_timeout=LONGEST
        )
        close = CloseNightOperator(task_id="close")
        wait_end = AwaitExperimentOperator(
            task_id="wait_end",
            check=CHECK_WINDOW,
            patience=timedelta(hours=2),
            trigger_rule="none_failed",
            execution_timeout=LONGEST,
        )
        summary = SummariseNightOperator(task_id="summary", schedule=schedule.name, trigger_rule="all_done")
        check_window >> start >> wait >> close >> wait_end >> summary
        if schedule.promote:
            summary >> ProposeNightOperator(task_id="propose", schedule=schedule.name)
        if schedule.notify:
            summary >> NotifyNightOperator(task_id="notify", notices=schedule.notify, trigger_rule="all_done")
    return dag


def broken_dag(file: Path, problems: str) -> DAG:
    """A Dag in the place of one whose file is wrong; the others are not touched by it."""
    said = f"{file.name} is wrong"
    with DAG(dag_id=dag_of(file.stem), description=said, schedule=None, is_paused_upon_creation=False, **COMMON) as dag:
        ReadScheduleOperator(task_id="read_schedule", file=file.name, problems=problems)
    return dag


only = get_parsing_context().dag_id
for path in sorted(settings.schedules_dir().glob("*.yaml")):
    if only not in {None, dag_of(path.stem)}:
        continue
    try:
        globals()[dag_of(path.stem)] = nightly_dag(load_schedule(path))
    except InvalidInput as error:
        globals()[dag_of(path.stem)] = broken_dag(path, str(error))
