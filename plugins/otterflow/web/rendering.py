"""From plain data to a page: the templates, which escape whatever they are given, and how values are written."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from otterflow.experiment.summary import value_text
from otterflow.places import PREFIX


def page(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """The template `<template>.html` with its data."""
    return HTMLResponse(rendered(request, template, **context), status)


def error_page(request: Request, status: int, said: str) -> HTMLResponse:
    """A page that says why there is no page."""
    return page(request, "error", status=status, code=status, said=said)


def rendered(request: Request, template: str, **context: Any) -> str:
    """The text of the page. `base` is where the pages are, `airflow` where Airflow is, behind whatever prefix."""
    base = str(request.scope.get("root_path", ""))
    outside = base.removesuffix(PREFIX)
    found = _ENVIRONMENT.get_template(f"{template}.html")
    return found.render(base=base, airflow=outside, here=template, **context)


def part(text: object) -> str:
    """A text as one part of an address."""
    return quote(str(text), safe="")


def when(moment: datetime | None) -> str:
    """A time, in UTC to the minute; a dash for none."""
    return "-" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def percent(ratio: float | None) -> str:
    """A ratio as a gain: 1.2 is +20.0 %."""
    return "-" if ratio is None else f"{100 * (ratio - 1):+.1f} %"


def seconds(duration_s: float | None) -> str:
    """A duration as people say it."""
    if duration_s is None:
        return "-"
    if duration_s < 60:
        return f"{duration_s:.1f} s"
    minutes, rest = divmod(round(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def short(value: object) -> str:
    """Any value, numbers to four digits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "-" if value is None else str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def as_json(value: object) -> str:
    """JSON to be read and copied."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def _environment() -> Environment:
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters |= {
        "part": part, "when": when, "percent": percent, "seconds": seconds, "short": short, "json": as_json,
        "value": value_text,
    }  # fmt: skip
    return made


_ENVIRONMENT = _environment()
