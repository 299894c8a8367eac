"""Reads what a sysbench run left: its report with the histogram of latencies."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from otterflow.errors import BenchmarkFailed
from otterflow.measures.percentiles import told, untold
from otterflow.measures.result import PERCENTILES, BenchmarkResult

REPORT_FILE = "sysbench.txt"

_NUMBERS = {
    "transactions": re.compile(r"^\s+transactions:\s+(\S+)\s+\(\S+ per sec\.\)\s*$", re.M),
    "transactions per second": re.compile(r"^\s+transactions:\s+\S+\s+\((\S+) per sec\.\)\s*$", re.M),
    "ignored errors": re.compile(r"^\s+ignored errors:\s+(\S+)\s+\(", re.M),
    "reconnects": re.compile(r"^\s+reconnects:\s+(\S+)\s+\(", re.M),
    "total time": re.compile(r"^\s+total time:\s+(\S+)s\s*$", re.M),
    "sum of latencies": re.compile(r"^\s+sum:\s+(\S+)\s*$", re.M),
}
_RUN_PROGRESS = re.compile(
    r"\[ (\d+)s \] thds: \d+ tps: ([\d.]+) .*lat \(ms,99%\): ([\d.]+) err/s: ([\d.]+) reconn/s: ([\d.]+)"
)
_LAST_SECTION = "Threads fairness:"
_HISTOGRAM_LINE = re.compile(r"^\s*(\d+\.\d+) \|\**\s+(\d+)\s*$", re.M)
_FATAL = re.compile(r"^.*(?:FATAL|ALERT|Segmentation fault).*$", re.M)


@dataclass(frozen=True)
class Report:
    """What sysbench says of a whole run: latencies are their sum, in milliseconds."""

    transactions: int
    per_second: float
    errors: int
    seconds: float
    latencies_ms: float


def read_result(results: Mapping[str, str], log: str) -> BenchmarkResult:
    """The result from the report; percentiles are of its histogram, whose steps are 1.8 % wide.

    An ignored error is a transaction that was rolled back for a deadlock, a serialization failure or a duplicate key,
    and begun again; a reconnect counts as an error as well. Raises BenchmarkFailed with a sentence for output that is
    empty or cut short, tells of a fatal error, or does not agree with itself.
    """
    text = results.get(REPORT_FILE, "")
    report = read_report(text, log)
    transactions = report.transactions
    histogram = [(float(value), int(count)) for value, count in _HISTOGRAM_LINE.findall(text)]
    counted = sum(count for _, count in histogram)
    if counted != transactions:
        raise BenchmarkFailed(f"sysbench reports {transactions} transactions, but its histogram has {counted}")
    latency_ms = {"mean": report.latencies_ms / transactions}
    latency_ms |= {name: _percentile(histogram, int(name[1:])) for name in PERCENTILES}
    return BenchmarkResult(
        throughput=report.per_second,
        latency_ms=told(latency_ms, transactions),
        errors=report.errors,
        transactions=transactions,
        seconds=report.seconds,
        absent=untold(transactions),
    )


def read_report(report: str, log: str) -> Report:
    """The numbers of a report, which may have a histogram. Raises BenchmarkFailed as `read_result` does."""
    fatal = _FATAL.findall(report) or _FATAL.findall(log)
    if fatal:
        # the first complaint names the cause; those after it say what followed from it
        raise BenchmarkFailed(f"sysbench gave up: {fatal[0].strip()}")
    if not report.strip():
        raise BenchmarkFailed(f"sysbench printed no report: {_last_line(log)}")
    numbers = {what: _number(pattern, report, what) for what, pattern in _NUMBERS.items()}
    if _LAST_SECTION not in report:
        raise BenchmarkFailed(f"sysbench's report is cut short: it ends before {_LAST_SECTION!r}")
    if not numbers["transactions"]:
        raise BenchmarkFailed("sysbench finished no transaction")
    return Report(
        transactions=int(numbers["transactions"]),
        per_second=numbers["transactions per second"],
        errors=int(numbers["ignored errors"] + numbers["reconnects"]),
        seconds=numbers["total time"],
        latencies_ms=numbers["sum of latencies"],
    )


def run_rate(line: str) -> float | None:
    """The transactions per second of the last second, as sysbench says; None for another line."""
    run = _RUN_PROGRESS.search(line)
    return float(run.group(2)) if run else None


def run_progress(line: str) -> str | None:
    """What sysbench says every second of a run; None for another line."""
    run = _RUN_PROGRESS.search(line)
    if not run:
        return None
    seconds, tps, latency, errors, reconnects = run.groups()
    failed = float(errors) + float(reconnects)
    said = f", {failed:.0f} errors/s" if failed else ""
    return f"{seconds} s: {float(tps):,.0f} transactions/s, latency p99 {float(latency):.2f} ms{said}"


def _number(pattern: re.Pattern[str], report: str, what: str) -> float:
    """The one number that a pattern finds, finite and not negative."""
    found = pattern.findall(report)
    if len(found) != 1:
        raise BenchmarkFailed(f"sysbench's report is cut short or not sysbench's: it has {len(found)} lines {what!r}")
    try:
        value = float(found[0])
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise BenchmarkFailed(f"sysbench reports {what} = {found[0]!r}, which is no number from 0 up")
    return value


def _percentile(histogram: Sequence[tuple[float, int]], percent: int) -> float:
    """By nearest rank: the first step up to which at least `percent` of all transactions lie, in milliseconds."""
    wanted = math.ceil(sum(count for _, count in histogram) * percent / 100)
    upto = 0
    for value, count in histogram:
        upto += count
        if upto >= wanted:
            return value
    raise BenchmarkFailed("sysbench's histogram is empty")


def _last_line(log: str) -> str:
    lines = log.strip().splitlines()
    return lines[-1].strip() if lines else "it said nothing"
