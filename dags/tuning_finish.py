"""Finish an experiment: compare baseline, rules and best in turns, and leave the best in force.

### What it does
`compare` measures the three again, and the best without the knobs that are not missed where there are such,
interleaved, so that the machine's drift falls on all of them alike. Each turn takes the steps of a trial: restore,
cache and restart as in the iterations. `install_winner` puts the winner in force, or the baseline if nothing beat it
beyond noise, restarts the server and reads back. `report` writes `result.json`, closes the experiment and gives the
target free. Triggered by the last iteration, or by `stop_experiment`.

**The result is in the log of `report`**: the verdict, the values with their intervals, the changed knobs, how to go
back, and where `result.json` is.

### When this fails
`recover` has put the last good configuration back and the server is running. The failed task's log says what is wrong;
mend it and clear the task: `compare` goes on with the round where it stopped.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from otterflow.experiment.notices import Event
from otterflow.experiment.plan import MEASURING_LIMIT_H
from otterflow.operators.base import RETRIES
from otterflow.operators.compare import CompareOperator
from otterflow.operators.install_winner import InstallWinnerOperator
from otterflow.operators.notices import EventNotifier
from otterflow.operators.recover import RecoverOperator
from otterflow.operators.report import ReportOperator
from otterflow.yaml_files import NAME_PATTERN

with DAG(
    dag_id="tuning_finish",
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    schedule=None,
    is_paused_upon_creation=False,
    params={
        "experiment": Param(
            "", type="string", pattern=f"{NAME_PATTERN}|^$", title="Experiment", description="The experiment to finish."
        ),
    },
    max_active_runs=16,
    tags=["otterflow"],
    on_failure_callback=EventNotifier(Event.machinery_fault),
    default_args={"owner": "otterflow", "execution_timeout": timedelta(hours=2), **RETRIES},
):
    compare = CompareOperator(task_id="compare", execution_timeout=timedelta(hours=MEASURING_LIMIT_H))
    install_winner = InstallWinnerOperator(task_id="install_winner")
    report = ReportOperator(
        task_id="report",
        execution_timeout=timedelta(minutes=10),
        on_success_callback=EventNotifier(Event.experiment_ended),
    )
    recover = RecoverOperator(task_id="recover", trigger_rule="one_failed")

    compare >> install_winner >> report
    [compare, install_winner] >> recover
