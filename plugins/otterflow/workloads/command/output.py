"""Reads the one line of JSON by which a user's own command ends."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from otterflow.errors import BenchmarkFailed
from otterflow.measures.objective import Objective
from otterflow.measures.result import BenchmarkResult

RESULT_FILE = "result.txt"
"""The end of what the command printed to its standard output."""

MOST_DIGITS = 18
"""No count of anything has more; the next would soon overflow what is computed of it."""

EXAMPLE = (
    '{"throughput": 812.5, "latency_ms": {"mean": 4.9, "p50": 4.1, "p95": 9.8, "p99": 15.2}, '
    '"errors": 0, "transactions": 48750, "seconds": 60.0}'
)
_COUNTS = ("errors", "transactions")
_LATENCIES = ("mean", "p50", "p95", "p99")
_KEYS = ("throughput", "latency_ms", *_COUNTS, "seconds")


def read_result(results: Mapping[str, str], measures: Sequence[Objective]) -> BenchmarkResult:
    """The result from the last line that is not blank, which must have a number for each of `measures`.

    Raises BenchmarkFailed with a sentence for output that is empty, ends with anything but a whole JSON object, or
    whose numbers are absent, of another type, not finite or negative.
    """
    record = _last_object(results.get(RESULT_FILE, ""))
    unknown = [str(key) for key in record if key not in _KEYS]
    if unknown:
        raise BenchmarkFailed(f"the command's result has the unknown key {unknown[0]!r}; known are {', '.join(_KEYS)}")
    counts = {name: _count(record, name) for name in _COUNTS}
    latencies = record.get("latency_ms", {})
    if not isinstance(latencies, dict):
        raise BenchmarkFailed(f"the command's result has latency_ms = {latencies!r}, which is no JSON object")
    odd = [str(name) for name in latencies if name not in _LATENCIES]
    if odd:
        raise BenchmarkFailed(f"the command's result has latency_ms.{odd[0]}; known are {', '.join(_LATENCIES)}")
    result = BenchmarkResult(
        throughput=_positive("throughput", record["throughput"]) if "throughput" in record else None,
        latency_ms={name: _positive(f"latency_ms.{name}", value) for name, value in latencies.items()},
        errors=counts["errors"],
        transactions=counts["transactions"],
        seconds=_positive("seconds", _given(record, "seconds")),
    )
    for objective in measures:
        objective.read(result)
    return result


def _last_object(text: str) -> dict[str, Any]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise BenchmarkFailed(f"the command printed nothing; its last line is to be like {EXAMPLE}")
    last = lines[-1]
    try:
        record = json.loads(last, parse_constant=_no_constant, parse_int=_whole)
    except ValueError as error:
        raise BenchmarkFailed(f"the command's last line is {_because(lines, str(error))}: {_shown(last)}") from None
    if not isinstance(record, dict):
        raise BenchmarkFailed(f"the command's last line is no JSON object: {_shown(last)}; it is to be like {EXAMPLE}")
    return record


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"{digits[:MOST_DIGITS]}... is no number")
    return int(digits)


def _because(lines: Sequence[str], error: str) -> str:
    """What is wrong with a last line that is no JSON."""
    if error.endswith(" is no number"):
        return f"not to be believed, {error}"
    if lines[-1].startswith("{"):
        return f"cut short or no JSON ({error})"
    if any(line.startswith("{") and line.endswith("}") for line in lines[:-1]):
        return "text after the result, which must come last"
    return "no JSON"


def _given(record: Mapping[str, Any], name: str) -> object:
    if name not in record:
        raise BenchmarkFailed(f"the command's result has no {name}; it is to be like {EXAMPLE}")
    return record[name]


def _count(record: Mapping[str, Any], name: str) -> int:
    value = _given(record, name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BenchmarkFailed(f"the command's result has {name} = {value!r}; it must be a whole number from 0 up")
    return value


def _positive(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        raise BenchmarkFailed(f"the command's result has {name} = {value!r}; it must be a number above 0")
    return float(value)


def _shown(line: str) -> str:
    return repr(line if len(line) <= 200 else line[:200] + "...")
