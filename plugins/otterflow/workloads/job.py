"""What a workload hands to the operators: a script for the driver host, and the plan of a run.

A script is bash text that runs inside a job folder (its working directory). Files are put there first with mode 600;
the password file is one of them, so that no secret is in a command, in the environment or in a log.
"""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass, field

from otterflow.dbms.access import DatabaseAccess
from otterflow.errors import InvalidInput, Problem
from otterflow.workloads.definition import Benchmark

LONGEST_S = 86_400.0
"""No warm-up and no measured run may be asked to last longer than a day."""


@dataclass(frozen=True)
class JobScript:
    """Bash text to run in a job folder, the files it finds there, and the small files it leaves there."""

    script: str
    files: dict[str, str] = field(repr=False)
    timeout_s: float
    results: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunPlan:
    """How long a benchmark warms up and is measured, in seconds, in passes of its stream, or in both."""

    warmup_s: float = 0.0
    duration_s: float = 0.0
    warmup_passes: int = 0
    passes: int = 0
    seed: int = 0

    @property
    def warms_up(self) -> bool:
        """Whether anything is run before the measured window."""
        return self.warmup_s > 0 or self.warmup_passes > 0


def plan(
    benchmark: Benchmark, warmup_s: float | None = None, duration_s: float | None = None, seed: int = 0
) -> RunPlan:
    """The benchmark's own times, or the ones asked for.

    For a stream of queries, `duration_s` asks for as many whole passes as fit, and at least the benchmark's own number;
    `warmup_s` likewise, and 0 for no warm-up at all. Raises InvalidInput that names the fields.
    """
    problems = [
        Problem(name, f"{value!r} is not valid", f"give a number of seconds {'above' if above else 'from'} 0 to 86400")
        for name, value, above in (("warmup_s", warmup_s, False), ("duration_s", duration_s, True))
        if value is not None and not _valid_time(value, above)
    ]
    if not 0 <= seed < 2**62:
        problems.append(Problem("seed", f"{seed!r} is not valid", "give a whole number from 0 to 2^62 - 1"))
    if problems:
        raise InvalidInput(problems)
    return RunPlan(
        warmup_s=(benchmark.warmup_s or 0.0) if warmup_s is None else float(warmup_s),
        duration_s=(benchmark.duration_s or 0.0) if duration_s is None else float(duration_s),
        warmup_passes=_warmup_passes(benchmark, warmup_s),
        passes=benchmark.passes or 0,
        seed=seed,
    )


def _valid_time(value: float, above: bool) -> bool:
    return math.isfinite(value) and value <= LONGEST_S and (value > 0 if above else value >= 0)


def _warmup_passes(benchmark: Benchmark, warmup_s: float | None) -> int:
    if not benchmark.workload.in_passes or warmup_s == 0:
        return 0
    own = benchmark.warmup_passes or 0
    return own if warmup_s is None else max(own, 1)


def prologue(access: DatabaseAccess, bin_dir: str | None) -> str:
    """The head of every script: strict bash, the way to the database, and PATH, each value quoted.

    Variables of libpq that the host's environment may hold (a service, a password, options) are taken out, so that a
    benchmark does the same wherever it runs.
    """
    lines = [
        "set -euo pipefail",
        "umask 077",
        "unset PGSERVICE PGSERVICEFILE PGPASSWORD PGPASSFILE PGOPTIONS PGHOSTADDR PGSSLPASSWORD",
        "export LC_ALL=C PGTZ=UTC PGCLIENTENCODING=UTF8 PGCONNECT_TIMEOUT=10 PGAPPNAME=otterflow",
    ]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in access.environment().items()]
    if access.pgpass:
        lines.append('export PGPASSFILE="$PWD/pgpass"')
    if bin_dir:
        lines.append(f'export PATH={shlex.quote(bin_dir)}:"$PATH"')
    return "\n".join(lines) + "\n"


def access_files(access: DatabaseAccess) -> dict[str, str]:
    """The password file, if the server asks for a password."""
    return {"pgpass": access.pgpass} if access.pgpass else {}


def command(*words: str) -> str:
    """A command from its words, each quoted for bash."""
    return shlex.join(words)
