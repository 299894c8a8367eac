"""The target made ready for trials: the benchmark's data loaded and kept, or everything put back as it was."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from otterflow.errors import TargetNotReady
from otterflow.hosts import own_copy, user_metrics
from otterflow.hosts.data import has_snapshot, is_fresh, load_data, loaded, take_snapshot, undo_load
from otterflow.hosts.same_server import give_free

if TYPE_CHECKING:
    from otterflow.hosts.workbench import Workbench

log = logging.getLogger(__name__)


def load_and_keep(bench: Workbench) -> dict[str, bool]:
    """Load the benchmark's data and, where trials restore them, keep a snapshot, if missing; which of both was done.

    A copy of the user's own is kept as it is.

    Raises TargetNotReady for metrics of the user's that cannot be read though the data are there.
    """
    did = {"loaded": False, "snapshot": False}
    # A snapshot under way, of a try whose worker was killed, may have stopped the server: ask it nothing.
    under_way = bench.jobs.exists("snapshot")
    if bench.plan.is_own_copy and not under_way:
        own_copy.mark(bench)
    missing = under_way or (bench.plan.restores and not has_snapshot(bench))
    if not under_way and (not loaded(bench) or (missing and not is_fresh(bench))):
        if bench.plan.is_own_copy:
            own_copy.keep_as_it_is(bench)
        else:
            load_data(bench)
            did["loaded"] = True
    if missing:
        take_snapshot(bench)
        did["snapshot"] = True
    bench.jobs.clean()
    if problems := user_metrics.problems(bench.host, bench.plan.metrics, data_loaded=True):
        raise TargetNotReady(problems)
    return did


def give_up(bench: Workbench) -> None:
    """End the jobs, start the server, put back what a load was to replace, and give the target free.

    Where that cannot be done, because the host is out of reach, a job may still be at work: the target stays held.
    """
    try:
        bench.jobs.kill()
        bench.jobs.clean()
        bench.server.start()
        undo_load(bench)
    except Exception as error:  # the task's own error is the one to show
        log.error(
            "%s could not be cleared up, and stays held by experiment %s: %s. Clear this task when the host can be "
            "reached, or end the experiment with stop_experiment",
            bench.plan.target.name, bench.name, error,
        )  # fmt: skip
    else:
        give_free(bench)
