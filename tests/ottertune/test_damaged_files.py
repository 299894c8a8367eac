"""Whatever is in the files, an import ends with a report or with InvalidInput, and never with half an experiment."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otterflow.errors import InvalidInput, Problem
from otterflow.ottertune.files import write_set
from otterflow.plain_files import MAX_BYTES
from otterflow.repository import Repository
from tests.ottertune.sets import HAND_MADE, PARTS, copied, imported

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(["NaN", "-1", "1e400", "9" * 30, "\x00", "\ud800", "0x1F", "128MB", "-0", " 7 ", "१२"]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2),
)


def places(content: Any, at: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The path of every member of nested objects."""
    if not isinstance(content, dict):
        return []
    return [p for key, value in content.items() for p in [(*at, key), *places(value, (*at, key))]]


PLACES = {part: places(json.loads((HAND_MADE / f"1__{part}.json").read_text())) for part in PARTS}

damage = st.sampled_from(PARTS).flatmap(lambda part: st.tuples(st.just(part), st.sampled_from(PLACES[part]), JUNK))


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damages=st.lists(damage, min_size=1, max_size=4))
def test_a_damaged_set_harms_nothing_else(damages: list[Any], empty_repository: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="otterflow-") as scratch:
        folder, file = copied(Path(scratch)), Path(scratch, "repository.db")
        shutil.copyfile(empty_repository, file)
        repository = Repository.open(f"sqlite:///{file}", migrate=False)
        for part, place, junk in damages:
            damaged(folder / f"1__{part}.json", place, junk)
        refused: list[Problem] = []
        try:
            report = imported(repository, folder)
        except InvalidInput as error:
            refused = error.problems
        if refused:
            assert {p.field for p in refused} <= {"workload", "folder"}  # it claims another workload or version
            assert repository.experiments() == []
            return
        assert {"0", "2"} <= set(report.imported)
        assert set(report.imported) | set(report.left_out) == {"0", "1", "2"}
        assert len(repository.trials("past")) == len(report.imported)
        json.dumps(report.as_dict(), allow_nan=False)
        assert report.table()


def damaged(path: Path, place: tuple[str, ...], junk: Any) -> None:
    """Put `junk` at a place of a JSON file, unless what held the place has gone."""
    content = json.loads(path.read_text())
    inner = content
    for key in place[:-1]:
        inner = inner.get(key) if isinstance(inner, dict) else None
    if isinstance(inner, dict):
        inner[place[-1]] = junk
        path.write_text(json.dumps(content))


def test_a_pipe_or_a_device_in_the_folder_is_left_out_and_not_waited_for(repository: Repository, folder: Path) -> None:
    for name, make in (
        ("0__knobs.json", os.mkfifo),
        ("1__summary.json", lambda path: path.symlink_to("/dev/zero")),
    ):
        (folder / name).unlink()
        make(folder / name)
    report = imported(repository, folder)
    assert report.imported == ["2"]
    for prefix, name in (("0", "0__knobs.json"), ("1", "1__summary.json")):
        assert [str(p) for p in report.left_out[prefix]] == [
            f"{name}: cannot be read: it is no regular file; mend the file"
        ]


@pytest.mark.slow
def test_a_file_without_end_is_left_out(folder: Path, repository: Repository) -> None:
    with (folder / "0__knobs.json").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    (problem,) = imported(repository, folder).left_out["0"]
    assert problem.found == "cannot be read: it is larger than 64 MiB"


def test_an_export_over_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "1__knobs.json")
    with pytest.raises(InvalidInput, match="cannot be written: something that is no regular file has that name"):
        write_set(tmp_path, "1", {part: {} for part in PARTS})
