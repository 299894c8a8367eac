"""A promotion's form, and the question it makes: fields that clash, windows of the clock, tables that stay text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from otterflow.errors import InvalidInput
from otterflow.experiment.promotion import body, moved_since, subject, table
from otterflow.experiment.promotion_form import PromotionForm

FORM: dict[str, Any] = {"target": "shop", "experiment": "night-1"}
CHANGE = {
    "knob": "work_mem", "before": 4096, "after": 65536, "shown_before": "4MB", "shown_after": "64MB", "restart": False,
    "why": "as measured", "does": "", "risk": "",
}  # fmt: skip
PROPOSED: dict[str, Any] = {
    "label": "winner of experiment night-1", "experiment": "night-1", "evidence": "1.4 times better", "left": [],
    "same": [], "kept": [], "changes": [CHANGE], "how": "reload", "file": "",
}  # fmt: skip


def form(**changes: Any) -> PromotionForm:
    return PromotionForm.from_params({**FORM, **changes})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"experiment": ""}, "no experiment, configuration or schedule is given; give exactly one of them"),
        ({"schedule": "nightly"}, "experiment and schedule are given; give exactly one of them"),
        ({"target": "a b"}, "target: value 'a b' is not valid"),
        ({"which": "worst"}, "which: value 'worst' is not valid"),
        ({"window": "2-4"}, "window: value '2-4' is not valid"),
        ({"window": "02:00-24:00"}, "window"),
        ({"timezone": "Mars/Base"}, "no time zone of that name"),
        ({"windows": 2}, "windows: value 2 is not valid"),
        ({"answer_within_h": 0}, "answer_within_h"),
        ({"configuration": {"Work Mem": 1}, "experiment": ""}, "configuration"),
        ({"assigned": [""]}, "assigned"),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        form(**changes)
    assert said in str(caught.value)


def test_what_the_form_sends_is_kept_and_read_back() -> None:
    sent = form(constraints=["latency_mean < 5"], assigned=["4"], window="22:00-02:00", restart=True)
    assert PromotionForm.from_params(sent.record()) == sent


@pytest.mark.parametrize(
    ("now", "opens", "is_open"),
    [
        ("2026-11-20T20:00", "2026-11-20T21:00", False),  # 22:00 in Berlin
        ("2026-11-20T21:30", "2026-11-20T21:00", True),
        ("2026-11-21T00:59", "2026-11-20T21:00", True),
        ("2026-11-21T01:00", "2026-11-21T21:00", False),
    ],
)
def test_the_window_that_is_open_or_the_next(now: str, opens: str, is_open: bool) -> None:
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    found = form(window="22:00-02:00", timezone="Europe/Berlin").next_window(at)
    assert found is not None
    assert (found.opens, found.is_open(at)) == (datetime.fromisoformat(opens).replace(tzinfo=UTC), is_open)
    assert found.closes - found.opens == timedelta(hours=4)
    assert form().next_window(at) is None


def test_the_question_says_what_how_and_what_then() -> None:
    assert subject(form(), PROPOSED) == "Change 1 knob on shop, by a reload?"
    text = body(form(why="**evil** <b>|x|</b>\n# head"), PROPOSED)
    assert r"| work\_mem | 4MB | 64MB | reload | as measured |" in text
    assert r"Why: \*\*evil\*\* \<b\>\|x\|\</b\> \# head" in text
    assert "only reloaded" in text
    assert "trigger `rollback` with target shop" in text
    restarts = {**PROPOSED, "how": "restart", "changes": [{**CHANGE, "restart": True, "risk": "durability"}]}
    assert "**restarted**, which ends every session" in body(form(), restarts)
    assert "RISK: durability" in body(form(), restarts)
    left = {**PROPOSED, "left": [{"knob": "jit", "value": "off", "why": "gone"}], "same": ["a"], "kept": ["b"]}
    for part in ("| jit | off | gone |", "already: a.", "not touched here: b."):
        assert part in body(form(), left)


def test_the_question_shows_what_was_compared_as_a_table_and_as_a_picture() -> None:
    rows = [
        {"arm": "rules", "value": "1,150 /s", "ratio": 1.15, "low": 1.12, "high": 1.18},
        {"arm": "best", "value": "1,320 /s", "ratio": 1.32, "low": None, "high": None},
    ]
    compared = {"objective": "throughput", "benchmark": "a_b", "rows": rows, "proposed": "best"}
    text = body(form(), {**PROPOSED, "compared": compared}, picture="/p/1/plot.svg", page="/e/night-1")
    for part in (
        r"throughput of a\_b, each against the baseline in turns:",
        "| configuration | median | times better | 95 % interval |",
        "| rules | 1,150 /s | 1.15 | 1.12 to 1.18 |",
        "| best (proposed) | 1,320 /s | 1.32 |  |",
        r"![throughput of a\_b, each against the baseline in turns](/p/1/plot.svg)",
        "[All that was tried, and why](/e/night-1)",
    ):
        assert part in text
    given = body(form(), {**PROPOSED, "experiment": "", "compared": None}, picture="/p/1/plot.svg", page="/e/")
    assert "plot.svg" not in given
    assert "All that was tried" not in given


def test_a_cell_is_one_line_and_no_markup() -> None:
    assert table(("a",), [("x\n|y",)]).splitlines() == ["| a |", "| --- |", "| x \\|y |"]


def test_what_has_moved_since_it_was_asked_is_told_knob_by_knob() -> None:
    assert moved_since(PROPOSED, PROPOSED) == []
    assert moved_since(PROPOSED, {**PROPOSED, "evidence": "other words"}) == []
    assert moved_since(PROPOSED, {**PROPOSED, "file": "jit = off\n"}) == [
        "the knobs file has another text than when it was asked"
    ]
    before = {**CHANGE, "before": 8192, "shown_before": "8MB"}
    assert moved_since(PROPOSED, {**PROPOSED, "changes": [before]}) == ["work_mem was 4MB and is 8MB now"]
    after = {**CHANGE, "after": 32768, "shown_after": "32MB"}
    assert moved_since(PROPOSED, {**PROPOSED, "changes": [after]}) == ["work_mem was to be 64MB and would be 32MB now"]
    other = {**CHANGE, "knob": "jit"}
    assert moved_since(PROPOSED, {**PROPOSED, "changes": [other]}) == [
        "work_mem would not be changed any more",
        "jit is to be changed now, and was not asked about",
    ]
    assert moved_since(PROPOSED, {**PROPOSED, "how": "restart"}) == [
        "it was to take a reload and would take a restart now"
    ]
