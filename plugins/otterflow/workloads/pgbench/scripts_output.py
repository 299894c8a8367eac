"""Reads what a run of own pgbench scripts left.

That is the report with a section for each script, the summary of the log, and the findings of the check.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from otterflow.errors import BenchmarkFailed
from otterflow.measures.percentiles import untold
from otterflow.measures.result import BenchmarkResult
from otterflow.workloads.pgbench.output import (
    LATENCY_FILE,
    REPORT_FILE,
    check_log,
    latencies,
    read_latency,
    read_report,
)
from otterflow.workloads.pgbench.scripts_report import Counts, agree, read_sections
from otterflow.workloads.pgbench.scripts_settings import PgbenchScriptsSettings

CHECK_FILE, CHECK_DONE = "checks.txt", "checked"
PAUSE = "_pause"
"""The script that is a slice of a pause. No other is named so: their names begin with a letter or a digit."""


def read_scripts(results: Mapping[str, str], log: str, settings: PgbenchScriptsSettings) -> BenchmarkResult:
    """The result of a run of `settings.scripts`, its three files cross-checked with each other.

    Transactions are counted from the log if all of them are in it, or else shared out as the report has it.
    Raises BenchmarkFailed with a sentence for output that is empty or cut short, for a run that pgbench gave up, for a
    log that does not agree with the report, for a mix that is not the weights', and for every finding of the check.
    """
    text = results.get(REPORT_FILE, "")
    total = read_report(text, log)
    names = list(settings.scripts)
    ran = [*names, *([PAUSE] if settings.pause_weight else [])]
    sections = dict(zip(ran, read_sections(text, total, [f"{name}.sql" for name in ran]), strict=True))
    latency = read_latency(results.get(LATENCY_FILE, ""), _wanted(len(names)))
    logged = _logged(names, latency)
    in_log = sum(logged.values()) if settings.pause_weight else int(latency["count"])
    check_log({**latency, "count": in_log}, total.transactions, settings.latency_sample)
    if settings.latency_sample == 1:
        _check_sections(sections, logged)
        counts = {name: logged[name] for name in ran}
    else:
        counts = {name: section.transactions for name, section in sections.items()}
    _check_mix({name: counts[name] + sections[name].failed for name in names}, settings.scripts)
    if settings.check_sql:
        _read_findings(results.get(CHECK_FILE, ""))
    if not any(counts.values()):
        raise BenchmarkFailed("pgbench's report tells of no transaction of any script")
    rate = total.throughput / sum(counts.values())
    counted = [settings.throughput_of] if settings.throughput_of else names
    throughput = rate * sum(counts[name] for name in counted)
    return BenchmarkResult(
        throughput=throughput,
        latency_ms=latencies(latency),
        errors=sum(sections[name].failed for name in names) if total.failed is None else total.failed,
        transactions=sum(counts[name] for name in names),
        seconds=latency["span_us"] / 1e6,
        counted=counts[settings.throughput_of] if settings.throughput_of else None,
        types={
            name: {
                "transactions": counts[name],
                "errors": sections[name].failed,
                "retries": sections[name].retries,
                "throughput": rate * counts[name],
            }
            | latencies(latency, prefix)
            for name, prefix in zip(names, _prefixes(len(names)), strict=True)
        },
        numbers={settings.rate_name: 60 * throughput} if settings.rate_name else {},
        absent=untold(int(latency["count"])),
    )


def _prefixes(scripts: int) -> list[str]:
    """What each script's lines of the summary begin with; the only script's are those of the whole run."""
    return [f"script_{k}_" for k in range(scripts)] if scripts > 1 else [""]


def _wanted(scripts: int) -> list[str]:
    """The lines that a whole summary has beyond those of any run, which come before the percentiles."""
    return ["pauses", *(f"{prefix}{what}" for prefix in _prefixes(scripts) for what in ("count", "sum_us"))]


def _logged(names: Sequence[str], latency: Mapping[str, float]) -> dict[str, int]:
    """How many transactions of each script, and how many slices of pauses, are in the log."""
    counts = {name: int(latency[f"{prefix}count"]) for name, prefix in zip(names, _prefixes(len(names)), strict=True)}
    return counts | {PAUSE: int(latency["pauses"])}


def _check_sections(sections: Mapping[str, Counts], logged: Mapping[str, int]) -> None:
    """A script's section of the report agrees with a log that holds all transactions."""
    for name, section in sections.items():
        if not agree(logged[name], section.transactions):
            found = f"{section.transactions} transactions of {name}, but its log has {logged[name]}"
            raise BenchmarkFailed(f"pgbench reports {found}")


def _check_mix(tried: Mapping[str, int], weights: Mapping[str, int]) -> None:
    """Scripts are drawn by the weights, so the mix may stray from them by luck only (six standard deviations)."""
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
