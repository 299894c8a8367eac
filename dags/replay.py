"""A Dag `replay_<name>` for each recording that says how it is replayed: a configuration tried on the past.

### What it does
One run is one interval of the recording, whether it was scheduled, backfilled or triggered. `make_recording` has a past
interval recorded that was not, by `record_<name>`, from the logs that are left. `check_interval` finds the recording
and fixes what is compared: the candidates, and what is in force on the source (or on the target). It skips the run,
with the reason, where there is no recording or the result is there. `start` triggers `tuning_experiment` with these
arms: no trials are made, the arms are replayed in turns and compared, and nothing is installed. It waits for the target
where another experiment holds it. `wait` holds no worker. **`verdict` has the interval's result in its log**;
`replay_verdict` makes one verdict of all intervals.

Backfill it in the UI, or: `airflow backfill create --dag-id replay_<name> --from-date ... --to-date ...`. The dates are
compared with the times that the recording's cron names. The Dag must not be paused, or the runs stay queued.

### When this fails
* `check_interval` is red: its log says which field of the recording's file or of the run is wrong, or that the source
  cannot be reached. Mend it and clear the run.
* `verdict` is red: the interval has no result, and its log says why and which run to look at. Other intervals are not
  touched by it. Clear the run to measure the interval again, by a new experiment; a backfill with *Missing and
  Errored* does so for all that have failed.
* A Dag has one task, `read_replay`: the block `replay` is wrong, and the log of that task says which field.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, CronTriggerTimetable, Param, get_parsing_context

from otterflow import settings
from otterflow.errors import InvalidInput
from otterflow.experiment.backfill import Replay, dag_of, replay_of
from otterflow.experiment.comparison import LEAST_ROUNDS
from otterflow.experiment.notices import Event
from otterflow.operators.await_experiment import AwaitExperimentOperator
from otterflow.operators.base import RETRIES
from otterflow.operators.check_interval import CHECK_INTERVAL, MAKING, CheckIntervalOperator
from otterflow.operators.judge_interval import JudgeIntervalOperator
from otterflow.operators.make_recording import MakeRecordingOperator
from otterflow.operators.notices import EventNotifier
from otterflow.operators.read_replay import ReadReplayOperator
from otterflow.operators.start_experiment import StartExperimentOperator
from otterflow.workloads.recording.definition import recording_definitions

COMMON: dict[str, Any] = {
    "doc_md": __doc__,
    "max_active_runs": 1,
    "catchup": False,
    "tags": ["otterflow"],
    "on_failure_callback": EventNotifier(Event.machinery_fault),
    "default_args": {"owner": "otterflow", "execution_timeout": timedelta(minutes=10), **RETRIES},
}


def replay_dag(replay: Replay) -> DAG:
    """The Dag of a recording."""
    recording, block = replay.recording, replay.block
    with DAG(
        dag_id=replay.dag_id,
        description=f"Tries a configuration on what {recording.source} did, on {recording.replay_on}",
        schedule=CronTriggerTimetable(recording.cron, timezone=recording.timezone, interval=recording.data_interval),
        is_paused_upon_creation=True,
        params={
            "candidates": Param(
                list(block.candidates),
                type=["null", "array"],
                items={"type": "string", "pattern": "^(experiment|configuration):"},
                title="Candidates",
                description="What is tried, one a line: experiment:<name> for the best that it found, or "
                "configuration:<name> for a file in include/configurations/.",
            ),
            "baseline": Param(
                block.baseline,
                type="string",
                enum=["source", "target"],
                title="Baseline",
                description="Compared with what is in force on the source, or on the target.",
            ),
            "rounds": Param(
                block.rounds,
                type="integer",
                minimum=LEAST_ROUNDS,
                maximum=50,
                title="Rounds",
                description="How many times each is replayed. More find smaller differences.",
            ),
        },
        **COMMON,
    ) as dag:
        make_recording = MakeRecordingOperator(task_id="make_recording", recording=recording.name)
        check_interval = CheckIntervalOperator(
            task_id=CHECK_INTERVAL,
            recording=recording.name,
            trigger_rule="none_failed",
            execution_timeout=MAKING + timedelta(minutes=10),
        )
        start = StartExperimentOperator(task_id="start", check=CHECK_INTERVAL)
        wait = AwaitExperimentOperator(task_id="wait", check=CHECK_INTERVAL, trigger_rule="none_failed")
        verdict = JudgeIntervalOperator(task_id="verdict", trigger_rule="none_failed")
        make_recording >> check_interval >> start >> wait >> verdict
    return dag


def broken_dag(stem: str, problems: str) -> DAG:
    """A Dag in the place of one whose block is wrong; the others are not touched by it."""
    file = f"{stem}.yaml"
    with DAG(
        dag_id=dag_of(stem), description=f"{file} is wrong", schedule=None, is_paused_upon_creation=False, **COMMON
    ) as dag:
        ReadReplayOperator(task_id="read_replay", file=file, problems=problems)
    return dag


for stem, recording in recording_definitions(settings.recordings_dir(), get_parsing_context().dag_id).items():
    if isinstance(recording, InvalidInput):
        continue  # which the Dag that records says
    try:
        replay = replay_of(recording)
    except InvalidInput as error:
        globals()[dag_of(stem)] = broken_dag(stem, str(error))
    else:
        if replay is not None:
            globals()[replay.dag_id] = replay_dag(replay)
