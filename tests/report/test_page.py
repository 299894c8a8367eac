"""The report of an experiment: what it says, that it stands alone, and that no text becomes anything but text."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest

from otterflow.experiment.frozen import plan_of
from otterflow.experiment.untuned import untuned
from otterflow.report.noise import drift, noise_percent, sentences
from otterflow.report.page import report_page, second_sentence
from tests.report.conftest import ABLATION, WON, Ended, turns
from tests.report.reading import Page

HOSTILE = "</style></svg></title><script>alert(1)</script><img src=x onerror=alert(2)> {{ 7*7 }} {% x %} \" ' & \x00"


def page_of(ended: Ended, **more: Any) -> str:
    return report_page(ended.experiment, ended.result(WON, **more))


def hostile(value: Any, key: str = "") -> Any:
    """The value with every text in it hostile, but for words that are a closed list."""
    if isinstance(value, dict):
        return {name: hostile(of, name) for name, of in value.items()}
    if isinstance(value, list):
        return [hostile(of, key) for of in value]
    kept = ("kind", "state", "winner", "installed", "knob")
    return HOSTILE if isinstance(value, str) and key not in kept else value


@pytest.mark.slow
def test_it_says_what_came_of_it_and_why(ended: Ended) -> None:
    said = Page(page_of(ended, ablation=ABLATION)).text
    for text in (
        "The best configuration found is in force: run_time 2.05 s instead of 4.15 s",
        "(95 % interval ",
        "2 of 3 tuned knobs changed; 1 of them by a restart.",
        "example_command: PostgreSQL 15.18",
        "EPYC, 24.0 GiB for the server, 4 cores",
        "run_time (less is better)",
        "+61.0 % (+40.0 to +80.0), measured",
        "not known by itself",
        "random_page_cost: not (+0.1 % (-1.0 to +1.2), predicted)",
        "Trial 2 has no value: it crashed (out of memory)",
        "One turn of the comparison varies by",
        "trigger undo_tuning with target 'example_command'",
        "work_mem = 4MB",
    ):
        assert text in said, text


@pytest.mark.slow
def test_it_has_a_picture_of_the_trials_the_comparison_and_the_effects(ended: Ended) -> None:
    named = [
        found["aria-label"] or "" for tag, found in Page(page_of(ended, ablation=ABLATION)).elements if tag == "svg"
    ]
    assert [label.partition(".")[0].partition(",")[0] for label in named] == [
        "Each configuration against the baseline", "What each changed knob is worth", "Trials",
    ]  # fmt: skip
    without = Page(page_of(ended))
    assert sum(tag == "svg" for tag, _ in without.elements) == 2, "of single knobs nothing is known"


def test_it_stands_alone(ended: Ended) -> None:
    text = page_of(ended, ablation=ABLATION)
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "form"} & {tag for tag, _ in page.elements}
    names = {name for _, found in page.elements for name in found}
    assert not {name for name in names if name.startswith("on") or name in ("src", "href", "action", "style")}
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) == {"http://www.w3.org/2000/svg"}
    policy = next(f["content"] for t, f in page.elements if t == "meta" and "content-security-policy" in str(f).lower())
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"
    assert "prefers-color-scheme:dark" in text
    assert "@media print" in text


@pytest.mark.slow
def test_whatever_a_text_says_it_stays_a_text(ended: Ended) -> None:
    plain = ended.result(WON, ablation=ABLATION)
    loud = hostile(plain)
    page = report_page(ended.experiment, loud)
    tags = [tag for tag, _ in Page(page).elements]
    assert "script" not in tags
    assert "img" not in tags
    assert "49" not in [word for word in Page(page).text.split() if word == "49"]
    assert "\x00" not in page
    assert Page(page).text.count("<script>alert(1)</script>") > 20
    assert sorted(set(tags)) == sorted({tag for tag, _ in Page(report_page(ended.experiment, plain)).elements})


def test_a_hostile_name_of_a_knob_or_an_arm_is_a_text_too(ended: Ended) -> None:
    result = ended.result(WON)
    result["changed_knobs"] = [{**row, "knob": HOSTILE} for row in result["changed_knobs"]]
    result["comparison"]["faults"] = {HOSTILE: HOSTILE}
    tags = {tag for tag, _ in Page(report_page(ended.experiment, result)).elements}
    assert not {"script", "img"} & tags


def test_the_command_makes_the_same_experiment_again(ended: Ended) -> None:
    import json

    (command,) = re.findall(r"airflow dags trigger .*", Page(page_of(ended)).text)
    *_, conf = shlex.split(command)
    again = json.loads(conf)
    assert again.pop("experiment") == "night-again"
    form = ended.experiment.spec
    assert again == {name: value for name, value in form.items() if name != "experiment"}


def test_what_was_not_tuned_is_said_with_its_reason(ended: Ended) -> None:
    groups = {group.why: group.knobs for group in untuned(ended.experiment, plan_of(ended.experiment))}
    locked = next(why for why in groups if "durability" in why and "locked" in why)
    assert "fsync" in groups[locked]
    beyond = next(why for why in groups if "'all'" in why and "knob_set" in why)
    assert "geqo_effort" in groups[beyond]
    everything = [name for knobs in groups.values() for name in knobs]
    assert len(everything) == len(set(everything))
    assert "work_mem" not in everything
    assert "They are locked" in Page(page_of(ended)).text


@pytest.mark.slow
def test_without_a_comparison_and_without_a_change_it_says_so(ended: Ended) -> None:
    result = ended.result([])
    result["changed_knobs"] = []
    said = Page(report_page(ended.experiment, result)).text
    assert "Nothing was compared" in said
    assert "Every knob is as it was before the experiment." in said
    assert "Too few turns were compared" in said
    assert "undo_tuning" not in said


def test_a_gain_that_does_not_matter_is_shaded_and_the_end_told(ended: Ended) -> None:
    result = ended.result(WON)
    result["comparison"] |= {"gain_that_matters_percent": None, "decided": None}
    assert 'class="grid" fill' not in report_page(ended.experiment, result)
    result["comparison"] |= {"gain_that_matters_percent": 3.0, "decided": "best beats the baseline"}
    page = report_page(ended.experiment, result)
    assert 'class="grid" fill' in page
    assert "It ended as it was decided: best beats the baseline. The shaded band is a gain of less than 3 %" in page


def test_what_is_only_proposed_would_change(ended: Ended) -> None:
    result = ended.result(WON) | {"installed": "baseline", "winner": "best"}
    assert second_sentence(result).startswith("2 of 3 tuned knobs would change")


def test_noise_is_what_is_left_without_arms_and_rounds(ended: Ended) -> None:
    exact = turns(baseline=[4.0, 8.0, 2.0], rules=[4.0, 8.0, 2.0], best=[2.0, 4.0, 1.0])
    assert noise_percent(ended.result(exact)) == pytest.approx(0.0, abs=1e-9)
    noisy = turns(baseline=[4.0, 4.4, 4.0], rules=[4.0, 4.0, 4.4], best=[2.0, 2.0, 2.0])
    assert 2.0 < (noise_percent(ended.result(noisy)) or 0.0) < 8.0
    assert noise_percent(ended.result(turns(baseline=[4.0, 4.1]))) is None


def test_drift_is_the_plain_gain_by_the_one_without_it() -> None:
    def trial(kind: str, value: float, relative: float) -> dict[str, Any]:
        return {"kind": kind, "value": value, "relative": relative, "load_1m": None}

    trials = [trial("baseline", 100.0, 1.0), trial("model", 120.0, 1.25), trial("reference", 96.0, 1.0)]
    result = {"trials": trials, "maximise": True, "comparison": {"values": {}}}
    found = drift(result)
    assert found is not None
    assert (found.slowest_percent, found.fastest_percent) == pytest.approx((-4.0, 0.0))
    assert "between -4.0 % and +0.0 %" in " ".join(sentences(result))
    assert drift({**result, "trials": trials[:1]}) is None
    still = [trial("baseline", 100.0, 1.0), trial("model", 50.0, 0.5)]
    assert drift({**result, "trials": still}) is None
