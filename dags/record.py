"""A Dag `record_<name>` for each file in include/recordings/: a recording of a server's load, one a data interval.

### What it does
`check` says which interval it is, what is missing on the hosts, and what the recording costs the source; it skips what
cannot be recorded any more. With the methods `window` and `transaction_sample`, `capture` has the source log its load
while the interval lasts; it holds no worker, and the source's own host switches that off again. `put_back` sees that
the source's settings are as they were, whatever happened before. `record` reads the log where it is, and brings the
recording to the driver host of `replay_on`, whole or not at all. `keep_manifest` tells the repository of it, and
removes recordings that are kept no longer. A run that is done again finds what is there.

### When this fails
* `check` is red: its log says what is wrong, by field, and what to do. Nothing was touched.
* `capture` or `record` is red: its log says why; the source's settings are as they were once `put_back` is green. With
  method `server_log` clear the run, which begins again; what a window had is still in the server's log, or in the
  folder of the window's job.
* `put_back` is red: its log names the file and the lines to take out. Until then the source logs every statement.
* A Dag has one task, `read_recording`: its file is wrong, and the log of that task says which field and what is right.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, CronTriggerTimetable, get_parsing_context

from otterflow import settings
from otterflow.errors import InvalidInput
from otterflow.experiment.notices import Event
from otterflow.operators.base import RETRIES
from otterflow.operators.capture_load import CaptureLoadOperator
from otterflow.operators.check_recording import CheckRecordingOperator
from otterflow.operators.keep_manifest import KeepManifestOperator
from otterflow.operators.notices import EventNotifier
from otterflow.operators.put_back_log import PutBackLogOperator
from otterflow.operators.read_recording import ReadRecordingOperator
from otterflow.operators.record_load import RecordLoadOperator
from otterflow.operators.recording_task import CAPTURE, CHECK
from otterflow.workloads.recording.definition import RecordingDefinition, recording_definitions

COMMON: dict[str, Any] = {
    "doc_md": __doc__,
    "max_active_runs": 1,
    "catchup": False,
    "tags": ["otterflow"],
    "on_failure_callback": EventNotifier(Event.machinery_fault),
    "default_args": {"owner": "otterflow", "execution_timeout": timedelta(minutes=15), **RETRIES},
}


def record_dag(recording: RecordingDefinition) -> DAG:
    """The Dag of a recording."""
    name = recording.name
    with DAG(
        dag_id=recording.dag_id,
        description=recording.description or f"Records the load of {recording.source} for {recording.replay_on}",
        schedule=CronTriggerTimetable(recording.cron, timezone=recording.timezone, interval=recording.data_interval),
        is_paused_upon_creation=True,
        **COMMON,
    ) as dag:
        check = CheckRecordingOperator(task_id=CHECK, recording=name)
        record = RecordLoadOperator(task_id="record", recording=name, execution_timeout=timedelta(hours=7))
        keep_manifest = KeepManifestOperator(task_id="keep_manifest", recording=name)
        if recording.looks_back:
            check >> record
        else:
            capture = CaptureLoadOperator(task_id=CAPTURE, recording=name, execution_timeout=timedelta(hours=26))
            put_back = PutBackLogOperator(
                task_id="put_back", recording=name, trigger_rule="all_done", execution_timeout=timedelta(hours=3)
            )
            check >> capture >> put_back
            [capture, put_back] >> record
        record >> keep_manifest
    return dag


def broken_dag(file: str, problems: str) -> DAG:
    """A Dag in the place of one whose file is wrong; the others are not touched by it."""
    with DAG(
        dag_id=f"record_{Path(file).stem}",
        description=f"{file} is wrong",
        schedule=None,
        is_paused_upon_creation=False,
        **COMMON,
    ) as dag:
        ReadRecordingOperator(task_id="read_recording", file=file, problems=problems)
    return dag


only = get_parsing_context().dag_id
for stem, found in recording_definitions(settings.recordings_dir(), only).items():
    if isinstance(found, InvalidInput):
        globals()[f"record_{stem}"] = broken_dag(f"{stem}.yaml", str(found))
    else:
        globals()[found.dag_id] = record_dag(found)
