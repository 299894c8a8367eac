"""The families of Dags with a file for each: what reading them loads, and what a task's own process reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.parsing import FAMILIES, read, write_files

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("family", FAMILIES)
def test_files_of_a_family_are_read_without_the_repository_or_anything_heavy(tmp_path: Path, family: str) -> None:
    environment = write_files(tmp_path, 3)
    found = read(family, environment)
    assert (found["dags"], found["heavy"]) == (3, [])
    assert not Path(environment["OTTERFLOW_HOME"]).exists(), "the repository is made where it is opened"


def test_a_tasks_process_reads_its_own_file_alone(tmp_path: Path) -> None:
    environment = write_files(tmp_path, 3)
    (tmp_path / "schedules" / "torn.yaml").write_text("name: [")
    assert read("nightly", environment, only="nightly_number1")["dags"] == 1
