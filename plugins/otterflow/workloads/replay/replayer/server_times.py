"""How long the server itself worked at each statement class: what pg_stat_statements counted between two looks.

A client's time of a fast statement is mostly its own: 0.04 ms read 0.2 to 0.45 ms. Nothing is reset, so that whoever
else reads these statistics is not disturbed. https://www.postgresql.org/docs/current/pgstatstatements.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from otterflow.dbms.postgresql.statements.classes import fingerprint
from otterflow.workloads.replay.replayer.answers import Access, CannotConnect, ConnectionLost
from otterflow.workloads.replay.replayer.postgresql.connection import Connection

ABSENT = "the extension pg_stat_statements is not in the database; CREATE EXTENSION pg_stat_statements there"
NOT_LOADED = "pg_stat_statements cannot be read; add it to shared_preload_libraries"
OFF = "pg_stat_statements.track is none; set it to top"
RESET = "pg_stat_statements was reset while the replay ran"
_SHOWN_TEXT = 100_000

_WHERE = """
SELECT quote_ident(n.nspname), current_setting('pg_stat_statements.track', true),
       (SELECT string_agg(a.attname, ' ') FROM pg_attribute a
         WHERE a.attrelid = to_regclass(quote_ident(n.nspname) || '.pg_stat_statements') AND a.attnum > 0),
       to_regclass(quote_ident(n.nspname) || '.pg_stat_statements_info') IS NOT NULL
  FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'
"""


class ServerTime(NamedTuple):
    """Executions that ended well, and the milliseconds that the server spent executing them."""

    calls: int
    total_ms: float


@dataclass
class Counters:
    """What the server has counted so far, by query_id; `why_not` says in a sentence why it cannot be read."""

    times: dict[str, ServerTime] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    evicted: int = 0
    why_not: str | None = None


@dataclass
class ServerTimes:
    """The server's times of a run by statement class. `evicted` entries went while it ran, and their counts with them.

    `ambiguous` query_ids fit several classes and are in none.
    """

    classes: dict[str, ServerTime] = field(default_factory=dict)
    evicted: int = 0
    ambiguous: int = 0
    why_not: str | None = None

    def to_record(self) -> dict[str, object]:
        """The whole, without the classes."""
        return {
            "read": self.why_not is None,
            "why_not": self.why_not,
            "classes": len(self.classes),
            "seconds": round(sum(each.total_ms for each in self.classes.values()) / 1000, 6),
            "evicted": self.evicted,
            "ambiguous": self.ambiguous,
        }

    def record_of(self, name: str) -> dict[str, float] | None:
        """The times of one class; None where the server told none."""
        one = self.classes.get(name)
        if one is None:
            return None
        return {
            "calls": one.calls,
            "seconds": round(one.total_ms / 1000, 6),
            "mean_ms": round(one.total_ms / one.calls, 6),
        }


async def read_counters(access: Access, startup: Mapping[str, str], *, with_texts: bool) -> Counters:
    """What pg_stat_statements has of this database now, over a connection of its own."""
    connection = Connection(access)
    try:
        await connection.open(startup)
        return await _read(connection, with_texts)
    except (CannotConnect, ConnectionLost) as error:
        return Counters(why_not=f"no connection for pg_stat_statements ({error.sqlstate})")
    finally:
        connection.close()


def times_between(before: Counters, after: Counters, shapes: Mapping[str, str]) -> ServerTimes:
    """The server's times between two looks. `shapes` has each class's name with the fingerprint of its text."""
    why_not = before.why_not or after.why_not
    if why_not is not None:
        return ServerTimes(why_not=why_not)
    by_shape: defaultdict[str, list[str]] = defaultdict(list)
    for name, shape in shapes.items():
        by_shape[shape].append(name)
    found = ServerTimes(evicted=after.evicted - before.evicted)
    for query_id, now in after.times.items():
        was = before.times.get(query_id, ServerTime(0, 0.0))
        calls, total_ms = now.calls - was.calls, now.total_ms - was.total_ms
        if calls < 0:
            return ServerTimes(why_not=RESET)
        if calls == 0:
            continue
        names = [query_id] if query_id in shapes else by_shape.get(fingerprint(after.texts.get(query_id, "")), [])
        if len(names) == 1:
            so_far = found.classes.get(names[0], ServerTime(0, 0.0))
            found.classes[names[0]] = ServerTime(so_far.calls + calls, so_far.total_ms + total_ms)
        elif names:
            found.ambiguous += 1
    return found


async def _read(connection: Connection, with_texts: bool) -> Counters:
    rows, error = await connection.rows(_WHERE.encode())
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
    rows, error = await connection.rows(sql.encode())
    if error is not None:
        return Counters(why_not=f"{NOT_LOADED} ({error})")
    counters = Counters()
    for query_id, calls, total_ms, query in rows:
        if query_id is not None:
            counters.times[query_id] = ServerTime(int(calls or 0), float(total_ms or 0.0))
            counters.texts[query_id] = query or ""
    if has_info == "t":
        rows, error = await connection.rows(f"SELECT dealloc FROM {schema}.pg_stat_statements_info".encode())  # noqa: S608
        counters.evicted = int(rows[0][0] or 0) if rows else 0
    return counters
