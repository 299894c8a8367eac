"""What a set's `summary.json` says of its times and of what became of the trial; the same for every DBMS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otterflow.errors import Problem
from otterflow.ottertune.files import ERRORS, SUMMARY

_STATE_OF_ERROR = {error: state for state, error in ERRORS.items()}
_SHORTEST_S, _LONGEST_S = 0.001, 366 * 86400.0
_NO_TIME = 1e18
_CLOCK_S = 1.0
"""How far observation_time may lie from end_time - start_time: OtterTune cut it to whole seconds."""


def state_of(summary: Mapping[str, Any], problems: list[Problem]) -> str:
    """What became of the trial, as `Observation.state` has it; a problem where its error is not known."""
    error = summary.get("error")
    if not error:
        return "ok"
    found = _STATE_OF_ERROR.get(str(error))
    if found is None:
        known = ", ".join(_STATE_OF_ERROR)
        problems.append(Problem(f"{SUMMARY}.error", repr(error), f"what it says of the trial is unknown; {known} are"))
    return found or "failed"


def _number(summary: Mapping[str, Any], field: str) -> float | None:
    value = summary.get(field)
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < _NO_TIME else None  # of NaN as well


def milliseconds(summary: Mapping[str, Any], field: str, problems: list[Problem]) -> float:
    """A time of the summary in seconds since the epoch; a problem where it is no time from 1970 to 2100."""
    value = _number(summary, field)
    if value is None or not 0 < value < 4_102_444_800_000:
        found = "is missing" if field not in summary else f"{summary[field]!r} is no time"
        problems.append(Problem(f"{SUMMARY}.{field}", found, "milliseconds since 1970 are expected"))
        return 0.0
    return value / 1000


def window_s(summary: Mapping[str, Any], problems: list[Problem]) -> tuple[float, list[Problem]]:
    """The window's length, `observation_time`; a remark where the two times say otherwise by more than a second."""
    field = f"{SUMMARY}.observation_time"
    observed = _number(summary, "observation_time")
    if observed is None or not _SHORTEST_S <= observed <= _LONGEST_S:
        found = "is missing" if "observation_time" not in summary else f"{summary['observation_time']!r}"
        problems.append(Problem(field, found, "seconds, from 0.001 to a year, are expected: no rate without them"))
        return 0.0, []
    start, end = _number(summary, "start_time"), _number(summary, "end_time")
    if start is None or end is None:
        found = "is missing" if "end_time" not in summary else f"{summary['end_time']!r} is no time"
        return observed, [
            Problem(f"{SUMMARY}.end_time", found, "start_time and observation_time are used in its place")
        ]
    span = (end - start) / 1000
    if abs(span - observed) <= _CLOCK_S:
        return observed, []
    found = f"{observed:g} s, but end_time - start_time is {span:g} s"
    return observed, [Problem(field, found, "the rates are over observation_time")]


def crash_s(summary: Mapping[str, Any]) -> float:
    """How long a set without counters took, as far as it says."""
    return min(_LONGEST_S, max(0.0, _number(summary, "observation_time") or 0.0))
