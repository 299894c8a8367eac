"""A recording as a benchmark: the replayer is shipped to the driver host, and replays it or draws from it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from otterflow.dbms.values import DatabaseAccess
from otterflow.errors import InvalidInput, Problem
from otterflow.measures.result import BenchmarkResult
from otterflow.remote.script import JobScript
from otterflow.workloads.definition import RunPlan
from otterflow.workloads.no_rates import NoRates
from otterflow.workloads.replay.output import RESULT_FILE, read_mix, read_result
from otterflow.workloads.replay.settings import MixDriverSettings, RecordedLoad, ReplayDriverSettings
from otterflow.workloads.replay.shipping import replayer_archive
from otterflow.workloads.replay.ways import WAYS

REPLAY, MIX = "replay", "mix"
"""The replayer's programs."""
REPLAYER_FILE, SETTINGS_FILE, PASSWORD_FILE = "replayer.zip", "settings.json", "password"
LAY_OUT_S = 900.0
"""How long the recording may be read and laid out before its replay begins."""
_SAID = "replay: "


@dataclass(frozen=True)
class RecordedWorkload(NoRates, ABC):
    """A recorded load against a copy of its database; times are in seconds.

    Whatever has to be loaded is a dump, which the DBMS restores.
    """

    run_timeout_s: float
    dbms: str

    @property
    @abstractmethod
    def recorded(self) -> RecordedLoad:
        """The settings that every recorded load has."""

    def programs(self) -> tuple[str, ...]:
        """The replayer itself is shipped."""
        return ("python3",)

    def data_fingerprint(self) -> str:
        """The user's data, or a dump's."""
        return self.recorded.data_fingerprint

    def estimated_bytes(self) -> int:
        """Nothing is known of the copy here; the server, or its dump, tells."""
        return 0

    def load(self, access: DatabaseAccess, bin_dir: str | None) -> JobScript:
        """Never: raises TypeError, for the data are there already, or are restored from a dump."""
        raise TypeError(f"database {access.database!r} is for a recorded load, which loads nothing itself")

    def progress(self, line: str) -> str | None:
        """What the replayer says now and then."""
        return line.removeprefix(_SAID) if line.startswith(_SAID) else None

    def job(self, access: DatabaseAccess, program: str, limit_s: float, told: Mapping[str, object]) -> JobScript:
        """A job that runs one of the replayer's programs. Raises InvalidInput for what it cannot be told."""
        recorded = self.recorded
        if recorded.recording is None:
            raise InvalidInput(_NONE_GIVEN)
        record = {
            "recording": recorded.recording,
            "result_file": RESULT_FILE,
            "deadline_s": limit_s,
            "processes": recorded.processes,
            "lock_timeout_ms": recorded.lock_timeout_ms,
            "statement_timeout_ms": recorded.statement_timeout_ms,
            **told,
            **connection(self.dbms, access),
        }
        files: dict[str, str | bytes] = {REPLAYER_FILE: replayer_archive(self.dbms), SETTINGS_FILE: json.dumps(record)}
        if access.password:
            files[PASSWORD_FILE] = access.password + "\n"
        return JobScript(_script(program), files, limit_s + LAY_OUT_S, (RESULT_FILE,))


@dataclass(frozen=True)
class ReplayWorkload(RecordedWorkload):
    """Replays a whole recording."""

    settings: ReplayDriverSettings

    @property
    def recorded(self) -> RecordedLoad:
        """The settings that every recorded load has."""
        return self.settings

    def warm_up(self, access: DatabaseAccess, asked: RunPlan, bin_dir: str | None) -> JobScript | None:
        """None: a recording has its own beginning, which is replayed and counted like the rest of it."""
        return None

    def run(self, access: DatabaseAccess, asked: RunPlan, bin_dir: str | None) -> JobScript:
        """The whole recording, once. Raises InvalidInput for what the replayer cannot be told of a connection."""
        settings = self.settings
        told = {"schedule": settings.schedule, "factor": settings.factor, "connections": settings.connections}
        return self.job(access, REPLAY, self.run_timeout_s, told)

    def parse(self, results: Mapping[str, str], log: str) -> BenchmarkResult:
        """The result from the replayer's JSON; raises BenchmarkFailed."""
        return read_result(results.get(RESULT_FILE, ""), log)


@dataclass(frozen=True)
class MixWorkload(RecordedWorkload):
    """Draws a recording's transactions at random for as long as is asked for."""

    settings: MixDriverSettings

    @property
    def recorded(self) -> RecordedLoad:
        """The settings that every recorded load has."""
        return self.settings

    def warm_up(self, access: DatabaseAccess, asked: RunPlan, bin_dir: str | None) -> JobScript | None:
        """The same load, which goes through the sample from its other end."""
        return self._drawn(access, asked.warmup_s, asked.seed, from_end=True) if asked.warms_up else None

    def run(self, access: DatabaseAccess, asked: RunPlan, bin_dir: str | None) -> JobScript:
        """The measured load. Raises InvalidInput for what the replayer cannot be told of a connection."""
        return self._drawn(access, asked.duration_s, asked.seed, from_end=False)

    def parse(self, results: Mapping[str, str], log: str) -> BenchmarkResult:
        """The result from the replayer's JSON; raises BenchmarkFailed."""
        return read_mix(results.get(RESULT_FILE, ""), log)

    def _drawn(self, access: DatabaseAccess, seconds: float, seed: int, *, from_end: bool) -> JobScript:
        settings = self.settings
        told: dict[str, object] = {
            "clients": settings.clients, "rate": settings.rate, "sample": settings.sample, "duration_s": seconds,
            "seed": seed, "from_end": from_end,
        }  # fmt: skip
        return self.job(access, MIX, seconds + self.run_timeout_s, told)


def recorded_workload(
    settings: ReplayDriverSettings | MixDriverSettings, dbms: str, run_timeout_s: float
) -> ReplayWorkload | MixWorkload:
    """The class that runs the driver of a recorded load."""
    if isinstance(settings, MixDriverSettings):
        return MixWorkload(run_timeout_s, dbms, settings)
    return ReplayWorkload(run_timeout_s, dbms, settings)


def connection(dbms: str, access: DatabaseAccess) -> dict[str, object]:
    """What the replayer's settings say of how to connect. Raises InvalidInput for what it cannot be told."""
    told = {"dbms": dbms, "host": access.host, "port": access.port, "user": access.user, "database": access.database}
    return told | WAYS[dbms](access) | ({"password_file": PASSWORD_FILE} if access.password else {})


_NONE_GIVEN = Problem("recording", "none is given", "name it in the benchmark's file or in the experiment's form")

# The replayer's own exit code 1 says that it could not begin, and why: no result is left then, and no configuration is
# to blame.
_SCRIPT = f"""set -euo pipefail
umask 077
python3 -I {REPLAYER_FILE} %s{SETTINGS_FILE} || [ $? = 1 ]
"""


def _script(program: str) -> str:
    return _SCRIPT % ("" if program == REPLAY else f"{program} ")
