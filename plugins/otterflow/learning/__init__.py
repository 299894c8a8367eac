"""What earlier experiments teach: past experiments, shared packs of them, and models that are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otterflow.tuner import PastExperiment


def shipped(dbms: str) -> list[PastExperiment]:
    """The experience in packs for a DBMS, by name, in the server's own units: for `suggest(past=...)`.

    Empty where there is none. A file that cannot be read is left out (`python -m otterflow experience check` says why).
    """
    from otterflow.learning.experience import shipped_experience

    return shipped_experience(dbms)
