"""Reads what a run of own Lua scripts left: sysbench's report, each script's numbers, the findings of the check."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping

from otterflow.errors import BenchmarkFailed
from otterflow.measures.percentiles import told, untold
from otterflow.measures.result import PERCENTILES, BenchmarkResult
from otterflow.workloads.sysbench.output import REPORT_FILE, read_report
from otterflow.workloads.sysbench.scripts_settings import SysbenchScriptsSettings

NUMBERS_FILE, CHECK_FILE, CHECK_DONE = "numbers.txt", "checks.txt", "checked"
STEP = 1.01
"""Latencies are counted in steps of a hundredth; runner.lua has the same."""
SPREAD = 5
"""How many standard deviations a script's share may lie from its weight."""


class _Script:
    """One script's numbers, summed over the clients."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = defaultdict(int)
        self.seen: dict[int, int] = defaultdict(int)

    def add(self, what: str, value: int) -> None:
        if what.startswith("seen_"):
            self.seen[int(what.removeprefix("seen_"))] += value
        else:
            self.numbers[what] += value

    def __add__(self, other: _Script) -> _Script:
        total = _Script()
        for one in (self, other):
            for what, value in one.numbers.items():
                total.numbers[what] += value
            for bucket, value in one.seen.items():
                total.seen[bucket] += value
        return total

    def latencies(self) -> dict[str, float]:
        """Mean and percentiles in ms, those that so many transactions can tell."""
        done = self.numbers["transactions"]
        if not done:
            return {}
        found = {name: _percentile_ms(self.seen, int(name[1:])) for name in PERCENTILES}
        return told({"mean": self.numbers["sum_us"] / done / 1000} | found, done)


def read_scripts(results: Mapping[str, str], log: str, settings: SysbenchScriptsSettings) -> BenchmarkResult:
    """The result of a run of `settings.scripts`, its files cross-checked with each other.

    Raises BenchmarkFailed with a sentence for output that is empty or cut short, for a run that sysbench gave up, for
    numbers that do not agree with the report, for a mix that is not the weights', and for every finding of the check.
    """
    report = read_report(results.get(REPORT_FILE, ""), log)
    scripts = _read_numbers(results.get(NUMBERS_FILE, ""), settings)
    total = sum(scripts.values(), _Script())
    done, errors = total.numbers["transactions"], total.numbers["errors"]
    if done + errors != report.transactions:
        raise BenchmarkFailed(
            f"sysbench reports {report.transactions} transactions, but its scripts' sum to {done} and {errors} errors"
        )
    if not done:
        raise BenchmarkFailed("no transaction of any script ended well")
    _check_mix({name: one.numbers["transactions"] + one.numbers["errors"] for name, one in scripts.items()}, settings)
    if settings.check_sql:
        _read_findings(results.get(CHECK_FILE, ""))
    seconds = report.seconds
    counted = scripts[settings.throughput_of].numbers["transactions"] if settings.throughput_of else None
    throughput = (done if counted is None else counted) / seconds
    return BenchmarkResult(
        throughput=throughput,
        latency_ms=total.latencies(),
        errors=errors,
        transactions=done,
        seconds=seconds,
        counted=counted,
        types={
            name: {
                "transactions": one.numbers["transactions"],
                "errors": one.numbers["errors"],
                "retries": one.numbers["retries"],
                "throughput": one.numbers["transactions"] / seconds,
            }
            | one.latencies()
            for name, one in scripts.items()
        },
        numbers={settings.rate_name: 60 * throughput} if settings.rate_name else {},
        absent=untold(done),
    )


def _read_numbers(text: str, settings: SysbenchScriptsSettings) -> dict[str, _Script]:
    scripts = {name: _Script() for name in settings.scripts}
    ended = 0
    for line in text.splitlines():
        try:
            name, what, value = line.split(" ")
            if (name, what) == ("client", "ended"):
                ended += int(value)
            else:
                scripts[name].add(what, int(value))
        except (KeyError, ValueError):
            raise BenchmarkFailed(f"the scripts' numbers hold the line {line[:100]!r}, which is none") from None
    if ended != settings.threads:
        raise BenchmarkFailed(f"of {settings.threads} clients {ended} have left their numbers")
    for name, one in scripts.items():
        if sum(one.seen.values()) != one.numbers["transactions"]:
            raise BenchmarkFailed(f"the numbers of {name} are cut short: its latencies are not as many as its ends")
    return scripts


def _percentile_ms(seen: Mapping[int, int], percent: int) -> float:
    """By nearest rank: the end of the first step up to which at least `percent` of all latencies lie."""
    wanted = math.ceil(sum(seen.values()) * percent / 100)
    upto = 0
    for bucket in sorted(seen):
        upto += seen[bucket]
        if upto >= wanted:
            return STEP**bucket / 1000
    raise BenchmarkFailed("the scripts' latencies are empty")


def _check_mix(counts: Mapping[str, int], settings: SysbenchScriptsSettings) -> None:
    total, weights = sum(counts.values()), sum(settings.scripts.values())
    for name, weight in settings.scripts.items():
        share = weight / weights
        spread = SPREAD * math.sqrt(total * share * (1 - share)) + 1
        if abs(counts[name] - total * share) > spread:
            raise BenchmarkFailed(f"{counts[name]} of {total} transactions are of {name}, whose share is {share:.0%}")


def _read_findings(text: str) -> None:
    lines = text.splitlines()
    if not lines or lines[-1] != CHECK_DONE:
        raise BenchmarkFailed("the data were not checked to the end")
    if lines[:-1]:
        raise BenchmarkFailed(f"the data of the benchmark are wrong: {'; '.join(lines[:-1])}")
