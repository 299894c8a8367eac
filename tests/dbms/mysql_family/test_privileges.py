"""Whether a privilege that was granted on a pattern counts for a database."""

from __future__ import annotations

import pytest

from otterflow.dbms.mysql_family.privileges import escaped, matches


@pytest.mark.parametrize(
    ("pattern", "name", "counts"),
    [
        ("bench", "bench", True),
        ("bench", "bench2", False),
        ("bench%", "bench_otterflow_new", True),
        ("b_nch", "bench", True),
        ("bench\\_otterflow\\_new", "bench_otterflow_new", True),
        ("bench\\_otterflow\\_new", "benchXotterflow_new", False),
        ("a.c", "abc", False),
        ("%", "anything", True),
    ],
)
def test_a_pattern_counts_for_what_it_stands_for(pattern: str, name: str, counts: bool) -> None:
    assert matches(pattern, name) is counts


@pytest.mark.parametrize("name", ["bench", "bench_otterflow_new", "100%", "back\\slash", "a.b"])
def test_an_escaped_name_stands_for_itself_alone(name: str) -> None:
    assert matches(escaped(name), name)
    assert not matches(escaped(name), name + "x")
    assert not matches(escaped(name), "x" * len(name))
