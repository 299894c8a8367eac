"""Which part of a plot is looked at. It stands in the address: it can be sent, works without script, and stays live.

The links beside a plot and the form with its ends are what a browser without script has, and a keyboard. With script a
part is dragged over, and the same addresses are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Query
from pydantic import BeforeValidator, Field

from otterflow.report.plots import View

_MOST = 10**6
_LEAST = 3
"""Fewer trials are seen well without."""

_Emptied = BeforeValidator(lambda given: None if given == "" else given)
"""A form sends its empty fields too."""
_Iteration = Annotated[Annotated[int, Field(ge=0, le=_MOST)] | None, _Emptied, Query()]
_Value = Annotated[Annotated[float, Field(ge=-1e15, le=1e15)] | None, _Emptied, Query()]


def view(first: _Iteration = None, last: _Iteration = None, low: _Value = None, high: _Value = None) -> View:
    """The part that the address names, its ends in either order."""
    if first is not None and last is not None:
        first, last = sorted((first, last))
    if low is not None and high is not None:
        low, high = sorted((low, high))
    return View(first, last, low, high)


Viewed = Annotated[View, Depends(view)]


def zoom(
    iterations: Sequence[int], seen: View, kept: Mapping[str, str], of: str = "trial", value: str = "value"
) -> dict[str, Any] | None:
    """The way to other parts of a plot of these iterations; None where there are too few.

    `kept` is what else the address says, `of` what is numbered, `value` what each has. A step along the iterations lets
    the values' axis fit by itself again.
    """
    if len(iterations) < _LEAST:
        return None
    steps = [
        {"name": name, "keys": keys, "query": _query(kept, step)}
        for name, keys, step in _steps(min(iterations), max(iterations), seen)
    ]
    return {"view": seen, "kept": kept, "steps": steps, "whole": _query(kept, View()), "least": min(iterations),
            "most": max(iterations), "of": of, "value": value}  # fmt: skip


def query_of(seen: View) -> str:
    """The part as the end of an address, with its `&`; empty for the whole. Values are another axis's and left out."""
    ends = {"first": seen.first, "last": seen.last}
    said = urlencode({name: end for name, end in ends.items() if end is not None})
    return f"&{said}" if said else ""


def _steps(least: int, most: int, seen: View) -> list[tuple[str, str, View | None]]:
    """Each step's name, its key, and where it leads; None where there is no way on."""
    first = least if seen.first is None else min(max(seen.first, least), most - 1)
    last = most if seen.last is None else max(min(seen.last, most), first + 1)
    length = last - first
    closer, shift = max(1, length // 2), max(1, length // 2)
    begin = first + (length - closer) // 2
    wider = View(max(least, first - shift), min(most, last + shift))
    back, on = min(shift, first - least), min(shift, most - last)
    return [
        ("closer", "+", View(begin, begin + closer) if closer < length else None),
        ("wider", "-", None if seen.is_whole else (View() if wider == View(least, most) else wider)),
        ("earlier", "ArrowLeft", View(first - back, last - back) if back else None),
        ("later", "ArrowRight", View(first + on, last + on) if on else None),
        ("all", "0", None if seen.is_whole else View()),
    ]


def _query(kept: Mapping[str, str], step: View | None) -> str | None:
    if step is None:
        return None
    ends = {"first": step.first, "last": step.last}
    return urlencode({**kept, **{name: end for name, end in ends.items() if end is not None}})
