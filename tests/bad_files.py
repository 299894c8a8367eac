"""Files that have to be refused. The first lines of each, `# expect: ...`, have what the message must say."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from otterflow.errors import InvalidInput


def bad_files(folder: Path) -> list[Path]:
    """The files of a folder `bad`."""
    return sorted((folder / "bad").glob("*.yaml"))


def check_refusal(load: Callable[[Path], object], path: Path) -> None:
    """The file is refused with what it expects, and with what to do about each problem."""
    expected = re.findall(r"^# expect: (.*)$", path.read_text(), re.MULTILINE)
    assert expected, f"{path.name} does not say what to expect"
    with pytest.raises(InvalidInput) as caught:
        load(path)
    message = str(caught.value)
    assert path.name in message
    for words in expected:
        assert words in message
    assert all(problem.advice for problem in caught.value.problems)
