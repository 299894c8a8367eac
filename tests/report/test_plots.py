"""Plots as SVG: well-formed, escaped, readable without a style sheet, and saying the same to who cannot see them."""

from __future__ import annotations

import json
import math
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from otterflow.report.plots import (
    CSS,
    Counted,
    Effect,
    ForestRow,
    Svg,
    TrialPoint,
    View,
    effects_plot,
    forest_plot,
    narrow_forest_plot,
    sparkline,
    trials_plot,
)
from otterflow.report.plots.axis import axis, wide
from otterflow.report.plots.style import DARK, LIGHT
from otterflow.report.plots.svg import text

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '</svg><script>alert(\'x\')</script> " onload="alert(1)" \x00\x08 ]]> & {{ 7*7 }}'
TRIALS = [
    TrialPoint(0, 100.0, kind="baseline"),
    TrialPoint(1, 130.0, kind="rules"),
    TrialPoint(2, None, state="crashed", told="out of memory"),
    TrialPoint(3, 120.0),
    TrialPoint(4, 99.0, kind="reference"),
    TrialPoint(5, 150.0, href="/otterflow/trial/5"),
]


def read(picture: Svg) -> ElementTree.Element:
    """The picture as XML; raises where it is not well-formed."""
    return ElementTree.fromstring(picture)


def texts(picture: Svg) -> list[str]:
    return [node.text or "" for node in read(picture).iter(f"{SVG}text")]


def every_plot(word: str) -> list[Svg]:
    """Each kind of plot with the word wherever a text goes."""
    return [
        trials_plot(
            [TrialPoint(0, 1.0, state="ok", kind=word, told=word, href=word), TrialPoint(1, None, state=word)],
            title=word, unit=word, maximise=True, lines={word: 1.5},
        ),
        forest_plot([ForestRow(word, 1.2, 1.1, 1.3, note=word), ForestRow(word, None, note=word)], title=word),
        narrow_forest_plot([ForestRow(word, 1.2, 1.1, 1.3, note=word), ForestRow(word, None, note=word)], title=word),
        effects_plot([Effect(word, 3.0, 1.0, 5.0)], title=word),
        sparkline([1.0, None, 2.0], title=word),
    ]  # fmt: skip


@pytest.mark.parametrize("picture", every_plot(HOSTILE))
def test_whatever_a_text_says_it_stays_a_text(picture: Svg) -> None:
    root = read(picture)
    assert not [node for node in root.iter() if node.tag.endswith("script")]
    names = {name for node in root.iter() for name in node.attrib}
    assert not {name for name in names if name.startswith("on") or name in ("style", "href")}
    assert "<script" not in picture


@pytest.mark.parametrize("picture", every_plot("quiet"))
def test_a_plot_needs_no_style_sheet_and_nothing_from_elsewhere(picture: Svg) -> None:
    root = read(picture)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"].startswith("quiet")
    assert [node.tag for node in root][:2] == [f"{SVG}title", f"{SVG}desc"]
    for node in root.iter():
        assert node.tag != f"{SVG}style"
        if "class" in node.attrib and node is not root:
            assert {"fill", "stroke"} & node.attrib.keys(), ElementTree.tostring(node)
    assert re.findall(r"https?://[^\"]+", picture) == ["http://www.w3.org/2000/svg"]
    assert picture.__html__() == picture


def test_every_class_of_a_mark_has_its_colour_in_the_style_sheet() -> None:
    used = {
        name
        for picture in [*every_plot("x"), trials_plot(TRIALS, title="t", unit="", maximise=True)]
        for names in re.findall(r'class="([^"]+)"', picture)
        for name in names.split()
    }
    assert used - {"plot", "sparkline"}
    assert {name for name in used - {"plot", "sparkline"} if f".plot .{name}{{" not in CSS} == set()


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize(("colours", "ground"), [(LIGHT, "#ffffff"), (DARK, "#0d1117")])
def test_colours_can_be_told_from_their_ground(colours: dict[str, str], ground: str) -> None:
    for name, colour in colours.items():
        light, dark = sorted((luminance(colour), luminance(ground)), reverse=True)
        assert name == "grid" or (light + 0.05) / (dark + 0.05) >= 4.5, name


def test_trials_have_their_marks_and_the_best_so_far_is_a_step_line() -> None:
    picture = trials_plot(TRIALS, title="Trials", unit="/s", maximise=True, lines={"baseline": 100.0})
    root = read(picture)
    assert root.attrib["aria-label"] == (
        "Trials. 6 trials, 1 of them without a value; the best so far went from 100 to 150 /s."
    )
    legend = {"baseline", "rules", "measured again", "trial", "gave no value", "best so far"}
    assert legend <= set(texts(picture))
    (best,) = [node for node in root if node.attrib.get("class") == "best-line"]
    corners = [tuple(map(float, pair.split(","))) for pair in re.findall(r"[\d.]+,[\d.]+", best.attrib["d"])]
    heights = [y for _, y in corners]
    assert heights == sorted(heights, reverse=True), "it never gets worse, and up is better"
    assert len(set(heights)) == 3
    assert [node.attrib["href"] for node in root.iter(f"{SVG}a")] == ["/otterflow/trial/5"]
    hints = [node.text for node in root.iter(f"{SVG}title")]
    assert "out of memory" in hints
    assert "iteration 3, model: 120" in hints


