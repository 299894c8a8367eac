"""Packs as files: what is read, that it is written so that it is read back, and what is said of every wrong one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otterflow.errors import InvalidInput
from otterflow.learning.pack_files import read_pack, read_packs, write_pack
from otterflow.learning.packs import Pack
from tests.learning.experience_files import content, write

PROJECT = Path(__file__).resolve().parents[2]


def test_a_pack_is_read_with_what_is_left_out_filled_in(tmp_path: Path) -> None:
    named = read_pack(write(tmp_path))
    (experiment,) = named.pack.experiments
    assert named.name == "good"
    assert (experiment.measured, experiment.trials[-1].state, experiment.trials[0].kept) == (12, "crashed", True)
    assert experiment.told()[0].config == {"work_mem": 256, "jit": True, "elsewhere": 0.25}
    assert experiment.words == "13 measured trials of a load for tests on postgresql 15.6"


def test_what_is_written_is_read_back_the_same_and_a_trial_is_a_line(tmp_path: Path) -> None:
    pack = read_pack(write(tmp_path)).pack
    path = tmp_path / "again.json"
    write_pack(path, pack)
    assert read_pack(path).pack == pack
    assert '    {"state": "crashed", "knobs": [1000000, true, -1.0]}' in path.read_text().splitlines()
    assert path.stat().st_mode & 0o777 == 0o644
    assert sorted(file.name for file in tmp_path.iterdir()) == ["again.json", "good.json"]


def test_a_file_that_is_there_is_replaced_only_when_that_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path)
    pack = Pack.model_validate_json(json.dumps(content(name="two")))
    with pytest.raises(InvalidInput, match=r"to: '.*good.json' is there already; .*--replace"):
        write_pack(path, pack)
    write_pack(path, pack, replace=True)
    assert read_pack(path).pack.experiments[0].name == "two"
    with pytest.raises(InvalidInput, match=r"to: '.*nowhere.*No such file or directory; name a file in a folder"):
        write_pack(tmp_path / "nowhere" / "good.json", pack)


def of_experiment(**changed: Any) -> dict[str, Any]:
    return content(**changed)


def with_trials(*trials: dict[str, Any]) -> dict[str, Any]:
    wrong = content()
    wrong["experiments"][0]["trials"] += trials
    return wrong


def with_knob(**changed: Any) -> dict[str, Any]:
    wrong = content()
    wrong["experiments"][0]["knobs"][0].update(changed)
    return wrong


def twice() -> dict[str, Any]:
    wrong = content()
    wrong["experiments"] *= 2
    return wrong


BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "another file": (lambda: {"a": 1}, "bad.json: format: value is not valid; Field required"),
    "a list": (lambda: [1], r"bad.json: \(whole file\): value is not valid; Input should be an object"),
    "another format": (lambda: content() | {"format": "other"}, "format: value 'other' is not valid; .*experience"),
    "a later version": (lambda: content() | {"version": 2}, "version: value 2 is not valid; .*this release reads vers"),
    "no version": (lambda: content() | {"version": True}, "version: value True is not valid"),
    "no licence": (lambda: content() | {"licence": ""}, "licence: value '' is not valid; .*at least 3"),
    "a field too many": (lambda: content() | {"host": "db1"}, "host: value 'db1' is not valid; Extra inputs are not"),
    "control characters": (lambda: content() | {"title": "a\x1b[31mred"}, "title: value .* is not valid"),
    "no experiments": (lambda: content() | {"experiments": []}, "experiments: value is not valid"),
    "one name twice": (twice, "experiments with the same name: one"),
    "a wrong origin": (lambda: of_experiment(origin="guessed"), "experiments.0.origin: value 'guessed' is not valid"),
    "no knobs": (lambda: of_experiment(knobs=[]), "experiments.0.knobs: value is not valid"),
    "a range upside down": (lambda: with_knob(min=9, max=1), "experiments.0.work_mem: its minimum 9 is above its max"),
    "no range": (lambda: with_knob(max=None), "experiments.0.work_mem.max: None is not an integer"),
    "a knob's name": (lambda: with_knob(name="a b"), "experiments.0.knobs.0.name: value 'a b' is not valid"),
    "no number of a trial": (
        lambda: with_trials({"knobs": [4096, True, 0.5]}),
        r"experiments.0.trials\[13\].value: None is",
    ),
    "too few values": (
        lambda: with_trials({"value": 1.0, "knobs": [1, True]}),
        r"experiments.0.trials\[13\].knobs: 2 values for 3 knobs; give one for each",
    ),
    "a value of another type": (
        lambda: with_trials({"value": 1.0, "knobs": [1, "maybe", 0.5]}),
        r"experiments.0.trials\[13\].config.jit: 'maybe' is not a value of the knob; use one of False, True",
    ),
    "a value of a crash": (
        lambda: with_trials({"state": "crashed", "value": 1.0, "knobs": [1, True, 0.5]}),
        r"experiments.0.trials\[13\].value: 1.0 of a trial that crashed; leave it out",
    ),
    "an unbelievable gain": (
        lambda: with_trials({"value": 1e9, "knobs": [1, True, 0.5]}),
        "trials.13.value: value 100000",
    ),
    "an unknown state": (
        lambda: with_trials({"state": "lost", "knobs": [1, True, 0.5]}),
        "trials.13.state: value 'lost'",
    ),
    "too few trials": (
        lambda: of_experiment(trials=[]),
        "experiments.0.trials: 0 with a value; fewer than 3 teach noth",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_pack_is_refused_by_file_field_and_value(case: str, tmp_path: Path) -> None:
    wrong, said = BAD[case]
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(wrong()))
    with pytest.raises(InvalidInput, match=said) as raised:
        read_pack(path)
    assert all(problem.field.startswith("bad.json") for problem in raised.value.problems)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "value .*is not valid; Invalid JSON"),
        (b"\xff\xfe", "is not valid; Invalid JSON"),
        (b"[" * 100_000, "is not valid; Invalid JSON"),
        (b'{"format": NaN}', "is not valid"),
        (b" " * (16 * 2**20 + 1), "bad.json: cannot be read: it is larger than 16 MiB"),
    ],
)
def test_what_is_no_json_is_refused(data: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(data)
    with pytest.raises(InvalidInput, match=said):
        read_pack(path)


def test_what_is_no_file_or_has_no_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"gone.json: cannot be read: No such file"):
        read_pack(tmp_path / "gone.json")
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(InvalidInput, match=r"pipe.json: cannot be read: it is no regular file"):
        read_pack(tmp_path / "pipe.json")
    for name in ("two words.json", "pack.yaml", ".json"):
        with pytest.raises(InvalidInput, match="is not the name of a pack's file; use letters"):
            read_pack(tmp_path / name)


def test_a_column_that_is_wrong_in_every_trial_is_not_told_a_hundred_times(tmp_path: Path) -> None:
    wrong = with_trials(*({"value": 1.0, "knobs": [1, "maybe", 0.5]} for _ in range(100)))
    (tmp_path / "bad.json").write_text(json.dumps(wrong))
    with pytest.raises(InvalidInput, match="88 more of them; mend these first") as raised:
        read_pack(tmp_path / "bad.json")
    assert len(raised.value.problems) == 13


def test_a_folder_gives_its_good_packs_and_says_what_is_wrong_with_others(tmp_path: Path) -> None:
    write(tmp_path, "b")
    write(tmp_path, "a")
    (tmp_path / "c.json").write_text("{")
    (tmp_path / "README.md").write_text("not a pack")
    packs, problems = read_packs(tmp_path)
    assert [named.name for named in packs] == ["a", "b"]
    assert [problem.field for problem in problems] == ["c.json: (whole file)"]
    assert read_packs(tmp_path / "nowhere") == ([], [])


def test_the_packs_that_ship_are_good_small_and_say_whose_they_are() -> None:
    packs, problems = read_packs(PROJECT / "include" / "experience")
    assert problems == []
    assert {named.name for named in packs} == {"postgresql_tpcc", "mysql_sysbench", "mysql_job"}
    notice = (PROJECT / "NOTICE").read_text()
    for named in packs:
        assert named.pack.licence == "MIT"
        assert str(named.pack.copyright) in notice
        assert (PROJECT / "include" / "experience" / f"{named.name}.json").stat().st_size < 2**20
        assert all(experiment.origin == "modelled" for experiment in named.pack.experiments)


def test_the_guides_example_is_a_pack(tmp_path: Path) -> None:
    guide = (PROJECT / "docs" / "experience.md").read_text()
    (tmp_path / "example.json").write_text(guide.split("```json\n")[1].split("```")[0])
    assert read_pack(tmp_path / "example.json").pack.experiments[0].measured == 3
