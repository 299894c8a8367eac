"""A target put back to the configuration before otterflow, and what otterflow has made there taken away."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from otterflow import settings as places
from otterflow.dbms.registry import dbms_named
from otterflow.errors import InvalidInput, MachineryFault, NotApplied, Problem, ServerCrashed
from otterflow.experiment.promotion import before_of, oldest_told
from otterflow.hosts.fence import Fence, ServerIdentity
from otterflow.hosts.host import both_sessions
from otterflow.hosts.jobs import Jobs
from otterflow.hosts.server import Server, in_force
from otterflow.workloads.definition import load_benchmark

if TYPE_CHECKING:
    from otterflow.dbms.target import Target
    from otterflow.hosts.host import Host, OpenHost
    from otterflow.repository import Experiment, Promotion, Repository

log = logging.getLogger(__name__)

HOLDER = "(undo_tuning)"
"""Who holds the target meanwhile; no experiment can be called so."""


@dataclass(frozen=True)
class Undone:
    """What was done: before which experiment the target is again, what was removed, and what is left for a person."""

    target: Target
    before: Experiment
    left: list[str]
    removed: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """The log's last words."""
        text = (self.before.baseline_file or "").strip() or "(empty: there was none, or it was empty)"
        lines = [
            f"{self.target.knobs_file} on {self.target.name} is as it was before experiment {self.before.name!r}, "
            "and in force:",
            text,
        ]
        if self.removed:
            lines += ["", "Removed:", *map("  {}".format, self.removed)]
        lines += ["", "Left for you to take away, or to keep for another experiment:", *map("  {}".format, self.left)]
        return "\n".join(lines)


def undo(repository: Repository, target: Target, name: str, open_host: OpenHost, *, remove: bool) -> Undone:
    """Put the target back to what it was before the experiment called `name`, or before the first; see `choose`.

    With `remove` job folders, snapshots and what otterflow loaded are taken away as well. Raises TargetHeld while an
    experiment holds the target.
    """
    experiments = [e for e in repository.experiments() if e.target == target.name]
    before = choose(experiments, target.name, name)
    repository.hold_target(target.name, HOLDER)
    try:
        host = open_host(target, is_live=_is_live(target, before))
        try:
            server = Server(host, fence=fence_of(repository, target))
            put_back(server, before, values_before(experiments, repository.promotions(target.name), before))
            removed = remove_all(host, [e.name for e in experiments]) if remove else []
            left = what_is_left(host)
            server.release()
        finally:
            host.close()
    finally:
        repository.release_target(target.name, HOLDER)
    return Undone(target, before, left, removed)


def choose(experiments: Sequence[Experiment], target: str, name: str) -> Experiment:
    """The experiment before which the target is to be again: the named one, else the first that looked at the target.

    `experiments` are the target's, oldest first. Raises InvalidInput where there is none.
    """
    known = [e for e in experiments if e.baseline_file is not None]
    if not known:
        found = f"no experiment has looked at {target!r}"
        raise InvalidInput(Problem("target", found, "there is nothing to put back"))
    if not name:
        return known[0]
    for experiment in known:
        if experiment.name == name:
            return experiment
    advice = f"use one of {', '.join(e.name for e in known)}, or leave it empty for the first"
    raise InvalidInput(Problem("experiment", f"{name!r} has not looked at {target!r}", advice))


def fence_of(repository: Repository, target: Target) -> Fence | None:
    """The lock of the target's server, for this task; None where no experiment has looked which server it is."""
    identity = ServerIdentity.parse(repository.identity(target.name))
    return None if identity is None else Fence(identity, target, f"{HOLDER} {repository.name}", repository)


def _is_live(target: Target, before: Experiment) -> bool:
    """Whether people work on the server: the target says so, or it was observed under their load."""
    if target.has_users:
        return True
    try:
        return load_benchmark(places.include_dir() / "benchmarks" / f"{before.benchmark}.yaml").is_live
    except InvalidInput:  # the file is gone or was changed since
        return False


def values_before(
    experiments: Sequence[Experiment], promotions: Sequence[Promotion], before: Experiment
) -> dict[str, Any]:
    """What was in force before `before`, of each knob that it or anything after it may have changed.

    `experiments` and `promotions` are the target's. Of a knob that several knew, the oldest tells.
    """
    told = [(e.created_at, e.baseline or {}) for e in experiments if e.created_at >= before.created_at]
    told += [
        (p.proposed_at, before_of(p.proposal))
        for p in promotions
        if p.file_after is not None and p.proposed_at >= before.created_at
    ]
    return oldest_told(told)


def put_back(server: Server, before: Experiment, values: Mapping[str, Any]) -> None:
    """Write the knobs file as it was and bring it into force, with the `values` of then.

    Where the server does not start, or cannot be brought to that, it is as it was now.
    """
    text, found = before.baseline_file or "", server.read_knobs_file()
    now = in_force(server.live(), values) if server.is_live and server.is_up() else {}
    server.write_knobs_file(text)
    try:
        server.start()
        server.bring_into_force(values)
    except (ServerCrashed, MachineryFault):
        server.write_knobs_file(found)
        server.start()
        if now:
            server.bring_into_force(now)
        raise
    try:
        server.read_back(values)
    except NotApplied as error:
        log.warning("set otherwise by now, outside of the knobs file, than before %s:\n%s", before.name, error)


def remove_all(host: Host, experiments: Iterable[str]) -> list[str]:
    """Remove job folders, snapshots and, unless the server has users, what otterflow loaded; what was removed."""
    data = dbms_named(host.target.dbms).data
    removed = _remove_databases(host)
    command = data.remove_snapshots_command(host.target)
    gone = host.session.run(command, what="removing snapshots", timeout_s=600).stdout
    removed += [f"snapshot {line}" for line in gone.splitlines()]
    for name in experiments:
        removed += [f"job {folder}" for folder in Jobs(host, name).remove()]
    for session in both_sessions(host):
        gone = session.run(
            data.remove_work_dir_command(host.target), what="removing the job folder", timeout_s=30
        ).stdout
        removed += [f"folder {line}" for line in gone.splitlines()]
    return removed


def _remove_databases(host: Host) -> list[str]:
    if host.is_live:
        return []
    with host.query() as query:
        names = dbms_named(host.target.dbms).data.remove_databases(query, host.target.database)
        return [f"database {name}" for name in names]


def what_is_left(host: Host) -> list[str]:
    """What a person has made for otterflow: grants, as the statements that take them back, files, connections."""
    target, data = host.target, dbms_named(host.target.dbms).data
    with host.query() as query:
        left = data.left_in_server(query)
        there = data.state(query, target.database).exists
        by_hand = data.left_by_hand(query, target, host.local_access.user)
    if there and not host.is_live:
        left.append(f"database {target.database!r}: Remove takes it only if otterflow loaded it")
    aside = host.session.run(data.left_on_host_command(target), what="looking for copies", timeout_s=30)
    left += [
        f"{line}, left by a restore that was cut off: look before you delete it" for line in aside.stdout.splitlines()
    ]
    left += by_hand
    connections = f"Airflow's connections {target.ssh_conn_id!r} and {target.sql_conn_id!r}"
    return [*left, f"{connections}, the target file, and otterflow's results and repository"]
