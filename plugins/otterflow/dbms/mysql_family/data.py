"""The benchmark's database: whose it is, how its place is taken by one that is whole, how its data are put back.

A table of otterflow's own in it says what otterflow loaded into it and whether a benchmark has run on it since. A
database without that table is somebody else's and is never dropped unless it is empty. What is dropped goes last, when
what takes its place is whole. A user's own copy is marked as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from otterflow.dbms import snapshot_folder
from otterflow.dbms.mysql_family import data_copy, database, marks, others, own_dump, placing, removal, snapshot
from otterflow.dbms.mysql_family.quoting import identifier
from otterflow.dbms.mysql_family.service import FamilyService
from otterflow.dbms.target import SnapshotMethod
from otterflow.dbms.values import DatabaseAccess, Query, StatementRefused
from otterflow.remote.script import JobScript
from otterflow.remote.shell import quote

if TYPE_CHECKING:
    from otterflow.dbms.target import Target
    from otterflow.remote.session import Session

LOOK_S = 30.0


class FamilyData:
    """The part `data` for one product; see `otterflow.dbms.base.Data`."""

    state = staticmethod(marks.state)
    mark = staticmethod(marks.mark)
    unmark = staticmethod(marks.unmark)
    set_aside = staticmethod(placing.set_aside)
    keep_loaded = staticmethod(placing.keep_loaded)
    put_back = staticmethod(placing.put_back)
    look_at_dump_command = staticmethod(own_dump.look_at_dump_command)
    space_needed = staticmethod(snapshot_folder.space_needed)
    remove_snapshots_command = staticmethod(snapshot_folder.remove_snapshots_command)
    remove_work_dir_command = staticmethod(snapshot_folder.remove_work_dir_command)
    left_on_host_command = staticmethod(snapshot_folder.left_on_host_command)
    remove_databases = staticmethod(removal.remove_databases)
    left_in_server = staticmethod(removal.left_in_server)
    left_by_hand = staticmethod(removal.left_by_hand)

    def __init__(self, service: FamilyService) -> None:
        self.service = service

    def size_bytes(self, query: Query, database_name: str) -> int:
        """What the database takes on the disk; 0 where there is none."""
        query(database.FRESH_STATISTICS_SQL)
        return int(query(database.SIZE_SQL, (database_name,))[0]["bytes"])

    def foreign(self, query: Query) -> str | None:
        """What users have made in the database that is connected to; None where it is empty."""
        row = query(database.OBJECTS_SQL)[0]
        if row["tables"]:
            return f"{row['tables']} tables"
        return f"{row['others']} views, routines or events" if row["others"] else None

    def removal_advice(self, database_name: str) -> str:
        """The statement by which a person drops a database."""
        return f"DROP DATABASE {identifier(database_name)}"

    def beside_data(self, query: Query, target: Target) -> list[str]:
        """What else the server holds, and the folders elsewhere in which it holds it."""
        asked = (others.others_sql(target.database), others.outside_sql())
        return [str(row["what"]) for sql in asked for row in query(sql)]

    def fingerprint(self, data: Mapping[str, object], server_version: int, method: str) -> str:
        """What a snapshot holds, as 16 hexadecimal digits."""
        return snapshot_folder.fingerprint(data, server_version, SnapshotMethod(method))

    def load_dump(self, target: Target, access: DatabaseAccess, path: str) -> JobScript:
        """Load a user's dump into the database, which is empty."""
        return own_dump.load_dump(self.service.product, target, access, path)

    def take_snapshot(self, target: Target, access: DatabaseAccess, mark: str) -> JobScript:
        """Keep the data under the fingerprint `mark`."""
        return snapshot.take_snapshot(self.service, target, access, mark)

    def restore_snapshot(self, target: Target, access: DatabaseAccess, mark: str) -> JobScript:
        """Put the data back."""
        return snapshot.restore_snapshot(self.service, target, access, mark)

    def snapshot_fingerprint(self, session: Session, target: Target) -> str | None:
        """Of the whole snapshot on the target; None where there is none."""
        command = snapshot_folder.snapshot_state_command(target)
        said = session.run(command, what="looking for the snapshot", timeout_s=LOOK_S).stdout
        found = snapshot_folder.parse_snapshot_state(said)
        return None if found is None else found.fingerprint

    def changed_since_copy(self, query: Query, session: Session, target: Target) -> list[str]:
        """What of the server is not as it was when the copy was taken."""
        command = data_copy.facts_command(snapshot_folder.snapshot_dir(target))
        before = session.run(command, what="looking for the snapshot", timeout_s=LOOK_S).stdout
        rows = query(others.facts_sql())
        try:
            rows += query(others.PASSWORDS_SQL)
        except StatementRefused:
            pass  # this user may not read them, nor could it then
        return others.changed(before, rows)

    def data_dir_size_command(self, target: Target) -> str:
        """Print the data directory's size in bytes, 0 where it cannot be read; for `copy`, which keeps all of it."""
        data = quote(target.data_dir)
        return f"if [ -r {data}/mysql ]; then du -sb -- {data} 2> /dev/null | cut -f 1; else echo 0; fi"
