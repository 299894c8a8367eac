from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otterflow.errors import InvalidInput
from otterflow.knobs.catalog import FACTS, evaluate
from otterflow.knobs.facts import HostFacts
from otterflow.language.expressions import Expression, Quantity
from tests.knobs.values import GIB

HOST = HostFacts(ram_bytes=16 * GIB, cores=4, disk="ssd", max_connections=100)


@pytest.mark.parametrize(
    ("text", "value", "dimension"),
    [
        ("42", 42, "number"),
        ("1e3", 1000, "number"),
        ("0.5", 0.5, "number"),
        ("64kB", 65536, "size"),
        ("5min", 300e6, "time"),
        ("ram / 4", 4 * GIB, "size"),
        ("min(64GB, ram * 0.4)", 0.4 * 16 * GIB, "size"),
        ("max(1, cores * 2, 3)", 8, "number"),
        ("if(disk == 'ssd', 200, 2)", 200, "number"),
        ("if(cores >= 8, 1GB, 64MB)", 64 * 1024**2, "size"),
        ("if(disk != 'ssd', 1, if(ram > 8GB, 2, 3))", 2, "number"),
        ("2 + 3 * 4 - 10 / 5", 12, "number"),
        ("(2 + 3) * -4", -20, "number"),
        ("10 - 3 - 2", 5, "number"),
        ("ram / 2GB", 8, "number"),
        ("- -1", 1, "number"),
        ("connections", 100, "number"),
        ("2 * ram", 32 * GIB, "size"),
        ("0.5 * 10s", 5e6, "time"),
    ],
)
def test_values(text: str, value: float, dimension: str) -> None:
    found = evaluate(text, HOST)
    expected: tuple[Any, str] = (pytest.approx(value), dimension)
    assert (found.value, found.dimension) == expected


@pytest.mark.parametrize(
    ("text", "position", "found"),
    [
        ("", 1, "the end of the text"),
        ("ram /", 6, "the end of the text"),
        ("ram ram", 5, "'ram'"),
        ("(ram", 5, "')' was expected"),
        ("min ram", 5, "'(' after min"),
        ("min(1)", 1, "got 1 arguments"),
        ("if(1 == 1, 2)", 1, "got 2 arguments"),
        ("memory * 2", 1, "'memory' is not known"),
        ("4parsec", 1, "'parsec' is not a unit"),
        ("64M", 1, "'M' is not a unit; use 64MB"),
        ("5m", 1, "'m' is not a unit; use one of TB"),
        ("2 ** 3", 4, "'*' does not belong here"),
        ("cores @ 2", 7, "'@' does not belong here"),
        ("__import__('os')", 1, "is not known"),
        ("ram.bytes", 1, "'ram.bytes' is not known"),
        ("1 == 1 == 1", 8, "'=='"),
        ("(" * 80 + "1" + ")" * 80, 51, "nested too deeply"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_position(text: str, position: int, found: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Expression(text, FACTS)
    assert f"position {position}" in str(caught.value)
    assert found in str(caught.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ram + 1", "number and size are mixed"),
        ("min(1GB, 5min)", "size and time are mixed"),
        ("ram * ram", "a size times a size"),
        ("1 / ram", "a number divided by a size"),
        ("cores / 0", "division by 0"),
        ("disk * 2", "a text is no number"),
        ("disk < 'ssd'", "a text is no number"),
        ("if(cores, 1, 2)", "not a comparison"),
        ("if(cores > 1, 1GB, 2)", "number and size are mixed"),
        ("-disk", "a text is no number"),
        ("(1 == 1) + 1", "a truth is no number"),
    ],
)
def test_clashes_are_refused(text: str, found: str) -> None:
    with pytest.raises(InvalidInput, match=found):
        evaluate(text, HOST)


@pytest.mark.parametrize(
    ("quantity", "unit", "value"),
    [
        (Quantity(4.0 * GIB, "size"), "8kB", 524288),
        (Quantity(300e6, "time"), "s", 300),
        (Quantity(7.0, "number"), None, 7),
        (Quantity(0.0, "number"), "kB", 0),
    ],
)
def test_in_a_settings_unit(quantity: Quantity, unit: str | None, value: float) -> None:
    assert quantity.in_unit(unit) == value


@pytest.mark.parametrize(
    ("quantity", "unit", "found"),
    [
        (Quantity(4.0, "number"), "8kB", "a number where a size is needed; give a size, such as 1kB"),
        (Quantity(4.0, "size"), "ms", "a size where a time is needed"),
        (Quantity(4.0, "size"), None, "a size where a number is needed; give a number, without a unit"),
        (Quantity("ssd", "text"), None, "a text where a number is needed"),
    ],
)
def test_the_wrong_dimension_is_refused(quantity: Quantity, unit: str | None, found: str) -> None:
    with pytest.raises(InvalidInput, match=found):
        quantity.in_unit(unit)


@given(text=st.text(max_size=40) | st.text("ram cores()+-*/<>=!,'0123456789.GBkinxf", max_size=40))
def test_no_text_does_anything_but_give_a_value_or_be_refused(text: str) -> None:
    try:
        found = evaluate(text, HOST)
    except InvalidInput:
        return
    assert isinstance(found, Quantity)


@given(a=st.integers(0, 1000), b=st.integers(0, 1000), c=st.integers(1, 1000))
def test_arithmetic_agrees_with_python(a: int, b: int, c: int) -> None:
    expected = a + b * c - a / c
    assert evaluate(f"{a} + {b} * {c} - {a} / {c}", HOST).value == pytest.approx(expected)
