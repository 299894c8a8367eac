"""Which views hold metrics, and the two statements that read them all, whatever columns they have in this version.

Rows come as JSON (`to_jsonb`), so no column is named here but those that identify or rank a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from otterflow.dbms.postgresql import secrets
from otterflow.dbms.postgresql.quoting import literal

OBJECTS_READ = 50
"""Of views with a row for each table, index or statement, so many rows are read one by one: the busiest ever."""


@dataclass(frozen=True)
class View:
    """A statistics view. `key` is SQL that names a row, None where there is one row only.

    `rank` are the columns by which the busiest rows are found. `many` says that there may be thousands of rows: these
    are summed on the server and only the busiest are read. `where` is a condition on the rows, `text` a
    column with a statement's text.
    """

    key: str | None = None
    rank: tuple[str, ...] = ()
    many: bool = False
    where: str = "true"
    text: str | None = None

    @property
    def summed_here(self) -> bool:
        """Whether all rows are read and added up after."""
        return self.key is not None and not self.many


_TABLE = "v.schemaname || '.' || v.relname"
_INDEX = "v.schemaname || '.' || v.indexrelname"
_HEAP = ("heap_blks_read", "heap_blks_hit", "idx_blks_read", "idx_blks_hit")
_STATEMENT_WHERE = "v.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())"

VIEWS: dict[str, View] = {
    "pg_stat_bgwriter": View(),
    "pg_stat_checkpointer": View(),  # since 17
    "pg_stat_wal": View(),  # since 14
    "pg_stat_archiver": View(),
    "pg_stat_database": View("coalesce(v.datname, '(shared)')", ("blks_hit", "blks_read", "xact_commit")),
    "pg_stat_io": View("concat_ws('.', v.backend_type, v.object, v.context)", ("reads", "writes", "hits")),  # since 16
    "pg_stat_slru": View("v.name", ("blks_hit", "blks_read", "blks_written")),  # since 13
    "pg_stat_user_tables": View(
        _TABLE, ("seq_tup_read", "idx_tup_fetch", "n_tup_ins", "n_tup_upd", "n_tup_del"), many=True
    ),
    "pg_statio_user_tables": View(_TABLE, _HEAP, many=True),
    "pg_stat_user_indexes": View(_INDEX, ("idx_tup_read", "idx_scan"), many=True),
    "pg_statio_user_indexes": View(_INDEX, ("idx_blks_read", "idx_blks_hit"), many=True),
    "pg_stat_statements": View(
        "v.queryid",
        ("total_exec_time", "total_plan_time", "total_time"),
        many=True,
        where=_STATEMENT_WHERE,
        text="query",
    ),
    "pg_stat_statements_info": View(),  # since 14
    # Made by this module, not views of the server:
    "pg_database": View(),
    "pg_wal": View(),
    "pg_locks": View(),
    "pg_stat_activity": View(),
}

_EXTENSION_VIEWS = ("pg_stat_statements", "pg_stat_statements_info")
_MADE_HERE = {
    "clock": """
SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS taken_at,
       extract(epoch FROM clock_timestamp())::float8 AS epoch_s,
       extract(epoch FROM pg_postmaster_start_time())::text AS server_started_at,
       current_setting('server_version_num')::int AS server_version, current_database() AS database""",
    "pg_database": "SELECT pg_database_size(current_database()) AS size_bytes",
    # A standby has no write position of its own.
    "pg_wal": """
SELECT CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') END
       AS lsn_bytes""",
    "pg_locks": """
SELECT count(*) FILTER (WHERE granted) AS granted, count(*) FILTER (WHERE NOT granted) AS not_granted
  FROM pg_catalog.pg_locks""",
    "pg_stat_activity": """
SELECT count(*) AS connections, count(*) FILTER (WHERE state = 'active') AS active,
       count(*) FILTER (WHERE state LIKE 'idle in transaction_') AS idle_in_transaction,
       count(*) FILTER (WHERE wait_event_type = 'Lock') AS waiting_for_lock
  FROM pg_catalog.pg_stat_activity
 WHERE backend_type = 'client backend'""",
}


def discover_sql() -> str:
    """Which of the views this server has (`view`, `qualified`); begins a new snapshot of the statistics.

    pg_stat_statements counts where its extension is made and its library loaded; else reading it is an error.
    """
    catalog = ", ".join(literal(name) for name in VIEWS if name not in _MADE_HERE and name not in _EXTENSION_VIEWS)
    extension = ", ".join(literal(name) for name in _EXTENSION_VIEWS)
    return f"""
SELECT c.relname AS view, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS qualified,
       pg_stat_clear_snapshot()::text AS cleared
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'v'
   AND (   (n.nspname = 'pg_catalog' AND c.relname IN ({catalog}))
        OR (c.relname IN ({extension})
            AND n.oid = (SELECT extnamespace FROM pg_catalog.pg_extension WHERE extname = 'pg_stat_statements')
            AND EXISTS (SELECT 1 FROM pg_catalog.pg_settings WHERE name = 'pg_stat_statements.max')))
"""  # noqa: S608 names from the table above, quoted


def collect_sql(there: Mapping[str, str], *, texts: bool = True) -> str:
    """One statement that reads all views of `there` (name to qualified name): rows of `source`, `key`, `row` (JSON).

    Of statements only the texts that hold no constant are read, and with `texts` false none.
    """
    parts = [_rows(source, "NULL", f"({sql})") for source, sql in _MADE_HERE.items()]
    for name, qualified in there.items():
        view = VIEWS[name]
        if view.many:
            parts += [_sum(name, qualified, view), _busiest(name, qualified, view, texts)]
        else:
            parts.append(_rows(name, view.key or "NULL", qualified))
    return "\nUNION ALL\n".join(f"({part})" for part in parts)


def _rows(source: str, key: str, relation: str, *, where: str = "true", row: str = "to_jsonb(v)") -> str:
    return (
        f"SELECT {literal(source)} AS source, ({key})::text AS key, ({row})::text AS row "  # noqa: S608
        f"FROM {relation} AS v WHERE {where}"
    )


def _sum(source: str, qualified: str, view: View) -> str:
    return f"""
SELECT {literal(source)}, NULL, coalesce(jsonb_object_agg(s.column_name, s.total), '{{}}')::text
  FROM (SELECT e.key AS column_name, sum(e.value::text::numeric) AS total
          FROM {qualified} AS v CROSS JOIN LATERAL jsonb_each(to_jsonb(v)) AS e
         WHERE jsonb_typeof(e.value) = 'number' AND {view.where}
         GROUP BY e.key) AS s"""  # noqa: S608 names from the table above


def _row_with_text(column: str, texts: bool) -> str:
    """A row as JSON whose text column is there only if it holds no constant, and may be told at all."""
    told = secrets.normalised_sql(f"v.{column}") if texts else "false"
    return f"CASE WHEN {told} THEN to_jsonb(v) ELSE to_jsonb(v) - {literal(column)} END"


def _busiest(source: str, qualified: str, view: View, texts: bool) -> str:
    # By way of JSON, because not every version has every column.
    work = " + ".join(f"coalesce((to_jsonb(v) ->> {literal(column)})::numeric, 0)" for column in view.rank)
    row = _row_with_text(view.text, texts) if view.text else "to_jsonb(v)"
    rows = _rows(source, view.key or "NULL", qualified, where=view.where, row=row)
    return f"{rows} ORDER BY {work} DESC LIMIT {OBJECTS_READ}"
