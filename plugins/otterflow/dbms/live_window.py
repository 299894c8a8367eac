"""The window in which a live server's load is looked at, whatever DBMS it is: how often, and what its ends left."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, TypeVar

from otterflow.errors import BenchmarkFailed

S = TypeVar("S")


def looks(duration_s: float) -> tuple[int, float]:
    """How often, and the seconds in between: twenty times, or once a minute or second.

    A look is work of its own on the server, and is left out of what is counted.
    """
    step_s = min(60.0, max(1.0, duration_s / 20))
    steps = max(1, math.ceil(duration_s / step_s))
    return steps, duration_s / steps


def snapshot_of(text: str, name: str, make: Callable[[dict[str, Any]], S]) -> S:
    """What `make` makes of the counters in `text`, the file `name` that one end of a window has left as JSON.

    Raises BenchmarkFailed if it is empty, cut short, or none at all.
    """
    if not text.strip():
        raise BenchmarkFailed(f"the observation left no {name}: it did not reach that end of its window")
    try:
        return make(json.loads(text))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BenchmarkFailed(f"{name} is cut short or no snapshot: {error!r}") from None
