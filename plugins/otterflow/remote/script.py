"""What is handed to a host to run: a script, and what belongs to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

LONGEST_S = 86_400.0
"""No job may be asked to last longer than a day."""


@dataclass(frozen=True)
class JobScript:
    """Bash text to run in a job folder, the files it finds there, and the small files it leaves there.

    The files are put there first with mode 600 and may hold secrets: none is in a command, in the environment or in a
    log. A program is given as its bytes.
    """

    script: str
    files: Mapping[str, str | bytes] = field(default_factory=dict, repr=False)
    timeout_s: float = LONGEST_S
    results: tuple[str, ...] = ()
