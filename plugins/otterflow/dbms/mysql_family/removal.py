"""What otterflow has made on a server, and how it is taken away again.

Only what bears otterflow's own name or mark goes. What a person has granted or written is left, and told with what
takes it back.
"""

from __future__ import annotations

import posixpath

from otterflow.dbms.mysql_family.database import beside, drop_sql
from otterflow.dbms.mysql_family.marks import mark, state, unmark
from otterflow.dbms.mysql_family.target import OwnServer
from otterflow.dbms.target import CommandService, SystemdService, Target
from otterflow.dbms.values import EXISTING, Query

GOING = "removing"
WHO_SQL = "SELECT CURRENT_USER() AS account"


def remove_databases(query: Query, name: str) -> list[str]:
    """Drop the database and those beside it that otterflow loaded; their names. A user's own copy is only unmarked."""
    removed = []
    for database in (*beside(name), name):
        found = state(query, database)
        if not found.exists or (database == name and not found.ours):
            continue
        if found.fingerprint == EXISTING:
            unmark(query, database)
            continue
        if found.ours:
            mark(query, database, GOING, fresh=False)  # DROP DATABASE can be cut off in between
        query(drop_sql(database))
        removed.append(database)
    return sorted(removed)


def left_in_server(query: Query) -> list[str]:
    """What the connected account was given, as the statement that takes it back."""
    grants = query("SHOW GRANTS")
    given = [str(text) for row in grants for text in row.values() if not str(text).startswith("GRANT USAGE ON *.*")]
    return [f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {_account(query)};"] if given else []


def left_by_hand(query: Query, target: Target, user: str) -> list[str]:
    """What a person has written or made for otterflow on the host, and how it is taken away."""
    folder = posixpath.dirname(target.knobs_file)
    left = [
        f"{target.knobs_file}, and in the server's option file the line that includes {folder}, if otterflow alone "
        "needs it: delete them, then restart",
        f"the SSH user's key in its ~/.ssh/authorized_keys (connection {target.ssh_conn_id!r})",
    ]
    match target.service:
        case SystemdService():
            left.append("the sudoers line for systemctl (look in /etc/sudoers.d)")
        case CommandService():
            left.append("what the commands of `service` are allowed by")
        case OwnServer():
            pass
    if target.free_cache.method == "sudo":
        left.append(f"the script {target.free_cache.command} and its sudoers line")
    left.append(f"the account, once the statement above has run: DROP USER {_account(query)} (user {user!r})")
    return left


def _account(query: Query) -> str:
    name, _, host = str(query(WHO_SQL)[0]["account"]).rpartition("@")
    quoted = [part.replace("\\", "\\\\").replace("'", "''") for part in (name, host)]
    return f"'{quoted[0]}'@'{quoted[1]}'"
