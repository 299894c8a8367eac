"""Packs of experience as files: read with all that is wrong in them named, written one trial a line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from otterflow.errors import InvalidInput, Problem
from otterflow.learning.packs import Pack, PackedExperiment
from otterflow.plain_files import may_be_written, read_plain_file, write_whole
from otterflow.yaml_files import NAME_PATTERN, problems_of

MAX_BYTES = 16 * 2**20
SUFFIX = ".json"
_MOST_SHOWN = 12


@dataclass(frozen=True)
class NamedPack:
    """A pack with its name, which is its file's."""

    name: str
    pack: Pack


def read_pack(path: Path) -> NamedPack:
    """Read and check one pack. Raises InvalidInput that names the file and lists what is wrong in it."""
    name = pack_name(path)
    try:
        data = read_plain_file(path, MAX_BYTES)
    except OSError as error:
        advice = "name a file that is there, and that the user who runs Airflow's tasks may read"
        raise InvalidInput(Problem(path.name, f"cannot be read: {error.strerror or error}", advice)) from None
    return NamedPack(name, _checked(data, path.name))


def read_packs(folder: Path) -> tuple[list[NamedPack], list[Problem]]:
    """The packs of a folder by name, and what is wrong with those of its files that cannot be read.

    Those are left out, and a folder that is not there has none: an experiment can do without.
    """
    packs: list[NamedPack] = []
    problems: list[Problem] = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            packs.append(read_pack(path))
        except InvalidInput as error:
            problems += error.problems
    return packs, problems


def write_pack(path: Path, pack: Pack, *, replace: bool = False) -> None:
    """Write a pack. Raises InvalidInput where the file may not be written, or where a reader would refuse it."""
    pack_name(path)
    text = "\n".join(_lines(pack)) + "\n"
    _checked(text.encode(), path.name)
    if path.exists() and not replace:
        raise InvalidInput(Problem("to", f"{str(path)!r} is there already", "choose another name, or add --replace"))
    try:
        may_be_written(path)
        write_whole(path, text, 0o644)  # made for others to read
    except OSError as error:
        advice = "name a file in a folder that is there and may be written to"
        raise InvalidInput(Problem("to", f"{str(path)!r}: {error.strerror or error}", advice)) from None


def pack_name(path: Path) -> str:
    """The name of the pack in a file, by the file's name. Raises InvalidInput where it is none."""
    if re.fullmatch(NAME_PATTERN, path.stem) and path.suffix == SUFFIX:
        return path.stem
    advice = f"use letters, digits, _ and -, at most 63 of them, and then {SUFFIX}"
    raise InvalidInput(Problem("pack", f"{path.name!r} is not the name of a pack's file", advice))


def _checked(data: bytes, where: str) -> Pack:
    try:
        pack = Pack.model_validate_json(data)
    except ValidationError as error:
        raise InvalidInput(_first(problems_of(error, where), where)) from None
    problems = [
        Problem(f"{where}: experiments.{i}.{p.field}", p.found, p.advice)
        for i, experiment in enumerate(pack.experiments)
        for p in _problems_of_trials(experiment)
    ]
    if problems:
        raise InvalidInput(_first(problems, where))
    return pack


def _problems_of_trials(experiment: PackedExperiment) -> list[Problem]:
    try:
        experiment.told()
    except InvalidInput as error:
        return error.problems
    return []


def _first(problems: list[Problem], where: str) -> list[Problem]:
    """A wrong column is wrong in every trial: the first few say it."""
    if len(problems) <= _MOST_SHOWN:
        return problems
    more = Problem(where, f"{len(problems) - _MOST_SHOWN} more of them", "mend these first")
    return [*problems[:_MOST_SHOWN], more]


def _lines(pack: Pack) -> Iterator[str]:
    """The JSON text, a knob and a trial a line."""
    fields = pack.model_dump(mode="json", exclude_none=True)
    experiments = fields.pop("experiments")
    yield from ["{", *(f" {json.dumps(key)}: {_json(value)}," for key, value in fields.items()), ' "experiments": [']
    for i, experiment in enumerate(experiments):
        yield from _experiment_lines(experiment)
        yield "  }" + ("," if i + 1 < len(experiments) else "")
    yield from [" ]", "}"]


def _experiment_lines(experiment: dict[str, Any]) -> Iterator[str]:
    lists = {key: experiment.pop(key) for key in ("knobs", "trials")}
    yield from ["  {", *(f'   "{key}": {_json(value)},' for key, value in experiment.items())]
    for key, rows in lists.items():
        yield f'   "{key}": ['
        yield from (f"    {_json(_short(row))}" + ("," if j + 1 < len(rows) else "") for j, row in enumerate(rows))
        yield "   ]" + ("," if key == "knobs" else "")


def _short(row: dict[str, Any]) -> dict[str, Any]:
    """Without what every reader fills in."""
    unsaid = {"state": "ok", "kept": True, "scale": "linear", "special": [], "values": []}
    return {key: value for key, value in row.items() if unsaid.get(key) != value or key not in unsaid}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
