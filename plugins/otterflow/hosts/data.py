"""The benchmark's data on the target: whose it is, whether it is fresh, how it is loaded, kept and put back.

The DBMS keeps a mark on the database that says what otterflow loaded into it, and whether a benchmark has run on it
since. A database without that mark is somebody else's and is never removed unless it is empty. `hosts.own_copy` has
what is done with a copy of the user's own.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from otterflow.dbms.target import SnapshotMethod
from otterflow.dbms.values import EXISTING
from otterflow.errors import AccessRefused, MachineryFault, Problem, TargetNotReady
from otterflow.hosts.host import driver_bin_dir
from otterflow.remote.script import JobScript

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from otterflow.dbms.values import Query
    from otterflow.hosts.workbench import Workbench

log = logging.getLogger(__name__)


def loaded(bench: Workbench) -> bool:
    """Whether the benchmark's data is in its database, used or not."""
    with bench.host.query() as query:
        state = bench.plan.dbms.data.state(query, bench.plan.target.database)
    return state.fingerprint == bench.workload.data_fingerprint()


def is_fresh(bench: Workbench) -> bool:
    """Whether the benchmark's data is there and no benchmark has run on it since it was loaded or restored."""
    with bench.host.query() as query:
        state = bench.plan.dbms.data.state(query, bench.plan.target.database)
    return state.fresh and state.fingerprint == bench.workload.data_fingerprint()


def ownership_problem(bench: Workbench) -> Problem | None:
    """Why the benchmark's database must not be dropped, or None where it is otterflow's, empty or absent.

    A copy of the user's, on which recorded loads run, is not otterflow's.
    """
    target = bench.plan.target
    field, name = f"{target.name}.yaml: database", f"{target.database!r}"
    with bench.host.query() as query:
        state = bench.plan.dbms.data.state(query, target.database)
    if not state.exists or (state.ours and state.fingerprint != EXISTING):
        return None
    if state.broken:
        remove = bench.plan.dbms.data.removal_advice(target.database)
        advice = f"nothing in it can be read any more: {remove}, or name another"
        return Problem(field, f"{name} was left invalid by a DROP that was interrupted", advice)
    try:
        with bench.host.query(target.database) as query:
            held = bench.plan.dbms.data.foreign(query)
    except AccessRefused as error:
        found = f"whether {name} holds anything of somebody else's cannot be seen: {error}"
        return Problem(field, found, "name a new database")
    if held is None:
        return None
    return Problem(
        field,
        f"{name} holds {held} that otterflow did not load, and would be dropped",
        "name an empty or a new database",
    )


def cluster_problems(bench: Workbench) -> list[Problem]:
    """What a snapshot by `copy` would put back beside the benchmark's data: none of it may be there."""
    target = bench.plan.target
    if target.snapshot.method is not SnapshotMethod.copy or not bench.plan.restores:
        return []
    with _maintenance(bench) as query:
        others = bench.plan.dbms.data.beside_data(query, target)
    if not others:
        return []
    found = f"copy puts back the whole cluster, which also holds {', '.join(others)}: whatever is written there is lost"
    advice = "use snapshot.method dump, or a cluster that holds nothing else"
    return [Problem(f"{target.name}.yaml: snapshot.method", found, advice)]


def mark_used(bench: Workbench) -> None:
    """Say that a benchmark runs on the data, so that it is fresh no more."""
    database = bench.plan.target.database
    with bench.host.query() as query:
        state = bench.plan.dbms.data.state(query, database)
        if state.fingerprint is not None and state.fresh:
            bench.plan.dbms.data.mark(query, database, state.fingerprint, fresh=False)


