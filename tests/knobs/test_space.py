from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otterflow.errors import InvalidInput
from otterflow.knobs.space import Knob, KnobSpace

WORK_MEM = {"name": "work_mem", "type": "integer", "min": 64, "max": 1048576, "scale": "log", "default": 4096}
DELAY = {"name": "delay", "type": "real", "min": 0.1, "max": 20.0, "special": [-1, 0], "default": -1}
SYNC = {"name": "sync", "type": "enum", "values": ["on", "off", "local"], "default": "on"}
JIT = {"name": "jit", "type": "boolean", "default": True}
ALL: list[dict[str, Any]] = [WORK_MEM, DELAY, SYNC, JIT]


def space() -> KnobSpace:
    return KnobSpace.from_records(ALL)


def problems_of(records: list[dict[str, Any]]) -> str:
    with pytest.raises(InvalidInput) as caught:
        KnobSpace.from_records(records)
    return str(caught.value)


def test_records_give_the_same_space_back() -> None:
    assert KnobSpace.from_records(space().records()) == space()


def test_a_space_behaves_like_a_sequence_of_its_knobs() -> None:
    assert len(space()) == 4
    assert space().names == ("work_mem", "delay", "sync", "jit")
    assert [knob.name for knob in space()] == list(space().names)
    assert space()["jit"].type == "boolean"
    assert "jit" in space()
    assert "fsync" not in space()


def test_the_default_is_valid_and_keeps_its_types() -> None:
    default = space().baseline()
    assert default == {"work_mem": 4096, "delay": -1.0, "sync": "on", "jit": True}
    assert isinstance(default["delay"], float)
    space().validate(default)


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([], ["holds no knob"]),
        ([JIT, JIT], ["jit", "twice"]),
        ([{**WORK_MEM, "min": 2_000_000}], ["work_mem", "minimum 2000000", "maximum 1048576"]),
        ([{**WORK_MEM, "default": 1}], ["work_mem", "default", "1 is out of range", "64 to 1048576"]),
        ([{**WORK_MEM, "default": 64.5}], ["work_mem", "default", "not an integer"]),
        ([{**WORK_MEM, "type": "int"}], ["work_mem.type", "'int'", "integer, real, enum, boolean"]),
        ([{**WORK_MEM, "max": float("inf")}], ["work_mem.max", "inf"]),
        ([{**WORK_MEM, "min": None}], ["work_mem.min", "None"]),
        ([{**WORK_MEM, "scale": "cubic"}], ["work_mem.scale", "cubic", "linear or log"]),
        ([{**WORK_MEM, "special": [100]}], ["work_mem", "special value 100", "inside the range"]),
        ([{**WORK_MEM, "step": 2}], ["work_mem.step", "not a field"]),
        ([{"type": "integer"}], ["knobs[0].name"]),
        ([{**SYNC, "default": "perhaps"}], ["sync", "'perhaps'", "'local'"]),
        ([{**SYNC, "values": []}], ["sync", "no values"]),
        ([{**SYNC, "values": ["on", "on"]}], ["sync", "twice"]),
        ([{**JIT, "default": "on"}], ["jit", "'on'", "True"]),
        ([{"name": "jit", "type": "boolean"}], ["jit.default", "missing"]),
    ],
)
def test_a_record_that_cannot_be_used_is_refused(records: list[dict[str, Any]], words: list[str]) -> None:
    message = problems_of(records)
    for word in words:
        assert word in message


def test_all_wrong_records_are_listed_at_once() -> None:
    message = problems_of([{**WORK_MEM, "min": None}, {**SYNC, "type": "choice"}])
    assert "work_mem.min" in message
    assert "sync.type" in message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fsync": True}, ["fsync", "not in the space"]),
        ({"work_mem": 63}, ["work_mem", "63", "64 to 1048576"]),
        ({"work_mem": 4096.5}, ["work_mem", "not an integer"]),
        ({"work_mem": True}, ["work_mem", "True", "not an integer"]),
        ({"delay": float("nan")}, ["delay", "nan"]),
        ({"delay": "1"}, ["delay", "'1'"]),
        ({"sync": True}, ["sync", "True"]),
        ({"jit": 1}, ["jit", "1 is not a value"]),
    ],
)
def test_a_configuration_out_of_the_space_is_refused(change: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        space().validate({**space().baseline(), **change})
    for word in words:
        assert word in str(caught.value)


def test_a_configuration_without_all_knobs_is_refused() -> None:
    with pytest.raises(InvalidInput, match="jit: has no value"):
        space().validate({"work_mem": 64, "delay": 0, "sync": "on"})


def test_ends_and_middle_of_a_log_scale() -> None:
    knob = space()["work_mem"]
    assert knob.from_unit(0.0) == 64
    assert knob.from_unit(1.0) == 1048576
    assert knob.from_unit(0.5) == round(math.sqrt(64 * 1048576))
    assert knob.to_unit(8192) == pytest.approx(0.5)


def test_a_log_scale_may_start_at_zero() -> None:
    knob = Knob("cost", "integer", 0, low=0, high=1000, scale="log")
    assert knob.from_unit(0.0) == 0
    assert knob.from_unit(1.0) == 1000
    assert knob.from_unit(0.5) == round(math.sqrt(1001) - 1)


def test_enum_values_have_equal_shares() -> None:
    knob = space()["sync"]
    assert [knob.from_unit(u) for u in (0, 0.33, 0.34, 0.66, 0.67, 1.0)] == [
        "on",
        "on",
        "off",
        "off",
        "local",
        "local",
    ]
    assert knob.to_unit("off") == pytest.approx(0.5)


def test_a_knob_of_one_value_lies_at_zero() -> None:
    knob = Knob("one", "integer", 5, low=5, high=5)
    assert knob.to_unit(5) == 0.0
    assert knob.from_unit(0.7) == 5


def test_positions_outside_of_the_unit_interval_are_clipped() -> None:
    assert space()["work_mem"].from_unit(-1) == 64
    assert space()["sync"].from_unit(7) == "local"


def test_special_values_are_kept_by_quantising_and_have_no_place_on_the_scale() -> None:
    knob = space()["delay"]
    assert knob.is_special(-1)
    assert knob.quantise(-1) == -1
    assert knob.to_unit(-1) == 0.0
    assert not knob.is_special(0.1)


def test_reals_are_quantised_to_what_the_server_shows() -> None:
    assert space()["delay"].quantise(1.23456789) == 1.23457
    assert space()["delay"].quantise(99) == 20.0
    assert space()["work_mem"].quantise(4096.4) == 4096


@given(
    low=st.integers(-1000, 1000),
    width=st.integers(0, 2**31),
    unit=st.floats(0, 1),
    kind=st.sampled_from(["integer", "real"]),
    scale=st.sampled_from(["linear", "log"]),
)
def test_unit_interval_round_trip(low: int, width: int, unit: float, kind: Any, scale: Any) -> None:
    knob = Knob("k", kind, low, low=low, high=low + width, scale=scale)
    value = knob.from_unit(unit)
    assert knob.problem_with(value) is None
    assert knob.quantise(value) == value
    again = knob.from_unit(knob.to_unit(value))
    assert again == pytest.approx(value, rel=2e-5, abs=1.1e-5 * (abs(low) + 1))
