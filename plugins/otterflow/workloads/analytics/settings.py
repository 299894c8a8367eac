"""What a benchmark file says about a stream of queries: where its SQL is, and how large the data are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from otterflow.workloads.beside import folder_beside
from otterflow.workloads.sql_folder import LOAD_NAME, LOAD_SHAPE, files_problem

QUERY_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,62}")


_DBMS_OF = {"postgresql": frozenset({"postgresql"}), "mysql": frozenset({"mariadb", "mysql"})}


class AnalyticsSettings(BaseModel):
    """A folder of SQL beside the benchmark file, and the value of `:scale` in it (`@scale` in MySQL's dialect).

    The folder holds `session.sql` (sent first in every session), `load/NN_name.sql` (in the order of their numbers;
    files with the same number run at the same time) and `queries/name.sql` (the stream, in the order of their names).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    in_passes: ClassVar[bool] = True

    driver: Literal["analytics"]
    dialect: Literal["postgresql", "mysql"] = "postgresql"
    """Whose SQL it is: PostgreSQL's, or what MariaDB and MySQL have in common."""
    sql: Path
    """The folder; a relative path is taken from the benchmark file's own folder."""
    scale: Annotated[int, Field(ge=1, le=100_000)]
    bytes_per_scale: Annotated[int, Field(ge=1)]
    """What one unit of scale takes on disk, indexes included."""

    @property
    def dbms(self) -> frozenset[str]:
        """The DBMSs that understand the SQL, by name."""
        return _DBMS_OF[self.dialect]

    @field_validator("sql")
    @classmethod
    def _complete_folder(cls, value: Path, info: ValidationInfo) -> Path:
        return folder_beside(value, info, _missing)

    @property
    def session_file(self) -> Path:
        """SQL that every session starts with."""
        return self.sql / "session.sql"

    @property
    def load_files(self) -> tuple[Path, ...]:
        """The files that make the data, in their order."""
        return tuple(sorted((self.sql / "load").glob("*.sql")))

    @property
    def query_files(self) -> tuple[Path, ...]:
        """The queries of the stream, in their order."""
        return tuple(sorted((self.sql / "queries").glob("*.sql")))

    @property
    def query_names(self) -> tuple[str, ...]:
        """The names under which the queries are timed."""
        return tuple(path.stem for path in self.query_files)


def _missing(folder: Path) -> str | None:
    """What keeps a folder from being a stream's; None if it is one."""
    if not folder.is_dir():
        return f"there is no folder {folder}"
    if not (folder / "session.sql").is_file():
        return f"{folder} has no session.sql"
    load = files_problem(folder / "load", LOAD_NAME, LOAD_SHAPE)
    return load or files_problem(folder / "queries", QUERY_NAME, "name.sql")
