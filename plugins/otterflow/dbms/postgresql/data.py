"""The benchmark's database: whose it is, how its place is taken by one that is whole, how its data are put back.

A comment on the database says what otterflow loaded into it and whether a benchmark has run on it since. A database
without that comment is somebody else's and is never dropped unless it is empty. What is dropped goes last, when what
takes its place is whole. A user's own copy is marked as one; what a person has written of it stays beneath the mark.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from otterflow.dbms.postgresql import cluster, data_copy, database, privileges, snapshot
from otterflow.dbms.postgresql.marks import mark as mark
from otterflow.dbms.postgresql.marks import state as state
from otterflow.dbms.postgresql.marks import unmark as unmark
from otterflow.dbms.postgresql.own_dump import load_dump as load_dump
from otterflow.dbms.postgresql.own_dump import look_at_dump_command as look_at_dump_command
from otterflow.dbms.postgresql.probe import data_dir_size_command as data_dir_size_command
from otterflow.dbms.postgresql.quoting import identifier
from otterflow.dbms.postgresql.removal import left_by_hand as left_by_hand
from otterflow.dbms.postgresql.removal import left_in_server as left_in_server
from otterflow.dbms.postgresql.removal import remove_databases as remove_databases
from otterflow.dbms.postgresql.snapshot import restore_snapshot as restore_snapshot
from otterflow.dbms.postgresql.snapshot import space_needed as space_needed
from otterflow.dbms.postgresql.snapshot import take_snapshot as take_snapshot
from otterflow.dbms.snapshot_folder import left_on_host_command as left_on_host_command
from otterflow.dbms.snapshot_folder import remove_snapshots_command as remove_snapshots_command
from otterflow.dbms.snapshot_folder import remove_work_dir_command as remove_work_dir_command
from otterflow.dbms.target import SnapshotMethod
from otterflow.dbms.values import Query, StatementRefused
from otterflow.errors import MachineryFault

if TYPE_CHECKING:
    from otterflow.dbms.target import Target
    from otterflow.remote.session import Session

LOADING = "loading"
LOOK_S = 30.0
IN_USE = "55006"
"""The SQLSTATE of a database to which somebody is connected."""


def size_bytes(query: Query, name: str) -> int:
    """What the database takes on the disk; 0 where there is none."""
    rows = query(database.SIZE_SQL, (name,))
    return int(rows[0]["bytes"]) if rows else 0


def foreign(query: Query) -> str | None:
    """What users have made in the database that is connected to; None where it is empty."""
    row = query(database.OBJECTS_SQL)[0]
    if row["tables"]:
        return f"{row['tables']} tables"
    return f"{row['others']} views, sequences, functions or large objects" if row["others"] else None


def removal_advice(name: str) -> str:
    """The statement by which a person drops a database."""
    return f"DROP DATABASE {identifier(name)}"


def set_aside(query: Query, name: str) -> None:
    """An empty database of the name, marked as loading; what had the name waits under another, to be dropped later.

    Raises MachineryFault, with the database as it was, where somebody keeps connecting to it.
    """
    query(database.NO_LIMIT_SQL)
    new, old = database.beside(name)
    query(database.drop_sql(new))
    query(database.create_sql(new))
    mark(query, new, LOADING, fresh=False)
    found = state(query, name)
    if found.broken or (found.fingerprint == LOADING and state(query, old).exists):
        query(database.TERMINATE_SQL, (name,))
        query(database.drop_sql(name))  # what is aside, if anything, is older, and whole
        query(database.rename_sql(new, name))
        return
    query(database.drop_sql(old))
    _swap(query, name, new, old if found.exists else None)


def _swap(query: Query, name: str, new: str, old: str | None) -> None:
    for pause_s in (1, 1, 1, 1, 0):  # who connects between the two keeps the database from being renamed
        try:
            query(database.TERMINATE_SQL, (name,))
            query("BEGIN")
            if old is not None:
                query(database.rename_sql(name, old))
            query(database.rename_sql(new, name))
            query("COMMIT")
            return
        except StatementRefused as error:
            query("ROLLBACK")
            if error.code != IN_USE:
                raise
            reason = error
            time.sleep(pause_s)
    raise MachineryFault(f"database {name!r} could not be replaced, and is as it was: {reason}")


def keep_loaded(query: Query, name: str, fingerprint: str) -> None:
    """Mark what was loaded, and drop what waited beside it."""
    query(database.NO_LIMIT_SQL)
    mark(query, name, fingerprint, fresh=True)
    for other in database.beside(name):
        query(database.drop_sql(other))
    if query(privileges.MAY_CHECKPOINT_SQL)[0]["may"]:  # else the restart makes one
        query(database.CHECKPOINT_SQL)


def put_back(query: Query, name: str) -> None:
    """The former database back in its place, or, where there was none, nothing."""
    query(database.NO_LIMIT_SQL)
    new, old = database.beside(name)
    query(database.drop_sql(new))
    if state(query, name).fingerprint == LOADING and state(query, old).exists:
        query(database.TERMINATE_SQL, (name,))
        query(database.drop_sql(name))
        query(database.rename_sql(old, name))


def beside_data(query: Query, target: Target) -> list[str]:
    """What else the cluster holds. To be asked in the database that is always there."""
    return [row["what"] for row in query(cluster.others_sql(target.database))]


def fingerprint(data: Mapping[str, object], server_version: int, method: str) -> str:
    """What a snapshot holds, as 16 hexadecimal digits."""
    return snapshot.fingerprint(data, server_version, SnapshotMethod(method))


def snapshot_fingerprint(session: Session, target: Target) -> str | None:
    """Of the whole snapshot on the target; None where there is none."""
    command = snapshot.snapshot_state_command(target)
    found = snapshot.parse_snapshot_state(
        session.run(command, what="looking for the snapshot", timeout_s=LOOK_S).stdout
    )
    return None if found is None else found.fingerprint


def changed_since_copy(query: Query, session: Session, target: Target) -> list[str]:
    """What of the cluster is not as it was when the copy was taken; asked in the database that is always there."""
    command = data_copy.facts_command(snapshot.snapshot_dir(target))
    before = session.run(command, what="looking for the snapshot", timeout_s=LOOK_S).stdout
    rows = query(cluster.facts_sql(target.database))
    if query(cluster.MAY_READ_PASSWORDS_SQL)[0]["may"]:
        rows += query(cluster.PASSWORDS_SQL)
    return cluster.changed(before, rows)
