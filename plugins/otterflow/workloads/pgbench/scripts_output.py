"""Reads what a run of own pgbench scripts left.

That is the report with a section for each script, the summary of the log, and the findings of the check.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from otterflow.errors import BenchmarkFailed
from otterflow.workloads.pgbench.output import (
    LATENCY_FILE,
    REPORT_FILE,
    check_log,
    number,
    read_latency,
    read_report,
)
from otterflow.workloads.pgbench.scripts_settings import PgbenchScriptsSettings
from otterflow.workloads.result import BenchmarkResult

CHECK_FILE, CHECK_DONE = "checks.txt", "checked"
PERCENTILES = ("p50", "p95", "p99")
LEAST_TIMES = {"p50": 2, "p95": 20, "p99": 100}
"""How many transactions of a script a percentile needs before it is more than the slowest of them."""

_SECTION = re.compile(r"^SQL script (\d+): (.*)$", re.M)
_DONE = re.compile(r"^ - (\d+) transactions \(.*tps = ([^\s)]+)\)\s*$", re.M)
_FAILED = re.compile(r"^ - number of failed transactions: (\d+)", re.M)
_RETRIES = re.compile(r"^ - total number of retries: (\d+)", re.M)
_TOTAL_RETRIES = re.compile(r"^total number of retries: (\d+)", re.M)


@dataclass(frozen=True)
class _Script:
    """What the report says of one script: counts, and its transactions per second."""

    transactions: int
    throughput: float
    failed: int
    retries: int


def read_scripts(results: Mapping[str, str], log: str, settings: PgbenchScriptsSettings) -> BenchmarkResult:
    """The result of a run of `settings.scripts`, its three files cross-checked with each other.

    Raises BenchmarkFailed with a sentence for output that is empty or cut short, for a run that pgbench gave up, for a
    log that does not agree with the report, for a mix that is not the weights', and for every finding of the check.
    """
    text = results.get(REPORT_FILE, "")
    total = read_report(text, log)
    names = list(settings.scripts)
    many = len(names) > 1 or settings.pause_weight > 0
    if many:
        sections = _sections(text, [f"{name}.sql" for name in names], settings.pause_weight > 0)
        scripts = {name: _read_section(name, section) for name, section in zip(names, sections, strict=False)}
    else:
        scripts = {names[0]: _Script(total.transactions, total.throughput, total.failed or 0, _total_retries(text))}
    _check_sum("failed transactions", total.failed or 0, [script.failed for script in scripts.values()])
    _check_sum("retries", _total_retries(text), [script.retries for script in scripts.values()])
    latency = read_latency(results.get(LATENCY_FILE, ""), _wanted(len(names)))
    transactions = sum(script.transactions for script in scripts.values())
    check_log(latency, transactions, settings.latency_sample)
    _check_mix(scripts, settings.scripts)
    if settings.check_sql:
        _read_findings(results.get(CHECK_FILE, ""))
    prefixes = [f"script_{k}_" for k in range(len(names))] if len(names) > 1 else [""]
    types = {
        name: _type(name, scripts[name], latency, prefix, whole_log=settings.latency_sample == 1)
        for name, prefix in zip(names, prefixes, strict=True)
    }
    counted = scripts[settings.throughput_of] if settings.throughput_of else None
    throughput = counted.throughput if counted else sum(script.throughput for script in scripts.values())
    return BenchmarkResult(
        throughput=throughput,
        latency_ms=_latencies(latency, ""),
        errors=sum(script.failed for script in scripts.values()),
        transactions=transactions,
        seconds=latency["span_us"] / 1e6,
        counted=counted.transactions if counted else None,
        types=types,
        numbers={settings.rate_name: 60 * throughput} if settings.rate_name else {},
    )


def _wanted(scripts: int) -> list[str]:
    """The lines that a whole summary has beyond those of any run: each script's count comes before the percentiles."""
    return [f"script_{k}_{what}" for k in range(scripts) for what in ("count", "sum_us")] if scripts > 1 else []


