"""Bring a configuration to a server with users: shown, approved by a person, installed, watched, kept or rolled back.

### What it does
`propose` looks at the target and says what would change there, translated for its RAM, cores and version; nothing is
touched. `approve` asks: the table is in its *Required Action*, and nobody works for it meanwhile. `await_window` waits
where the answer was *in the next window*. `recheck` holds the target, and refuses where what was asked about is not so
any more. `watch_before` watches the live load, `install` writes the knobs file, reloads (or restarts, where that was
allowed), and reads back; `watch_after` watches again. `keep_or_roll_back` keeps what is not worse beyond noise and
breaks no constraint; otherwise what was in force before comes back by itself. No data of the server are ever loaded,
restored or dropped.

**The result is in the log of `keep_or_roll_back`**, and in the repository: who, when, what, why.

### When this fails
`make_safe` has put back what was in force before, if anything was changed, and has given the target free; its log says
so. The failed task's log says why. A promotion that was refused, or that failed, is asked about anew: trigger this Dag
again. If `make_safe` is red too, the host was out of reach: trigger `rollback`, or clear `make_safe`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

from otterflow.experiment.live_verdict import AFTER, BEFORE
from otterflow.experiment.notices import Event
from otterflow.operators.approve import ApproveOperator
from otterflow.operators.await_promotion_window import AwaitPromotionWindowOperator
from otterflow.operators.base import RETRIES
from otterflow.operators.form import promotion_params
from otterflow.operators.install_promotion import InstallPromotionOperator
from otterflow.operators.keep_or_roll_back import KeepOrRollBackOperator
from otterflow.operators.make_safe import MakeSafeOperator
from otterflow.operators.notices import EventNotifier
from otterflow.operators.promotion_task import APPROVE, PROMOTE_CONFIGURATION, PROPOSE
from otterflow.operators.propose import ProposeOperator
from otterflow.operators.recheck import RecheckOperator
from otterflow.operators.watch_live import WatchLiveOperator

WATCHING = timedelta(hours=48)

with DAG(
    dag_id=PROMOTE_CONFIGURATION,
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    schedule=None,
    is_paused_upon_creation=False,
    params=promotion_params(),
    max_active_runs=16,
    tags=["otterflow"],
    on_failure_callback=EventNotifier(Event.machinery_fault),
    default_args={"owner": "otterflow", "execution_timeout": timedelta(minutes=30), **RETRIES},
):
    propose = ProposeOperator(task_id=PROPOSE)
    approve = ApproveOperator(task_id=APPROVE)
    await_window = AwaitPromotionWindowOperator(task_id="await_window", execution_timeout=timedelta(hours=26))
    recheck = RecheckOperator(task_id="recheck")
    watch_before = WatchLiveOperator(task_id="watch_before", phase=BEFORE, execution_timeout=WATCHING)
    install = InstallPromotionOperator(task_id="install")
    watch_after = WatchLiveOperator(task_id="watch_after", phase=AFTER, execution_timeout=WATCHING)
    keep_or_roll_back = KeepOrRollBackOperator(task_id="keep_or_roll_back")
    make_safe = MakeSafeOperator(task_id="make_safe", trigger_rule="one_failed")

    propose >> approve >> await_window >> recheck >> watch_before >> install >> watch_after >> keep_or_roll_back
    [recheck, watch_before, install, watch_after, keep_or_roll_back] >> make_safe
    keep_or_roll_back >> EmptyOperator(task_id="ended")  # a run that was made safe is red all the same
