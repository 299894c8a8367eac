"""OtterTune's `metrics_*.json` to our snapshots of the counters, and back.

OtterTune's shape is `{"global": {view: {column: text}}, "local": {kind: {view: {object: {column: text}}}}}`, where kind
is table, indexes or database. NULL columns are absent. Tables were keyed by their bare name and indexes by that of
their table, so several indexes of a table, and tables of one name in two schemas, overwrote each other there: of those
the files hold one each. Ours are keyed by the object's own name, with its schema where two would collide.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from otterflow.dbms.postgresql.metrics import MetricSnapshot, Number
from otterflow.errors import Problem
from otterflow.repository import JsonObject

GLOBAL_VIEWS = ("pg_stat_archiver", "pg_stat_bgwriter", "pg_stat_checkpointer", "pg_stat_wal")
LOCAL_VIEWS = {
    "table": ("pg_stat_user_tables", "pg_statio_user_tables"),
    "database": ("pg_stat_database", "pg_stat_database_conflicts"),
    "indexes": ("pg_stat_user_indexes", "pg_statio_user_indexes"),
}
"""The views that OtterTune collected, by kind, and of the global ones those that later versions brought."""

DATABASES, ALL_DATABASES = "pg_stat_database", "pg_stat_database_all"
REST = "(all others)"
"""The object that makes the sum whole, where a snapshot holds the busiest objects and the sum alone."""

_VIEW_OF_ONE_LINE = frozenset(GLOBAL_VIEWS)
_SUMMED_ONLY = frozenset({"pg_stat_database_conflicts"})
"""Views that a snapshot of ours holds no objects of."""
_TEXT_COLUMNS = frozenset(
    {
        "checksum_last_failure", "datid", "datname", "indexrelid", "indexrelname", "relid", "relname", "schemaname",
        "stats_reset", "last_analyze", "last_archived_time", "last_archived_wal", "last_autoanalyze", "last_autovacuum",
        "last_failed_time", "last_failed_wal", "last_vacuum", "last_idx_scan", "last_seq_scan",
    }
)  # fmt: skip
"""Columns that name or date a row (OtterTune's type INFO): nothing to measure."""
_BEYOND_ANY_COUNTER = 10**30
_ROUNDING = 1e-9
_INTEGER = re.compile(r"-?[0-9]{1,30}")


@dataclass
class Rows:
    """The rows of one metrics file: view to object to column to number ("" where a view has one row), and resets."""

    numbers: dict[str, dict[str, dict[str, Number]]] = field(default_factory=dict)
    resets: dict[str, dict[str, str]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_metrics(content: Mapping[str, Any], file: str) -> Rows:
    """The rows of a metrics file. What is no number where one is expected, or no known view, is a problem."""
    rows = Rows()
    for view, columns in _objects(rows, f"{file}.global", content.get("global")):
        if view in _VIEW_OF_ONE_LINE:
            _add_row(rows, view, "", columns, f"{file}.global.{view}")
        else:
            found = f"a view with {', '.join(map(str, columns)) or 'no columns'}"
            rows.problems.append(Problem(f"{file}.global.{view}", found, "not a view whose columns are known here"))
    for kind, views in _objects(rows, f"{file}.local", content.get("local")):
        for view, named in _objects(rows, f"{file}.local.{kind}", views):
            where = f"{file}.local.{kind}.{view}"
            if view not in LOCAL_VIEWS.get(kind, ()):
                rows.problems.append(Problem(where, f"{len(named)} rows", "not a view that is known here"))
                continue
            for key, columns in _objects(rows, where, named):
                _add_row(rows, view, _object_name(view, key, columns), columns, f"{where}.{key}")
    return rows


def total(rows: Rows, view: str, column: str) -> Number | None:
    """A column's sum over all rows of a view; None where no row has it."""
    values = [row[column] for row in rows.numbers.get(view, {}).values() if column in row]
    return sum(values) if values else None


def snapshots(
    before: Rows, after: Rows, *, start_s: float, seconds: float, version: int, database: str
) -> tuple[MetricSnapshot, MetricSnapshot]:
    """The two files as snapshots `seconds` apart, for `metrics.window`.

    `database` is the benchmark's. A reset is one where a row that had counted before was reset between the files: a
    database whose statistics began in the window (all zero before) was not.
    """
    resets_before, resets_after = _comparable_resets(before, after)
    moments = ((before, resets_before, start_s), (after, resets_after, start_s + seconds))
    first, last = (_snapshot(rows, resets, at, version, database) for rows, resets, at in moments)
    return first, last


def write_metrics(snapshot: MetricSnapshot) -> JsonObject:
    """A snapshot in OtterTune's shape: the views that it collected, all numbers as text.

    Where a view's objects do not make up its sum (a snapshot keeps the busiest 50), `REST` holds what is missing.
    """
    local: JsonObject = {}
    for kind, views in LOCAL_VIEWS.items():
        present = {view: rows for view in views if (rows := _local_rows(snapshot, view))}
        if present:
            local[kind] = present
    return {
        "global": {
            view: _texts(snapshot.sources[view], snapshot.resets.get(view))
            for view in GLOBAL_VIEWS
            if view in snapshot.sources
        },
        "local": local,
    }


def _objects(rows: Rows, where: str, found: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The members of a JSON object that are objects themselves; others are problems. Absent and null are empty."""
    if found is None:
        return
    if not isinstance(found, Mapping):
        rows.problems.append(Problem(where, f"{found!r}", "an object is expected"))
        return
    for key, value in found.items():
        if isinstance(value, Mapping):
            yield str(key), value
        elif value is not None:
            rows.problems.append(Problem(f"{where}.{key}", f"{value!r}", "an object is expected"))


def _add_row(rows: Rows, view: str, name: str, columns: Mapping[str, Any], where: str) -> None:
    numbers: dict[str, Number] = {}
    for column, value in columns.items():
        if column in _TEXT_COLUMNS:
            continue
        number = _number(value)
        if number is None:
            rows.problems.append(Problem(f"{where}.{column}", repr(value), "a finite number is expected"))
        else:
            numbers[column] = number
    known = rows.numbers.setdefault(view, {})
    if name in known:
        rows.problems.append(Problem(where, f"another row is {name!r} too", "only the first is read"))
        return
    known[name] = numbers
    if columns.get("stats_reset"):
        rows.resets.setdefault(view, {})[name] = str(columns["stats_reset"])


def _number(value: object) -> Number | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) < _BEYOND_ANY_COUNTER else None
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        return int(value)
    if isinstance(value, str | float):
        try:
            number = float(value)
        except ValueError:
            return None
        return number if math.isfinite(number) else None
    return None


def _object_name(view: str, key: str, columns: Mapping[str, Any]) -> str:
    """The name that a snapshot of ours has for the row: `public.orders`, `public.orders_pkey`, a database's name."""
    if view in LOCAL_VIEWS["database"]:
        return str(columns.get("datname", key))
    own = columns.get("indexrelname", key) if view in LOCAL_VIEWS["indexes"] else columns.get("relname", key)
    schema = columns.get("schemaname")
    return f"{schema}.{own}" if schema else str(own)


def _comparable_resets(before: Rows, after: Rows) -> tuple[dict[str, str], dict[str, str]]:
    """When each view and row was last reset, before and after, for rows that had counted something before."""
    first: dict[str, str] = {}
    last: dict[str, str] = {}
    for view, rows in before.numbers.items():
        names = [n for n, row in rows.items() if any(row.values()) and n in after.numbers.get(view, {})]
        for resets, of in ((first, before), (last, after)):
            known = of.resets.get(view, {})
            dated = {name: known[name] for name in names if name in known}
            resets |= {f"{view}[{name}]": at for name, at in dated.items() if name}
            if dated:
                resets[view] = "; ".join(f"{name} {at}".strip() for name, at in sorted(dated.items()))
    return first, last


def _snapshot(rows: Rows, resets: Mapping[str, str], at: float, version: int, database: str) -> MetricSnapshot:
    sources: dict[str, dict[str, Number]] = {}
    objects: dict[str, dict[str, Number]] = {}
    for view, named in rows.numbers.items():
        for name, numbers in named.items():
            if name and view not in _SUMMED_ONLY:
                objects[f"{view}[{name}]"] = numbers
            for column, value in numbers.items():
                summed = sources.setdefault(view, {})
                summed[column] = summed.get(column, 0) + value
    moments = dict(resets)
    if DATABASES in sources:
        own = f"{DATABASES}[{database}]"
        sources[ALL_DATABASES], sources[DATABASES] = sources[DATABASES], objects.get(own, {})
        moments[ALL_DATABASES], moments[DATABASES] = moments.get(DATABASES, ""), moments.get(own, "")
    return MetricSnapshot(
        taken_at=datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds"),
        epoch_s=at,
        server_started_at="",
        server_version=version,
        database=database,
        sources=sources,
        objects=objects,
        resets=moments,
    )


def _local_rows(snapshot: MetricSnapshot, view: str) -> JsonObject:
    """The view's objects by the shortest name that no other has, and what is missing of the sum."""
    prefix = f"{view}["
    found = {name[len(prefix) : -1]: row for name, row in snapshot.objects.items() if name.startswith(prefix)}
    short = [_bare(view, name) for name in found]
    rows: JsonObject = {}
    for name, numbers in sorted(found.items()):
        bare = _bare(view, name)
        key = bare if short.count(bare) == 1 else name
        rows[key] = _texts(numbers, snapshot.resets.get(f"{prefix}{name}]"), _identity(view, name))
    if view not in LOCAL_VIEWS["database"]:  # whose rows are all read
        sums = snapshot.sources.get(view, {})
        rest = {column: value - sum(row.get(column, 0) for row in found.values()) for column, value in sums.items()}
        if any(value > sums[column] * _ROUNDING for column, value in rest.items()):
            rows[REST] = _texts(rest, None)
    return rows


def _bare(view: str, name: str) -> str:
    return name if view in LOCAL_VIEWS["database"] else name.partition(".")[2] or name


def _identity(view: str, name: str) -> dict[str, str]:
    """The columns that name the row, as far as the snapshot knows them: of an index, its table's name is not kept."""
    if view in LOCAL_VIEWS["database"]:
        return {"datname": name}
    schema, _, own = name.rpartition(".") if name.count(".") == 1 else ("", "", name)
    names = {"indexrelname" if view in LOCAL_VIEWS["indexes"] else "relname": own}
    return names | ({"schemaname": schema} if schema else {})


def _texts(numbers: Mapping[str, Number], reset: str | None, identity: Mapping[str, str] | None = None) -> JsonObject:
    texts = {column: str(value) for column, value in numbers.items()} | dict(identity or {})
    if reset:
        texts["stats_reset"] = reset
    return dict(sorted(texts.items()))
