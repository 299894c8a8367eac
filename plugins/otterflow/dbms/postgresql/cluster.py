"""What a cluster holds beside the benchmark's database, and what of it a copy of the data directory would put back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from otterflow.dbms.postgresql.database import beside
from otterflow.dbms.postgresql.quoting import literal

_OF_USERS = "nspname NOT IN ('pg_catalog', 'information_schema') AND nspname !~ '^pg_'"


def others_sql(database: str) -> str:
    """What is somebody else's, one a row (`what`): nothing of it may be there. To be asked in database `postgres`."""
    own = ", ".join(map(literal, ("postgres", database, *beside(database))))
    return f"""SELECT 'database ' || quote_ident(datname) AS what
  FROM pg_database WHERE NOT datistemplate AND datname NOT IN ({own})
UNION ALL
SELECT format('table %I.%I in database %I', n.nspname, c.relname, current_database())
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'm', 'f') AND n.{_OF_USERS}
UNION ALL
SELECT 'replication slot ' || quote_ident(slot_name) FROM pg_replication_slots WHERE NOT temporary
UNION ALL
SELECT 'a replica that is connected: ' || coalesce(nullif(application_name, ''), 'without a name')
  FROM pg_stat_replication"""  # noqa: S608 quoted


def facts_sql(database: str) -> str:
    """What a copy puts back beside the databases' data, one a row (`fact`): a name, a tab, a digest of how it is now.

    Of the benchmark's `database` nothing counts. To be asked in database `postgres`.
    """
    return rf"""SELECT format('role %I', rolname) || E'\t' || md5((to_jsonb(r) - 'rolpassword' - 'oid')::text) AS fact
  FROM pg_roles r WHERE rolname !~ '^pg_'
UNION ALL
SELECT format('membership of %I in %I', m.rolname, g.rolname) || E'\t' || a.admin_option
  FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member JOIN pg_roles g ON g.oid = a.roleid
UNION ALL
SELECT concat_ws(' ', 'settings of', 'role ' || quote_ident(r.rolname), 'database ' || quote_ident(d.datname))
       || E'\t' || md5(s.setconfig::text)
  FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole
 WHERE d.datname IS DISTINCT FROM {literal(database)}
UNION ALL
SELECT format('tablespace %I', spcname) || E'\t' || md5((to_jsonb(t) - 'oid')::text)
  FROM pg_tablespace t
UNION ALL
SELECT format('database %I', datname) || E'\t' ||
       md5(concat(oid, datdba, datcollate, datctype, datistemplate, datallowconn, datconnlimit, datacl))
  FROM pg_database WHERE datistemplate OR datname = 'postgres'
UNION ALL
SELECT format('what is in database %I', current_database()) || E'\t' || md5(concat(
         (SELECT string_agg(c.oid::text, ' ' ORDER BY c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
           WHERE n.{_OF_USERS}),
         (SELECT string_agg(md5(p::text), ' ' ORDER BY p.oid) FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
           WHERE n.{_OF_USERS}),
         (SELECT string_agg(e::text, ' ' ORDER BY e.oid) FROM pg_extension e),
         (SELECT string_agg(n::text, ' ' ORDER BY n.oid) FROM pg_namespace n WHERE {_OF_USERS}),
         (SELECT count(*) FROM pg_largeobject_metadata)))"""  # noqa: S608 quoted


MAY_READ_PASSWORDS_SQL = "SELECT has_table_privilege('pg_catalog.pg_authid', 'SELECT') AS may"

PASSWORDS_SQL = r"""SELECT format('password of role %I', rolname) || E'\t' || md5(coalesce(rolpassword, '')) AS fact
  FROM pg_authid WHERE rolname !~ '^pg_'"""
"""More rows like those of `facts_sql`, for who may read them."""


def changed(before: str, now: Iterable[Mapping[str, str]]) -> list[str]:
    """The names of what was made, changed or removed. `before` is the snapshot's file, `now` the answers' rows."""
    differing = set(before.splitlines()) ^ {row["fact"] for row in now}
    return sorted({fact.partition("\t")[0] for fact in differing})
