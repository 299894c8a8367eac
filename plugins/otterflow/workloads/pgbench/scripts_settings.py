"""What a benchmark file says about a set of own scripts for pgbench: where they are, their mix, and how they run."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StrictFloat, StrictInt, ValidationInfo, field_validator, model_validator

from otterflow.workloads.beside import folder_beside
from otterflow.workloads.pgbench.settings import ClientSettings
from otterflow.workloads.sql_folder import LOAD_NAME, LOAD_SHAPE, files_problem

SCRIPT_NAME = r"[a-z0-9][a-z0-9_]{0,62}"
VARIABLE_NAME = r"[a-z][a-z0-9_]{0,62}"
RESERVED = frozenset({"scale", "client_id", "random_seed", "default_seed", "part", "parts", "pause_us"})
"""Variables that pgbench or otterflow sets."""

SLICE_MS = 100.0
"""A pause is made of slices no longer than this on average, so that a run ends when its time is over."""
SLICES = 5

Weight = Annotated[StrictInt, Field(ge=1, le=1_000_000)]
Number = StrictInt | Annotated[StrictFloat, Field(allow_inf_nan=False)]


class PgbenchScriptsSettings(ClientSettings):
    """A folder of SQL beside the benchmark file, and which of its scripts run how often.

    The folder holds `load/NN_name.sql` (psql; in the order of their numbers, files with the same number at the same
    time, a file with `:parts` in it `load_parts` times at the same time with `:part` from 0), `scripts/name.sql`
    (pgbench), and may hold `session.sql` (psql, sent before each file of the load) and `check.sql` (psql, run after
    the load and after each measured run: each row that it returns is a sentence that says what is wrong).
    """

    driver: Literal["pgbench_scripts"]
    sql: Path
    """The folder; a relative path is taken from the benchmark file's own folder."""
    scripts: Annotated[dict[Annotated[str, Field(pattern=f"^{SCRIPT_NAME}$")], Weight], Field(min_length=1)]
    """Each script's weight: how often it is drawn, relative to the others."""
    bytes_per_scale: Annotated[int, Field(ge=1)]
    """What one unit of scale takes on disk, indexes included."""
    load_parts: Annotated[int, Field(ge=1, le=256)] = 2
    """How many sessions load a large table at the same time. The data are the same for any number."""
    variables: dict[Annotated[str, Field(pattern=f"^{VARIABLE_NAME}$")], Number] = Field(default_factory=dict)
    """Set for the load, the check and the scripts, beside `:scale`."""
    max_tries: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """How often a transaction is tried that ends in a serialization failure or a deadlock; above 1 takes pgbench 15."""
    pause_ms: Annotated[float, Field(ge=0, le=600_000, allow_inf_nan=False)] = 0.0
    """How long a client pauses between two transactions (keying and thinking): the mean of an exponential
    distribution. Pauses are no part of any latency."""
    throughput_of: str | None = None
    """The script whose transactions make the throughput; all of them if it is not given."""

    @field_validator("sql")
    @classmethod
    def _complete_folder(cls, value: Path, info: ValidationInfo) -> Path:
        return folder_beside(value, info, _missing)

    @field_validator("variables")
    @classmethod
    def _own_variables(cls, value: dict[str, int | float]) -> dict[str, int | float]:
        taken = sorted(RESERVED & value.keys())
        if taken:
            raise ValueError(f"{', '.join(taken)} is set by otterflow or pgbench; take another name")
        return value

    @model_validator(mode="after")
    def _scripts_are_there(self) -> Self:
        lacking = [name for name in self.scripts if not self._script_file(name).is_file()]
        if lacking:
            there = ", ".join(sorted(path.stem for path in (self.sql / "scripts").glob("*.sql"))) or "none"
            raise ValueError(f"scripts: {self.sql / 'scripts'} has no {', '.join(lacking)}; there are: {there}")
        if self.throughput_of is not None and self.throughput_of not in self.scripts:
            offered = ", ".join(self.scripts)
            raise ValueError(f"throughput_of {self.throughput_of!r} is not one of the scripts: {offered}")
        return self

    def _script_file(self, name: str) -> Path:
        return self.sql / "scripts" / f"{name}.sql"

    @property
    def script_files(self) -> tuple[Path, ...]:
        """The scripts, in the order in which pgbench numbers them."""
        return tuple(self._script_file(name) for name in self.scripts)

    @property
    def load_files(self) -> tuple[Path, ...]:
        """The files that make the data, in their order."""
        return tuple(sorted((self.sql / "load").glob("*.sql")))

    @property
    def session_sql(self) -> str:
        """SQL that every session of the load and of the check starts with; it may be empty."""
        return _text(self.sql / "session.sql")

    @property
    def check_sql(self) -> str:
        """SQL that finds what is wrong with the data; empty if there is none."""
        return _text(self.sql / "check.sql")

    @property
    def slice_us(self) -> int:
        """The mean of one slice of a pause, in microseconds; 0 if clients do not pause."""
        return math.ceil(1000 * min(SLICE_MS, self.pause_ms / SLICES))

    @property
    def pause_weight(self) -> int:
        """How often a slice of a pause is drawn, relative to the scripts' weights; 0 if clients do not pause.

        A client then draws a geometric number of exponential slices between two transactions, whose sum is an
        exponential pause of mean `pause_ms` (but for a small share of none at all).
        """
        if not self.slice_us:
            return 0
        return round(sum(self.scripts.values()) * 1000 * self.pause_ms / self.slice_us)

    @property
    def working_share(self) -> float:
        """The share of what pgbench runs that is no slice of a pause."""
        weights = sum(self.scripts.values())
        return weights / (weights + self.pause_weight)

    @property
    def rate_name(self) -> str | None:
        """What sixty seconds of the throughput are called, such as `new_orders_per_minute`; None if all count."""
        return f"{self.throughput_of}s_per_minute" if self.throughput_of else None

    @property
    def further_numbers(self) -> tuple[str, ...]:
        """The names of a result's numbers of each script, and of the rate by the minute, for objectives to use."""
        kinds = ("throughput", "mean", "p50", "p95", "p99")
        rates = (f"numbers.{self.rate_name}",) if self.rate_name else ()
        return rates + tuple(f"types.{script}.{kind}" for script in self.scripts for kind in kinds)

    def data_variables(self) -> dict[str, int | float]:
        """The variables that the load's SQL uses."""
        sql = "\n".join([self.session_sql, *(path.read_text() for path in self.load_files)])
        return {name: value for name, value in self.variables.items() if re.search(rf"(?<!:):['\"]?{name}\b", sql)}


def _text(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def _missing(folder: Path) -> str | None:
    """What keeps a folder from being a benchmark's; None if it is one."""
    if not folder.is_dir():
        return f"there is no folder {folder}"
    return files_problem(folder / "load", LOAD_NAME, LOAD_SHAPE)
