"""Make one trial: put a configuration in force, measure it, and prepare the next.

### What it does
One run is one trial; its run id is `<experiment>-<iteration>`. `begin` opens it. `restore` puts the data back every N
iterations and `free_cache` drops the page cache where that was asked for and is allowed; both are skipped otherwise,
with the reason in the log of `begin`. `restart` brings the configuration into force and reads back what the server
really uses. `benchmark` warms up and measures; `collect` turns counters into rates and records the trial. `recommend`
returns the next configuration as its XCom, `apply` writes it to the knobs file, and `next_iteration` triggers the next
run, or `tuning_finish`. After the last iteration of the search some more runs send knobs of the best configuration home
(trials of kind `ablation`), if the form asks for that.

Nothing is passed along but the experiment's name and the iteration: all else is in the repository. Pausing this Dag
pauses the tuning, in the middle of a run too; the log of whoever triggered a run that waits says so.

### When this fails
* `restart` or `benchmark` is red and the run is green: the configuration stopped the server or broke the benchmark.
  That is a result: `recover` put the last good configuration back, kept the end of the server's log with the trial,
  and the loop went on. There is nothing to do.
* `benchmark` or `restart` of the first trial is red and the run is red: the benchmark gives no number on the
  configuration you have, so the experiment stopped. The log of `recover` has the reason. Mend it and clear the run;
  if it is in a file of the benchmark or the target, mend that and resume the experiment.
* The run is red: a fault of the machinery (SSH, the repository, a full disk, a restore), or knobs that are not in
  force because something overrides the knobs file. `recover` left the server running on the last good configuration,
  and its log and that of the failed task say what is wrong. Mend it, then **clear the run** (from `begin`): it goes on
  with the same trial. To give up instead, trigger `stop_experiment` with *Finish now* on.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from otterflow.experiment.notices import Event
from otterflow.experiment.plan import MEASURING_LIMIT_H
from otterflow.operators.apply import ApplyOperator
from otterflow.operators.base import RETRIES
from otterflow.operators.begin import BeginOperator
from otterflow.operators.benchmark import BenchmarkOperator
from otterflow.operators.collect import CollectOperator
from otterflow.operators.free_cache import FreeCacheOperator
from otterflow.operators.next_iteration import NextIterationOperator
from otterflow.operators.notices import EventNotifier
from otterflow.operators.recommend import RecommendOperator
from otterflow.operators.recover import RecoverOperator
from otterflow.operators.restart import RestartOperator
from otterflow.operators.restore import RestoreOperator
from otterflow.yaml_files import NAME_PATTERN

with DAG(
    dag_id="tuning_iteration",
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    schedule=None,
    is_paused_upon_creation=False,
    params={
        "experiment": Param(
            "", type="string", pattern=f"{NAME_PATTERN}|^$", title="Experiment", description="The experiment's name."
        ),
        "iteration": Param(
            0, type="integer", minimum=0, title="Iteration", description="The trial to make; 0 measures the baseline."
        ),
    },
    max_active_runs=16,
    tags=["otterflow"],
    on_failure_callback=EventNotifier(Event.machinery_fault),
    default_args={
        "owner": "otterflow",
        "iteration": "{{ params.iteration }}",
        "execution_timeout": timedelta(minutes=15),
        **RETRIES,
    },
):
    begin = BeginOperator(task_id="begin")
    restore = RestoreOperator(task_id="restore", execution_timeout=timedelta(hours=24))
    free_cache = FreeCacheOperator(task_id="free_cache", trigger_rule="none_failed")
    restart = RestartOperator(task_id="restart", trigger_rule="none_failed", execution_timeout=timedelta(hours=2))
    benchmark = BenchmarkOperator(task_id="benchmark", execution_timeout=timedelta(hours=MEASURING_LIMIT_H))
    collect = CollectOperator(task_id="collect")
    recover = RecoverOperator(task_id="recover", trigger_rule="one_failed", execution_timeout=timedelta(hours=2))
    recommend = RecommendOperator(task_id="recommend", trigger_rule="one_success")
    apply = ApplyOperator(task_id="apply")
    next_iteration = NextIterationOperator(task_id="next_iteration", trigger_rule="none_failed")

    # A task is done with as soon as it is skipped, whatever its own upstream still does. So whoever needs the data as
    # they were loaded waits for `restore` itself, not for a task behind it that may be skipped; and for `begin` itself,
    # which skips the two just before it ends.
    begin >> [restore, free_cache, restart]
    restore >> [free_cache, restart]
    free_cache >> restart >> benchmark >> collect >> recommend >> apply >> next_iteration
    [begin, restore, free_cache, restart, benchmark, collect] >> recover >> recommend
