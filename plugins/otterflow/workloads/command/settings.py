"""What a benchmark file says about the user's own commands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from otterflow.measures.objective import Objective
from otterflow.workloads.beside import own_folder

FILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
TAKEN_NAMES = {"pgpass", "client.cnf", "load.sh", "warm_up.sh", "run.sh", "output.txt", "result.txt", "passes.txt"}
ShellText = Annotated[str, Field(min_length=1, pattern=r"^[^\x00]*\S[^\x00]*$")]


def _is_text(path: Path) -> bool:
    try:
        path.read_bytes().decode()
    except UnicodeDecodeError:
        return False
    return True


class OwnCommands(BaseModel):
    """Bash text for each step, run on the driver host as the SSH user, in a folder that holds the `files`.

    Every command finds the way to the database in its environment, under the names that the DBMS's own programs know,
    and `OTTERFLOW_SCALE`; those of a warm-up and of a run also `OTTERFLOW_SEED`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    load: ShellText
    """Makes the data; what an earlier load left there is replaced."""
    run: ShellText
    """What is measured."""
    programs: tuple[Annotated[str, Field(pattern=r"^[^\s\x00]+$")], ...] = ()
    """What the commands need on the driver host, by name or by path; looked for before anything is touched."""
    files: tuple[Path, ...] = ()
    """Texts that are put beside the commands; relative paths are taken from the benchmark file's own folder."""
    scale: Annotated[int, Field(ge=1, le=1_000_000_000)] = 1
    bytes_per_scale: Annotated[int, Field(ge=1)]
    """What one unit of scale takes on disk, indexes included."""

    @field_validator("files")
    @classmethod
    def _readable_files(cls, value: tuple[Path, ...], info: ValidationInfo) -> tuple[Path, ...]:
        paths = tuple((own_folder(info) / path).resolve() for path in value)
        for path in paths:
            if not path.is_file():
                raise ValueError(f"there is no file {path}")
            if not FILE_NAME.fullmatch(path.name) or path.name in TAKEN_NAMES:
                taken = ", ".join(sorted(TAKEN_NAMES))
                raise ValueError(f"{path.name!r} is not usable as a name; use A-Z a-z 0-9 . _ - and none of {taken}")
            if not _is_text(path):
                raise ValueError(f"{path} is no text in UTF-8; install it on the driver host and list it in programs")
        names = [path.name for path in paths]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} is there twice; all files are put into one folder")
        return paths

    @property
    def query_names(self) -> tuple[str, ...]:
        """No queries are timed one by one."""
        return ()


class CommandSettings(OwnCommands):
    """A program that loads the server for `OTTERFLOW_DURATION_S` seconds and prints its result as a last line."""

    in_passes: ClassVar[bool] = False
    dbms: ClassVar[frozenset[str] | None] = None

    driver: Literal["command"]
    warm_up: ShellText | None = None
    """Runs before the measured window; the same as `run`, whose result is then not looked at, if absent."""
    measures: Annotated[tuple[Objective, ...], Field(min_length=1)] = (Objective.throughput,)
    """The numbers that every result has, so the ones to tune for."""

    @field_validator("measures")
    @classmethod
    def _no_run_time(cls, value: tuple[Objective, ...]) -> tuple[Objective, ...]:
        if Objective.run_time in value:
            raise ValueError("run_time is of work that has an end; use driver batch, which measures it")
        for objective in (Objective.total_time, Objective.server_time):
            if objective in value:
                raise ValueError(f"{objective} is of a recorded load, which driver replay measures")
        return value


class BatchSettings(OwnCommands):
    """A piece of work with an end, such as a nightly job: how long it takes is measured, what it prints is not read."""

    in_passes: ClassVar[bool] = True
    dbms: ClassVar[frozenset[str] | None] = None

    driver: Literal["batch"]
