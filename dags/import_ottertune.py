"""Import OtterTune's results: a folder of its four files of each observation becomes a finished experiment.

### What it does
`import_sets` reads all `<prefix>__knobs.json`, `__metrics_before.json`, `__metrics_after.json` and `__summary.json` of
a folder on the machine that runs the task, from PostgreSQL 9.x, MySQL 5.6 and newer. Values become canonical, counters
rates over `observation_time`, and throughput is the committed transactions per second over all databases. New
experiments can learn from what comes of it. The log, and the task's XCom, say what could not be read, by field, value
and reason.

The same folder imported again changes nothing. `python -m otterflow ottertune import` does the same in a shell; see
`docs/ottertune.md`.

### When this fails
Nothing was stored. The log lists every set that cannot be used and why, or names the field of the form that is wrong;
mend it and clear the task.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from otterflow.operators.base import RETRIES
from otterflow.operators.ottertune import ImportOtterTuneOperator
from otterflow.yaml_files import NAME_PATTERN

NAME_OR_NONE = f"{NAME_PATTERN}|^$"

with DAG(
    dag_id="import_ottertune",
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    schedule=None,
    is_paused_upon_creation=False,
    params={
        "folder": Param(
            "", type="string", title="Folder", description="The folder of sets, on the machine that runs the task."
        ),
        "experiment": Param(
            "", type="string", pattern=NAME_OR_NONE, title="Experiment", description="What to call the experiment."
        ),
        "target": Param(
            "ottertune",
            type="string",
            pattern=NAME_PATTERN,
            title="Target",
            description="A name for the server the sets are from.",
        ),
        "benchmark": Param(
            "",
            type="string",
            pattern=NAME_OR_NONE,
            title="Benchmark",
            description="The name to file the workload under. Empty: the sets' workload_name.",
        ),
        "workload": Param(
            "",
            type="string",
            title="Workload",
            description="Take the sets of this workload_name alone, where a folder has several.",
        ),
        "ram_gb": Param(
            None,
            type=["null", "number"],
            exclusiveMinimum=0,
            title="RAM, GiB",
            description="Of the server's host; the knobs' ranges depend on it. Empty: 16, as OtterTune had it.",
        ),
        "cores": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            title="Cores",
            description="Of the server's host. Empty: 4, as OtterTune had it.",
        ),
        "disk": Param("ssd", type="string", enum=["ssd", "hdd"], title="Disk", description="Of the server's host."),
        "replace": Param(
            False,
            type="boolean",
            title="Replace",
            description="Store it anew in place of an earlier import of that name.",
        ),
    },
    tags=["otterflow"],
    default_args={"owner": "otterflow", "execution_timeout": timedelta(hours=1), **RETRIES},
):
    ImportOtterTuneOperator(task_id="import_sets")
