"""What is to be recorded: a file under `include/recordings/`, each of which is a Dag `record_<name>` of its own.

All that can be known to be wrong without a host is found here. This module is not shipped: it needs pydantic.
"""

from __future__ import annotations

import posixpath
import re
from datetime import datetime, timedelta, timezone
from enum import Enum
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from otterflow.clocks import Cron, ZoneName
from otterflow.dbms.target import AbsolutePath
from otterflow.errors import InvalidInput
from otterflow.language.quantities import BYTES, MICROSECONDS, unit_advice
from otterflow.yaml_files import NAME_PATTERN, checked_name, read_model

SHORTEST, LONGEST = timedelta(minutes=1), timedelta(hours=24)
"""What an interval may last."""
_LOOKED_AT = 50
"""So many intervals are looked at to find the shortest time between two of them."""
_LENGTHS = {unit: MICROSECONDS[unit] for unit in ("h", "min", "s")}


def _quantity(value: object, units: dict[str, int], example: str) -> int:
    """A whole number with one of the units as a multiple of the smallest. Raises ValueError."""
    found = re.fullmatch(r"(\d+) ?([A-Za-z]+)", value) if isinstance(value, str) else None
    if found is None or found[2] not in units:
        advice = unit_advice(found[1], found[2], units) if found else f"use one of {', '.join(units)}"
        raise ValueError(f"a whole number and a unit are right, such as {example}: {advice}")
    return int(found[1]) * units[found[2]]


def _length(value: object) -> timedelta:
    length = timedelta(microseconds=_quantity(value, _LENGTHS, "1h"))
    if not SHORTEST <= length <= LONGEST:
        raise ValueError("1min to 24h are right")
    return length


def _bytes(value: object) -> int:
    size = _quantity(value, BYTES, "2GB")
    if size <= 0:
        raise ValueError("a size above 0 is right, such as 2GB")
    return size


Length = Annotated[timedelta, BeforeValidator(_length)]
"""A time such as `1h` or `15min`."""
Size = Annotated[int, BeforeValidator(_bytes)]
"""Bytes, from a size such as `2GB`."""


class Method(str, Enum):
    """How a load is recorded."""

    server_log = "server_log"
    """From the log that the server writes anyway; reaches as far into the past as logs are kept."""
    window = "window"
    """The server is told to log statements while the interval lasts, and put back after it."""
    transaction_sample = "transaction_sample"
    """As `window`, of a share of the transactions, each of them whole."""


class Above(str, Enum):
    """What is done where a recording would cost more than its budget."""

    refuse = "refuse"
    sample = "sample"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Retention(_Strict):
    """Which recordings are removed: those older than `days`, and the oldest while all take more than `size`.

    Never the newest, nor one that an experiment that has not ended replays.
    """

    days: Annotated[int, Field(ge=1, le=3650)] = 30
    size: Size = 50 * BYTES["GB"]


class Budget(_Strict):
    """What logging of statements may cost the source: processor time, and bytes of log for one interval."""

    core_percent: Annotated[float, Field(gt=0, le=100)] = 5.0
    """In percent of one core."""
    log_size: Size = 10 * BYTES["GB"]
    above: Above = Above.refuse


