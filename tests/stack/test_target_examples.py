"""The target files that are shipped as examples: each is valid, and each kind of service has one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from otterflow.errors import InvalidInput
from otterflow.target import load_target

FOLDER = Path(__file__).resolve().parents[2] / "include" / "targets"
EXAMPLES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_valid(path: Path) -> None:
    target = load_target(path)
    assert target.description
    assert target.name.startswith("example_")


def test_examples_show_the_kinds_of_service_and_of_snapshot() -> None:
    targets = [load_target(path) for path in EXAMPLES]
    assert {target.service.kind for target in targets} == {"systemd", "pg_ctlcluster", "pg_ctl", "command"}
    assert {target.snapshot.method.value for target in targets} == {"dump", "copy"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"data_dirr": "/x"}, "data_dirr"),
        ({"data_dir": "relative/path"}, "data_dir"),
        ({"database": "bench; DROP"}, "database"),
        ({"service": {"kind": "openrc"}}, "service"),
        ({"service": {"kind": "systemd", "unit": "a b"}}, "service.systemd.unit"),
        ({"memory_share": 1.5}, "memory_share"),
        ({"snapshot": {"dir": "/var/lib/postgresql/15/main/snap"}}, "snapshot.dir"),
        ({"name": "other"}, "name"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_wrong_field_is_named(tmp_path: Path, change: dict[str, object], named: str) -> None:
    record = yaml.safe_load((FOLDER / "example_systemd.yaml").read_text()) | change
    path = tmp_path / "example_systemd.yaml"
    path.write_text(yaml.safe_dump(record))
    with pytest.raises(InvalidInput) as refused:
        load_target(path)
    assert "example_systemd.yaml" in str(refused.value)
    assert named in str(refused.value)


def test_an_unknown_target_names_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match=r"'nowhere' is unknown; known targets: .*example_systemd"):
        load_target(FOLDER / "nowhere.yaml")
