"""Packs as past experiments: units, knobs and ranges that differ here, what the log says, and that none does harm."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from otterflow.learning import shipped
from otterflow.learning.experience import experience_for
from otterflow.tuner import Trial, suggest
from otterflow.tuner.past import fit_past
from tests.learning.experience_files import KNOBS, content, gain, write
from tests.learning.test_past_experiments import SPACE, experiment

ROWS = {
    row["name"]: row for row in json.loads((Path(__file__).parents[1] / "knobs" / "pg_settings_15.json").read_text())
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of packs, with a good one."""
    monkeypatch.setenv("OTTERFLOW_EXPERIENCE_DIR", str(tmp_path))
    write(tmp_path)
    return tmp_path


def now(**known: Any) -> Any:
    return experiment("now", **{"live": ROWS, **known})


def test_a_pack_is_a_past_experiment_and_the_log_says_what_it_brings(folder: Path) -> None:
    told = experience_for(now())
    (past,) = told.past
    assert past.name == "experience/good"
    assert past.foreign
    assert past.trials[0].config == {"work_mem": 256, "jit": True, "elsewhere": 0.25}
    assert past.trials[0].value == pytest.approx(math.log(gain(256, True)))
    assert past.trials[-1].state == "crashed"
    assert list(told.said) == [
        "experience/good has 13 measured trials of a load for tests on postgresql 15.6; 2 of its 3 knobs are tuned here"
    ]


def test_a_search_begins_with_the_packs_best_and_says_so(folder: Path) -> None:
    space = experience_for(now()).past[0].space.from_records(SPACE)
    first = suggest(space, [Trial({"work_mem": 4096, "jit": True}, 0.0, "ok")], past=experience_for(now()).past)
    assert first.reasons["idea"].startswith("warm start: the best of experiment experience/good")
    assert first["jit"] is False
    assert gain(float(first["work_mem"]), False) > 2


def test_a_careful_search_does_not_try_a_strangers_best_unasked(folder: Path) -> None:
    past = experience_for(now()).past
    space = past[0].space.from_records(SPACE)
    trials = [Trial({"work_mem": 4096, "jit": True}, 0.0, "ok")]
    assert "past" not in suggest(space, trials, past=past, mode="safe").reasons
    own = [replace(one, foreign=False) for one in past]
    assert suggest(space, trials, past=own, mode="safe").reasons["past"] == [{"experiment": "experience/good"}]


def test_values_beyond_the_range_here_are_cut_to_it_and_named(folder: Path) -> None:
    space = [SPACE[0] | {"max": 32_768}, SPACE[1]]
    told = experience_for(now(space=space))
    assert "values beyond the range here, which are cut to it: work_mem" in told.said[0]
    first = suggest(
        told.past[0].space.from_records(space), [Trial({"work_mem": 4096, "jit": True}, 0.0, "ok")], past=told.past
    )
    assert first["work_mem"] == 32_768


def with_unit(unit: str | None) -> list[dict[str, Any]]:
    return [KNOBS[0] | {"unit": unit, "min": 1, "max": 1024, "default": 4}, *KNOBS[1:]]


def test_a_knob_in_another_unit_is_told_in_the_servers(folder: Path) -> None:
    trials = [
        t | {"knobs": [max(1, round(t["knobs"][0] / 1024)), *t["knobs"][1:]]}
        for t in content()["experiments"][0]["trials"]
    ]
    write(folder, "good", knobs=with_unit("MB"), trials=trials)
    (past,) = experience_for(now()).past
    knob = past.space["work_mem"]
    assert (knob.low, knob.high, knob.baseline) == (1024, 1_048_576, 4096)
    assert past.trials[8].config["work_mem"] == 65_536
    assert type(past.trials[8].config["work_mem"]) is int


@pytest.mark.parametrize("unit", ["ms", "bananas", None])
def test_a_knob_whose_units_do_not_compare_is_left_out_and_named(folder: Path, unit: str | None) -> None:
    write(folder, "good", knobs=with_unit(unit))
    told = experience_for(now())
    assert "work_mem" not in told.past[0].space
    assert "left out, for their units are other ones here: work_mem" in told.said[0]