def load_data(bench: Workbench) -> None:
    """Make the database anew and load the benchmark's data; the former one is dropped when they are loaded.

    Raises MachineryFault with the end of the job's log; `undo_load` then puts the former database back.
    """
    target, workload, dump = bench.plan.target, bench.workload, bench.plan.benchmark.dump
    if not bench.jobs.exists("load", on_driver=dump is None):  # else a killed worker's try is loading, or has loaded
        problem = ownership_problem(bench)
        if problem is not None:
            raise TargetNotReady(problem)
        with _maintenance(bench) as query:
            bench.plan.dbms.data.set_aside(query, target.database)
    if dump is None:
        _must(bench, "load", workload.load(bench.host.access, driver_bin_dir(target)), on_driver=True)
    else:
        built = bench.plan.dbms.data.load_dump(target, bench.host.local_access, dump)
        _must(bench, "load", _with_limit(bench, built))
    with _maintenance(bench) as query:
        bench.plan.dbms.data.keep_loaded(query, target.database, workload.data_fingerprint())


def undo_load(bench: Workbench) -> None:
    """After a load that failed: the former database back in its place, or, where there was none, nothing."""
    with _maintenance(bench) as query:
        bench.plan.dbms.data.put_back(query, bench.plan.target.database)


def _maintenance(bench: Workbench) -> AbstractContextManager[Query]:
    """SQL in a database that is always there, while the benchmark's is removed and made."""
    return bench.host.query(bench.plan.dbms.client.MAINTENANCE_DATABASE)


def take_snapshot(bench: Workbench) -> None:
    """Keep a copy of the data to restore from; the server is up afterwards, and a dump was restored once."""
    built = bench.plan.dbms.data.take_snapshot(bench.plan.target, bench.host.local_access, _fingerprint(bench))
    _must(bench, "snapshot", _with_limit(bench, built))


def has_snapshot(bench: Workbench) -> bool:
    """Whether a whole snapshot of this benchmark's data is on the target, and would put back nothing else."""
    target = bench.plan.target
    if bench.plan.dbms.data.snapshot_fingerprint(bench.host.session, target) != _fingerprint(bench):
        return False
    if target.snapshot.method is SnapshotMethod.dump:
        return True
    with _maintenance(bench) as query:
        changes = bench.plan.dbms.data.changed_since_copy(query, bench.host.session, target)
    if changes:
        log.info("the snapshot is taken anew, for since it was taken these were changed: %s", ", ".join(changes))
    return not changes


def restore_data(bench: Workbench, name: str) -> dict[str, Any]:
    """Put the data back from the snapshot; after a copy the server is left stopped, for the restart to start it."""
    target = bench.plan.target
    if target.snapshot.method is SnapshotMethod.dump:
        bench.server.start()
    built = bench.plan.dbms.data.restore_snapshot(target, bench.host.local_access, _fingerprint(bench))
    seconds = _must(bench, name, _with_limit(bench, built))
    bench.jobs.clean(name)
    return {"method": target.snapshot.method.value, "seconds": round(seconds, 3)}


def _fingerprint(bench: Workbench) -> str:
    """What a snapshot is of: the data, whose they are, the server's major version, and how it is kept."""
    data = {
        "format": 4,
        "data": bench.workload.data_fingerprint(),
        "database": bench.plan.target.database,
        "user": bench.host.local_access.user,  # another's cannot be restored once that role is gone
    }
    return bench.plan.dbms.data.fingerprint(data, bench.experiment.versions["major"], bench.plan.target.snapshot.method)


def _with_limit(bench: Workbench, built: JobScript) -> JobScript:
    """A snapshot or a restore may take as long as the load."""
    return replace(built, timeout_s=bench.plan.benchmark.load_timeout_s)


def _must(bench: Workbench, name: str, script: JobScript, *, on_driver: bool = False) -> float:
    progress = bench.workload.progress if on_driver else str
    end, _, seconds = bench.jobs.run(name, script, on_driver=on_driver, progress=progress)
    if not end.ok:
        bench.jobs.clean(name)
        raise MachineryFault(f"job {name} {end}; the end of its output:\n{end.log_tail}")
    log.info("%s took %.1f s", name, seconds)
    return seconds
