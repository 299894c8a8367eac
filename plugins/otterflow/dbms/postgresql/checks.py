"""What is wrong with a target, all of it at once, from what was seen: each problem with what to do."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence

from otterflow.dbms.postgresql import privileges
from otterflow.dbms.postgresql.probe import TOOLS, Probe, parse_probe, probe_command
from otterflow.dbms.postgresql.reach import reach_command, reach_problem
from otterflow.dbms.postgresql.target import PgCtl, PgCtlCluster
from otterflow.dbms.postgresql.versions import OLDEST
from otterflow.dbms.target import SnapshotMethod, SystemdService, Target
from otterflow.dbms.values import DatabaseAccess, Privileges, Query
from otterflow.errors import Problem
from otterflow.remote import host_facts
from otterflow.remote.host_facts import HostReport
from otterflow.remote.session import Session

LOOK_S = 60.0
"""Time limit of a command that only looks."""
_FREE = "free some, or move snapshot.dir or work_dir elsewhere; data are restored beside the old ones, which go last"
FREE_AT_LEAST_BYTES = 256 * 2**20
"""Job folders, logs and the server's WAL need some room whatever the benchmark."""


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
    found = _missing(probe, target, programs)
    found += _versions(probe, target, server_version)
    found += _folders(probe, target, live=live)
    found += _data(probe, target, live=live)
    if probe["log", "state"] != "readable":
        state = probe["log", "state"] or "not there"
        advice = f"let {probe.user!r} read it (a group such as adm), or correct the path"
        found.append(Problem("log_file", f"{target.log_file} is {state}", advice))
    found += _service(probe, target)
    if not live:
        found += _free_cache(probe, target)
    return found


def host_facts_command(target: Target) -> str:
    """What `remote.host_facts` reads, of this server's process and the folders that otterflow writes to."""
    return host_facts.host_facts_command(
        target.data_dir, space_paths(target), pid_file="postmaster.pid", programs=("postgres", "postmaster")
    )


def space_problems(report: HostReport, target: Target, sizes: Mapping[str, int]) -> list[Problem]:
    """File systems with too little room for a load, a snapshot and a restore, or nearly full; with what is needed.

    `report` must hold the folders of `space_paths`; `sizes` is what `snapshot.space_needed` says, or nothing.
    """
    needed: dict[str, int] = {}
    folders: dict[str, list[str]] = {}
    for folder in space_paths(target):
        filesystem = report.filesystems.get(folder)
        if filesystem is not None:
            needed[filesystem.mount] = needed.get(filesystem.mount, FREE_AT_LEAST_BYTES) + sizes.get(folder, 0)
            folders.setdefault(filesystem.mount, []).append(folder)
    found = []
    for mount, size in needed.items():
        filesystem = report.filesystems[folders[mount][0]]
        names = ", ".join(folders[mount])
        if filesystem.free_bytes < size:
            state = f"file system {mount} ({names}) has {_mib(filesystem.free_bytes)} free and needs {_mib(size)}"
            found.append(Problem("disk space", state, _FREE))
        if filesystem.free_inodes is not None and filesystem.free_inodes < 10_000:
            state = f"file system {mount} ({names}) has only {filesystem.free_inodes} free inodes"
            found.append(Problem("disk space", state, "remove some files"))
    return found


def space_paths(target: Target) -> list[str]:
    """The folders whose file systems otterflow writes to, for `host_facts_command`."""
    return list(
        dict.fromkeys(
            [
                target.data_dir,
                posixpath.dirname(target.data_dir.rstrip("/")),
                target.snapshot.dir,
                target.work_dir,
                posixpath.dirname(target.knobs_file),
            ]
        )
    )


def _missing(probe: Probe, target: Target, programs: Sequence[str]) -> list[Problem]:
    found = [
        Problem("host", f"the command {name} is missing", "install it (Debian: coreutils, util-linux, findutils)")
        for name in TOOLS
        if not probe["tool", name]
    ]
    absent = [name for name in programs if not probe["program", name]]
    if absent:
        place = target.bin_dir or f"the PATH of {probe.user!r} in a session without login"
        advice = "set bin_dir to the folder that holds them, or install them"
        found.append(Problem("bin_dir", f"{', '.join(absent)} not found in {place}", advice))
    return found


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


