"""Which server a target leads to, and who else leads there: by another experiment, another file, another Airflow."""

from __future__ import annotations

import logging
from contextlib import closing
from typing import TYPE_CHECKING

from otterflow import settings as places
from otterflow.dbms.registry import dbms_named, load_target
from otterflow.dbms.target import Target
from otterflow.errors import AccessRefused, InvalidInput, MachineryFault, MayNotAct, Problem
from otterflow.experiment.plan import known
from otterflow.hosts.fence import ServerIdentity

if TYPE_CHECKING:
    from otterflow.dbms.base import Dbms
    from otterflow.dbms.values import Query
    from otterflow.hosts.host import Host
    from otterflow.hosts.workbench import Workbench
    from otterflow.remote.session import Session

log = logging.getLogger(__name__)


def identity_of(dbms: Dbms, query: Query, session: Session) -> ServerIdentity:
    """Which server answers: asked of itself, and of its host."""
    system, data_directory = dbms.settings.identity(query)
    host = session.run("uname -n", what="asking the host's name", timeout_s=30).stdout.strip()
    return ServerIdentity(system, data_directory, host)


def claim(bench: Workbench, identity: ServerIdentity) -> list[Problem]:
    """Record which server the target is, and take its lock for this experiment; what stands in the way."""
    repository, target = bench.repository, bench.plan.target
    repository.identify_target(target.name, str(identity))
    problems = [
        Problem("target", f"{target.name!r} is the same server as {other!r}, which experiment {holder!r} holds", _WAIT)
        for other in repository.same_server(target.name, str(identity))
        if (holder := repository.holder(other)) is not None
    ]
    problems += [] if bench.plan.is_live else _users(bench, identity)
    if not problems and bench.fence is not None:
        try:
            bench.fence.take(bench.host.session, repository)
        except MayNotAct as error:
            problems.append(Problem("target", str(error), "then clear this task"))
    return problems


def give_free(bench: Workbench) -> None:
    """Give the target free, on its host and in the repository."""
    bench.server.release()
    bench.repository.release_target(bench.plan.target.name, bench.name)


def _users(bench: Workbench, identity: ServerIdentity) -> list[Problem]:
    """Other target files that say of this same server that it has users."""
    same = set(bench.repository.same_server(bench.plan.target.name, str(identity)))
    problems = []
    for name in known("targets"):
        if name == bench.plan.target.name:
            continue
        try:
            other = load_target(places.targets_dir() / f"{name}.yaml")
        except InvalidInput:
            continue  # nothing can be tuned by a file with an error
        if other.has_users and (name in same or _is_same(bench.open_host(other), bench.plan.target, identity)):
            found = f"{bench.plan.spec.benchmark!r} loads data and restarts the server, which has users by {name}.yaml"
            problems.append(Problem("benchmark", found, "choose a live benchmark, or a target of its own"))
    return problems


def _is_same(host: Host, target: Target, identity: ServerIdentity) -> bool:
    """Whether that host is this server's. One that cannot be asked counts as such where its files lie in one place."""
    other = host.target
    try:
        with closing(host), host.query() as query:
            return identity_of(dbms_named(other.dbms), query, host.session) == identity
    except (AccessRefused, InvalidInput, MachineryFault) as error:
        alike = other.data_dir.rstrip("/") == target.data_dir.rstrip("/")
        log.warning("target %s has users and cannot be asked which server it is: %s", other.name, error)
        return alike and other.ssh_conn_id == target.ssh_conn_id


_WAIT = "wait for it to end, or stop it with stop_experiment"
