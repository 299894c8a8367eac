"""Reads what a sysbench run left: its report with the histogram of latencies."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

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
_LAST_SECTION = "Threads fairness:"
_HISTOGRAM_LINE = re.compile(r"^\s*(\d+\.\d+) \|\**\s+(\d+)\s*$", re.M)
_FATAL = re.compile(r"^.*(?:FATAL|ALERT|Segmentation fault).*$", re.M)


def read_result(results: Mapping[str, str], log: str) -> BenchmarkResult:
    """The result from the report; percentiles are of its histogram, whose steps are 1.8 % wide.

    An ignored error is a transaction that was rolled back for a deadlock, a serialization failure or a duplicate key,
    and begun again; a reconnect counts as an error as well. Raises BenchmarkFailed with a sentence for output that is
    empty or cut short, tells of a fatal error, or does not agree with itself.
    """
    report = results.get(REPORT_FILE, "")
    fatal = _FATAL.findall(report) or _FATAL.findall(log)
    if fatal:
        # the first complaint names the cause; those after it say what followed from it
        raise BenchmarkFailed(f"sysbench gave up: {fatal[0].strip()}")
    if not report.strip():
        raise BenchmarkFailed(f"sysbench printed no report: {_last_line(log)}")
    numbers = {what: _number(pattern, report, what) for what, pattern in _NUMBERS.items()}
    if _LAST_SECTION not in report:
        raise BenchmarkFailed(f"sysbench's report is cut short: it ends before {_LAST_SECTION!r}")
    transactions = int(numbers["transactions"])
    histogram = [(float(value), int(count)) for value, count in _HISTOGRAM_LINE.findall(report)]
    counted = sum(count for _, count in histogram)
    if transactions == 0:
        raise BenchmarkFailed("sysbench finished no transaction")
    if counted != transactions:
        raise BenchmarkFailed(f"sysbench reports {transactions} transactions, but its histogram has {counted}")
    latency_ms = {"mean": numbers["sum of latencies"] / transactions}
    latency_ms |= {name: _percentile(histogram, int(name[1:])) for name in PERCENTILES}
    return BenchmarkResult(
        throughput=numbers["transactions per second"],
        latency_ms=told(latency_ms, transactions),
        errors=int(numbers["ignored errors"] + numbers["reconnects"]),
        transactions=transactions,
        seconds=numbers["total time"],
        absent=untold(transactions),
    )


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
