"""Student's t without SciPy, beside SciPy's."""

from __future__ import annotations

import math

import pytest
from scipy.stats import t

from otterflow.experiment.student import t_exceeded, tail

LEVELS = (1e-9, 3.2e-6, 0.0004, 0.01, 0.0125, 0.025, 0.04, 0.2, 0.49)
DEGREES = (1, 1.5, 2, 3.371, 4, 9, 28.6, 120, 5000)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("degrees", DEGREES)
def test_it_is_scipys(level: float, degrees: float) -> None:
    found = t_exceeded(level, degrees)
    assert found == pytest.approx(float(t.isf(level, degrees)), rel=1e-9)
    assert tail(found, degrees) == pytest.approx(level, rel=1e-9)


def test_tables_of_books_have_the_same() -> None:
    assert [round(t_exceeded(0.025, degrees), 3) for degrees in (1, 2, 10, 30)] == [12.706, 4.303, 2.228, 2.042]
    assert tail(0.0, 7) == 0.5


@pytest.mark.parametrize(
    ("level", "degrees"), [(0.0, 3), (0.5, 3), (-0.1, 3), (math.nan, 3), (0.1, 0), (0.1, math.inf)]
)
def test_what_is_no_level_and_no_degrees_is_refused(level: float, degrees: float) -> None:
    with pytest.raises(ValueError, match=r"give 0 < level < 0\.5, and finite degrees above 0"):
        t_exceeded(level, degrees)
