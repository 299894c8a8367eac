"""What to import: the fields of the Dag's form and of the command, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from otterflow.errors import InvalidInput, Problem
from otterflow.yaml_files import NAME_PATTERN, problems_of

DEFAULT_RAM_GB, DEFAULT_CORES, DEFAULT_DISK = 16.0, 4, "ssd"
"""The host that OtterTune itself took for granted: the first row of its table of hardware."""

Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class ImportSpec(BaseModel):
    """What to import, and what OtterTune's files do not say: the host they are from, and the names to file it under.

    `workload` picks the sets of one `workload_name`, where a folder has several. `ram_gb` is in GiB.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Annotated[str, Field(min_length=1)]
    experiment: Name
    target: Name = "ottertune"
    benchmark: Name | None = None
    workload: str | None = None
    ram_gb: Annotated[float, Field(gt=0, le=2**20)] | None = None
    cores: Annotated[int, Field(ge=1, le=4096)] | None = None
    disk: Literal["ssd", "hdd"] | None = None
    replace: bool = False

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> ImportSpec:
        """Read a form; empty texts are fields left empty. Raises InvalidInput that names every wrong field."""
        given = {name: None if value == "" and name not in _REQUIRED else value for name, value in params.items()}
        try:
            return cls.model_validate({name: value for name, value in given.items() if value is not None})
        except ValidationError as error:
            problems = problems_of(error, "form")
        raise InvalidInput([Problem(p.field.removeprefix("form: "), p.found, _in_words(p)) for p in problems])


_REQUIRED = ("folder", "experiment")


def _in_words(problem: Problem) -> str:
    if "pattern" in problem.advice:
        return "use 1 to 63 letters, digits, '_' or '-', beginning with a letter or a digit"
    return problem.advice
