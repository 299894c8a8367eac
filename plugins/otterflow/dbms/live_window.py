"""How often the load of a live server is looked at in a window, whatever DBMS it is."""

from __future__ import annotations

import math


def looks(duration_s: float) -> tuple[int, float]:
    """How often, and the seconds in between: twenty times, or once a minute or second.

    A look is work of its own on the server, and is left out of what is counted.
    """
    step_s = min(60.0, max(1.0, duration_s / 20))
    steps = max(1, math.ceil(duration_s / step_s))
    return steps, duration_s / steps
