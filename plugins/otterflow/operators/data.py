"""The benchmark's data on the target: whose it is, whether it is fresh, how it is loaded, kept and put back.

A comment on the database says what otterflow loaded into it and whether a benchmark has run on it since. A database
without that comment is somebody else's and is never dropped unless it is empty.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from otterflow.dbms.postgresql import database as databases
from otterflow.dbms.postgresql import snapshot
from otterflow.errors import MachineryFault, Problem
from otterflow.target import SnapshotMethod
from otterflow.workloads.job import JobScript

if TYPE_CHECKING:
    from otterflow.operators.connections import Query
    from otterflow.operators.workbench import Workbench
    from otterflow.remote.job import RemoteJob

log = logging.getLogger(__name__)

FRESH, USED = "fresh", "used"
_MARK = "otterflow data"


@dataclass(frozen=True)
class DataState:
    """What the benchmark's database holds: `fingerprint` is None where it is absent or not otterflow's."""

    exists: bool
    fingerprint: str | None
    fresh: bool


def data_state(query: Query, database: str) -> DataState:
    """What otterflow's mark on the database says."""
    rows = query(databases.COMMENT_SQL, (database,))
    if not rows:
        return DataState(exists=False, fingerprint=None, fresh=False)
    words = (rows[0]["comment"] or "").split()
    if words[:2] != _MARK.split() or len(words) != 4:
        return DataState(exists=True, fingerprint=None, fresh=False)
    return DataState(exists=True, fingerprint=words[2], fresh=words[3] == FRESH)


def loaded(bench: Workbench) -> bool:
    """Whether the benchmark's data is in its database, used or not."""
    with bench.query() as query:
        state = data_state(query, bench.plan.target.database)
    return state.fingerprint == bench.workload.data_fingerprint()


def is_fresh(bench: Workbench) -> bool:
    """Whether the benchmark's data is there and no benchmark has run on it since it was loaded or restored."""
    with bench.query() as query:
        state = data_state(query, bench.plan.target.database)
    return state.fresh and state.fingerprint == bench.workload.data_fingerprint()


def ownership_problem(bench: Workbench) -> Problem | None:
    """Why the benchmark's database must not be dropped, or None where it is otterflow's, empty or absent."""
    target = bench.plan.target
    with bench.query() as query:
        state = data_state(query, target.database)
    if not state.exists or state.fingerprint is not None:
        return None
    with bench.query(target.database) as query:
        tables = query(databases.TABLES_SQL)[0]["tables"]
    if not tables:
        return None
    return Problem(
        f"{target.name}.yaml: database",
        f"{target.database!r} holds {tables} tables that otterflow did not load, and would be dropped",
        "name an empty or a new database",
    )


def _mark(query: Query, database: str, fingerprint: str, freshness: str) -> None:
    query(databases.comment_sql(database, f"{_MARK} {fingerprint} {freshness}"))


def _remark(bench: Workbench, freshness: str) -> None:
    """Mark the benchmark's data, which is whole, as fresh or used."""
    with bench.query() as query:
        _mark(query, bench.plan.target.database, bench.workload.data_fingerprint(), freshness)


def mark_used(bench: Workbench) -> None:
    """Say that a benchmark runs on the data, so that it is fresh no more."""
    database = bench.plan.target.database
    with bench.query() as query:
        state = data_state(query, database)
        if state.fingerprint is not None and state.fresh:
            _mark(query, database, state.fingerprint, USED)


def load_data(bench: Workbench, on_start: Callable[[RemoteJob], None]) -> None:
    """Make the database anew and load the benchmark's data. Raises MachineryFault with the end of the job's log."""
    from psycopg.errors import InsufficientPrivilege

    target, workload = bench.plan.target, bench.workload
    if not bench.job_exists("load", on_driver=True):  # else a try whose worker was killed is loading, or has loaded
        with bench.query() as query:
            query(databases.TERMINATE_SQL, (target.database,))
            query(databases.drop_sql(target.database))
            query(databases.create_sql(target.database))
            _mark(query, target.database, "loading", USED)
    _must(bench, "load", workload.load(bench.access, bench.driver_bin_dir), on_start, on_driver=True)
    with bench.query() as query:
        _mark(query, target.database, workload.data_fingerprint(), FRESH)
        with suppress(InsufficientPrivilege):  # the restart makes one
            query(databases.CHECKPOINT_SQL)


def take_snapshot(bench: Workbench, on_start: Callable[[RemoteJob], None]) -> None:
    """Keep a copy of the data to restore from; the server is up afterwards."""
    target, dump = bench.plan.target, bench.plan.target.snapshot.method is SnapshotMethod.dump
    built = snapshot.take_snapshot(target, bench.local_access, _fingerprint(bench))
    if dump:  # a dump carries the mark, and a restore puts it there before the data: it must not say fresh
        _remark(bench, USED)
    _must(bench, "snapshot", _with_limit(bench, built), on_start)
    if dump:
        _remark(bench, FRESH)


def has_snapshot(bench: Workbench) -> bool:
    """Whether a whole snapshot of this benchmark's data is on the target."""
    command = snapshot.snapshot_state_command(bench.plan.target)
    done = bench.session.run(command, what="looking for the snapshot", timeout_s=30)
    state = snapshot.parse_snapshot_state(done.stdout)
    return state is not None and state.fingerprint == _fingerprint(bench)


def restore_data(bench: Workbench, name: str, on_start: Callable[[RemoteJob], None]) -> dict[str, Any]:
    """Put the data back from the snapshot; after a copy the server is left stopped, for the restart to start it."""
    target = bench.plan.target
    if target.snapshot.method is SnapshotMethod.dump:
        bench.server.start()
    built = snapshot.restore_snapshot(target, bench.local_access, _fingerprint(bench))
    seconds = _must(bench, name, _with_limit(bench, built), on_start)
    if target.snapshot.method is SnapshotMethod.dump:
        _remark(bench, FRESH)
    bench.clean_jobs(name)
    return {"method": target.snapshot.method.value, "seconds": round(seconds, 3)}


def _fingerprint(bench: Workbench) -> str:
    """What a snapshot is of: the data, the server's major version, and how it is kept."""
    data = {"format": 2, "data": bench.workload.data_fingerprint(), "database": bench.plan.target.database}
    return snapshot.fingerprint(data, bench.experiment.versions["major"], bench.plan.target.snapshot.method)


def _with_limit(bench: Workbench, built: snapshot.JobScript) -> JobScript:
    """A snapshot or a restore may take as long as the load."""
    return JobScript(built.script, built.files, bench.plan.benchmark.load_timeout_s)


def _must(
    bench: Workbench, name: str, script: JobScript, on_start: Callable[[RemoteJob], None], *, on_driver: bool = False
) -> float:
    progress = bench.workload.progress if on_driver else str
    end, _, seconds = bench.run_job(name, script, on_driver=on_driver, progress=progress, on_start=on_start)
    if not end.ok:
        bench.clean_jobs(name)
        raise MachineryFault(f"{name} ended with {end.exit_code} ({end.state}); the end of its output:\n{end.log_tail}")
    log.info("%s took %.1f s", name, seconds)
    return seconds