def test_a_part_is_drawn_with_axes_of_its_own_and_the_best_of_all() -> None:
    whole = trials_plot(TRIALS, title="t", unit="/s", maximise=True, lines={"baseline": 100.0}, view=View())
    part = trials_plot(TRIALS, title="t", unit="/s", maximise=True, lines={"baseline": 100.0}, view=View(2, 4))
    ends = {name: json.loads(read(drawn).attrib["data-axes"]) for name, drawn in (("whole", whole), ("part", part))}
    assert (ends["whole"]["first"], ends["whole"]["last"], ends["part"]["first"], ends["part"]["last"]) == (0, 5, 2, 4)
    assert ends["whole"]["high"] > 150 > ends["part"]["high"] > 130, "the values' axis fits what is seen"
    assert "Iterations 2 to 4: 3 of 6 trials." in read(part).attrib["aria-label"]
    assert read(part).attrib["aria-label"] != read(whole).attrib["aria-label"]
    (best,) = [node for node in read(part) if node.attrib.get("class") == "best-line"]
    (height,) = {float(y) for y in re.findall(r",([\d.]+)", best.attrib["d"])}
    axes = ends["part"]
    share = (axes["bottom"] - height) / (axes["bottom"] - axes["top"])
    assert axes["low"] + share * (axes["high"] - axes["low"]) == pytest.approx(130, abs=0.05), "what trial 1 had found"
    assert "data-axes" not in trials_plot(TRIALS, title="t", unit="/s", maximise=True)


def test_what_is_counted_is_said_below_and_in_words() -> None:
    counted = Counted("measurement", "measurements")
    whole = trials_plot(TRIALS, title="t", unit="x first", maximise=True, counted=counted)
    part = trials_plot(TRIALS, title="t", unit="x first", maximise=True, view=View(2, 4), counted=counted)
    assert "6 measurements, 1 of them without a value" in read(whole).attrib["aria-label"]
    assert "Measurements 2 to 4: 3 of 6 measurements." in read(part).attrib["aria-label"]
    assert all("measurement" in texts(picture) and "iteration" not in texts(picture) for picture in (whole, part))


def test_what_is_beyond_the_values_looked_at_is_not_drawn_at_their_edge() -> None:
    part = trials_plot(
        TRIALS, title="t", unit="/s", maximise=True, lines={"baseline": 99.5}, view=View(low=110.0, high=140.0)
    )
    hints = [node.text for node in read(part).iter(f"{SVG}title")]
    assert {"iteration 1, rules: 130", "iteration 3, model: 120", "out of memory"} <= set(hints)
    assert not {"iteration 0, baseline: 100", "iteration 5, model: 150"} & set(hints)
    assert "baseline" not in texts(part), "neither its mark nor its line"
    (best,) = [node for node in read(part) if node.attrib.get("class") == "best-line"]
    assert best.attrib["d"].count("M") == 1, "the line ends where it leaves the part"
    assert "values from 110 to 140." in read(part).attrib["aria-label"]


@pytest.mark.parametrize(
    "view",
    [View(3, 3), View(90, 99), View(99), View(low=5.0, high=5.0), View(low=0.0, high=5e-324), View(high=-1e15),
     View(low=-1e15, high=1e15), View(low=1e15), View(4, 2)],
)  # fmt: skip
def test_a_part_without_extent_or_trials_can_be_drawn(view: View) -> None:
    picture = trials_plot(TRIALS, title="t", unit="", maximise=True, view=view)
    read(picture)
    assert "nan" not in picture
    assert "inf" not in picture


def test_where_less_is_better_the_best_goes_down() -> None:
    falling = [TrialPoint(0, 9.0), TrialPoint(1, 12.0), TrialPoint(2, 3.0)]
    assert "from 9 to 3 s" in trials_plot(falling, title="t", unit="s", maximise=False)


@pytest.mark.parametrize("href", ["javascript:alert(1)", "//elsewhere.example/x", "https://elsewhere.example", "x"])
def test_a_link_leads_to_the_same_site_only(href: str) -> None:
    assert "<a " not in trials_plot([TrialPoint(0, 1.0, href=href)], title="t", unit="", maximise=True)


@pytest.mark.parametrize(
    "points",
    [[], [TrialPoint(0, None, state="crashed")], [TrialPoint(0, 5.0)], [TrialPoint(i, 5.0) for i in range(3)],
     [TrialPoint(0, 1.0), TrialPoint(1, 1e6)], [TrialPoint(0, -3.0), TrialPoint(1, 0.0)]],
)  # fmt: skip
def test_few_equal_and_far_values_can_be_drawn(points: list[TrialPoint]) -> None:
    picture = trials_plot(points, title="t", unit="", maximise=True)
    read(picture)
    assert "nan" not in picture
    assert "inf" not in picture


