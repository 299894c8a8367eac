from __future__ import annotations

import subprocess
from typing import Any

import pytest

from otterflow.dbms.host_checks import space_paths, space_problems
from otterflow.dbms.host_probe import TOOLS, Probe, parse_probe
from otterflow.dbms.postgresql.checks import problems, required_programs
from otterflow.dbms.postgresql.privileges import limits_of, missing_privileges, not_owned, privileges_sql
from otterflow.dbms.postgresql.probe import data_dir_size_command, probe_command
from otterflow.dbms.postgresql.snapshot import space_needed
from otterflow.dbms.target import Target
from otterflow.remote.host_facts import Filesystem, HostReport
from tests.dbms.conftest import SERVICES, is_bash, target_of

MIB = 2**20


def all_well(target: Target) -> dict[tuple[str, str], str]:
    programs = [*required_programs(target), "pgbench"]
    return {
        ("user", "name"): "otter",
        **{("tool", name): f"/usr/bin/{name}" for name in TOOLS},
        **{("program", name): f"{name} (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)" for name in programs},
        **{("folder", name): "writable" for name in ("snapshot.dir", "work_dir", "knobs_file", "data_dir")},
        ("data", "version"): "15",
        ("log", "state"): "readable",
        ("sudo", "free_cache"): "allowed",
    }


def found(target: Target, version: int = 150018, **changes: str) -> list[str]:
    """Problems as sentences; `changes` is `kind__key=value`."""
    records = all_well(target)
    for name, value in changes.items():
        kind, _, key = name.partition("__")
        records[kind, key.replace("DOT", ".")] = value
    wanted = [*required_programs(target), "pgbench"]
    return [str(p) for p in problems(Probe(records), target, wanted, server_version=version)]


@pytest.mark.parametrize("kind", SERVICES)
@pytest.mark.parametrize("method", ["dump", "copy"])
def test_a_target_in_order_has_no_problem(kind: str, method: str) -> None:
    target = target_of(service=SERVICES[kind], snapshot={"dir": "/s", "method": method}, free_cache="sudo")
    assert found(target) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"tool__flock": ""},
            "host: the command flock is missing; install it (Debian: coreutils, util-linux, findutils)",
        ),
        ({"program__pg_dump": "", "program__pgbench": ""}, "bin_dir: pg_dump, pgbench not found in /usr/lib"),
        ({"program__pg_dump": "pg_dump (PostgreSQL) 14.3"}, "bin_dir: pg_dump is of version 14, the server of 15"),
        ({"program__pg_dump": "pg_dump (PostgreSQL) 17.1"}, "bin_dir: pg_restore is of version 15 and cannot read"),
        ({"program__pg_ctl": "pg_ctl (PostgreSQL) 17beta1"}, "bin_dir: pg_ctl is of version 17, the server of 15"),
        ({"folder__snapshotDOTdir": "not writable"}, "snapshot.dir: /srv/snap shots is not writable for 'otter'"),
        ({"folder__work_dir": "not there"}, "work_dir: /tmp/otterflow is not there for 'otter'"),
        ({"folder__knobs_file": "can be made"}, "knobs_file: its folder /srv/conf is not there for 'otter'"),
        (
            {"data__same": "no", "data__server": "/x"},
            "data_dir: /srv/it's; here/data is not the server's, which says '/x'",
        ),
        ({"log__state": "not readable"}, "log_file: /srv/my log/*.log is not readable; let 'otter' read it"),
        ({"sudo__free_cache": ""}, "free_cache: 'otter' may not run `sudo -n /usr/local/sbin/otterflow-free-cache`"),
    ],
)
def test_each_fault_is_named_with_what_to_do(changes: dict[str, Any], sentence: str) -> None:
    (problem,) = found(target_of(free_cache="sudo"), **changes)
    assert problem.startswith(sentence)


def test_newer_programs_are_fine_and_an_old_server_is_not() -> None:
    target = target_of(service=SERVICES["systemd"])
    newer: dict[str, Any] = {
        "program__pg_dump": "pg_dump (PostgreSQL) 17.1", "program__pg_restore": "pg_restore (PostgreSQL) 17.1",
    }  # fmt: skip
    assert found(target, **newer) == []
    assert [p for p in found(target, version=110022) if p.startswith("server: is PostgreSQL 11")]


def test_sudo_and_unit_of_a_systemd_service() -> None:
    target = target_of(service=SERVICES["systemd"])
    refused: dict[str, Any] = {"sudo__systemctl start postgresql@15-main": ""}
    (problem,) = found(target, **refused)
    assert "may not run without a password: systemctl start postgresql@15-main" in problem
    (problem,) = found(target, service__umbrella="yes")
    assert "starts no server itself" in problem


def test_an_unknown_cluster_names_the_known_ones() -> None:
    (problem,) = found(
        target_of(service=SERVICES["pg_ctlcluster"]), service__cluster="absent", service__clusters="16 main, 16 old"
    )
    assert problem.endswith("known clusters: 16 main, 16 old")


def test_what_a_copy_needs() -> None:
    target = target_of(snapshot={"dir": "/s", "method": "copy"})
    problems = found(target, data__version="", data__tablespaces="yes", folder__data_dir="not writable")
    assert [p.partition(":")[0] for p in problems] == ["snapshot.method"] * 3


