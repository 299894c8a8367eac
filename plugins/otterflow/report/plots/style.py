"""Colours of the plots: as attributes for a light ground, and as a style sheet that knows the dark one too.

Each colour of a mark or a text has a contrast of 4.5 at least against its ground (WCAG 2.2, 1.4.3), white or
`#0d1117`; what is told by colour is told by a shape or a word as well.
"""

from __future__ import annotations

LIGHT = {
    "ink": "#1f2328", "muted": "#57606a", "grid": "#d0d7de", "trial": "#0a5ea8", "best": "#9a3b00", "bad": "#b3261e",
    "good": "#116329",
}  # fmt: skip
DARK = {
    "ink": "#e6edf3", "muted": "#9ba7b4", "grid": "#3d444d", "trial": "#6cb6f5", "best": "#ff9d5c", "bad": "#ff8a80",
    "good": "#56d364",
}  # fmt: skip

_USED_AS = {
    name: f".plot .{name}{{fill:var(--plot-{name})}}.plot .{name}-line{{fill:none;stroke:var(--plot-{name})}}"
    for name in LIGHT
}


def _variables(colours: dict[str, str]) -> str:
    return "".join(f"--plot-{name}:{colour};" for name, colour in colours.items())


DARK_VARIABLES = _variables(DARK)
"""The dark colours as declarations, for a page whose darkness is its own switch and not the system's."""

CSS = (
    f":root{{{_variables(LIGHT)}}}"
    f"@media (prefers-color-scheme:dark){{:root{{{DARK_VARIABLES}}}}}"
    f"@media print{{:root{{{_variables(LIGHT)}}}}}"
    ".plot{max-width:100%;height:auto}"
    ".plot .hollow{fill:none}"
    ".plot a:focus-visible{outline:2px solid var(--plot-best)}" + "".join(_USED_AS.values())
)
"""The style sheet of all plots: an element of class `trial` is filled, of class `trial-line` drawn in that colour."""
