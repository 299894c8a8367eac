"""Reads the sections of pgbench's report, one for each script.

The whole run's numbers are exact, but pgbench's threads count each script's without a lock, so that a section may
lack a few of its transactions (https://www.postgresql.org/docs/current/pgbench.html, `accumStats` in pgbench.c).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from otterflow.errors import BenchmarkFailed
from otterflow.workloads.pgbench.output import Report

LOST_SHARE, LOST = 0.02, 5
"""What the sections may lack of the whole run's number: this share of it, and so many more."""

_SECTION = re.compile(r"^SQL script (\d+): (.*)\n", re.M)
_DONE = re.compile(r"^ - (\d+) transactions \([^\n]*\)\n", re.M)
_FAILED = re.compile(r"^ - number of failed transactions: (\d+)[^\n]*\n", re.M)
_RETRIES = re.compile(r"^ - total number of retries: (\d+)\n", re.M)
_TOTAL_RETRIES = re.compile(r"^total number of retries: (\d+)\n", re.M)


@dataclass(frozen=True)
class Counts:
    """How many transactions of one script ended well, failed for good, and were tried again."""

    transactions: int
    failed: int
    retries: int


def read_sections(report: str, total: Report, files: Sequence[str]) -> list[Counts]:
    """Each script's counts, in the order of `files`, which are all that ran. A single one has no section of its own.

    Raises BenchmarkFailed for a report that is cut short, is of other files, or disagrees with itself.
    """
    found_retries = _TOTAL_RETRIES.search(report)  # only where failures are retried, from version 15 on
    retries = int(found_retries.group(1)) if found_retries else 0
    if len(files) == 1:
        return [Counts(total.transactions, total.failed or 0, retries)]
    lines = [("failed transactions", _FAILED)] if total.failed is not None else []
    lines += [("retries", _RETRIES)] if found_retries else []
    read = []
    for name, text in zip(files, _sections(report, files), strict=True):
        done = _one(_DONE, text, "transactions", name)
        # Of a script that never ran, pgbench 17 and later say no more than that.
        told = [(what, pattern) for what, pattern in lines if done or pattern.search(text)]
        numbers = {what: _one(pattern, text, what, name) for what, pattern in told}
        read.append(Counts(done, numbers.get("failed transactions", 0), numbers.get("retries", 0)))
    _check_sum("transactions", total.transactions, [one.transactions for one in read])
    _check_sum("failed transactions", total.failed or 0, [one.failed for one in read])
    _check_sum("retries", retries, [one.retries for one in read])
    return read


def agree(total: int, part: int) -> bool:
    """Whether a section's number may be of so many in truth, but for what the threads lost."""
    return 0 <= total - part <= LOST + LOST_SHARE * total


def _sections(report: str, files: Sequence[str]) -> list[str]:
    found = list(_SECTION.finditer(report))
    named = [match.group(2).strip() for match in found]
    if named != list(files):
        told = ", ".join(named) or "none"
        raise BenchmarkFailed(f"pgbench's report is cut short: of the scripts {', '.join(files)} it tells of {told}")
    ends = [match.start() for match in found[1:]] + [len(report)]
    return [report[match.end() : end] for match, end in zip(found, ends, strict=True)]


def _one(pattern: re.Pattern[str], text: str, what: str, name: str) -> int:
    found = pattern.findall(text)
    if len(found) != 1:
        raise BenchmarkFailed(f"pgbench's report is cut short: it has no number of {what} for {name}")
    return int(found[0])


def _check_sum(what: str, total: int, parts: Sequence[int]) -> None:
    if not agree(total, sum(parts)):
        raise BenchmarkFailed(f"pgbench reports {total} {what}, but its scripts' sum to {sum(parts)}")
