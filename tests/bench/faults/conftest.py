"""One round of the final comparison, as for the operators' tests: the faults are what is looked at here."""

from __future__ import annotations

from tests.operators.conftest import one_round

__all__ = ["one_round"]
