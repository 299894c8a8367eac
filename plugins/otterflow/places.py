"""Where the pages are: in addresses, and in Airflow's navigation."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

PREFIX = "/otterflow"
"""Where Airflow mounts the pages."""
ROUTE = "tuning"
"""Their place in Airflow's navigation."""


def pages_at(base_url: str) -> str:
    """Where a browser finds the pages: behind the path that Airflow itself, at `[api] base_url`, is behind, if any."""
    return urlsplit(base_url).path.rstrip("/") + PREFIX


def experiment_page(name: str) -> str:
    """An experiment's page, as an address behind that of the pages."""
    return f"/experiment/{quote(name, safe='')}"


def promotion_picture(number: int) -> str:
    """The picture of what a promotion rests on, as an address behind that of the pages."""
    return f"/promotion/{number}/plot.svg"
