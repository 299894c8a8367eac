"""Waiting for what a server does in its own time."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(ready: Callable[[], object], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not ready():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
