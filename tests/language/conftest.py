"""Fixtures: a captured server, and a private one to ask."""

from tests.captured_server import catalog, cluster, facts, live, live_values  # noqa: F401 fixtures
