"""How quickly a server's counter grows now."""

from __future__ import annotations

import time
from collections.abc import Callable

WATCHED_S = 3.0
"""For how long a counter is watched."""


def per_second(read: Callable[[], float], own: float = 0.0) -> float:
    """By how much a counter grows a second, over a few of them; a second look at it counts as `own` by itself."""
    before, begun = read(), time.monotonic()
    time.sleep(WATCHED_S)
    after, passed_s = read() - own, time.monotonic() - begun
    return max(0.0, after - before) / passed_s
