"""Target files: every shipped and every good one is accepted, every bad one is refused with a sentence.

The shipped ones are examples, and each kind of service has one.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from otterflow.dbms.registry import load_target
from otterflow.errors import InvalidInput
from tests.bad_files import bad_files, check_refusal

FOLDER = Path(__file__).resolve().parents[2] / "include" / "targets"
EXAMPLES = sorted(FOLDER.glob("*.yaml"))
HERE = Path(__file__).parent
GOOD, BAD = sorted((HERE / "good").glob("*.yaml")), bad_files(HERE)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_valid(path: Path) -> None:
    target = load_target(path)
    assert target.description
    assert target.name.startswith("example_")


def test_examples_show_the_kinds_of_service_and_of_snapshot() -> None:
    targets = [load_target(path) for path in EXAMPLES]
    assert {target.service.kind for target in targets} == {"systemd", "pg_ctlcluster", "pg_ctl", "command"}
    assert {target.snapshot.method.value for target in targets} == {"dump", "copy"}


def test_the_folders_of_cases_are_not_empty() -> None:
    assert len(BAD) >= 25
    assert len(GOOD) >= 3


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_good_files_are_accepted(path: Path) -> None:
    assert load_target(path).name == path.stem


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad_files_are_refused_with_a_sentence(path: Path) -> None:
    check_refusal(load_target, path)


@pytest.mark.parametrize("name", ["Bench-DB", "bench; DROP", 'it\'s "quoted" é', "-x", "é" * 31])
def test_a_database_may_have_any_name_that_postgresql_gives_it(tmp_path: Path, name: str) -> None:
    record = yaml.safe_load((FOLDER / "example_systemd.yaml").read_text()) | {"database": name}
    path = tmp_path / "example_systemd.yaml"
    path.write_text(yaml.safe_dump(record))
    assert load_target(path).database == name


def test_an_unknown_target_names_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match=r"'nowhere' is unknown; known targets: .*example_systemd"):
        load_target(FOLDER / "nowhere.yaml")
