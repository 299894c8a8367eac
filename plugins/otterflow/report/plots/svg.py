"""SVG elements as text: every attribute and every text is escaped here, and nowhere else."""

from __future__ import annotations

import re
from html import escape

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document may hold, whatever stands for them (XML 1.0, production 2)."""


class Svg(str):
    """Text that is whole SVG: put together from escaped parts."""

    __slots__ = ()

    def __html__(self) -> str:
        """What a template with autoescape puts in as it is."""
        return str(self)


def tag(name: str, *children: str, **attributes: str | float | None) -> Svg:
    """An element; children that are no `Svg` are text. An attribute's `_` is a hyphen, but for one at its end.

    An attribute that is None is left out; numbers are rounded to a tenth of a pixel.
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = "".join(child if isinstance(child, Svg) else text(child) for child in children)
    return Svg(f"<{name}{said}>{inside}</{name}>" if inside else f"<{name}{said}/>")


def text(said: str) -> Svg:
    """A text, escaped; characters that XML has no place for are replaced."""
    return Svg(escape(_NOT_IN_XML.sub("\ufffd", said), quote=True))


def picture(
    width: float,
    height: float,
    *children: str,
    title: str,
    description: str,
    class_: str = "plot",
    data_axes: str | None = None,
) -> Svg:
    """The whole picture: scales with its place, and reads as `title` and `description` to who cannot see it."""
    return tag(
        "svg",
        tag("title", title),
        tag("desc", description),
        *children,
        xmlns="http://www.w3.org/2000/svg",
        class_=class_,
        role="img",
        aria_label=f"{title}. {description}",
        data_axes=data_axes,
        viewBox=f"0 0 {width:g} {height:g}",
        width=width,
        height=height,
        font_family="system-ui, sans-serif",
        font_size="12",
    )


def on_white(drawn: Svg) -> Svg:
    """A picture with a ground of its own, for where it stands as an image and the page around it may be dark."""
    head, body = drawn.split(">", 1)
    return Svg(f"{head}>{tag('rect', width='100%', height='100%', fill='#ffffff')}{body}")


def label(x: float, y: float, said: str, *, anchor: str = "start", class_: str = "ink", fill: str = "#1f2328") -> Svg:
    """A line of text at its baseline; `anchor` is start, middle or end."""
    return tag("text", said, x=x, y=y, text_anchor=anchor, class_=class_, fill=fill)


def line(x1: float, y1: float, x2: float, y2: float, *, class_: str, stroke: str, width: float = 1.0) -> Svg:
    """A straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_, stroke=stroke, stroke_width=width)


def path(*strokes: list[tuple[float, float]], class_: str, stroke: str, width: float = 1.5) -> Svg:
    """A line through all points of each stroke."""
    way = " ".join("M" + " L".join(f"{x:.1f},{y:.1f}" for x, y in points) for points in strokes)
    return tag("path", d=way, class_=class_, stroke=stroke, stroke_width=width, fill="none")


def shortened(said: str, most: int) -> str:
    """The text in `most` characters, with an ellipsis for what is left out."""
    return said if len(said) <= most else said[: most - 1] + "…"


def _value(value: str | float) -> str:
    return text(value) if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