def test_only_packs_of_the_dbms_that_share_a_knob_are_told(folder: Path) -> None:
    write(folder, "mariadb", dbms="mariadb")
    write(
        folder,
        "strange",
        knobs=[KNOBS[2] | {"name": "other"}],
        trials=[{"value": v, "knobs": [v]} for v in (0.1, 0.2, 0.3)],
    )
    told = experience_for(now())
    assert [past.name for past in told.past] == ["experience/good"]
    assert "experience/strange is left out: knobs: none of them is tuned here; nothing to do" in told.said


def test_the_likeliest_come_first(folder: Path) -> None:
    write(folder, "a_other_objective", objective="latency_p99")
    write(folder, "b_same_benchmark", benchmark="tpcc")
    names = [past.name for past in experience_for(now(benchmark="tpcc")).past]
    assert names == ["experience/b_same_benchmark", "experience/good", "experience/a_other_objective"]


def broken_json(folder: Path) -> None:
    (folder / "broken.json").write_text("{")


def all_alike(folder: Path) -> None:
    write(folder, "broken", trials=[{"value": 1.0, "knobs": [64 * i, True, 0.5]} for i in (1, 2, 3)])


def no_common_unit(folder: Path) -> None:
    write(folder, "broken", knobs=with_unit("ms")[:1], trials=[{"value": v, "knobs": [64]} for v in (0.1, 0.2, 0.3)])


def extremes(folder: Path) -> None:
    knobs = [KNOBS[0] | {"min": -(10**29), "max": 10**29, "scale": "log"}, *KNOBS[1:]]
    values = (-1e6, 0.0, 1e6, 1e-300)
    write(
        folder,
        "broken",
        knobs=knobs,
        trials=[{"value": v, "knobs": [10**29 // 9**i, True, 1e29]} for i, v in enumerate(values)],
    )


@pytest.mark.slow
@pytest.mark.parametrize("broken", [broken_json, all_alike, no_common_unit, extremes])
def test_a_broken_pack_is_said_and_the_others_are_used(folder: Path, broken: Callable[[Path], None]) -> None:
    broken(folder)
    told = experience_for(now())
    assert "experience/good" in [past.name for past in told.past]
    assert any("broken" in line for line in told.said)
    space = told.past[0].space.from_records(SPACE)
    trials = [Trial({"work_mem": 2**power, "jit": True}, float(power), "ok") for power in (12, 14, 16)]
    assert set(suggest(space, trials, past=told.past)) == {"work_mem", "jit"}


def test_without_a_folder_nothing_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTTERFLOW_EXPERIENCE_DIR", str(folder / "nowhere"))
    assert experience_for(now()).past == []


@pytest.mark.parametrize(("dbms", "names"), [
    ("postgresql", ["experience/postgresql_tpcc"]),
    ("mysql", ["experience/mysql_job", "experience/mysql_sysbench"]),
    ("oracle", []),
])  # fmt: skip
def test_what_ships_is_to_be_had_in_python(dbms: str, names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTTERFLOW_EXPERIENCE_DIR", raising=False)
    assert [past.name for past in shipped(dbms)] == names


@pytest.mark.slow
@pytest.mark.parametrize("dbms", ["postgresql", "mysql"])
def test_what_ships_can_be_learned_from(dbms: str) -> None:
    for past in shipped(dbms):
        model = fit_past(past)
        assert model is not None
        assert len(model.tried) >= 80
        best = max(trial.value for trial in past.trials if trial.value is not None)
        assert math.exp(best) > 1.2


def test_what_ships_for_postgresql_has_the_servers_units() -> None:
    (past,) = shipped("postgresql")
    at = {knob.name: knob.baseline for knob in past.space}
    boot = {name: row["boot_val"] for name, row in ROWS.items()}
    same = ["work_mem", "max_wal_size", "wal_decode_buffer_size", "temp_buffers", "checkpoint_timeout"]
    assert [str(at[name]) for name in same] == [boot[name] for name in same]
