"""Stop an experiment: finish the trial under way, then end with the best so far in force.

### What it does
`request_stop` marks the experiment; the trial under way ends as usual, and its `next_iteration` triggers
`tuning_finish` instead of the next trial. An experiment whose last run has failed, or that stopped because knobs were
not in force, has no trial under way: tick *Finish now*, and `tuning_finish` is triggered at once. While a trial is
under way, *Finish now* waits for its end like any stop: cut off, it would look as if its configuration had failed. To
give that trial up, mark its run as failed first.

### When this fails
The log names the field that is wrong; usually an experiment of that name does not exist or has ended already.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from otterflow.operators.base import RETRIES
from otterflow.operators.stop import StopOperator
from otterflow.yaml_files import NAME_PATTERN

with DAG(
    dag_id="stop_experiment",
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    schedule=None,
    is_paused_upon_creation=False,
    params={
        "experiment": Param(
            "", type="string", pattern=f"{NAME_PATTERN}|^$", title="Experiment", description="The experiment to stop."
        ),
        "finish_now": Param(
            False,
            type="boolean",
            title="Finish now",
            description="No run of the experiment is under way (the last one failed): trigger tuning_finish at once.",
        ),
    },
    tags=["otterflow"],
    default_args={"owner": "otterflow", "execution_timeout": timedelta(minutes=5), **RETRIES},
):
    StopOperator(task_id="request_stop", finish_now="{{ params.finish_now }}")
