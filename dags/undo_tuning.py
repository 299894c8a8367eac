"""Put a target back to the configuration before otterflow, and remove what otterflow made there.

### What it does
`undo` writes the knobs file as it was before otterflow's first experiment on the target, or before the experiment
that you name, and restarts the server (reloads one that has users). With *Remove* on it also removes what otterflow
made: the benchmark's database if otterflow loaded it, the snapshots, and the folders of jobs on the hosts. The log ends
with what is left, and how to take it away: what the role was granted, sudoers lines, the include line, the SSH key.

Refused while an experiment holds the target. A database that otterflow did not load is never dropped.

### When this fails
The log says why. If the server does not start with the former file, because other settings are not what they were, the
present one is put back and the server is up on it.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from otterflow.experiment.plan import known
from otterflow.operators.base import RETRIES
from otterflow.operators.undo import UndoTuningOperator
from otterflow.yaml_files import NAME_PATTERN

with DAG(
    dag_id="undo_tuning",
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    schedule=None,
    is_paused_upon_creation=False,
    params={
        "target": Param(
            "",
            type="string",
            enum=["", *known("targets")],
            title="Target",
            description="The server that is to be as it was before.",
        ),
        "experiment": Param(
            "",
            type="string",
            pattern=f"{NAME_PATTERN}|^$",
            title="Experiment",
            description="Put back what was there before this one. Empty: before otterflow's first on the target.",
        ),
        "remove": Param(
            False,
            type="boolean",
            title="Remove",
            description="Also remove the benchmark's database (if otterflow loaded it), snapshots and job folders.",
        ),
    },
    tags=["otterflow"],
    default_args={"owner": "otterflow", "execution_timeout": timedelta(minutes=30), **RETRIES},
):
    UndoTuningOperator(task_id="undo")
