"""Reads the metrics that the user defined, on the target."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from otterflow.dbms.postgresql.database import first_rows_of, read_only_sql
from otterflow.errors import AccessRefused, CommandTimedOut, Problem
from otterflow.user_metrics import MetricUnreadable, Reading, UserMetric, window
from otterflow.workloads.job import JobScript
from otterflow.workloads.measures import METRICS
from otterflow.workloads.result import BenchmarkResult

if TYPE_CHECKING:
    from otterflow.operators.workbench import Workbench

log = logging.getLogger(__name__)

BEFORE_FILE = "otterflow-metrics-before.json"


class _Unmade(MetricUnreadable):
    """What the SQL speaks of is not there."""


def read_all(bench: Workbench) -> Reading:
    """Every metric once. What cannot be read is absent, with the reason; a lost connection is raised."""
    numbers: dict[str, float] = {}
    absent: dict[str, str] = {}
    unmade: list[str] = []
    epoch = bench.session.run("date +%s.%N", what="reading the clock", timeout_s=30).stdout
    for metric in bench.plan.metrics:
        try:
            numbers |= _by_sql(bench, metric) if metric.sql is not None else _by_command(bench, metric)
        except MetricUnreadable as error:
            absent |= dict.fromkeys(metric.numbers, str(error))
            if isinstance(error, _Unmade):
                unmade += metric.numbers
    return Reading(float(epoch), numbers, absent, tuple(unmade))


def problems(bench: Workbench, *, data_loaded: bool) -> list[Problem]:
    """What is wrong with each metric, tried once. Before the data are loaded, tables may be missing."""
    if not bench.plan.metrics:
        return []
    reading = read_all(bench)
    return [
        Problem(f"metric {name}", why, "mend its SQL or command, or take it out")
        for name, why in reading.absent.items()
        if data_loaded or name not in reading.unmade
    ]


def _by_sql(bench: Workbench, metric: UserMetric) -> dict[str, float]:
    import psycopg
    from psycopg import errors

    one_query = first_rows_of(str(metric.sql).strip().rstrip(";"), 2)  # two are enough to say that it is too many
    database = metric.database or bench.plan.target.database
    try:
        with bench.query(database) as query:
            for statement in read_only_sql(metric.timeout_s):
                query(statement)
            rows: list[dict[str, Any]] = query(one_query)
            query("ROLLBACK")
    except (errors.UndefinedTable, errors.InvalidSchemaName, errors.UndefinedFunction) as error:
        raise _Unmade(f"its SQL failed in database {database!r}: {_sentence(error)}") from None
    except errors.QueryCanceled:
        raise MetricUnreadable(f"its SQL took longer than timeout_s ({metric.timeout_s:g} s)") from None
    except psycopg.Error as error:
        raise MetricUnreadable(f"its SQL failed in database {database!r}: {_sentence(error)}") from None
    except AccessRefused as error:
        if "does not exist" in str(error):
            raise _Unmade(f"there is no database {database!r}") from None
        raise
    return metric.from_rows(rows)


def _sentence(error: Exception) -> str:
    return str(error).split("\n", 1)[0]


def _by_command(bench: Workbench, metric: UserMetric) -> dict[str, float]:
    try:
        done = bench.session.run(str(metric.command), what=metric.title, timeout_s=metric.timeout_s, check=False)
    except CommandTimedOut:
        raise MetricUnreadable(f"its command took longer than timeout_s ({metric.timeout_s:g} s)") from None
    if done.exit_code != 0:
        said = done.stderr.strip()[-200:] or "(no message)"
        raise MetricUnreadable(f"its command ended with exit code {done.exit_code}: {said}")
    return metric.from_output(done.stdout)


class MetricsAround:
    """The user's metrics around one measured run.

    The reading before goes with the job, as one of its files: a task that is run again attaches to the job, and finds
    the reading that was made when it began.
    """

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._compares = any(metric.compares for metric in bench.plan.metrics)
        self.late = False
        """Whether numbers are absent because the run had ended long before anybody read them."""

    def begin(self, script: JobScript) -> JobScript:
        """The job with the reading before it in its baggage."""
        if not self._compares:
            return script
        files = {**script.files, BEFORE_FILE: read_all(self._bench).dumps()}
        return replace(script, files=files, results=(*script.results, BEFORE_FILE))

    def end(self, result: BenchmarkResult, files: Mapping[str, str]) -> BenchmarkResult:
        """The result with the metrics' numbers, and the reasons of those that are absent; `files` are the job's."""
        metrics = self._bench.plan.metrics
        if not metrics:
            return result
        before = Reading.loads(files[BEFORE_FILE]) if self._compares else None
        found = window(metrics, before, read_all(self._bench), result.seconds)
        self.late = found.late
        for name, why in found.absent.items():
            log.warning("metric %s is not recorded: %s", name, why)
        for name, value in found.numbers.items():
            log.info("metric %s: %.6g", name, value)
        absent = {METRICS + name: why for name, why in found.absent.items()}
        return replace(result, metrics=found.numbers, absent=result.absent | absent)
