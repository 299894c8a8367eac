"""Start an experiment: check the form and the target, load the data, trigger the first iteration.

### What it does
`check_experiment` reads the form and the files it names, and reports everything wrong at once, before any host is
touched. `check_target` takes the target for this experiment and looks at the host: SSH, privileges, versions, disk
space, the knobs file, what would override it. `take_snapshot` loads the benchmark's data and keeps a copy to restore
from. `start_iterations` triggers the first run of `tuning_iteration`; from there on every trial is a run of its own,
and `tuning_finish` compares baseline, rules and best once more and leaves the best in force.

To **stop** an experiment, trigger `stop_experiment`. To **resume** one with more iterations, trigger this Dag with the
same name, *Resume* on, and the new total of iterations.

### When this fails
* `check_experiment`: the log names every field that is wrong, with what would be right. Trigger again.
* `check_target`: the log lists all that is wrong on the host, each with what to do. Mend it, then clear the task.
* `take_snapshot`: usually disk space or the load itself; the log ends with the end of the remote job's own log.
  The task has seen to it that the server is up, and has given the target free. Clear it to go on.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from otterflow.experiment.notices import Event
from otterflow.operators.base import RETRIES
from otterflow.operators.check_experiment import CheckExperimentOperator
from otterflow.operators.check_target import CheckTargetOperator
from otterflow.operators.form import experiment_params
from otterflow.operators.notices import EventNotifier
from otterflow.operators.start_iterations import StartIterationsOperator
from otterflow.operators.take_snapshot import TakeSnapshotOperator

with DAG(
    dag_id="tuning_experiment",
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    schedule=None,
    is_paused_upon_creation=False,
    params=experiment_params(),
    max_active_runs=8,
    tags=["otterflow"],
    on_failure_callback=EventNotifier(Event.machinery_fault),
    default_args={"owner": "otterflow", "execution_timeout": timedelta(minutes=10), **RETRIES},
):
    check_experiment = CheckExperimentOperator(task_id="check_experiment")
    check_target = CheckTargetOperator(task_id="check_target")
    take_snapshot = TakeSnapshotOperator(task_id="take_snapshot", execution_timeout=timedelta(hours=24))
    start_iterations = StartIterationsOperator(task_id="start_iterations")

    check_experiment >> check_target >> take_snapshot >> start_iterations
