"""Reads the metrics that the user defined, on the target."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from otterflow.dbms.registry import dbms_named
from otterflow.dbms.values import NotThere, StatementRefused, TookTooLong
from otterflow.errors import AccessRefused, CommandTimedOut, Problem
from otterflow.measures.names import METRICS
from otterflow.measures.result import BenchmarkResult
from otterflow.measures.user_metrics import MetricUnreadable, Reading, UserMetric, window
from otterflow.remote.script import JobScript

if TYPE_CHECKING:
    from otterflow.hosts.host import Host

log = logging.getLogger(__name__)

BEFORE_FILE = "otterflow-metrics-before.json"


class _Unmade(MetricUnreadable):
    """What the SQL speaks of is not there."""


def read_all(host: Host, metrics: Sequence[UserMetric]) -> Reading:
    """Every metric once. What cannot be read is absent, with the reason; a lost connection is raised."""
    numbers: dict[str, float] = {}
    absent: dict[str, str] = {}
    unmade: list[str] = []
    epoch = host.session.run("date +%s.%N", what="reading the clock", timeout_s=30).stdout
    for metric in metrics:
        try:
            numbers |= _by_sql(host, metric) if metric.sql is not None else _by_command(host, metric)
        except MetricUnreadable as error:
            absent |= dict.fromkeys(metric.numbers, str(error))
            if isinstance(error, _Unmade):
                unmade += metric.numbers
    return Reading(float(epoch), numbers, absent, tuple(unmade))


def problems(host: Host, metrics: Sequence[UserMetric], *, data_loaded: bool) -> list[Problem]:
    """What is wrong with each metric, tried once. Before the data are loaded, tables may be missing."""
    if not metrics:
        return []
    reading = read_all(host, metrics)
    return [
        Problem(f"metric {name}", why, "mend its SQL or command, or take it out")
        for name, why in reading.absent.items()
        if data_loaded or name not in reading.unmade
    ]


def _by_sql(host: Host, metric: UserMetric) -> dict[str, float]:
    database = metric.database or host.target.database
    try:
        with host.query(database) as query:  # two rows are enough to say that it is too many
            first_rows = dbms_named(host.target.dbms).client.first_rows
            rows = first_rows(query, str(metric.sql), most=2, timeout_s=metric.timeout_s)
    except NotThere as error:
        raise _Unmade(f"its SQL failed in database {database!r}: {_sentence(error)}") from None
    except TookTooLong:
        raise MetricUnreadable(f"its SQL took longer than timeout_s ({metric.timeout_s:g} s)") from None
    except StatementRefused as error:
        raise MetricUnreadable(f"its SQL failed in database {database!r}: {_sentence(error)}") from None
    except AccessRefused:
        if not _exists(host, database):
            raise _Unmade(f"there is no database {database!r}") from None
        raise
    return metric.from_rows(rows)


def _exists(host: Host, database: str) -> bool:
    """Whether there is such a database, and not one that is to be made anew because it was left invalid."""
    with host.query() as query:
        state = dbms_named(host.target.dbms).data.state(query, database)
    return state.exists and not state.broken


def _sentence(error: Exception) -> str:
    return str(error).split("\n", 1)[0]


def _by_command(host: Host, metric: UserMetric) -> dict[str, float]:
    try:
        done = host.session.run(str(metric.command), what=metric.title, timeout_s=metric.timeout_s, check=False)
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

    def __init__(self, host: Host, metrics: Sequence[UserMetric]) -> None:
        self._host = host
        self._metrics = metrics
        self._compares = any(metric.compares for metric in metrics)
        self.late = False
        """Whether numbers are absent because the run had ended long before anybody read them."""

    def begin(self, script: JobScript) -> JobScript:
        """The job with the reading before it in its baggage."""
        if not self._compares:
            return script
        files = {**script.files, BEFORE_FILE: read_all(self._host, self._metrics).dumps()}
        return replace(script, files=files, results=(*script.results, BEFORE_FILE))

    def end(self, result: BenchmarkResult, files: Mapping[str, str]) -> BenchmarkResult:
        """The result with the metrics' numbers, and the reasons of those that are absent; `files` are the job's."""
        if not self._metrics:
            return result
        before = Reading.loads(files[BEFORE_FILE]) if self._compares else None
        found = window(self._metrics, before, read_all(self._host, self._metrics), result.seconds)
        self.late = found.late
        for name, why in found.absent.items():
            log.warning("metric %s is not recorded: %s", name, why)
        for name, value in found.numbers.items():
            log.info("metric %s: %.6g", name, value)
        absent = {METRICS + name: why for name, why in found.absent.items()}
        return replace(result, metrics=found.numbers, absent=result.absent | absent)
