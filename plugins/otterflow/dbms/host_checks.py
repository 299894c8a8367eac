"""What is wrong with a target on its host, whatever its DBMS, from what was seen: each problem with what to do."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence

from otterflow.dbms.host_probe import TOOLS, Probe
from otterflow.dbms.target import SnapshotMethod, Target
from otterflow.errors import Problem
from otterflow.remote.host_facts import HostReport

LOOK_S = 60.0
"""Time limit of a command that only looks."""
_FREE = "free some, or move snapshot.dir or work_dir elsewhere; data are restored beside the old ones, which go last"
FREE_AT_LEAST_BYTES = 256 * 2**20
"""Job folders, logs and the server itself need some room whatever the benchmark."""


def host_problems(probe: Probe, target: Target, programs: Sequence[str], *, live: bool) -> list[Problem]:
    """All that is wrong with programs, folders, log, sudo and the page cache.

    Of a `live` server no snapshot is taken, so it need not have what that takes. The DBMS's `programs` must be there.
    """
    found = _missing(probe, target, programs) + _folders(probe, target, live=live) + _data(probe, target)
    if probe["log", "state"] != "readable":
        state = probe["log", "state"] or "not there"
        advice = f"let {probe.user!r} read it (a group such as adm), or correct the path"
        found.append(Problem("log_file", f"{target.log_file} is {state}", advice))
    refused = [key for kind, key in probe.records if kind == "sudo" and key != "free_cache" and not probe[kind, key]]
    if refused:
        state = f"{probe.user!r} may not run without a password: {'; '.join(refused)}"
        found.append(Problem("service", state, "allow exactly these in sudoers with NOPASSWD"))
    if not live:
        found += _free_cache(probe, target) + _copy_above_data(probe, target)
    return found


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


def _data(probe: Probe, target: Target) -> list[Problem]:
    if aside := probe["data", "aside"]:
        state = f"{target.data_dir} is not there: a restore that was cut off has left it as {aside}"
        return [Problem("data_dir", state, "move it back (mv -T), then start the server")]
    if probe["data", "same"] != "no":
        return []
    state = f"{target.data_dir} is not the server's, which says {probe['data', 'server']!r}"
    return [Problem("data_dir", state, "correct data_dir, or the connection that leads to another server")]


def _copy_above_data(probe: Probe, target: Target) -> list[Problem]:
    if target.snapshot.method is not SnapshotMethod.copy or probe["folder", "data_dir"] == "writable":
        return []
    state = f"the folder above {target.data_dir} is not writable for {probe.user!r}"
    return [Problem("snapshot.method", state, "copy swaps the data directory there; or use dump")]


def _free_cache(probe: Probe, target: Target) -> list[Problem]:
    if target.free_cache.method == "none" or probe["sudo", "free_cache"]:
        return []
    state = f"{probe.user!r} may not run `sudo -n {target.free_cache.command}`, or it is not there"
    return [Problem("free_cache", state, "install the script and its sudoers line (see README), or set it to none")]


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