class RecordingDefinition(_Strict):
    """What is recorded, when, how, and where it is kept."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,40}$")]
    description: str = ""
    source: Annotated[str, Field(pattern=NAME_PATTERN)]
    """The target whose load is recorded; `has_users` is the usual case."""
    database: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]
    replay_on: Annotated[str, Field(pattern=NAME_PATTERN)]
    """The target that the load is replayed on: its driver host keeps the recordings."""
    dir: AbsolutePath
    """The folder there that holds them, one folder each."""
    cron: Cron
    """When a run begins: with `server_log` at its interval's end, with the other methods at its start."""
    timezone: ZoneName
    length: Length
    method: Method
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Of `transaction_sample` the share of the transactions, of the other methods the share of the sessions."""
    max_size: Size = 2 * BYTES["GB"]
    """A recording that would be larger is not made."""
    retention: Retention = Retention()
    budget: Budget = Budget()
    replay: dict[str, Any] | None = None
    """How intervals are replayed to try a configuration; read by `otterflow.experiment.backfill`, so that a mistake in
    it keeps nothing from being recorded."""

    @property
    def dag_id(self) -> str:
        """The Dag that records."""
        return f"record_{self.name}"

    @property
    def zone(self) -> ZoneInfo:
        """Its time zone."""
        return ZoneInfo(self.timezone)

    @property
    def looks_back(self) -> bool:
        """Whether a run records what was before it, rather than what comes."""
        return self.method is Method.server_log

    @property
    def data_interval(self) -> timedelta:
        """How long the data interval is that Airflow gives a run: none where a run begins with what it records."""
        return self.length if self.looks_back else timedelta(0)

    def interval(self, begun: datetime) -> tuple[datetime, datetime]:
        """The interval that a run records which cron has begin then."""
        return (begun - self.length, begun) if self.looks_back else (begun, begun + self.length)

    def recording_id(self, start: datetime) -> str:
        """What the recording of the interval that begins then is called; `start` knows its time zone."""
        return f"{self.name}-{start.astimezone(timezone.utc):%Y%m%dT%H%MZ}"

    def folder(self, start: datetime) -> str:
        """Where that recording is on the driver host."""
        return posixpath.join(self.dir, self.recording_id(start))

    @model_validator(mode="after")
    def _source_is_another(self) -> RecordingDefinition:
        if self.source == self.replay_on:
            raise ValueError(
                f"source and replay_on are both {self.source!r}: a load is replayed on a copy and never on the server "
                "that it is recorded on; name the staging server's target as replay_on"
            )
        return self

    @model_validator(mode="after")
    def _dir_is_a_folder_of_its_own(self) -> RecordingDefinition:
        if posixpath.normpath(self.dir) != self.dir.rstrip("/") or self.dir.count("/") < 2:
            raise ValueError(f"dir {self.dir!r}: a folder of otterflow's own is right, without '..', such as "
                             "/var/lib/otterflow/recordings")  # fmt: skip
        return self

    @model_validator(mode="after")
    def _share_fits_the_method(self) -> RecordingDefinition:
        if self.method is Method.transaction_sample and self.share == 1:
            raise ValueError("share: 1 is no sample; give a share below 1 for method transaction_sample, or use window")
        return self

    @model_validator(mode="after")
    def _intervals_are_apart(self) -> RecordingDefinition:
        shortest = _shortest_period(self.cron)
        if self.length > shortest:
            raise ValueError(
                f"length: {_written(self.length)} is longer than the {_written(shortest)} from one interval's end to "
                f"the next by cron {self.cron!r}; give at most {_written(shortest)}"
            )
        return self


def _shortest_period(cron: str) -> timedelta:
    """The shortest time between two of cron's, by a wall clock without summer time."""
    from croniter import croniter

    fires = croniter(cron, datetime(2026, 1, 1), ret_type=datetime)  # naive on purpose
    times: list[datetime] = [fires.get_next() for _ in range(_LOOKED_AT)]
    return min(later - earlier for earlier, later in zip(times, times[1:]))


def _written(length: timedelta) -> str:
    return f"{length.total_seconds() / 60:g}min"


def load_recording_definition(path: Path) -> RecordingDefinition:
    """Read and check one file. Raises InvalidInput that lists every wrong field, each with what would be right."""
    example = "docs/recordings.md for an example"
    definition = read_model(RecordingDefinition, path, field="recording", plural="recordings", example=example)
    return checked_name(definition, path, "recording")


def recording_definitions(folder: Path, dag_id: str | None = None) -> dict[str, RecordingDefinition | InvalidInput]:
    """The files of a folder by name: what each says, or what is wrong with it; with `dag_id` that Dag's alone.

    A file's Dags are `record_<name>` and `replay_<name>`.
    """
    found: dict[str, RecordingDefinition | InvalidInput] = {}
    for path in sorted(folder.glob("*.yaml")):
        if dag_id not in {None, f"record_{path.stem}", f"replay_{path.stem}"}:
            continue
        try:
            found[path.stem] = load_recording_definition(path)
        except InvalidInput as error:
            found[path.stem] = error
    return found
