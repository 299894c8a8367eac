"""Style, scripts and the icon: a fixed list of files, each asked for like any page."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

from otterflow.report.plots import CSS
from otterflow.report.plots.style import DARK, LIGHT

router = APIRouter()

_FOLDER = Path(__file__).parent / "static"
_TYPES = {
    "style.css": "text/css; charset=utf-8",
    "theme.js": "text/javascript; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "said.js": "text/javascript; charset=utf-8",
    "zoom.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "icon_dark.svg": "image/svg+xml",
}
_KEPT_S = 300


@router.get("/static/{name}")
def static_file(name: str) -> Response:
    """One of the files."""
    if name not in _TYPES:
        raise HTTPException(404)
    headers = {"Cache-Control": f"private, max-age={_KEPT_S}"}
    return Response(_content(name), media_type=_TYPES[name], headers=headers)


@cache
def _content(name: str) -> str:
    text = (_FOLDER / name).read_text()
    return text + _style_of_plots() if name == "style.css" else text


def _style_of_plots() -> str:
    """The plots' own style, and their colours where Airflow's switch, not the system's, says light or dark."""
    switched = "".join(
        f':root[data-theme="{theme}"]{{{"".join(f"--plot-{name}:{colour};" for name, colour in colours.items())}}}'
        for theme, colours in (("light", LIGHT), ("dark", DARK))
    )
    return f"{CSS}{switched}\n"