@pytest.mark.slow
@pytest.mark.parametrize("kind", SERVICES)
def test_the_probe_is_whole_bash_and_runs_on_a_host_that_has_nothing(kind: str) -> None:
    target = target_of(service=SERVICES[kind], free_cache="sudo")
    command = probe_command(target, ["pg_dump", "it's; not"], data_directory="/x 'y")
    assert is_bash(command)
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    probe = parse_probe(done.stdout)
    assert probe.user
    assert probe["tool", "flock"].endswith("/flock")
    assert probe["data", "same"] == "no"
    assert probe["data", "server"] == "/x 'y"
    size = subprocess.run(["bash", "-c", data_dir_size_command(target)], capture_output=True, text=True)
    assert size.stdout == "0\n"


def report(**free: int) -> HostReport:
    """A host whose folders lie on file systems of the given free bytes, by the target's field."""
    target = target_of()
    mounts = {"/srv/it's; here/data": "data", "/srv/it's; here": "data", "/srv/snap shots": "snap"}
    filesystems = {
        path: Filesystem(
            path, f"/{mounts.get(path, 'root')}", "ext4", 10**12, free.get(mounts.get(path, "root"), 10**12), 10**6
        )
        for path in space_paths(target)
    }
    return HostReport(10**9, 10**9, 2, 2, "ssd", True, filesystems, "server")


def test_a_nearly_full_disk_is_named_with_what_it_needs() -> None:
    target = target_of()
    sizes = space_needed(target, database_bytes=1000 * MIB, data_dir_bytes=0)
    assert space_problems(report(), target, sizes) == []
    (problem,) = space_problems(report(snap=600 * MIB), target, sizes)
    assert str(problem).startswith(
        "disk space: file system /snap (/srv/snap shots) has 600 MiB free and needs 1,356 MiB"
    )
    (problem,) = space_problems(report(data=2000 * MIB), target, sizes)
    assert "/data" in problem.found
    assert "needs 2,456 MiB" in problem.found, "a restore is made beside the database that it replaces"
    (problem,) = space_problems(report(data=1), target, {})
    assert "needs 256 MiB" in problem.found


def test_folders_on_one_file_system_add_up() -> None:
    target = target_of(snapshot={"dir": "/srv/it's; here", "method": "copy"})
    sizes = space_needed(target, database_bytes=1, data_dir_bytes=1000 * MIB)
    assert space_problems(report(data=3000 * MIB), target, sizes) == []
    assert len(space_problems(report(data=1000 * MIB), target, sizes)) == 1


def user(**changes: Any) -> dict[str, Any]:
    row = {
        "name": 'tu"ner', "superuser": False, "createdb": True, "read_all_settings": True, "read_all_stats": True,
        "signal_backend": True, "read_file_settings": True, "owns_database": True,
    }  # fmt: skip
    return row | changes


@pytest.mark.parametrize("method", ["dump", "copy"])
@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        ({"read_all_stats": False}, 'GRANT pg_monitor TO "tu""ner"'),
        ({"createdb": False}, 'ALTER ROLE "tu""ner" CREATEDB'),
        ({"signal_backend": False}, 'GRANT pg_signal_backend TO "tu""ner"'),
    ],
)
def test_each_missing_privilege_says_what_to_grant(changes: dict[str, Any], advice: str, method: str) -> None:
    target = target_of(snapshot={"dir": "/s", "method": method})
    (problem,) = missing_privileges(user(**changes), target)
    assert problem.advice == advice
    assert missing_privileges(user(**changes, superuser=True), target) == []


def test_whose_the_database_is_is_not_a_missing_privilege() -> None:
    row = user(owns_database=False)
    assert missing_privileges(row, target_of()) == [], "it may be a production one: nobody is told to hand it over"
    (problem,) = not_owned(row, target_of(database='Bench-"DB"'))
    assert 'ALTER DATABASE "Bench-""DB""" OWNER TO "tu""ner"' in problem.advice
    assert not_owned(user(owns_database=None), target_of()) == not_owned(user(), target_of()) == []


def test_privileges_in_order() -> None:
    assert missing_privileges(user(owns_database=None), target_of()) == []
    assert limits_of(user()) == []
    assert "GRANT SELECT ON pg_file_settings" in limits_of(user(read_file_settings=False))[0].advice


def test_the_database_is_quoted() -> None:
    assert "d.datname = 'it''s'" in privileges_sql("it's")


@pytest.mark.parametrize("method", ["dump", "copy"])
def test_a_live_target_needs_nothing_for_snapshots(method: str) -> None:
    target = target_of(snapshot={"dir": "/s", "method": method}, free_cache="sudo")
    records = all_well(target) | {
        ("folder", "snapshot.dir"): "not there",
        ("folder", "data_dir"): "not writable",
        ("data", "version"): "",
        ("sudo", "free_cache"): "",
    }
    programs = required_programs(target, live=True)
    assert set(programs) == {"pg_isready", "pg_ctl"}
    assert problems(Probe(records), target, programs, server_version=150018, live=True) == []
    assert len(problems(Probe(records), target, programs, server_version=150018)) >= 2
    assert missing_privileges(user(createdb=False, owns_database=False), target_of(), live=True) == []
    (problem,) = missing_privileges(user(read_all_stats=False), target_of(), live=True)
    assert "pg_monitor" in problem.advice


def test_every_use_of_sudo_is_asked_for_the_forced_stop_too() -> None:
    command = probe_command(target_of(service=SERVICES["pg_ctlcluster"] | {"sudo": True}), [])
    for words in ("start", "stop", "--force stop"):
        assert f"may_sudo 'pg_ctlcluster 15 main {words}' pg_ctlcluster 15 main {words}" in command
