"""User-defined metrics: what a file may say, what a reading may give, and what becomes of two readings."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from otterflow.measures.user_metrics import MetricUnreadable, NumberKind, Reading, UserMetric, name_problems, window


def metric(**fields: Any) -> UserMetric:
    record: dict[str, Any] = {"sql": "SELECT 1 AS queue", "numbers": {"queue": "gauge"}}
    return UserMetric.model_validate({k: v for k, v in (record | fields).items() if v is not None})


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"command": "echo 1"}, "give either sql or command"),
        ({"sql": None}, "give either sql or command"),
        ({"sql": None, "command": "echo 1", "database": "shop"}, "database means nothing for a command"),
        ({"numbers": {}}, "at least 1 item"),
        ({"numbers": {"Queue": "gauge"}}, "pattern"),
        ({"numbers": {"queue.length": "gauge"}}, "pattern"),
        ({"numbers": {"queue": "counter"}}, "'gauge', 'difference' or 'rate'"),
        ({"timeout_s": 0}, "greater than 0"),
        ({"timeout_s": 61}, "less than or equal to 60"),
        ({"timeout_s": float("nan")}, "finite number"),
        ({"colour": "red"}, "not permitted"),
    ],
)
def test_bad_definitions(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        metric(**fields)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([], "its SQL gave no row, not one"),
        ([{"queue": 1}, {"queue": 2}], "its SQL gave more than one row, not one"),
        ([{"queue": "seven"}], "its column queue is 'seven', not a number"),
        ([{"queue": None}], "its column queue is NULL, not a number"),
        ([{"queue": True}], "its column queue is True, not a number"),
        ([{"queue": float("nan")}], "its column queue is nan, not a finite number"),
        ([{"queue": Decimal("NaN")}], "its column queue is nan, not a finite number"),
        ([{"queue": 10**400}], "its column queue is inf, not a finite number"),
        ([{"length": 1}], "it promises queue and gave the columns length"),
        ([{"queue": 1, "length": 1}], "it promises queue and gave the columns queue, length"),
    ],
)
def test_rows_that_are_no_numbers(rows: list[dict[str, Any]], sentence: str) -> None:
    with pytest.raises(MetricUnreadable, match=sentence):
        metric().from_rows(rows)


def test_good_rows() -> None:
    both = metric(numbers={"queue": "gauge", "share": "gauge"})
    assert both.from_rows([{"share": Decimal("0.5"), "queue": 7}]) == {"queue": 7.0, "share": 0.5}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "its command printed '', neither a number nor a JSON object"),
        ("7 jobs\n", "printed '7 jobs', neither a number"),
        ('"7"', "its value queue is '7', not a number"),
        ("NaN", "its value queue is nan, not a finite number"),
        ("[7]", "not a number"),
        ("{}", "it promises queue and gave the keys nothing"),
        ('{"queue": 1, "length": 2}', "gave the keys queue, length"),
    ],
)
def test_outputs_that_are_no_numbers(text: str, sentence: str) -> None:
    with pytest.raises(MetricUnreadable, match=sentence):
        metric(sql=None, command="cat queue").from_output(text)


def test_good_outputs() -> None:
    by_command = metric(sql=None, command="cat queue")
    assert by_command.from_output(" 7\n") == {"queue": 7.0}
    assert by_command.from_output('{"queue": 7.5}') == {"queue": 7.5}
    two = metric(sql=None, command="cat queue", numbers={"queue": "gauge", "done": "rate"})
    with pytest.raises(MetricUnreadable, match="one value for 2 names; print a JSON object"):
        two.from_output("7")


def test_what_becomes_of_two_readings() -> None:
    metrics = [metric(numbers={"queue": "gauge", "size": "difference", "done": "rate"})]
    before = Reading(100.0, {"queue": 1, "size": 50, "done": 1000})
    after = Reading(110.0, {"queue": 5, "size": 20, "done": 1400})
    found = window(metrics, Reading.loads(before.dumps()), after, 9.0)
    assert found.numbers == {"queue": 5, "size": -30, "done": 40.0}
    assert not found.absent
    assert not found.late


def test_a_counter_that_fell_and_one_that_was_not_read() -> None:
    metrics = [metric(numbers={"queue": "gauge", "size": "difference", "done": "rate"})]
    before = Reading(100.0, {"queue": 1, "done": 1000}, {"size": "its SQL failed: no"}, ("size",))
    after = Reading(110.0, {"size": 20, "done": 900}, {"queue": "its SQL gave 0 rows, not one"})
    found = window(metrics, Reading.loads(before.dumps()), after, 9.0)
    assert found.numbers == {}
    assert found.absent == {
        "queue": "its SQL gave 0 rows, not one",
        "size": "before the run: its SQL failed: no",
        "done": "its counter fell by 100 within the run: it was reset",
    }


def test_readings_long_after_the_run_are_not_of_the_run() -> None:
    metrics = [metric(numbers={"queue": "gauge", "done": "rate"})]
    before, after = Reading(100.0, {"queue": 1, "done": 10}), Reading(1100.0, {"queue": 1, "done": 20})
    found = window(metrics, before, after, 60.0)
    assert found.late
    assert found.numbers == {}
    assert found.absent["queue"] == "was read 940 s too late: nobody waited for the run's end"
    assert not window(metrics, before, after, 900.0).late


def test_a_clock_that_goes_back() -> None:
    metrics = [metric(numbers={"done": "rate"})]
    found = window(metrics, Reading(100.0, {"done": 10}), Reading(99.0, {"done": 20}), 60.0)
    assert "clock went back by 1 s" in found.absent["done"]


def test_the_examples_of_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "own_metrics.md").read_text()
    blocks = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", text, re.M | re.S)]
    shown = [record for block in blocks if set(block) == {"metrics"} for record in block["metrics"]]
    assert shown
    for record in shown:
        assert UserMetric.model_validate(record).numbers
    assert {kind for record in shown for kind in record["numbers"].values()} == set(NumberKind)


def test_a_name_that_is_given_twice_names_both_files() -> None:
    (problem,) = name_problems({"shop.yaml": [metric()], "night.yaml": [metric()]})
    assert str(problem) == "metrics: 'queue' is defined in shop.yaml and in night.yaml; give each number its own name"
    (problem,) = name_problems({"shop.yaml": [metric(), metric()]})
    assert "in shop.yaml twice" in str(problem)
    assert not name_problems({"shop.yaml": [metric()], "night.yaml": [metric(numbers={"other": NumberKind.rate})]})
