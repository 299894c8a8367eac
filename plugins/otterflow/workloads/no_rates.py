"""For workloads whose programs tell no rate while they run."""

from __future__ import annotations


class NoRates:
    """A mixin for workloads."""

    def rate(self, line: str) -> float | None:
        """None, whatever the line."""
        return None
