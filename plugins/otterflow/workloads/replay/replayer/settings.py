"""What a replay is told: a file of JSON beside the program. Passwords are in a file of their own, never in this one."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from otterflow.dbms.statements.dialect import ROOMS
from otterflow.errors import InvalidInput, Problem
from otterflow.workloads.replay.replayer.answers import Access

CLOCK, THINK, FAST = "clock", "think", "fast"
SCHEDULES = (CLOCK, THINK, FAST)
TLS_MODES = ("disable", "prefer", "require", "verify-ca", "verify-full")


@dataclass(frozen=True)
class RunSettings:
    """What every run is told: the recording's folder, how to reach the database, which DBMS it is, and limits.

    `processes` send the statements, as many as it takes where it is None. After `deadline_s` everything ends.
    `result_file` is written whole, as JSON.
    """

    recording: str
    host: str
    port: int
    user: str
    database: str
    result_file: str
    deadline_s: float
    password_file: str | None = None
    tls: str = "prefer"
    tls_root: str | None = None
    dbms: str = "postgresql"
    processes: int | None = None
    lock_timeout_ms: int = 5_000
    statement_timeout_ms: int = 60_000
    progress_s: float = 10.0
    application_name: str = "otterflow replay"
    most_own_lateness_ms: float = 50.0

    def __post_init__(self) -> None:
        """Raises InvalidInput with every field that is wrong."""
        wrong = list(self._problems())
        if wrong:
            raise InvalidInput(wrong)

    def _problems(self) -> Iterator[Problem]:
        yield from self._known("tls", TLS_MODES)
        yield from self._known("dbms", tuple(ROOMS))
        for name in ("deadline_s", "progress_s", "most_own_lateness_ms"):
            yield from self._above_zero(name)
        for name in ("port", "lock_timeout_ms", "statement_timeout_ms"):
            yield from self._whole(name)
        if self.processes is not None:
            yield from self._whole("processes")

    def _known(self, name: str, known: tuple[str, ...]) -> Iterator[Problem]:
        if getattr(self, name) not in known:
            yield Problem(name, f"{getattr(self, name)!r} is not known", f"use one of {', '.join(known)}")

    def _above_zero(self, name: str) -> Iterator[Problem]:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
            yield Problem(name, f"{value!r} is not valid", "give a number above 0")

    def _whole(self, name: str, least: int = 1) -> Iterator[Problem]:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            yield Problem(name, f"{value!r} is not valid", f"give a whole number from {least} up")

    def access(self) -> Access:
        """How to reach the database, the password read from its file."""
        password = ""
        if self.password_file is not None:
            password = Path(self.password_file).read_text().rstrip("\n")
        return Access(self.host, self.port, self.user, self.database, password, self.tls, self.tls_root)


@dataclass(frozen=True)
class ReplaySettings(RunSettings):
    """How a recording is replayed.

    `schedule`: `clock`, each statement at its recorded time, or as soon after as its session is free; `think`, each as
    long after the answer before it as it was in the recording; `fast`, each at once. `factor` makes the first two so
    many times quicker. At most `connections` sessions are open at once, as many as there were at once where it is None.
    """

    schedule: str = THINK
    factor: float = 1.0
    connections: int | None = None

    def _problems(self) -> Iterator[Problem]:
        yield from super()._problems()
        yield from self._known("schedule", SCHEDULES)
        yield from self._above_zero("factor")
        if self.connections is not None:
            yield from self._whole("connections")


@dataclass(frozen=True)
class MixSettings(RunSettings):
    """How a mix is run: `clients` that each do one recorded transaction after the other, drawn at random.

    They begin at once with the next, or all together `rate` a second where it is given. What is drawn is `seed`'s to
    say; with `from_end` (a warm-up) the sample is gone through from its other end, so that a measured run with the same
    seed does not do the same transactions again. `sample` transactions of the recording are kept at most, in
    `sample_bytes`.
    """

    clients: int = 8
    duration_s: float = 60.0
    rate: float | None = None
    seed: int = 0
    from_end: bool = False
    sample: int = 100_000
    sample_bytes: int = 256 * 2**20

    def _problems(self) -> Iterator[Problem]:
        yield from super()._problems()
        yield from self._above_zero("duration_s")
        if self.rate is not None:
            yield from self._above_zero("rate")
        for name in ("clients", "sample", "sample_bytes"):
            yield from self._whole(name)
        yield from self._whole("seed", 0)
        if not isinstance(self.from_end, bool):
            yield Problem("from_end", f"{self.from_end!r} is not valid", "give true or false")


Kind = TypeVar("Kind", bound=RunSettings)


def read_settings(path: Path, kind: type[Kind]) -> Kind:
    """The settings of a file. Raises InvalidInput that names the field."""
    try:
        record: Any = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InvalidInput(Problem("settings", f"{path}: {error}", "give a file of JSON")) from None
    known = {field.name: field for field in fields(kind)}
    if not isinstance(record, dict):
        raise InvalidInput(Problem("settings", f"{path} holds no JSON object", "give one"))
    wrong = [Problem(name, "it is not known", f"known are {', '.join(known)}") for name in record if name not in known]
    wrong += [
        Problem(name, "it is missing", "give it")
        for name, field in known.items()
        if field.default is MISSING and name not in record
    ]
    if wrong:
        raise InvalidInput(wrong)
    return kind(**record)
