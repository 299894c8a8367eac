from __future__ import annotations

import os
from pathlib import Path

import pytest

from otterflow.dbms.registry import load_target
from otterflow.errors import InvalidInput
from otterflow.plain_files import read_plain_file, write_whole


def test_a_regular_file_and_a_link_to_one_are_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("file")
    assert read_plain_file(tmp_path / "link", 5) == b"12345"
    with pytest.raises(OSError, match="larger than"):
        read_plain_file(tmp_path / "link", 4)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_whole(tmp_path / "folder", "text")
    write_whole(tmp_path / "file", "text", 0o644)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
    assert ((tmp_path / "file").read_text(), (tmp_path / "file").stat().st_mode & 0o777) == ("text", 0o644)


@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), os.mkdir], ids=["pipe", "zero", "folder"]
)
def test_a_target_file_that_is_none_is_refused_and_not_waited_for(tmp_path: Path, make: object) -> None:
    make(tmp_path / "x.yaml")  # type: ignore[operator]
    with pytest.raises(InvalidInput, match=r"x\.yaml: cannot be read: .*; let the user who runs"):
        load_target(tmp_path / "x.yaml")
