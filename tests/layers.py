"""A pytest plugin: at the end of a run, how many tests each layer has and how long they took."""

from __future__ import annotations

from collections import defaultdict

import pytest

LAYERS = ("unit", "integration", "e2e")


class LayerSummary:
    """Counts tests and adds up their seconds (set-up and tear-down included) by layer."""

    def __init__(self) -> None:
        self.layer_of: dict[str, str] = {}
        self.tests: dict[str, set[str]] = defaultdict(set)
        self.seconds: dict[str, float] = defaultdict(float)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            self.layer_of[item.nodeid] = layer_of(item)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        layer = self.layer_of[report.nodeid]
        self.tests[layer].add(report.nodeid)
        self.seconds[layer] += report.duration

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("layers")
        for layer in LAYERS:
            if self.tests[layer]:
                terminalreporter.line(f"{layer:<12} {len(self.tests[layer]):>5} tests  {self.seconds[layer]:>7.1f} s")


def layer_of(item: pytest.Item) -> str:
    """`e2e` or `integration` by the test's marker, else `unit`."""
    for layer in reversed(LAYERS):
        if item.get_closest_marker(layer):
            return layer
    return "unit"
