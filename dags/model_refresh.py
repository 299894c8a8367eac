"""Learn from all experiments: rank knobs, prune metrics and fit models wherever there are new trials.

### What it does
`find_outdated` compares the trials in the repository with those that each stored model was computed from.
`refresh_workload` runs once for each workload (target, benchmark, objective) with new trials: it ranks the knobs of its
experiments, fits the hyperparameters of their models, and prunes the workload's metrics. `refresh_metrics` prunes the
metrics of all workloads together, for telling them apart. What has not changed is not computed again. The results are
in the repository's table `models`; the `recommend` task of other experiments uses them, and the logs show them as
tables. No host is touched.

Experiments do not wait for it: what it has not come to yet is computed where it is needed, or done without. It is
paused at first, the only one of otterflow's Dags that is: unpause it to have it run hourly and when triggered by hand.

### When this fails
One `refresh_workload` is red: its log names what is wrong with the trials of that workload. The others are done, and
their models stored; nothing else waits for it. Clear the task, or let the next run try again.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from otterflow.experiment.notices import Event
from otterflow.operators.base import RETRIES
from otterflow.operators.notices import EventNotifier
from otterflow.operators.refresh_models import FindOutdatedOperator, RefreshMetricsOperator, RefreshWorkloadOperator

with DAG(
    dag_id="model_refresh",
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    schedule="@hourly",
    is_paused_upon_creation=True,
    catchup=False,
    max_active_runs=1,
    tags=["otterflow"],
    on_failure_callback=EventNotifier(Event.machinery_fault),
    default_args={"owner": "otterflow", "execution_timeout": timedelta(hours=1), **RETRIES},
):
    find_outdated = FindOutdatedOperator(task_id="find_outdated")
    refresh_workload = RefreshWorkloadOperator.partial(task_id="refresh_workload", max_active_tis_per_dagrun=1).expand(
        workload=find_outdated.output
    )
    refresh_metrics = RefreshMetricsOperator(task_id="refresh_metrics")

    find_outdated >> refresh_metrics
