"""Finds and reads the four files of each observation in a folder, and writes them.

OtterTune's driver kept them side by side as `<prefix>__knobs.json`, `<prefix>__summary.json` and so on, the prefix
being a time or a number; its controller wrote them without a prefix. Both are found.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from otterflow.errors import InvalidInput, Problem
from otterflow.plain_files import may_be_written, read_plain_file
from otterflow.repository import JsonObject

KNOBS, BEFORE, AFTER, SUMMARY = PARTS = ("knobs", "metrics_before", "metrics_after", "summary")
NO_PREFIX = "(no prefix)"

OURS = "otterflow"
"""A key that we add to `summary.json`: which trial the set is of, and what in it OtterTune would have had otherwise."""

ERRORS = {"crashed": "DB_RESTART_ERROR", "failed": "BENCHMARK_FAILED", "timed_out": "BENCHMARK_TIMED_OUT"}
"""A trial's state as `error` of `summary.json`. OtterTune itself knows the first alone."""

_FILE = re.compile(rf"(?:(?P<prefix>.+)__)?(?P<part>{'|'.join(PARTS)})\.json")
_NOT_NEEDED = re.compile(r"(?:.+__)?(?:next_config|user_defined_metrics|execution_times)\.\w+")


@dataclass(frozen=True)
class FileSet:
    """The files of one observation: `contents` by part, as JSON objects. `digest` is the SHA-256 of all of them."""

    prefix: str
    contents: Mapping[str, JsonObject]
    digest: str

    @property
    def knobs(self) -> JsonObject:
        """`knobs.json`."""
        return self.contents[KNOBS]

    @property
    def before(self) -> JsonObject:
        """`metrics_before.json`."""
        return self.contents[BEFORE]

    @property
    def after(self) -> JsonObject:
        """`metrics_after.json`."""
        return self.contents[AFTER]

    @property
    def summary(self) -> JsonObject:
        """`summary.json`."""
        return self.contents[SUMMARY]


@dataclass(frozen=True)
class Folder:
    """What a folder holds: the sets that could be read, what is wrong with the others, and files of no set."""

    sets: list[FileSet] = field(default_factory=list)
    broken: dict[str, list[Problem]] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)


def read_folder(folder: Path) -> Folder:
    """Read all sets of a folder, by prefix. Raises InvalidInput if it is no folder, or cannot be listed."""
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError as error:
        found = f"{str(folder)!r} cannot be read: {error.strerror or error}"
        raise InvalidInput(Problem("folder", found, "give a folder of <prefix>__summary.json sets")) from None
    paths: dict[str, dict[str, Path]] = {}
    content = Folder()
    for name in names:
        match = _FILE.fullmatch(name)
        if match:
            paths.setdefault(match["prefix"] or NO_PREFIX, {})[match["part"]] = folder / name
        else:
            content.others.append(name)
    for prefix, files in paths.items():
        _read_set(content, prefix, files)
    return content


def why_not_read(name: str) -> str:
    """Why a file of the folder is none of the four."""
    if _NOT_NEEDED.fullmatch(name):
        return "OtterTune's, but none of the four files: what it holds is not imported"
    return "not named like one of the four files (<prefix>__knobs.json, __metrics_before, __metrics_after, __summary)"


def file_name(prefix: str, part: str) -> str:
    """The name of one file of a set."""
    return f"{part}.json" if prefix == NO_PREFIX else f"{prefix}__{part}.json"


def write_set(folder: Path, prefix: str, contents: Mapping[str, JsonObject]) -> list[Path]:
    """Write the files of one observation as OtterTune's controller did: one space of indent, keys in order.

    Raises InvalidInput, naming the file, if it cannot be written.
    """
    written = []
    for part in PARTS:
        path = folder / file_name(prefix, part)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            may_be_written(path)
            path.write_text(json.dumps(contents[part], indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        except OSError as error:
            found = f"{str(path)!r} cannot be written: {error.strerror or error}"
            raise InvalidInput(Problem("folder", found, "give a folder that may be written")) from None
        written.append(path)
    return written


def _read_set(content: Folder, prefix: str, files: Mapping[str, Path]) -> None:
    problems = [
        Problem(file_name(prefix, part), "the file is not there", "a set needs all four files")
        for part in PARTS
        if part not in files
    ]
    contents: dict[str, JsonObject] = {}
    digest = hashlib.sha256()
    for part, path in files.items():
        try:
            data = read_plain_file(path)
            digest.update(f"{part} {len(data)} ".encode() + data)
            contents[part] = _json_object(data)
        except OSError as error:
            problems.append(Problem(path.name, f"cannot be read: {error.strerror or error}", "mend the file"))
        except (ValueError, RecursionError) as error:
            problems.append(Problem(path.name, f"is not a JSON object: {error}", "mend the file"))
    if problems:
        content.broken[prefix] = problems
    else:
        content.sets.append(FileSet(prefix, contents, digest.hexdigest()))


def _json_object(data: bytes) -> JsonObject:
    found: Any = json.loads(data.decode("utf-8-sig"))
    if not isinstance(found, dict):
        raise ValueError(f"it holds a {type(found).__name__}")
    return found
