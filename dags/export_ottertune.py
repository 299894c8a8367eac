"""Export trials as OtterTune's four files: knobs.json, metrics_before.json, metrics_after.json and summary.json.

### What it does
`export_sets` writes one trial of an experiment, or all that have ended, as `<experiment>-<iteration>__*.json` into a
folder on the machine that runs the task. Settings are spelt as `SHOW` spells them; counters are the raw ones around the
measured window. `python -m otterflow ottertune export` does the same in a shell; see `docs/ottertune.md`.

### When this fails
The log names the field that is wrong: usually an experiment or iteration that is not there, a trial that has not ended,
or a folder that cannot be written. Mend it and clear the task; files of the same names are overwritten.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from otterflow.operators.base import RETRIES
from otterflow.operators.ottertune import ExportOtterTuneOperator
from otterflow.yaml_files import NAME_PATTERN

with DAG(
    dag_id="export_ottertune",
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    schedule=None,
    is_paused_upon_creation=False,
    params={
        "experiment": Param(
            "", type="string", pattern=f"{NAME_PATTERN}|^$", title="Experiment", description="The experiment to export."
        ),
        "iteration": Param(
            None,
            type=["null", "integer"],
            minimum=0,
            title="Iteration",
            description="One trial. Empty: all that have ended.",
        ),
        "folder": Param(
            "", type="string", title="Folder", description="Where to write, on the machine that runs the task."
        ),
    },
    tags=["otterflow"],
    default_args={"owner": "otterflow", "execution_timeout": timedelta(hours=1), **RETRIES},
):
    ExportOtterTuneOperator(task_id="export_sets")
