"""The server's own counters over a measured window.

`counters` asks before and after the window; `window_between` makes metrics of the difference. Counters become rates
per second, gauges stay as they were at the end, and a counter that was reset meanwhile is left out and named. Names
are `global_status.<variable>` and, where the user may read it, `innodb_metrics.<name>`, in lower case and the server's
own units, and `write_debt` has what the engine will have to write later; statements and tables come with what the
performance schema counts, where that is on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otterflow.dbms.mysql_family import metric_queries, secrets, write_debt
from otterflow.dbms.mysql_family.status_gauges import is_gauge, outlives_a_flush
from otterflow.dbms.values import MetricWindow, Query, StatementRefused

Number = int | float

STATUS, ENGINE = "global_status", "innodb_metrics"
DIGESTS, TABLES = "statements", "tables"
OBJECTS_KEPT = 10
_SLACK_S = 2.0
"""The server tells its uptime in whole seconds."""


def counters(query: Query, *, texts: bool = True) -> dict[str, Any]:
    """All counters now, as JSON takes them.

    `sources` is source to name to number, `gauges` the names of the engine's metrics that are no counters, `objects`
    rows of statements and tables by name, `queries` the statements' texts, without constants.
    """
    clock = query(metric_queries.CLOCK_SQL)[0]
    sources = {STATUS: _status(query)}
    engine = _asked(query, metric_queries.ENGINE_SQL)
    if engine:
        sources[ENGINE] = {row["name"]: int(row["value"]) for row in engine}
    objects: dict[str, dict[str, Number]] = {}
    queries: dict[str, str] = {}
    for row in _asked(query, metric_queries.DIGESTS_SQL):
        objects[f"{DIGESTS}[{row['key']}]"] = _numbers(row)
        if texts and row["text"] is not None and secrets.is_normalised(row["text"]):
            queries[row["key"]] = row["text"]
    for row in _asked(query, metric_queries.TABLES_SQL):
        objects[f"{TABLES}[{row['key']}]"] = _numbers(row)
    return {
        "taken_at": str(clock["taken_at"]),
        "epoch_s": float(clock["epoch_s"]),
        "server_version": str(clock["version"]),
        "database": clock["database"],
        "sources": sources,
        "gauges": [row["name"] for row in engine if row["is_gauge"]],
        "objects": objects,
        "queries": queries,
    }


def seconds_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> float:
    """How long after the one snapshot the other was taken."""
    return float(after["epoch_s"]) - float(before["epoch_s"])


def window_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> MetricWindow:
    """Metrics of the time between two snapshots of one server. Raises ValueError if no time passed between them."""
    seconds = seconds_between(before, after)
    if seconds <= 0:
        raise ValueError(
            f"the second snapshot ({after['taken_at']}) is not later than the first ({before['taken_at']})"
        )
    status_before, status_after = before["sources"][STATUS], after["sources"][STATUS]
    restarted = _was_zeroed("uptime", status_before, status_after, seconds)
    flushed = not restarted and _was_zeroed("uptime_since_flush_status", status_before, status_after, seconds)
    reset = ["server"] if restarted else [STATUS] if flushed else []
    metrics: dict[str, float] = {}
    for source, numbers in sorted(after["sources"].items()):
        gauges = {name for name in numbers if is_gauge(name)} if source == STATUS else set(after["gauges"])
        earlier = {} if restarted else before["sources"].get(source, {})
        if flushed and source == STATUS:
            earlier = {name: value for name, value in earlier.items() if outlives_a_flush(name)}
        rates, backwards = _rates(earlier, numbers, gauges, seconds)
        reset += [f"{source}.{name}" for name in backwards]
        metrics |= {f"{source}.{name}": value for name, value in sorted(rates.items())}
    metrics |= write_debt.of_window(None if restarted else status_before, status_after, seconds)
    objects = {} if restarted else _busiest(before["objects"], after["objects"], seconds)
    kept = {name.partition("[")[2].rstrip("]") for name in objects if name.startswith(f"{DIGESTS}[")}
    queries = {key: text for key, text in after["queries"].items() if key in kept}
    return MetricWindow(metrics=metrics, reset=reset, seconds=seconds, objects=objects, queries=queries)


def remarks(metrics: Mapping[str, float]) -> list[str]:
    """What speaks against a run's numbers: that it has put off its writing, which a longer run cannot."""
    found = write_debt.remark(metrics)
    return [] if found is None else [found]


def _status(query: Query) -> dict[str, Number]:
    found = {}
    for row in query(metric_queries.STATUS_SQL):
        name, text = (str(value) for value in row.values())
        try:
            found[name.lower()] = float(text) if "." in text else int(text)
        except ValueError:
            continue  # a word: no metric
    return found


def _asked(query: Query, sql: str) -> list[dict[str, Any]]:
    """The rows; none where the user may not read them, or this version has no such view."""
    try:
        return query(sql)
    except StatementRefused:
        return []


def _numbers(row: Mapping[str, Any]) -> dict[str, Number]:
    return {column: int(value) for column, value in row.items() if column not in ("key", "text") and value is not None}


def _was_zeroed(name: str, before: Mapping[str, Number], after: Mapping[str, Number], seconds: float) -> bool:
    """Whether a clock that tells the seconds since something began anew in the window."""
    if name not in before or name not in after:
        return False
    return after[name] < before[name] or after[name] < seconds - _SLACK_S


def _rates(
    before: Mapping[str, Number], after: Mapping[str, Number], gauges: set[str], seconds: float
) -> tuple[dict[str, float], list[str]]:
    """Rates and gauges by name, and the counters that went backwards."""
    rates: dict[str, float] = {}
    backwards = []
    for name, value in after.items():
        if name in gauges:
            rates[name] = float(value)
        elif name in before and value < before[name]:
            backwards.append(name)
        elif name in before:
            rates[name] = float(value - before[name]) / seconds
    return rates, backwards


def _busiest(
    before: Mapping[str, Mapping[str, Number]], after: Mapping[str, Mapping[str, Number]], seconds: float
) -> dict[str, dict[str, float]]:
    """Of statements and of tables those that took the most time in the window."""
    ranked: dict[str, list[tuple[float, str, dict[str, float]]]] = {}
    for name, columns in after.items():
        source = name.partition("[")[0]
        all_read = sum(other.startswith(f"{source}[") for other in before) < metric_queries.OBJECTS_READ
        # Where all were read before, one that was not among them began in the window, from zero.
        earlier = before.get(name, dict.fromkeys(columns, 0) if all_read else {})
        rates, _ = _rates(earlier, columns, set(), seconds)
        if rates.get("total_ns", 0.0) > 0:
            ranked.setdefault(source, []).append((rates["total_ns"], name, rates))
    chosen = (entry for entries in ranked.values() for entry in sorted(entries, reverse=True)[:OBJECTS_KEPT])
    return {name: rates for _, name, rates in chosen}
