"""What each changed knob gives, in per cent: measured effects filled, predicted ones hollow, each with its interval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from otterflow.report.plots.axis import Axis, axis, number
from otterflow.report.plots.style import LIGHT
from otterflow.report.plots.svg import Svg, label, line, picture, shortened, tag

WIDTH = 720.0
_LEFT, _RIGHT, _TOP, _ROW, _BOTTOM = 230.0, 120.0, 30.0, 24.0, 38.0


@dataclass(frozen=True)
class Effect:
    """What a knob's change gives: `percent` above 0 is better; `low` and `high` are its interval, None if unknown."""

    knob: str
    percent: float
    low: float | None = None
    high: float | None = None
    measured: bool = False


def effects_plot(effects: Sequence[Effect], *, title: str) -> Svg:
    """A bar for each effect, in the order given, from the line at 0."""
    height = _TOP + _ROW * max(len(effects), 1) + _BOTTOM
    ends = [end for e in effects for end in (e.percent, e.low, e.high) if end is not None]
    across = axis([0.0, *ends], _LEFT, WIDTH - _RIGHT)
    return picture(
        WIDTH,
        height,
        *_frame(across, height, effects),
        *(part for position, effect in enumerate(effects) for part in _bar(effect, position, across)),
        title=title,
        description="; ".join(f"{e.knob}: {_figures(e)}" for e in effects) or "No effect is known.",
    )


def _frame(across: Axis, height: float, effects: Sequence[Effect]) -> Iterator[Svg]:
    bottom = height - _BOTTOM
    for mark in across.marks(5):
        x = across.at(mark)
        yield line(x, _TOP - 6, x, bottom, class_="grid-line", stroke=LIGHT["grid"])
        yield label(x, bottom + 14, number(mark), anchor="middle", class_="muted", fill=LIGHT["muted"])
    zero = across.at(0.0)
    yield line(zero, _TOP - 6, zero, bottom, class_="ink-line", stroke=LIGHT["ink"], width=1.5)
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    yield label(middle, height - 6, "gain in %", anchor="middle", class_="muted", fill=LIGHT["muted"])
    kinds = {effect.measured for effect in effects}
    for position, (measured, name) in enumerate(((True, "measured"), (False, "predicted by the model"))):
        if measured in kinds:
            x = _LEFT + 110.0 * position
            yield _box(x, 5.0, 16.0, 10.0, "trial", measured=measured)
            yield label(x + 22, 14, name)


def _bar(effect: Effect, position: int, across: Axis) -> Iterator[Svg]:
    y = _TOP + _ROW * position
    zero, end = across.at(0.0), across.at(effect.percent)
    colour = "bad" if effect.percent < 0 else "trial"
    yield tag(
        "text", shortened(effect.knob, 34), tag("title", effect.knob), x=_LEFT - 10, y=y + 14, text_anchor="end",
        class_="ink", fill=LIGHT["ink"],
    )  # fmt: skip
    yield _box(min(zero, end), y + 4, max(abs(end - zero), 1.0), _ROW - 10, colour, measured=effect.measured)
    if effect.low is not None and effect.high is not None:
        middle = y + _ROW / 2 - 1
        yield line(across.at(effect.low), middle, across.at(effect.high), middle, class_="ink-line",
                   stroke=LIGHT["ink"], width=1.5)  # fmt: skip
    yield label(WIDTH - _RIGHT + 8, y + 14, f"{effect.percent:+.1f} %")


def _box(x: float, y: float, width: float, height: float, colour: str, *, measured: bool) -> Svg:
    look: dict[str, str] = (
        {"class_": colour, "fill": LIGHT[colour]}
        if measured
        else {"class_": f"{colour}-line", "fill": "none", "stroke": LIGHT[colour], "stroke_width": "1.5"}
    )
    return tag("rect", x=x, y=y, width=width, height=height, **look)


def _figures(effect: Effect) -> str:
    interval = "" if effect.low is None or effect.high is None else f" ({effect.low:+.1f} to {effect.high:+.1f})"
    return f"{effect.percent:+.1f} %{interval}, {'measured' if effect.measured else 'predicted'}"
