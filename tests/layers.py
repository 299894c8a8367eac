"""A pytest plugin: long files early, and at the end how long each layer and the longest files took.

The tests run in several processes (`make test`), a file at a time, in the order given here. A long file that came last
would leave the others idle; two that start Airflow would be in each other's way, so they are spread evenly among the
tests that need servers only.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import zip_longest
from pathlib import Path

import pytest

LAYERS = ("unit", "integration", "e2e")
_PROPERTY = "layer"
_FILES_SHOWN = 12
_LONGEST = ("test_whole_stack.py", "test_every_version.py")


class LayerSummary:
    """Counts tests and adds up their seconds (set-up and tear-down included) by layer."""

    def __init__(self) -> None:
        self.tests: dict[str, set[str]] = defaultdict(set)
        self.seconds: dict[str, float] = defaultdict(float)
        self.file_seconds: dict[str, float] = defaultdict(float)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            item.user_properties.append((_PROPERTY, layer_of(item)))  # travels with the report, to another process too
        layers = {item.path: 0 for item in items}
        for item in items:
            layers[item.path] = max(layers[item.path], LAYERS.index(layer_of(item)))
        position = {path: number for number, path in enumerate(_in_order(layers))}
        items.sort(key=lambda item: position[item.path])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        layer = dict(report.user_properties).get(_PROPERTY)
        if not isinstance(layer, str):
            return  # its process has died, which pytest itself tells
        self.tests[layer].add(report.nodeid)
        self.seconds[layer] += report.duration
        self.file_seconds[report.nodeid.partition("::")[0]] += report.duration

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("layers")
        for layer in LAYERS:
            if self.tests[layer]:
                terminalreporter.line(f"{layer:<12} {len(self.tests[layer]):>5} tests  {self.seconds[layer]:>7.1f} s")
        longest = sorted(self.file_seconds.items(), key=lambda item: -item[1])[:_FILES_SHOWN]
        for path, seconds in longest if len(longest) > 1 else ():
            terminalreporter.line(f"{seconds:>7.1f} s  {path}")


def _in_order(layers: dict[Path, int]) -> list[Path]:
    """The files: those with servers, with one that starts Airflow before each equal part of them; then the rest."""
    unit, integration, e2e = ([path for path, layer in layers.items() if layer == number] for number in range(3))
    for files in (integration, e2e):
        files.sort(key=lambda path: path.name not in _LONGEST)
    part = -(-len(integration) // max(len(e2e), 1))
    parts = [integration[at : at + part] for at in range(0, len(integration), max(part, 1))]
    together = zip_longest(e2e, parts, fillvalue=None)
    spread = [path for first, others in together for path in (*([first] if first else []), *(others or []))]
    return [*spread, *unit]


def layer_of(item: pytest.Item) -> str:
    """`e2e` or `integration` by the test's marker, else `unit`."""
    for layer in reversed(LAYERS):
        if item.get_closest_marker(layer):
            return layer
    return "unit"
