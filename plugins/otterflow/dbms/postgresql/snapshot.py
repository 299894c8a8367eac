"""Keeping the benchmark's data and putting it back: bash scripts for remote jobs, by the target's snapshot method.

`dbms.snapshot_folder` says how a snapshot lies on the target, `dump` and `data_copy` what is in it.
"""

from __future__ import annotations

from otterflow.dbms.postgresql import data_copy, dump
from otterflow.dbms.snapshot_folder import NOT_POSSIBLE as NOT_POSSIBLE
from otterflow.dbms.snapshot_folder import SnapshotState as SnapshotState
from otterflow.dbms.snapshot_folder import fingerprint as fingerprint
from otterflow.dbms.snapshot_folder import in_new_folder, of_kept_folder
from otterflow.dbms.snapshot_folder import parse_snapshot_state as parse_snapshot_state
from otterflow.dbms.snapshot_folder import snapshot_dir as snapshot_dir
from otterflow.dbms.snapshot_folder import snapshot_state_command as snapshot_state_command
from otterflow.dbms.snapshot_folder import space_needed as space_needed
from otterflow.dbms.target import SnapshotMethod, Target
from otterflow.dbms.values import DatabaseAccess
from otterflow.remote.script import JobScript


def take_snapshot(target: Target, access: DatabaseAccess, mark: str) -> JobScript:
    """Keep the data under the fingerprint `mark`, in place of what was kept before.

    `dump` leaves the server running, and the database as a restore of what was kept; `copy` stops it, and starts it
    again whatever happens. Exit code `NOT_POSSIBLE` means that nothing was touched.
    """
    method = dump if target.snapshot.method is SnapshotMethod.dump else data_copy
    return JobScript(in_new_folder(target, mark, method.take(target, access)), access.files())


def restore_snapshot(target: Target, access: DatabaseAccess, mark: str) -> JobScript:
    """Put the data back. `dump` leaves the server running, `copy` leaves it stopped, for the restart to start.

    A script that was ended half-way may simply be run again. Exit code `NOT_POSSIBLE` when the snapshot is not the one
    of the fingerprint `mark`, or when nothing could be touched.
    """
    method = dump if target.snapshot.method is SnapshotMethod.dump else data_copy
    return JobScript(of_kept_folder(target, mark, method.restore(target, access)), access.files())
