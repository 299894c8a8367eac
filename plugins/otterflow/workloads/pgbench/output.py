"""Reads what a pgbench run left: its report, and the summary of its log of transactions."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from otterflow.errors import BenchmarkFailed
from otterflow.measures.percentiles import told, untold
from otterflow.measures.result import BenchmarkResult

REPORT_FILE = "pgbench.txt"
LATENCY_FILE = "latency.txt"

_TRANSACTIONS = re.compile(r"^number of transactions actually processed: (\d+)(?:/\d+)?\s*$", re.M)
_FAILED = re.compile(r"^number of failed transactions: (\d+)", re.M)
_TPS = re.compile(r"^tps = (\S+) \((?:without initial connection time|excluding connections establishing)\)\s*$", re.M)
"""From version 14 on, and before."""
_COMPLAINTS = re.compile(r"^.*(?:Run was aborted|fatal:|FATAL|ERROR:|error:|aborted).*$", re.M)
PERCENTILES = ("p50", "p95", "p99")
_LATENCY_NUMBERS = ("count", "sum_us", "span_us", "failed", "unreadable", "p50_us", "p95_us", "p99_us")


@dataclass(frozen=True)
class Report:
    """What pgbench's report says of the whole run; `failed` is None where its version does not say."""

    transactions: int
    throughput: float
    failed: int | None


def read_report(report: str, log: str) -> Report:
    """The report's numbers. Raises BenchmarkFailed for one that is empty or cut short, or of a run given up."""
    if "Run was aborted" in log or "Run was aborted" in report:
        raise BenchmarkFailed(f"pgbench gave up: {_complaint(log)}")
    if not report.strip():
        raise BenchmarkFailed(f"pgbench printed no report: {_complaint(log)}")
    transactions = int(_one(_TRANSACTIONS, report, "number of transactions actually processed"))
    if transactions == 0:  # then it reports no rate either
        raise BenchmarkFailed("pgbench did not end a single transaction in the measured time")
    throughput = number(_one(_TPS, report, "tps"), "tps")
    failed = _FAILED.search(report)  # not reported before version 15, where a failure ends the client
    return Report(transactions, throughput, int(failed.group(1)) if failed else None)


def read_result(results: Mapping[str, str], log: str, latency_sample: float = 1.0) -> BenchmarkResult:
    """The result from the two files, cross-checked with each other; `latency_sample` is the share that was logged.

    Raises BenchmarkFailed with a sentence for output that is empty or cut short, for a run that pgbench gave up, and
    for a log that does not agree with the report.
    """
    report = read_report(results.get(REPORT_FILE, ""), log)
    latency = read_latency(results.get(LATENCY_FILE, ""))
    check_log(latency, report.transactions, latency_sample)
    return BenchmarkResult(
        throughput=report.throughput,
        latency_ms=latencies(latency),
        errors=int(latency["failed"]) if report.failed is None else report.failed,
        transactions=report.transactions,
        seconds=latency["span_us"] / 1e6,
        absent=untold(int(latency["count"])),
    )


def _one(pattern: re.Pattern[str], report: str, what: str) -> str:
    found = pattern.findall(report)
    if len(found) != 1:
        raise BenchmarkFailed(f"pgbench's report is cut short or not pgbench's: it has {len(found)} lines {what!r}")
    return str(found[0])


def number(text: str, what: str) -> float:
    """A number of pgbench's. Raises BenchmarkFailed that says what it should have been the number of."""
    try:
        return float(text)
    except ValueError:
        raise BenchmarkFailed(f"pgbench reports {what} = {text!r}, which is no number") from None


def read_latency(text: str, further: Sequence[str] = ()) -> dict[str, float]:
    """The summary's `name value` lines as numbers; `further` lines must be there beside those of any run.

    Raises BenchmarkFailed for a summary that is cut short, of no transaction, or with something that is no number.
    """
    numbers = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        numbers[name] = number(value, f"{LATENCY_FILE}: {name}")
    if numbers.get("count") == 0:
        raise BenchmarkFailed("pgbench's log holds no finished transaction")
    lacking = [name for name in (*_LATENCY_NUMBERS, *further) if name not in numbers]
    if lacking:
        raise BenchmarkFailed(f"the summary of pgbench's log is cut short: no {', '.join(lacking)}")
    return numbers


def latencies(latency: Mapping[str, float], prefix: str = "") -> dict[str, float]:
    """Milliseconds: the mean, and the percentiles that so many transactions tell; none of no transaction.

    Raises BenchmarkFailed if the summary lacks a percentile.
    """
    count = int(latency[f"{prefix}count"])
    if not count:
        return {}
    lacking = [name for name in PERCENTILES if f"{prefix}{name}_us" not in latency]
    if lacking:
        raise BenchmarkFailed(f"the summary of pgbench's log is cut short: no {prefix}{lacking[0]}_us")
    mean = latency[f"{prefix}sum_us"] / count / 1000
    return told({"mean": mean, **{name: latency[f"{prefix}{name}_us"] / 1000 for name in PERCENTILES}}, count)


def check_log(latency: Mapping[str, float], transactions: int, sample: float) -> None:
    """The log and the report count the same transactions, but for the luck of the draw where a sample was logged.

    Raises BenchmarkFailed with both numbers where they do not.
    """
    if latency["unreadable"]:
        raise BenchmarkFailed(f"pgbench's log has {latency['unreadable']:.0f} lines that are not transactions")
    expected = transactions * sample
    luck = 6 * math.sqrt(transactions * sample * (1 - sample))
    if abs(latency["count"] - expected) > luck:
        raise BenchmarkFailed(
            f"pgbench reports {transactions} transactions, but its log has {latency['count']:.0f}"
            + (f" where a sample of {sample:g} would have about {expected:.0f}" if sample < 1 else "")
        )


def _complaint(log: str) -> str:
    """What a log complains of: the client that gave up first, and what came before it; or the log's last line."""
    lines = [line.strip() for line in _COMPLAINTS.findall(log)]
    if not lines:
        return (log.strip().splitlines() or ["it said nothing"])[-1].strip()
    client = next((line for line in lines if "aborted in command" in line), lines[0])
    return client if client == lines[0] else f"{client} (first: {lines[0]})"
