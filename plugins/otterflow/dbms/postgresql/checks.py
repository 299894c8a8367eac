"""What is wrong with a target, all of it at once, from what was seen: each problem with what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence

from otterflow.dbms.host_checks import LOOK_S, host_problems, space_paths
from otterflow.dbms.host_checks import space_problems as space_problems
from otterflow.dbms.host_probe import Probe, parse_probe
from otterflow.dbms.postgresql import privileges
from otterflow.dbms.postgresql.probe import probe_command
from otterflow.dbms.postgresql.reach import reach_command, reach_problem
from otterflow.dbms.postgresql.target import PgCtl, PgCtlCluster
from otterflow.dbms.postgresql.versions import OLDEST
from otterflow.dbms.target import SnapshotMethod, SystemdService, Target
from otterflow.dbms.values import DatabaseAccess, Privileges, Query
from otterflow.errors import Problem
from otterflow.remote import host_facts
from otterflow.remote.session import Session


def required_programs(target: Target, *, live: bool = False) -> list[str]:
    """PostgreSQL's programs that the target's service and snapshot method call; none for snapshots of a `live` one."""
    names = ["pg_isready"]
    if isinstance(target.service, PgCtl):
        names.append("pg_ctl")
    if live:
        return names
    if target.snapshot.method is SnapshotMethod.dump:
        return [*names, "pg_dump", "pg_restore", "psql", "vacuumdb"]
    return [*names, "psql", "pg_controldata"]


def problems(
    probe: Probe, target: Target, programs: Sequence[str], *, server_version: int | None = None, live: bool = False
) -> list[Problem]:
    """All that is wrong with what the probe saw. `server_version` is `server_version_num`, where it is known.

    Of a `live` server no snapshot is taken, so it need not have what that takes.
    """
    found = host_problems(probe, target, programs, live=live)
    found += _versions(probe, target, server_version)
    found += _data(probe, target, live=live)
    return found + _service(probe, target)


def host_facts_command(target: Target) -> str:
    """What `remote.host_facts` reads, of this server's process and the folders that otterflow writes to."""
    return host_facts.host_facts_command(
        target.data_dir, space_paths(target), pid_file="postmaster.pid", programs=("postgres", "postmaster")
    )


def _versions(probe: Probe, target: Target, server_version: int | None) -> list[Problem]:
    if server_version is None:
        return []
    major = server_version // 10000
    found = []
    if major < OLDEST:
        found.append(Problem("server", f"is PostgreSQL {major}", f"otterflow needs {OLDEST} or newer"))
    # Newer ones do: what they write and an old server does not know is left out of a restore, and every dump is
    # restored once before it counts.
    for name in ("pg_dump", "pg_restore"):
        client = _major(probe["program", name])
        if client is not None and client < major:
            state = f"{name} is of version {client}, the server of {major}"
            found.append(Problem("bin_dir", state, f"set bin_dir to the programs of version {major}"))
    dump, restore = _major(probe["program", "pg_dump"]), _major(probe["program", "pg_restore"])
    if dump is not None and restore is not None and major <= restore < dump:
        state = f"pg_restore is of version {restore} and cannot read what pg_dump of version {dump} writes"
        found.append(Problem("bin_dir", state, f"set bin_dir to the programs of version {major}"))
    if isinstance(target.service, PgCtl):
        control = _major(probe["program", "pg_ctl"])
        if control is not None and control != major:
            state = f"pg_ctl is of version {control}, the server of {major}"
            found.append(Problem("bin_dir", state, f"set bin_dir to the programs of version {major}"))
    return found


def _data(probe: Probe, target: Target, *, live: bool) -> list[Problem]:
    found = []
    if target.snapshot.method is SnapshotMethod.copy and not live:
        if not probe["data", "version"] and not probe["data", "aside"]:
            state = f"{target.data_dir} cannot be read by {probe.user!r}"
            found.append(Problem("snapshot.method", state, "copy needs the server's own user over SSH; or use dump"))
        if probe["data", "tablespaces"] == "yes" or probe["data", "whole"] == "no":
            state = f"{target.data_dir} has tablespaces, or it or its pg_wal is linked or mounted"
            found.append(Problem("snapshot.method", state, "a copy would not hold all data; use dump"))
    return found


def _service(probe: Probe, target: Target) -> list[Problem]:
    found = []
    if probe["service", "umbrella"] == "yes" and isinstance(target.service, SystemdService):
        state = f"unit {target.service.unit!r} starts no server itself, so a failed start would go unseen"
        found.append(Problem("service.unit", state, "name the cluster's unit, such as postgresql@15-main"))
    if probe["service", "cluster"] == "absent" and isinstance(target.service, PgCtlCluster):
        state = f"cluster {target.service.version} {target.service.cluster} is not on the host"
        found.append(Problem("service", state, f"known clusters: {probe['service', 'clusters'] or 'none'}"))
    return found


def _major(version_line: str) -> int | None:
    """The major version in `pg_dump (PostgreSQL) 15.18 (Debian ...)`."""
    match = re.search(r"\) (\d+)", version_line)
    return int(match[1]) if match else None


def look_at_host(
    session: Session, target: Target, *, live: bool, data_directory: str | None, version: int | None
) -> list[Problem]:
    """Programs, folders, log, service: what the target file says against what is on the host, in one round trip."""
    programs = required_programs(target, live=live)
    command = probe_command(target, programs, data_directory=data_directory)
    probe = parse_probe(session.run(command, what="looking at the target", timeout_s=LOOK_S).stdout)
    return problems(probe, target, programs, server_version=version, live=live)


def look_from_host(
    session: Session, target: Target, access: DatabaseAccess, *, own_programs: bool, field: str, host: str
) -> Problem | None:
    """Whether commands on `host` reach the server, called as the setting `field` says."""
    command = reach_command(target, access, bin_dir=own_programs)
    stdin = access.files().get("pgpass", "")
    done = session.run(command, what="reaching the server", timeout_s=LOOK_S, stdin=stdin)
    return reach_problem(done.stdout, access, field, host)


def may_ask(query: Query, target: Target, *, live: bool) -> Privileges:
    """What the SQL user may do on the target, and what it lacks for tuning it."""
    row = query(privileges.privileges_sql(target.database))[0]
    return Privileges(
        reads_all=bool(row["superuser"] or row["read_all_settings"]),
        problems=privileges.missing_privileges(row, target, live=live),
        not_owned=privileges.not_owned(row, target),
        limits=privileges.limits_of(row),
    )
