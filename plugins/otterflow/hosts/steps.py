"""The steps before a measurement, for trials and for turns of the final comparison alike.

Put the data back when that is due, drop the page cache where that is wanted and allowed, bring the configuration into
force. A trial takes each as a task of its own, so that it can be seen and retried; a turn takes them all in one task.
Then both `measure`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from otterflow.errors import ConnectionFault
from otterflow.hosts import knobs_file
from otterflow.hosts.data import is_fresh, restore_data
from otterflow.remote.files import free_cache_command

if TYPE_CHECKING:
    from otterflow.hosts.workbench import Workbench

log = logging.getLogger(__name__)


class InForce(NamedTuple):
    """What a server uses, and how long it took to bring that about."""

    configuration: dict[str, Any]
    seconds: float


def why_not_restore_now(bench: Workbench, *, due: bool, otherwise: str) -> str | None:
    """Why the data stays as it is, or None if it is to be put back; `otherwise` is the reason where it is not `due`."""
    if bench.plan.is_live:
        return "the server is live: its data are never touched"
    if bench.plan.restore_every == 0:
        return "restore_every is 0: the data stays as it is"
    if not due:
        return otherwise
    try:
        fresh = is_fresh(bench)
    except ConnectionFault:
        fresh = False  # an earlier try of the restore has stopped the server for its copy
    return "the data is as it was loaded: no benchmark has run on it since" if fresh else None


def why_not_free_cache(bench: Workbench) -> str | None:
    """Why the page cache is to stay, or None if it is to be dropped."""
    if not bench.plan.spec.drop_cache:
        return "drop_cache is off for this experiment"
    target = bench.plan.target
    if target.free_cache.method == "none":
        return f"{target.name}.yaml: free_cache is 'none': the SSH user may not drop the page cache"
    return None


def restore(bench: Workbench, name: str) -> dict[str, Any]:
    """Put the data back for the measurement called `name`; the method and its seconds."""
    return restore_data(bench, f"{name}-restore")


def free_cache(bench: Workbench) -> str | None:
    """Drop the page cache; None, or why that could not be done."""
    own = bench.plan.target.free_cache.command
    done = bench.host.session.run(free_cache_command(own), what="dropping the page cache", timeout_s=120, check=False)
    if done.exit_code == 0:
        return None
    return f"{own} failed or is not allowed ({done.exit_code}): {done.stderr.strip()}"


def bring_into_force(bench: Workbench, wanted: Mapping[str, Any]) -> InForce:
    """Write the knobs file where it is not this configuration's, restart (or reload a live server), read back.

    Raises ServerCrashed or NotApplied.
    """
    if bench.server.write_knobs_file(knobs_file.measured_text(bench.experiment, wanted, is_live=bench.plan.is_live)):
        log.info("wrote the configuration to %s", bench.plan.target.knobs_file)
    seconds = bench.server.bring_into_force(wanted)
    return InForce(bench.server.read_back(wanted), round(seconds, 3))


def prepare_turn(bench: Workbench, name: str, wanted: Mapping[str, Any], *, restore_due: bool) -> None:
    """All steps in their order; what is left out is in the log with its reason."""
    kept = why_not_restore_now(bench, due=restore_due, otherwise="not due before this turn")
    if kept is None:
        restore(bench, name)
    cached = why_not_free_cache(bench) or free_cache(bench)
    for step, reason in (("restore", kept), ("free_cache", cached)):
        if reason is not None:
            log.info("%s is skipped: %s", step, reason)
    bring_into_force(bench, wanted)