def test_level_lines_that_are_close_keep_their_names_apart() -> None:
    picture = trials_plot(TRIALS, title="t", unit="", maximise=True, lines={"one": 100.0, "two": 100.1, "three": 100.2})
    heights = sorted(
        float(n.attrib["y"]) for n in read(picture).iter(f"{SVG}text") if n.text in ("one", "two", "three")
    )
    assert all(b - a >= 12 for a, b in pairwise(heights))


def test_a_forest_says_its_ratios_and_colours_only_what_is_beyond_chance() -> None:
    rows = [
        ForestRow("rules", 1.5, 1.2, 1.9),
        ForestRow("best", 1.1, 0.9, 1.3, bold=True),
        ForestRow("worse", 0.5, 0.4, 0.7),
        ForestRow("lost", None, note="crashed in round 2"),
    ]
    picture = forest_plot(rows, title="Compared", matters=0.03)
    boxes = [n.attrib["class"] for n in read(picture).iter(f"{SVG}rect")]
    assert boxes == ["grid", "good", "trial", "bad"]
    assert {"1.50 (1.20 to 1.90)", "1.10 (0.90 to 1.30)", "crashed in round 2"} <= set(texts(picture))
    assert "best: 1.10 (0.90 to 1.30)" in read(picture).attrib["aria-label"]


@pytest.mark.parametrize(
    "rows",
    [[], [ForestRow("a", 1.0)], [ForestRow("a", 1.0, 1.0, 1.0)], [ForestRow("a", 2.0, 1e-9, 1e9)],
     [ForestRow("a", -0.5, -2.0, 1.0)], [ForestRow("a", None)], [ForestRow("a", 1.001, 0.999, 1.003)]],
)  # fmt: skip
def test_a_forest_stays_in_its_frame(rows: list[ForestRow]) -> None:
    for root, width in ((read(forest_plot(rows, title="t")), 720), (read(narrow_forest_plot(rows, title="t")), 300)):
        for node in root.iter():
            for name in ("x", "x1", "x2"):
                assert 0 <= float(node.attrib.get(name, 1)) <= width, ElementTree.tostring(node)


def test_words_of_a_narrow_forest_leave_each_other_room() -> None:
    """By the letters: about 6.2 pixels each at this size."""
    rows = [ForestRow("a configuration of a long name", 1.123, 1.011, 12.345), ForestRow("lost", None, note="x" * 99)]
    drawn = read(narrow_forest_plot(rows, title="t"))
    assert float(drawn.attrib["width"]) == 300
    words = [node for node in drawn.iter(f"{SVG}text") if node.find(f"{SVG}title") is not None]
    for name, figures in zip(words[::2], words[1::2], strict=True):
        assert 6.2 * (len(name.text or "") + len(figures.text or "")) < 280


def test_measured_effects_are_filled_and_predicted_ones_hollow() -> None:
    picture = effects_plot([Effect("a", 5.0, 2.0, 8.0, measured=True), Effect("b", -1.0)], title="Effects")
    legend, other, first, second = read(picture).iter(f"{SVG}rect")
    assert (legend.attrib["fill"], other.attrib["fill"]) == (LIGHT["trial"], "none")
    assert (first.attrib["class"], second.attrib["class"]) == ("trial", "bad-line")
    assert "a: +5.0 % (+2.0 to +8.0), measured; b: -1.0 %, predicted" in picture
    assert float(second.attrib["x"]) < float(first.attrib["x"]), "a loss goes to the left of zero"


def test_a_sparkline_needs_no_value_and_leaves_gaps_out() -> None:
    assert "no value yet" in sparkline([], title="t")
    assert "no value yet" in sparkline([None], title="t")
    assert "from 1 to 3" in sparkline([None, 1.0, None, 3.0], title="t")
    assert sparkline([4.0], title="t").count("<circle") == 1


@pytest.mark.parametrize("values", [[3.0], [0.0], [1e-9, 2e-9], [0.98, 1.02], [1.0, 5000.0], [-1e6, 1e6]])
def test_marks_are_round_and_on_the_axis(values: list[float]) -> None:
    for logarithmic in (False, min(values) > 0):
        found = axis(values, 0.0, 100.0, logarithmic=logarithmic)
        marks = found.marks()
        assert 2 <= len(marks) <= 12, marks
        assert all(found.low - 1e-9 <= mark <= found.high + 1e-9 for mark in marks)
        assert all(0 <= found.at(value) <= 100 for value in values)
        assert math.isclose(found.at(found.high), 100.0)


def test_only_far_positive_values_make_an_axis_logarithmic() -> None:
    assert wide([1.0, 100.0])
    assert not wide([1.0, 5.0])
    assert not wide([0.0, 100.0])
    assert not wide([])


def test_a_text_without_a_place_in_xml_is_replaced() -> None:
    assert text("a\x00b\ud800") == "a\ufffdb\ufffd"
