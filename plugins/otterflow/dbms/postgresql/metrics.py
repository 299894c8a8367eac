"""The server's own counters over a measured window, with columns discovered at run time (PostgreSQL 12 to 18).

`snapshot` asks in two round trips, before and after the window; `window` makes metrics of the difference. Counters
become rates per second, gauges stay as they were at the end, and a counter that was reset meanwhile is left out and
named. Columns are the views' own, so their units are too: times in milliseconds (per second of the window), blocks of
8 kB.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from otterflow.dbms.postgresql.metric_queries import OBJECTS_READ, VIEWS, collect_sql, discover_sql
from otterflow.dbms.values import MetricWindow, Query

Number = int | float

GAUGES = frozenset(
    {
        "numbackends", "n_live_tup", "n_dead_tup", "n_mod_since_analyze", "n_ins_since_vacuum", "op_bytes",
        "size_bytes", "relpages", "connections", "active", "idle_in_transaction", "waiting_for_lock", "granted",
        "not_granted",
    }
)  # fmt: skip
"""Columns that tell a state and not a count since some time; all other numbers are counters."""

_IDENTIFIERS = frozenset({"relid", "indexrelid", "datid", "dbid", "userid", "queryid", "pid"})
_STATISTICS = ("min_", "max_", "mean_", "stddev_")
"""Prefixes of columns of pg_stat_statements that cannot be added up or made a difference of."""
OBJECTS_KEPT = 10


@dataclass(frozen=True)
class MetricSnapshot:
    """All counters at one moment by the server's clock.

    `sources` is view to column to number, views of many rows summed; `pg_stat_database` is the connected database and
    `pg_stat_database_all` the sum. `objects` holds rows by name, as `pg_stat_user_tables[public.orders]`; `resets` when
    a source or a row was last reset; `queries` the texts of statements by query id.
    """

    taken_at: str
    epoch_s: float
    server_started_at: str
    server_version: int
    database: str
    sources: dict[str, dict[str, Number]]
    objects: dict[str, dict[str, Number]]
    resets: dict[str, str]
    queries: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The snapshot as JSON takes it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> MetricSnapshot:
        """The snapshot back from `as_dict`."""
        return cls(**record)


def counters(query: Query, *, texts: bool = True) -> dict[str, Any]:
    """`snapshot` as JSON takes it."""
    return snapshot(query, texts=texts).as_dict()


def seconds_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> float:
    """How long after the one snapshot, as JSON has it, the other was taken."""
    return float(after["epoch_s"]) - float(before["epoch_s"])


def window_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> MetricWindow:
    """`window` of two snapshots as JSON has them."""
    return window(MetricSnapshot.from_dict(before), MetricSnapshot.from_dict(after))


def snapshot(query: Query, *, texts: bool = True) -> MetricSnapshot:
    """All counters now. `query` runs one statement and gives its rows as mappings; without `texts` none are kept.

    Its connection leads to the benchmark's database and is in no transaction that began before, which would see the
    counters of then. The server takes up to a second to add up what a session did, and all of it when that ends: ask
    after the benchmark's clients are gone.
    """
    there = {str(row["view"]): str(row["qualified"]) for row in query(discover_sql())}
    sources: dict[str, dict[str, Number]] = {}
    objects: dict[str, dict[str, Number]] = {}
    resets: dict[str, str] = {}
    queries: dict[str, str] = {}
    clock: dict[str, Any] = {}
    for answer in query(collect_sql(there, texts=texts)):
        source, key, row = str(answer["source"]), answer["key"], json.loads(answer["row"])
        if source == "clock":
            clock = row
            continue
        numbers = _numbers(row)
        if row.get("stats_reset"):
            resets[source] = max(resets.get(source, ""), str(row["stats_reset"]))
        if key is not None:
            name = f"{source}[{key}]"
            objects[name] = numbers
            if row.get("stats_reset"):
                resets[name] = str(row["stats_reset"])
        if isinstance(row.get("query"), str):
            queries[str(key)] = row["query"]
        if key is None or VIEWS[source].summed_here:
            _add(sources.setdefault(source, {}), numbers)
    _split_databases(sources, objects, resets, str(clock["database"]))
    return MetricSnapshot(
        taken_at=str(clock["taken_at"]),
        epoch_s=float(clock["epoch_s"]),
        server_started_at=str(clock["server_started_at"]),
        server_version=int(clock["server_version"]),
        database=str(clock["database"]),
        sources=sources,
        objects=objects,
        resets=resets,
        queries=queries,
    )


def window(before: MetricSnapshot, after: MetricSnapshot) -> MetricWindow:
    """Metrics of the time between two snapshots of one server. Raises ValueError if no time passed between them."""
    seconds = after.epoch_s - before.epoch_s
    if seconds <= 0:
        raise ValueError(f"the second snapshot ({after.taken_at}) is not later than the first ({before.taken_at})")
    reset = ["server"] if before.server_started_at != after.server_started_at else []
    metrics: dict[str, float] = {}
    for source, columns in sorted(after.sources.items()):
        was_reset = before.resets.get(source) != after.resets.get(source)
        if was_reset:
            reset.append(source)
        rates, backwards = _rates({} if was_reset else before.sources.get(source, {}), columns, seconds)
        reset += [f"{source}.{column}" for column in backwards]
        metrics |= {f"{source}.{column}": value for column, value in sorted(rates.items())}
    objects = _busiest(before, after, seconds)
    kept = {name.partition("[")[2].rstrip("]") for name in objects if name.startswith("pg_stat_statements[")}
    queries = {key: text for key, text in after.queries.items() if key in kept}
    return MetricWindow(metrics=metrics, reset=reset, seconds=seconds, objects=objects, queries=queries)


def remarks(metrics: Mapping[str, float]) -> list[str]:
    """Nothing: how long a run must be to see a checkpoint is in the guides."""
    return []


def _numbers(row: Mapping[str, Any]) -> dict[str, Number]:
    return {
        column: value
        for column, value in row.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
        and column not in _IDENTIFIERS and not column.startswith(_STATISTICS)
    }  # fmt: skip


def _add(total: dict[str, Number], numbers: Mapping[str, Number]) -> None:
    for column, value in numbers.items():
        total[column] = total.get(column, 0) + value


def _split_databases(
    sources: dict[str, dict[str, Number]], objects: dict[str, dict[str, Number]], resets: dict[str, str], database: str
) -> None:
    """The sum over all databases gets a name of its own; the plain name is the benchmark's database."""
    own = f"pg_stat_database[{database}]"
    sources["pg_stat_database_all"] = sources["pg_stat_database"]
    resets["pg_stat_database_all"] = resets.get("pg_stat_database", "")
    sources["pg_stat_database"] = objects[own]
    resets["pg_stat_database"] = resets.get(own, "")