def _sections(report: str, files: list[str], pauses: bool) -> list[str]:
    """The report's text about each script, in their order."""
    found = list(_SECTION.finditer(report))
    named = [match.group(2).strip() for match in found][: len(files)]
    if named != files or len(found) != len(files) + pauses:
        told = ", ".join(named) or "none"
        raise BenchmarkFailed(f"pgbench's report is cut short: of the scripts {', '.join(files)} it tells of {told}")
    ends = [match.start() for match in found[1:]] + [len(report)]
    return [report[match.end() : end] for match, end in zip(found, ends, strict=True)]


def _read_section(name: str, text: str) -> _Script:
    done = _DONE.findall(text)
    if len(done) != 1:
        raise BenchmarkFailed(f"pgbench's report is cut short: it has no number of transactions for {name}")
    failed, retries = _FAILED.search(text), _RETRIES.search(text)  # none before version 15, which does not retry
    return _Script(
        transactions=int(done[0][0]),
        throughput=number(done[0][1], f"tps of {name}"),
        failed=int(failed.group(1)) if failed else 0,
        retries=int(retries.group(1)) if retries else 0,
    )


def _check_sum(what: str, total: int, parts: list[int]) -> None:
    """A pause neither fails nor is retried, so the scripts' numbers sum to the whole run's."""
    if sum(parts) != total:
        raise BenchmarkFailed(f"pgbench reports {total} {what}, but its scripts' sum to {sum(parts)}: is it cut short?")


def _total_retries(report: str) -> int:
    found = _TOTAL_RETRIES.search(report)
    return int(found.group(1)) if found else 0


def _type(
    name: str, script: _Script, latency: Mapping[str, float], prefix: str, *, whole_log: bool
) -> dict[str, float]:
    """One script's numbers; of one that was seldom drawn, only the latencies that its times can tell."""
    logged = latency[f"{prefix}count"]
    if whole_log and logged != script.transactions:
        raise BenchmarkFailed(
            f"pgbench reports {script.transactions} transactions of {name}, but its log has {logged:.0f}"
        )
    numbers: dict[str, float] = {
        "transactions": script.transactions,
        "errors": script.failed,
        "retries": script.retries,
        "throughput": script.throughput,
    }
    if not logged:
        return numbers
    latencies = _latencies(latency, prefix)
    return numbers | {key: value for key, value in latencies.items() if logged >= LEAST_TIMES.get(key, 1)}


def _latencies(latency: Mapping[str, float], prefix: str) -> dict[str, float]:
    """Milliseconds: mean and percentiles. Raises BenchmarkFailed if the summary lacks one."""
    lacking = [name for name in PERCENTILES if f"{prefix}{name}_us" not in latency]
    if lacking:
        raise BenchmarkFailed(f"the summary of pgbench's log is cut short: no {prefix}{lacking[0]}_us")
    mean = latency[f"{prefix}sum_us"] / latency[f"{prefix}count"] / 1000
    return {"mean": mean, **{name: latency[f"{prefix}{name}_us"] / 1000 for name in PERCENTILES}}


def _check_mix(scripts: Mapping[str, _Script], weights: Mapping[str, int]) -> None:
    """Scripts are drawn by the weights, so the mix may stray from them by luck only (six standard deviations)."""
    tried = {name: script.transactions + script.failed for name, script in scripts.items()}
    total, weight = sum(tried.values()), sum(weights.values())
    for name, count in tried.items():
        share = weights[name] / weight
        if abs(count - share * total) > 6 * math.sqrt(total * share * (1 - share)) + 1:
            raise BenchmarkFailed(
                f"{name} made {count} of {total} transactions ({count / total:.1%}), its weight asks for {share:.1%}"
            )


def _read_findings(text: str) -> None:
    """Raise BenchmarkFailed with the check's findings, or if it did not come to its end."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines or lines[-1] != CHECK_DONE:
        raise BenchmarkFailed(
            "the data were not checked to the end after the run: " + (lines[-1] if lines else "no output")
        )
    if lines[:-1]:
        raise BenchmarkFailed(f"the data are wrong after the run: {'; '.join(lines[:-1])}")
