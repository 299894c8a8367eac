"""A database that the user has made, a copy of the source's, on which recorded loads run.

Nothing is loaded into it. It is marked as the user's, kept by a snapshot before the first trial, and put back from it.
One that is made anew by the user has no mark: it is kept anew, and the snapshot of the one before it is forgotten.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from otterflow.dbms.values import EXISTING
from otterflow.errors import Problem

if TYPE_CHECKING:
    from otterflow.hosts.workbench import Workbench

log = logging.getLogger(__name__)


def problem(bench: Workbench) -> Problem | None:
    """Why no recorded load may run on the target's database; None where it may, which the log says with its size."""
    target, data = bench.plan.target, bench.plan.dbms.data
    name = repr(target.database)
    with bench.host.query() as query:
        state = data.state(query, target.database)
        if not state.exists:
            found = f"{name} is not there, and a recorded load runs on a copy of the source's database"
            return Problem(f"{target.name}.yaml: database", found, "make it, from a dump of the source's")
        if state.broken:
            advice = f"{data.removal_advice(target.database)}, and make it anew from a dump of the source's"
            return Problem(f"{target.name}.yaml: database", f"{name} was left invalid by an interrupted DROP", advice)
    size = _shown(size_bytes(bench))
    if not target.is_a_copy:
        found = f"{name} ({size}) is not otterflow's, and a recorded load writes to it and has it put back"
        advice = "if it is a copy that may be lost, write is_a_copy: true there"
        return Problem(f"{target.name}.yaml: is_a_copy", found, advice)
    kept = "it is put back from a snapshot" if bench.plan.restores else "nothing puts it back (restore_every is 0)"
    said = "database %s (%s) is a copy, as %s.yaml says: the recorded load writes to it, and %s"
    log.warning(said, name, size, target.name, kept)
    return None


def size_bytes(bench: Workbench) -> int:
    """What the database takes on the server's disk; 0 where it is not there, which `problem` tells."""
    with bench.host.query() as query:
        return bench.plan.dbms.data.size_bytes(query, bench.plan.target.database)


def mark(bench: Workbench) -> None:
    """Mark the database as the user's own copy, unless it is; a snapshot that there may be is of another one then."""
    target, data = bench.plan.target, bench.plan.dbms.data
    with bench.host.query() as query:
        if data.state(query, target.database).fingerprint == EXISTING:
            return
    command = data.remove_snapshots_command(target)
    bench.host.session.run(command, what="removing the snapshot of another database", timeout_s=600)
    _call_fresh(bench)


def keep_as_it_is(bench: Workbench) -> None:
    """Say that the data of a copy, of which there is no snapshot, are those that are to be kept."""
    log.warning(
        "database %r is kept as the last replay has left it: there is no snapshot of it from before; if that is not "
        "what you want, make the database anew",
        bench.plan.target.database,
    )
    _call_fresh(bench)


def _call_fresh(bench: Workbench) -> None:
    with bench.host.query() as query:
        bench.plan.dbms.data.mark(query, bench.plan.target.database, EXISTING, fresh=True)


def _shown(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.1f} GiB" if size_bytes >= 2**30 else f"{size_bytes / 2**20:.1f} MiB"
