"""What otterflow has made on a server, and how it is taken away again.

Only what bears otterflow's own name or mark goes: a database with its comment, a snapshot with its marker. What a
person has granted or written is left, and told with what takes it back.
"""

from __future__ import annotations

import posixpath

from otterflow.dbms.postgresql.database import TERMINATE_SQL, drop_sql
from otterflow.dbms.postgresql.marks import state, unmark
from otterflow.dbms.postgresql.settings import DIRECTORIES_SQL
from otterflow.dbms.postgresql.target import PgCtl, PgCtlCluster
from otterflow.dbms.target import CommandService, SystemdService, Target
from otterflow.dbms.values import EXISTING, Query

MARKED_DATABASES_SQL = """
SELECT datname AS name FROM pg_database
 WHERE split_part(shobj_description(oid, 'pg_database'), ' ', 1) = 'otterflow'
   AND split_part(shobj_description(oid, 'pg_database'), ' ', 2) = 'data'
   AND (datname = %(database)s OR starts_with(datname, %(database)s || '_otterflow_')
        OR datname ~ '^otterflow_(new|old)_[0-9a-f]{16}$')
 ORDER BY datname
"""
"""The benchmark's database and those that were beside it while it was loaded or restored, if otterflow loaded them."""

GRANTS_SQL = """
WITH me AS (SELECT oid, quote_ident(rolname) AS name, rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user)
SELECT format('REVOKE %I FROM %s', r.rolname, me.name) AS statement
  FROM me JOIN pg_auth_members m ON m.member = me.oid JOIN pg_roles r ON r.oid = m.roleid
UNION ALL
SELECT format('REVOKE %s ON %s FROM %s', string_agg(acl.privilege_type, ', '), c.oid::regclass, me.name)
  FROM me, pg_class c, aclexplode(c.relacl) acl WHERE acl.grantee = me.oid AND c.relowner <> me.oid
 GROUP BY c.oid, me.name
UNION ALL
SELECT format('REVOKE EXECUTE ON FUNCTION %s FROM %s', p.oid::regprocedure, me.name)
  FROM me, pg_proc p, aclexplode(p.proacl) acl WHERE acl.grantee = me.oid AND p.proowner <> me.oid
UNION ALL
SELECT format('ALTER ROLE %s %s', me.name, concat_ws(' ', CASE WHEN rolsuper THEN 'NOSUPERUSER' END,
              CASE WHEN rolcreatedb THEN 'NOCREATEDB' END))
  FROM me WHERE rolsuper OR rolcreatedb
"""
"""What the connected role was given, as the statements that take it back; of objects, those of this database."""


def remove_databases(query: Query, name: str) -> list[str]:
    """Drop the database and those beside it that otterflow loaded; their names. A user's own copy is only unmarked."""
    marked = [str(row["name"]) for row in query(MARKED_DATABASES_SQL, {"database": name})]
    if state(query, name).fingerprint == EXISTING:
        unmark(query, name)
        marked.remove(name)
    for database in marked:
        query(TERMINATE_SQL, (database,))
        query(drop_sql(database))
    return marked


def left_in_server(query: Query) -> list[str]:
    """What the connected role was given, as the statements that take it back."""
    return [f"{row['statement']};" for row in query(GRANTS_SQL)]


def left_by_hand(query: Query, target: Target, user: str) -> list[str]:
    """What a person has written or made for otterflow on the host, and how it is taken away."""
    config_file = query(DIRECTORIES_SQL)[0]["config_file"]
    folder = posixpath.dirname(target.knobs_file)
    left = [
        f"in {config_file} the line that includes {target.knobs_file}: delete it, then reload, then delete {folder}",
        f"the SSH user's key in its ~/.ssh/authorized_keys (connection {target.ssh_conn_id!r})",
    ]
    allowed = {
        SystemdService: "the sudoers line for systemctl",
        PgCtlCluster: "the sudoers line for pg_ctlcluster, if there is one",
        PgCtl: None,
        CommandService: "what the commands of `service` are allowed by",
    }[type(target.service)]
    if target.free_cache.method == "sudo":
        left.append(f"the script {target.free_cache.command} and its sudoers line")
    if allowed:
        left.append(f"{allowed} (look in /etc/sudoers.d)" if "sudoers" in allowed else allowed)
    left.append(f"the role {user!r}, once the statements above have run: DROP ROLE")
    return left
