"""How long PostgreSQL worked at each statement, by pg_stat_statements.

https://www.postgresql.org/docs/current/pgstatstatements.html
"""

from __future__ import annotations

from otterflow.workloads.replay.replayer.answers import Link
from otterflow.workloads.replay.replayer.server_times import Counters, ServerTime

ABSENT = "the extension pg_stat_statements is not in the database; CREATE EXTENSION pg_stat_statements there"
NOT_LOADED = "pg_stat_statements cannot be read; add it to shared_preload_libraries"
OFF = "pg_stat_statements.track is none; set it to top"
_SHOWN_TEXT = 100_000

_WHERE = """
SELECT quote_ident(n.nspname), current_setting('pg_stat_statements.track', true),
       (SELECT string_agg(a.attname, ' ') FROM pg_attribute a
         WHERE a.attrelid = to_regclass(quote_ident(n.nspname) || '.pg_stat_statements') AND a.attnum > 0),
       to_regclass(quote_ident(n.nspname) || '.pg_stat_statements_info') IS NOT NULL
  FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'
"""


async def read_times(link: Link, with_texts: bool) -> Counters:
    """What pg_stat_statements has of this database now."""
    rows, error = await link.rows(_WHERE.encode())
    if error is not None or not rows:
        return Counters(why_not=ABSENT if error is None else f"{NOT_LOADED} ({error})")
    (schema, track, columns, has_info) = rows[0]
    if track == "none":
        return Counters(why_not=OFF)
    names = (columns or "").split()
    time = "total_exec_time" if "total_exec_time" in names else "total_time"
    text = f"left(min(query), {_SHOWN_TEXT})" if with_texts else "NULL"
    top = "AND toplevel" if "toplevel" in names else ""
    sql = (
        f"SELECT queryid, sum(calls), sum({time}), {text} FROM {schema}.pg_stat_statements({str(with_texts).lower()}) "  # noqa: S608
        f"WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND queryid IS NOT NULL {top} "
        "GROUP BY queryid"
    )
    rows, error = await link.rows(sql.encode())
    if error is not None:
        return Counters(why_not=f"{NOT_LOADED} ({error})")
    counters = Counters()
    for query_id, calls, total_ms, query in rows:
        if query_id is not None:
            counters.times[query_id] = ServerTime(int(calls or 0), float(total_ms or 0.0))
            counters.texts[query_id] = query or ""
    if has_info == "t":
        rows, error = await link.rows(f"SELECT dealloc FROM {schema}.pg_stat_statements_info".encode())  # noqa: S608
        counters.evicted = int(rows[0][0] or 0) if rows else 0
    return counters
