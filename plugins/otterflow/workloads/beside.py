"""Paths that a benchmark file names: a relative one lies beside the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationInfo


def own_folder(info: ValidationInfo) -> Path:
    """The folder of the benchmark file that is being read."""
    return Path((info.context or {}).get("folder", "."))


def folder_beside(value: Path, info: ValidationInfo, problem: Callable[[Path], str | None]) -> Path:
    """A folder of a settings block, made absolute. Raises ValueError with what `problem` says of it, if anything."""
    folder = own_folder(info) / value
    if found := problem(folder):
        raise ValueError(found)
    return folder.resolve()
