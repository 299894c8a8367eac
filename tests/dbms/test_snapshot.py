from __future__ import annotations

from typing import Any

import pytest

from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.dbms.postgresql.database import beside
from otterflow.dbms.postgresql.snapshot import (
    SnapshotState,
    fingerprint,
    parse_snapshot_state,
    restore_snapshot,
    snapshot_state_command,
    space_needed,
    take_snapshot,
)
from otterflow.dbms.target import SnapshotMethod
from tests.dbms.conftest import SERVICES, is_bash, target_of

ACCESS = DatabaseAccess.with_password("127.0.0.1", 5432, "it's me", "bench", "s3cret")
METHODS = list(SnapshotMethod)


@pytest.mark.parametrize("kind", SERVICES)
@pytest.mark.parametrize("method", METHODS)
def test_scripts_are_whole_bash_and_hold_no_secret(kind: str, method: SnapshotMethod) -> None:
    target = target_of(service=SERVICES[kind], snapshot={"dir": "/srv/snap '\"; shots", "method": method})
    for job in (take_snapshot(target, ACCESS, "abc"), restore_snapshot(target, ACCESS, "abc")):
        assert is_bash(job.script)
        assert "s3cret" not in job.script + repr(job)
        assert job.files == {"pgpass": ACCESS.pgpass}
    assert is_bash(snapshot_state_command(target))


def test_a_dump_is_parallel_and_in_directory_format() -> None:
    target = target_of(snapshot={"dir": "/srv/s", "method": "dump", "jobs": 3})
    script = take_snapshot(target, ACCESS, "abc").script
    assert "/usr/lib/postgresql/15/bin/pg_dump --format=directory --jobs=3" in script
    assert 'export PGPASSFILE="$PWD/pgpass"' in script
    assert "export PGUSER='it'\"'\"'s me'" in script
    restore = restore_snapshot(target, ACCESS, "abc").script
    assert "pg_restore --exit-on-error --jobs=3" in restore
    assert "vacuumdb --quiet --analyze --jobs=3" in restore


def test_without_a_password_there_is_no_file() -> None:
    job = take_snapshot(target_of(), DatabaseAccess("h", 1, "u", "bench"), "abc")
    assert job.files == {}
    assert "export PGPASSFILE" not in job.script


def test_a_copy_shares_blocks_where_it_can() -> None:
    target = target_of(snapshot={"dir": "/srv/s", "method": "copy"})
    assert "cp -a --reflink=auto" in take_snapshot(target, ACCESS, "abc").script
    assert "cp -a --reflink=auto" in restore_snapshot(target, ACCESS, "abc").script


def test_the_fingerprint_follows_data_version_and_method() -> None:
    data = {"benchmark": "pgbench_tpcb", "scale": 20}
    one = fingerprint(data, 150018, SnapshotMethod.dump)
    assert one == fingerprint({"scale": 20, "benchmark": "pgbench_tpcb"}, 150018, SnapshotMethod.dump)
    others = {
        fingerprint(data | {"scale": 21}, 150018, SnapshotMethod.dump),
        fingerprint(data, 160000, SnapshotMethod.dump),
        fingerprint(data, 150018, SnapshotMethod.copy),
    }
    assert len(others | {one}) == 4


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ('{"fingerprint": "abc", "size_bytes": 12}\n', SnapshotState("abc", 12)),
        ("", None),
        ('{"fingerprint": "abc"', None),
        ('{"fingerprint": "abc"}', None),
        ("[]", None),
    ],
)
def test_the_marker(text: str, state: SnapshotState | None) -> None:
    assert parse_snapshot_state(text) == state


def test_a_restore_needs_room_for_the_database_twice() -> None:
    size: dict[str, Any] = {"database_bytes": 1000, "data_dir_bytes": 5000}
    target, data = target_of(), "/srv/it's; here/data"
    assert space_needed(target, **size) == {"/srv/snap shots": 1100, data: 2200}
    assert space_needed(target, **size, loaded=True) == {"/srv/snap shots": 1100, data: 1100}
    assert space_needed(target, **size, restores=False) == {data: 1100}
    copy = target_of(snapshot={"dir": "/srv/s", "method": "copy"})
    assert space_needed(copy, **size) == {"/srv/s": 5500, "/srv/it's; here": 5500, data: 1100}


def test_names_beside_a_long_name_are_short_enough_and_its_own() -> None:
    assert beside("Bench-DB") == ("Bench-DB_otterflow_new", "Bench-DB_otterflow_old")
    names = {name for letter in "éü" for name in beside(letter * 31)}
    assert len(names) == 4
    assert max(len(name.encode()) for name in names) <= 63
