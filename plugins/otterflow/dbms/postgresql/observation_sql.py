"""The SQL that psql runs to observe a server: its counters before and after the window, and its load in between.

Sources: https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-DATABASE-VIEW and
https://www.postgresql.org/docs/current/pgstatstatements.html. Columns that differ from version to version are read by
name from the row as JSON: `total_time` became `total_exec_time` and `total_plan_time` in 13, `toplevel` came with 14.
"""

from __future__ import annotations

from otterflow.dbms.live_window import looks

BEFORE_FILE, AFTER_FILE = "before.json", "after.json"
LIVE_MARK = "otterflow live"
"""A comment in every statement of the observation, by which pg_stat_statements' rows of its own are left out."""
OWN_AT_EDGES = 1
"""Of its own transactions, the snapshot before the window ends inside it; each look at the load is one more."""

FIND_STATEMENTS = f"""\
SELECT /* {LIVE_MARK} */ loaded AND made IS NOT NULL AS has_statements,
       CASE WHEN loaded AND made IS NOT NULL THEN made || '.pg_stat_statements'
            ELSE '(SELECT NULL::oid AS userid, NULL::oid AS dbid, NULL::bigint AS queryid, NULL::text AS query,'
                 ' NULL::bigint AS calls WHERE false)' END AS statements,
       CASE WHEN loaded AND to_regclass(made || '.pg_stat_statements_info') IS NOT NULL
            THEN made || '.pg_stat_statements_info'
            ELSE '(SELECT NULL::bigint AS dealloc, NULL::timestamptz AS stats_reset)' END AS statements_info
  FROM (SELECT EXISTS (SELECT FROM pg_settings WHERE name = 'pg_stat_statements.max') AS loaded,
               (SELECT quote_ident(n.nspname) FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
                 WHERE e.extname = 'pg_stat_statements') AS made) AS extension
\\gset
"""  # noqa: S608 a constant
"""psql variables: the view as SQL can name it, or an empty relation of its shape where it is not to be had."""


def snapshot_sql(scope: str, own_transactions: int, file: str) -> str:
    """What psql is told to write one snapshot of the counters, a JSON object, to `file`; see `output.Snapshot`."""
    return f"""\
SELECT /* {LIVE_MARK} */ jsonb_build_object(
    'epoch_s', extract(epoch FROM clock_timestamp()),
    'server_started_at', pg_postmaster_start_time()::text,
    'own_transactions', {own_transactions},
    'databases', (
      SELECT jsonb_object_agg(d.datname, jsonb_build_object(
               'commits', d.xact_commit, 'rollbacks', d.xact_rollback, 'stats_reset', d.stats_reset::text))
        FROM pg_stat_database AS d WHERE {_database_where(scope)}),
    'statements', (
      SELECT jsonb_object_agg(concat_ws('/', s.userid, s.dbid, s.queryid), jsonb_build_array(s.calls, s.total_ms))
        FROM (SELECT v.userid, v.dbid, v.queryid, v.calls, coalesce(
                       (r.record ->> 'total_time')::float8,
                       (r.record ->> 'total_exec_time')::float8 + (r.record ->> 'total_plan_time')::float8) AS total_ms
                FROM :statements AS v CROSS JOIN LATERAL (SELECT to_jsonb(v) - 'query') AS r(record)
               WHERE v.queryid IS NOT NULL AND coalesce((r.record ->> 'toplevel')::boolean, true)
                 AND coalesce(v.query, '') NOT LIKE '%/* {LIVE_MARK} */%' AND {_statement_where(scope)}) AS s),
    'has_statements', :'has_statements'::boolean,
    'evictions', (SELECT i.dealloc FROM :statements_info AS i),
    'statements_reset', (SELECT i.stats_reset::text FROM :statements_info AS i))
\\g {file}
"""  # noqa: S608 scope is one of two words


def begin_load_sql(scope: str) -> str:
    """What psql is told to remember the load at the window's begin, for `load_sql`."""
    return f"""\
SELECT /* {LIVE_MARK} */ extract(epoch FROM clock_timestamp())::numeric AS begun_s, 0 AS at_s,
       sum(d.xact_commit) AS commits
  FROM pg_stat_database AS d WHERE {_database_where(scope)}
\\gset
"""  # noqa: S608 scope is one of two words


def load_sql(scope: str) -> str:
    """What psql is told to print a line of progress: `live 30.0 s, 412.5 commits/s, 7 active`, since the last one."""
    where = "a.datname = current_database()" if scope == "database" else "true"
    return f"""\
SELECT /* {LIVE_MARK} */ n.at_s, d.commits,
       round((d.commits - :commits) / greatest(n.at_s - :at_s, 0.1), 1) AS rate,
       (SELECT count(*) FROM pg_stat_activity AS a
         WHERE a.state = 'active' AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid() AND {where})
         AS active
  FROM (SELECT round(extract(epoch FROM clock_timestamp())::numeric - :begun_s, 1) AS at_s) AS n,
       (SELECT sum(d.xact_commit) AS commits FROM pg_stat_database AS d WHERE {_database_where(scope)}) AS d
\\gset
\\echo live :at_s s, :rate commits/s, :active active
"""  # noqa: S608 scope is one of two words


def observe_sql(scope: str, duration_s: float) -> dict[str, str]:
    """The script `observe.sql` that observes for `duration_s` seconds, and the file it includes."""
    steps, step_s = looks(duration_s)
    own = steps + OWN_AT_EDGES
    lines = [
        FIND_STATEMENTS,
        begin_load_sql(scope),
        snapshot_sql(scope, own, BEFORE_FILE),
        *([rf"\! sleep {step_s:.3f}", r"\i load.sql"] * steps),
        snapshot_sql(scope, own, AFTER_FILE),
    ]
    return {"observe.sql": "\n".join(lines), "load.sql": load_sql(scope)}


def _database_where(scope: str) -> str:
    return "d.datname = current_database()" if scope == "database" else "d.datname IS NOT NULL"


def _statement_where(scope: str) -> str:
    if scope == "server":
        return "true"
    return "v.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
