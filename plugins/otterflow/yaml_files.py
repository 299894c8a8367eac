"""Reading the YAML files under `include/`: one mapping a file, and errors that name the file and what is right."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from otterflow.errors import InvalidInput, Problem
from otterflow.plain_files import read_plain_file

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"
"""What an experiment, target or benchmark may be called: it ends up in file names and run ids."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where PyYAML was built with it: 10 ms instead of 80 for the knob catalog, which most tasks read."""


def read_mapping(path: Path, *, field: str, plural: str, example: str) -> dict[str, Any]:
    """The file's mapping, not checked further. `example` is where a good one is to be seen.

    Raises InvalidInput: for an absent file it names `field` and the files (`plural`) that are there.
    """
    try:
        record = yaml.load(read_plain_file(path).decode(), Loader=_LOADER)  # noqa: S506 - both are safe loaders
    except FileNotFoundError:
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml"))) or "none"
        raise InvalidInput(Problem(field, f"{path.stem!r} is unknown", f"known {plural}: {known}")) from None
    except OSError as error:
        advice = "let the user who runs Airflow's tasks read it"
        raise InvalidInput(Problem(path.name, f"cannot be read: {error.strerror or error}", advice)) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInput(Problem(path.name, "not readable as YAML", str(error))) from None
    if not isinstance(record, dict):
        raise InvalidInput(Problem(path.name, "holds no mapping", f"see {example}"))
    return record


class Named(Protocol):
    """What is called like its file."""

    @property
    def name(self) -> str:
        """Its name."""


N = TypeVar("N", bound=Named)
M = TypeVar("M", bound=BaseModel)


def checked_name(named: N, path: Path, what: str) -> N:
    """What was read from the file, if it is called like the file; `what` it is, in a word. Raises InvalidInput."""
    if named.name != path.stem:
        advice = f"name the file {named.name}.yaml or the {what} {path.stem!r}"
        raise InvalidInput(Problem(f"{path.name}: name", f"{named.name!r} differs from the file's name", advice))
    return named


def read_model(
    model: type[M], path: Path, *, field: str, plural: str, example: str, context: Mapping[str, Any] | None = None
) -> M:
    """The file's mapping as that model. Raises InvalidInput as `read_mapping` does, and with every wrong field."""
    record = read_mapping(path, field=field, plural=plural, example=example)
    try:
        return model.model_validate(record, context=context)
    except ValidationError as error:
        raise InvalidInput(problems_of(error, path.name)) from None


def problems_of(error: ValidationError, where: str) -> list[Problem]:
    """Pydantic's findings as problems that name file, field, value and what would be right."""
    problems = []
    for item in error.errors():
        field = ".".join(str(part) for part in item["loc"]) or "(whole file)"
        value = item.get("input")
        shown = "" if isinstance(value, dict | list) else f" {value!r}"
        problems.append(Problem(f"{where}: {field}", f"value{shown} is not valid", item["msg"]))
    return problems