def _rates(
    before: Mapping[str, Number], after: Mapping[str, Number], seconds: float
) -> tuple[dict[str, float], list[str]]:
    """Rates and gauges by column, and the counters that went backwards."""
    rates: dict[str, float] = {}
    backwards = []
    for column, value in after.items():
        if column in GAUGES:
            rates[column] = float(value)
        elif column in before and value < before[column]:
            backwards.append(column)
        elif column in before:
            rates[column] = float(value - before[column]) / seconds
    return rates, backwards


def _busiest(before: MetricSnapshot, after: MetricSnapshot, seconds: float) -> dict[str, dict[str, float]]:
    """Of each view the objects that did most in the window, by the columns the view is ranked by."""
    ranked: dict[str, list[tuple[float, str, dict[str, float]]]] = {}
    read_before = Counter(map(_source_of, before.objects))
    for name, columns in after.objects.items():
        source = _source_of(name)
        # Where all objects were read before, one that was not among them began in the window, from zero.
        from_zero = dict.fromkeys(columns, 0) if read_before[source] < OBJECTS_READ else {}
        rates, _ = _rates(before.objects.get(name, from_zero), columns, seconds)
        work = sum(rates.get(column, 0.0) for column in VIEWS[source].rank)
        if work > 0:
            ranked.setdefault(source, []).append((work, name, rates))
    chosen = (entry for entries in ranked.values() for entry in sorted(entries, reverse=True)[:OBJECTS_KEPT])
    return {name: rates for _, name, rates in chosen}


def _source_of(name: str) -> str:
    return name.partition("[")[0]
