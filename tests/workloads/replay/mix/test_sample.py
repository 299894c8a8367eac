"""A sample keeps every kind of unit, in bounded memory, and its draws are as often as what was recorded."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otterflow.dbms.postgresql.statements.classes import fingerprint
from otterflow.dbms.postgresql.statements.dialect import DIALECT
from otterflow.dbms.statement import Statement
from otterflow.errors import InvalidInput
from otterflow.workloads.recording.reading import open_recording
from otterflow.workloads.replay.replayer.mix import sample as sample_module
from otterflow.workloads.replay.replayer.mix.draws import Draws
from otterflow.workloads.replay.replayer.mix.sample import NO_ROOM, Sample
from otterflow.workloads.replay.replayer.mix.store import Kind, Store, open_store
from otterflow.workloads.replay.replayer.mix.units import Unit
from otterflow.workloads.replay.replayer.settings import MixSettings
from tests.workloads.replay.harness import at, record
from tests.workloads.replay.test_parts import SETTINGS


def _unit(name: str, text: str = "SELECT $1", seconds: float = 0.1, **fields: Any) -> Unit:
    return Unit((), (Statement("a", 0.0, text, statement_class=name, **fields),), seconds, False)


def _fill(sample: Sample, units: Iterator[Unit]) -> None:
    for unit in units:
        assert sample.add(unit) is None


def test_what_is_rare_stays_and_what_is_frequent_is_thinned_out(tmp_path: Path) -> None:
    often = (_unit("often", prepared=str(number)) for number in range(5000))
    seldom = (_unit("seldom", seconds=60.0) for _ in range(3))
    some = (_unit("some") for _ in range(40))
    with Sample(str(tmp_path), 100, 10**9, "seed", fingerprint) as sample:
        assert list(tmp_path.iterdir()) == [], "no name leads to it"
        _fill(sample, itertools.chain(itertools.islice(often, 2500), seldom, some, often))
        kinds = {kind.classes[0]: kind for kind in sample.kinds.values()}
        assert {name: kind.units for name, kind in kinds.items()} == {"often": 5000, "seldom": 3, "some": 40}
        kept = {name: len(kind.kept) for name, kind in kinds.items()}
        assert (kept["seldom"], kept["some"]) == (3, 40)
        assert 30 < kept["often"] <= 57
        assert kinds["seldom"].seconds == 180.0


@pytest.mark.slow
def test_what_is_kept_of_a_kind_is_a_uniform_sample(tmp_path: Path) -> None:
    """Each tenth of 2,000 units is a tenth of what 30 samples keep; five deviations of that are a quarter of it."""
    tenths: Counter[int] = Counter()
    for seed in range(30):
        with Sample(str(tmp_path), 50, 10**9, str(seed), fingerprint) as sample:
            _fill(sample, (_unit("one", prepared=str(number)) for number in range(2000)))
            (kind,) = sample.kinds.values()
            for place in kind.kept:
                tenths[int(json.loads(sample.read(place))[2][0][3]) // 200] += 1
    mean = sum(tenths.values()) / 10
    assert mean > 100
    assert all(abs(tenths[each] - mean) < 5 * mean**0.5 for each in range(10))


def test_bytes_are_bounded_too(tmp_path: Path) -> None:
    with Sample(str(tmp_path), 10**6, 50_000, "seed", fingerprint) as sample:
        _fill(sample, (_unit(f"c{number % 5}", f"SELECT '{'x' * 1000}{number}'") for number in range(1000)))
        kept = sum(length for kind in sample.kinds.values() for _, length in kind.kept)
        assert 30_000 < kept <= 50_000
    with Sample(str(tmp_path), 10**6, 5_000, "seed", fingerprint) as sample:
        reasons = [sample.add(_unit(f"c{number}", f"SELECT '{'x' * 1000}'")) for number in range(10)]
        assert NO_ROOM in reasons
        assert reasons[0] is None


def test_kinds_that_are_too_many_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_module, "MOST_KINDS", 3)
    with Sample(str(tmp_path), 100, 10**9, "seed", fingerprint) as sample:
        _fill(sample, (_unit(f"c{number}") for number in range(10)))
        assert len(sample.kinds) == 4
        assert sample.kinds[sample_module.OTHER].units == 7


def _kinds(*numbers: int, kept: int = 1000) -> list[Kind]:
    return [
        Kind((str(place),), number, number, 1.0, tuple((each, place) for each in range(min(number, kept))))
        for place, number in enumerate(numbers)
    ]


def test_every_stretch_has_each_kind_as_often_as_recorded() -> None:
    kinds = _kinds(9000, 900, 90, 10)
    draws = Draws(kinds, 1, False, 0, 1)
    for _ in range(20):
        drawn = Counter(draws.next()[1] for _ in range(1000))
        assert drawn[0] == pytest.approx(900, abs=2)
        assert drawn[1] == pytest.approx(90, abs=2)
        assert drawn[2] == pytest.approx(9, abs=1)
        assert drawn[3] == pytest.approx(1, abs=1)


def test_no_unit_comes_again_before_all_have_come() -> None:
    draws = Draws(_kinds(50, kept=50), 1, False, 0, 1)
    first = [draws.next() for _ in range(50)]
    assert len(set(first)) == 50
    assert draws.repeated == 0
    assert first != sorted(first)
    assert [draws.next() for _ in range(50)] == first
    assert draws.repeated == 50


def test_a_warm_up_begins_at_the_other_end() -> None:
    kinds = _kinds(60, kept=60)
    warm, measured = (Draws(kinds, 7, from_end, 0, 1) for from_end in (True, False))
    assert not {warm.next() for _ in range(30)} & {measured.next() for _ in range(30)}
    other = Draws(kinds, 8, False, 0, 1)
    assert [other.next() for _ in range(30)] != [Draws(kinds, 7, False, 0, 1).next() for _ in range(30)]


def test_processes_share_what_there_is_and_have_what_is_rare() -> None:
    kinds = _kinds(90, 2, kept=90)
    parts = [Draws(kinds, 3, False, part, 3) for part in range(3)]
    drawn = [Counter(each.next() for _ in range(400)) for each in parts]
    often = [{place for place in each if place[1] == 0} for each in drawn]
    assert [len(each) for each in often] == [30, 30, 30]
    assert len(set.union(*often)) == 90
    assert all({place for place in each if place[1] == 1} for each in drawn)


def _open(tmp_path: Path, **changes: Any) -> Store:
    settings = MixSettings(**{**SETTINGS, **changes})
    return open_store(open_recording(tmp_path / "recording"), settings, DIALECT, tmp_path, lambda line: None)


AWKWARD = "SELECT '\udce9 é \"'"


def test_a_store_gives_back_what_was_recorded(tmp_path: Path) -> None:
    record(
        tmp_path,
        [
            *at("SET a.b = 1", AWKWARD, step_s=0.1, duration_ms=500.0),
            Statement("b", 1.0, "BEGIN", 1, duration_ms=0.0),
            Statement("b", 1.1, "UPDATE t SET a = $1", 1, (None,), "s1", 1500.0),
            Statement("b", 1.2, "COMMIT", 1, duration_ms=0.0),
            *at("COPY t FROM STDIN", start_s=2.0, duration_ms=500.0),
        ],
    )
    before = sorted((tmp_path / "recording").iterdir())
    with _open(tmp_path) as store:
        units = {len(kind.classes): store.read(kind.kept[0]) for kind in store.kinds}
        assert [(item.text, item.parameters, item.prepared) for item in units[3].items] == [
            ("BEGIN", None, None), ("UPDATE t SET a = $1", [None], "mix0"), ("COMMIT", None, None),
        ]  # fmt: skip
        assert {item.transaction for item in units[3].items} == {1}
        assert units[1].items[0].text == AWKWARD
        assert store.contexts[units[1].context] == (("SET a . b = 1", None),)
        assert store.contexts[units[3].context] == ()
        assert (store.statements, store.settings.statements, store.seconds) == (6, 1, 3.0)
        assert store.left_out["copy"].statements == 1
        assert store.shapes.keys() == {item.statement_class for unit in units.values() for item in unit.items}
    (made,) = set((tmp_path / "recording").iterdir()) - set(before)
    assert made.stat().st_mode & 0o777 == 0o600
    written = made.stat().st_mtime_ns
    with _open(tmp_path):
        assert made.stat().st_mtime_ns == written, "made once"
    with _open(tmp_path, sample=1) as store:
        assert store.kept == 2, "one of each kind stays"
    with _open(tmp_path, database="another"):
        assert len(set((tmp_path / "recording").iterdir()) - set(before)) == 3, "what is left out is a database's own"


def test_a_recording_of_which_nothing_can_be_in_a_mix(tmp_path: Path) -> None:
    record(tmp_path, at("COPY t FROM STDIN", "CREATE TABLE x (a int)"))
    with pytest.raises(InvalidInput, match=r"nothing of it can be in a mix: 1 copy; 1 changes the schema"):
        _open(tmp_path)
    assert sorted(path.name for path in (tmp_path / "recording").iterdir()) == [
        "manifest.json", "statements.jsonl.gz",
    ]  # fmt: skip
