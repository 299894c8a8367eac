"""What a benchmark file says about a set of own Lua scripts for sysbench: where they are, their mix, how they run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictFloat,
    StrictInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from otterflow.workloads.beside import folder_beside
from otterflow.workloads.sql_folder import LOAD_NAME, LOAD_SHAPE, files_problem

SCRIPT_NAME = r"[a-z0-9][a-z0-9_]{0,62}"
VARIABLE_NAME = r"[a-z][a-z0-9_]{0,62}"
RESERVED = frozenset({"scale", "part", "parts", "client", "clients", "common"})
"""Variables that otterflow sets."""
TAKEN_SCRIPTS = frozenset({"runner", "plan", "common"})
"""Files that otterflow puts beside the scripts, or that all scripts share."""

Weight = Annotated[StrictInt, Field(ge=1, le=100_000)]
Number = StrictInt | Annotated[StrictFloat, Field(allow_inf_nan=False)]


class SysbenchScriptsSettings(BaseModel):
    """A folder of SQL and Lua beside the benchmark file, and which of its scripts run how often.

    The folder holds `load/NN_name.sql` (in the order of their numbers, files with the same number at the same time, a
    file with `@parts` in it `load_parts` times at the same time with `@part` from 0) and `scripts/name.lua`. It may
    hold `common.lua`, which all scripts share, `session.sql`, which each session of the load starts with, and
    `check.sql` (run after the load and after each measured run: each row is a sentence that says what is wrong).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    in_passes: ClassVar[bool] = False
    dbms: ClassVar[frozenset[str]] = frozenset({"mariadb", "mysql"})

    driver: Literal["sysbench_scripts"]
    folder: Path
    """A relative path is taken from the benchmark file's own folder."""
    scripts: Annotated[dict[Annotated[str, Field(pattern=f"^{SCRIPT_NAME}$")], Weight], Field(min_length=1)]
    """Each script's weight: how often it is drawn, relative to the others."""
    scale: Annotated[int, Field(ge=1, le=100_000)]
    bytes_per_scale: Annotated[int, Field(ge=1)]
    """What one unit of scale takes on disk, indexes included."""
    threads: Annotated[int, Field(ge=1, le=1000)] = 8
    """Clients: each thread has a connection of its own."""
    load_parts: Annotated[int, Field(ge=1, le=256)] = 2
    """How many sessions load a large table at the same time. The data are the same for any number."""
    variables: dict[Annotated[str, Field(pattern=f"^{VARIABLE_NAME}$")], Number] = Field(default_factory=dict)
    """Set for the load, the check and the scripts, beside the scale."""
    max_tries: Annotated[int, Field(ge=1, le=1000)] = 1
    """How often a transaction is tried that ends in a deadlock, a lock wait's end or a serialization failure."""
    throughput_of: str | None = None
    """The script whose transactions make the throughput; all of them if it is not given."""

    @field_validator("folder")
    @classmethod
    def _complete_folder(cls, value: Path, info: ValidationInfo) -> Path:
        return folder_beside(value, info, _missing)

    @field_validator("variables")
    @classmethod
    def _own_variables(cls, value: dict[str, int | float]) -> dict[str, int | float]:
        taken = sorted(RESERVED & value.keys())
        if taken:
            raise ValueError(f"{', '.join(taken)} is set by otterflow; take another name")
        return value

    @model_validator(mode="after")
    def _scripts_are_there(self) -> Self:
        taken = sorted(TAKEN_SCRIPTS & self.scripts.keys())
        if taken:
            raise ValueError(f"scripts: {', '.join(taken)} is the name of a file beside the scripts; take another name")
        lacking = [name for name in self.scripts if not self._script_file(name).is_file()]
        if lacking:
            there = ", ".join(sorted(path.stem for path in (self.folder / "scripts").glob("*.lua"))) or "none"
            raise ValueError(f"scripts: {self.folder / 'scripts'} has no {', '.join(lacking)}; there are: {there}")
        if self.throughput_of is not None and self.throughput_of not in self.scripts:
            offered = ", ".join(self.scripts)
            raise ValueError(f"throughput_of {self.throughput_of!r} is not one of the scripts: {offered}")
        return self

    def _script_file(self, name: str) -> Path:
        return self.folder / "scripts" / f"{name}.lua"

    @property
    def query_names(self) -> tuple[str, ...]:
        """No queries are timed one by one."""
        return ()

    @property
    def script_files(self) -> tuple[Path, ...]:
        """The scripts, and what they share if there is such a file."""
        common = self.folder / "common.lua"
        return (*map(self._script_file, self.scripts), *([common] if common.is_file() else []))

    @property
    def load_files(self) -> tuple[Path, ...]:
        """The files that make the data, in their order."""
        return tuple(sorted((self.folder / "load").glob("*.sql")))

    @property
    def session_sql(self) -> str:
        """SQL that every session of the load and of the check starts with; it may be empty."""
        return _text(self.folder / "session.sql")

    @property
    def check_sql(self) -> str:
        """SQL that finds what is wrong with the data; empty if there is none."""
        return _text(self.folder / "check.sql")

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
        return {name: value for name, value in self.variables.items() if re.search(rf"@{name}\b", sql)}


def _text(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def _missing(folder: Path) -> str | None:
    """What keeps a folder from being a benchmark's; None if it is one."""
    if not folder.is_dir():
        return f"there is no folder {folder}"
    return files_problem(folder / "load", LOAD_NAME, LOAD_SHAPE)