def _folders(probe: Probe, target: Target, *, live: bool) -> list[Problem]:
    paths = (
        {"work_dir": target.work_dir} if live else {"snapshot.dir": target.snapshot.dir, "work_dir": target.work_dir}
    )
    found = []
    for field, path in paths.items():
        if probe["folder", field] not in ("writable", "can be made"):
            state = f"{path} is {probe['folder', field] or 'not there'} for {probe.user!r}"
            found.append(Problem(field, state, _own_folder(probe, field, "with mode 700")))
    access = probe["folder", "knobs_file"]
    folder = posixpath.dirname(target.knobs_file)
    if access != "writable":
        seen = "not there" if access == "can be made" else access or "not there"
        state = f"its folder {folder} is {seen} for {probe.user!r}"
        found.append(Problem("knobs_file", state, _own_folder(probe, "knobs_file", "with mode 755")))
    elif closed := probe["closed", "folder"]:
        state = (
            f"{closed} is closed to the server's user {probe['closed', 'user']!r}, who has to read {target.knobs_file}"
        )
        found.append(Problem("knobs_file", state, f"let it enter the folder: chmod o+x {closed}"))
    return found


def _own_folder(probe: Probe, field: str, mode: str) -> str:
    """What to do for want of a folder; one that is there is somebody else's, the server's own configuration perhaps."""
    user = probe.user
    if probe["folder", field] in ("not writable", "no folder"):
        return f"leave that as it is, and name a folder of otterflow's own here, made for {user!r} {mode}"
    return f"make it and give it to {user!r} {mode}"


def _data(probe: Probe, target: Target, *, live: bool) -> list[Problem]:
    found = []
    if probe["data", "same"] == "no":
        state = f"{target.data_dir} is not the server's, which says {probe['data', 'server']!r}"
        found.append(Problem("data_dir", state, "correct data_dir, or the connection that leads to another server"))
    if target.snapshot.method is SnapshotMethod.copy and not live:
        if not probe["data", "version"]:
            state = f"{target.data_dir} cannot be read by {probe.user!r}"
            found.append(Problem("snapshot.method", state, "copy needs the server's own user over SSH; or use dump"))
        if probe["data", "tablespaces"] == "yes" or probe["data", "whole"] == "no":
            state = f"{target.data_dir} has tablespaces, or it or its pg_wal is linked or mounted"
            found.append(Problem("snapshot.method", state, "a copy would not hold all data; use dump"))
        if probe["folder", "data_dir"] != "writable":
            state = f"the folder above {target.data_dir} is not writable for {probe.user!r}"
            found.append(Problem("snapshot.method", state, "copy swaps the data directory there; or use dump"))
    return found


def _service(probe: Probe, target: Target) -> list[Problem]:
    found = []
    refused = [key for kind, key in probe.records if kind == "sudo" and key != "free_cache" and not probe[kind, key]]
    if refused:
        state = f"{probe.user!r} may not run without a password: {'; '.join(refused)}"
        found.append(Problem("service", state, "allow exactly these in sudoers with NOPASSWD"))
    if probe["service", "umbrella"] == "yes" and isinstance(target.service, SystemdService):
        state = f"unit {target.service.unit!r} starts no server itself, so a failed start would go unseen"
        found.append(Problem("service.unit", state, "name the cluster's unit, such as postgresql@15-main"))
    if probe["service", "cluster"] == "absent" and isinstance(target.service, PgCtlCluster):
        state = f"cluster {target.service.version} {target.service.cluster} is not on the host"
        found.append(Problem("service", state, f"known clusters: {probe['service', 'clusters'] or 'none'}"))
    return found


def _free_cache(probe: Probe, target: Target) -> list[Problem]:
    if target.free_cache.method == "none" or probe["sudo", "free_cache"]:
        return []
    state = f"{probe.user!r} may not run `sudo -n {target.free_cache.command}`, or it is not there"
    return [Problem("free_cache", state, "install the script and its sudoers line (see README), or set it to none")]


def _major(version_line: str) -> int | None:
    """The major version in `pg_dump (PostgreSQL) 15.18 (Debian ...)`."""
    match = re.search(r"\) (\d+)", version_line)
    return int(match[1]) if match else None


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"


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
