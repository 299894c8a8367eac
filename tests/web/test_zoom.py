"""A part of a plot by its address: what is drawn, where one can go on from there, and that a live page keeps it."""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest

from otterflow.report.plots import View
from otterflow.repository import KnownPoint, Repository
from otterflow.web.rendering import percent
from otterflow.web.targets import series_of
from otterflow.web.zoom import query_of, zoom
from tests.web import made_up
from tests.web.conftest import Client


def ways(seen: View, trials: int = 40) -> dict[str, dict[str, list[str]] | None]:
    """Where each step leads, as the fields of its address."""
    found = zoom(range(trials), seen, {"drift": "out"})
    assert found is not None
    return {step["name"]: None if step["query"] is None else parse_qs(step["query"]) for step in found["steps"]}


def part(first: int, last: int) -> dict[str, list[str]]:
    return {"drift": ["out"], "first": [str(first)], "last": [str(last)]}


WHOLE = {"drift": ["out"]}


def test_of_the_whole_one_can_only_go_closer() -> None:
    assert ways(View()) == {"closer": part(10, 29), "wider": None, "earlier": None, "later": None, "all": None}


def test_a_part_can_be_moved_widened_and_left() -> None:
    assert ways(View(10, 30)) == {
        "closer": part(15, 25), "wider": WHOLE, "earlier": part(0, 20), "later": part(19, 39), "all": WHOLE,
    }  # fmt: skip
    assert ways(View(36, 39))["later"] is None
    assert ways(View(36, 39))["wider"] == part(35, 39)


def test_the_closest_part_has_two_trials() -> None:
    assert ways(View(5, 7))["closer"] == part(5, 6)
    assert ways(View(5, 6))["closer"] is None
    assert ways(View(5, 5))["wider"] == part(4, 7)


def test_values_alone_are_left_by_each_step() -> None:
    found = ways(View(low=1.0))
    assert (found["wider"], found["all"]) == (WHOLE, WHOLE)


def test_a_part_beyond_the_trials_leads_back() -> None:
    assert ways(View(100, 200))["earlier"] == part(37, 38)


def test_few_trials_are_not_zoomed() -> None:
    assert zoom(range(2), View(), {}) is None


def test_a_switch_keeps_the_trials_and_not_the_values_which_are_of_another_axis() -> None:
    assert query_of(View(3, 9, 1.0, 2.0)) == "&first=3&last=9"
    assert query_of(View(low=1.0)) == ""


@pytest.fixture
def _whole(repository: Repository) -> None:
    if repository.opener("done") is None:
        made_up.whole(repository, "done")


@pytest.mark.slow
@pytest.mark.usefixtures("_whole")
def test_the_address_says_the_part_and_every_way_on_is_a_page(client: Client) -> None:
    browser = client()
    text = browser.get("/experiment/done?drift=out&first=3&last=6").text
    assert "Iterations 3 to 6: 4 of 12 trials." in text
    assert 'href="?drift=in&amp;first=3&amp;last=6"' in text.replace("&first", "&amp;first").replace(
        "&last", "&amp;last"
    )
    links = [html.unescape(link) for link in re.findall(r'<a id="zoom-[a-z]+"[^>]* href="([^"]+)"', text)]
    assert len(links) == 5
    for link in links:
        assert browser.get(f"/experiment/done{link}").status_code == 200


@pytest.mark.slow
@pytest.mark.usefixtures("_whole")
def test_a_look_at_another_part_is_not_said_to_be_the_same(client: Client) -> None:
    browser, path = client(), "/experiment/done?live=true"
    tag = {"If-None-Match": browser.get(path).headers["etag"]}
    assert browser.get(path, headers=tag).status_code == 304
    assert browser.get(f"{path}&first=2", headers=tag).status_code == 200


@pytest.mark.slow
@pytest.mark.usefixtures("_whole")
def test_two_experiments_show_the_same_part(client: Client) -> None:
    text = client().get("/compare?a=done&b=done&first=3&last=6").text
    assert text.count("Iterations 3 to 6: 4 of 12 trials.") >= 2
    assert text.count('id="zoom-closer"') == 1
    assert '<input type="hidden" name="b" value="done">' in text


TARGET = "/target/example_command"
AGAIN = 6


@pytest.fixture
def _measured_again(repository: Repository, _whole: None) -> None:
    """One configuration measured twice by the first experiment, and then by so many others."""
    for number in range(AGAIN):
        name = f"again-{number}"
        if repository.opener(name) is None:
            made_up.begun(repository, name)
            made_up.tried(repository, name, 0)


def told(text: str) -> list[str]:
    """The experiments whose measurements are drawn."""
    return re.findall(r"UTC, ([a-z0-9-]+): ", text)


@pytest.mark.slow
@pytest.mark.usefixtures("_measured_again")
def test_a_part_of_the_drift_shows_that_part_alone(client: Client) -> None:
    browser = client()
    whole, part = (browser.get(f"{TARGET}{query}").text for query in ("", "?first=4&last=6"))
    assert told(whole) == ["done", "done", *(f"again-{number}" for number in range(AGAIN))]
    assert "8 measurements" in whole
    assert told(part) == ["again-1", "again-2", "again-3"]
    assert "Measurements 4 to 6: 3 of 8 measurements." in part
    axes = json.loads(html.unescape(re.findall(r'data-axes="([^"]+)"', part)[0]))
    assert (axes["first"], axes["last"]) == (4, 6)
    for text in (whole, part):
        assert ">measurement</text>" in text
        assert ">iteration</text>" not in text
        assert '<div class="zoom" data-least="1" data-most="8">' in text
    assert "First measurement" in part
    assert 'name="first" min="1" max="8" value="4"' in part


@pytest.mark.slow
@pytest.mark.usefixtures("_measured_again")
def test_every_way_on_from_a_part_of_the_drift_is_a_page(client: Client) -> None:
    browser = client()
    text = browser.get(f"{TARGET}?first=4&last=6").text
    links = dict(re.findall(r'<a id="zoom-([a-z]+)"[^>]* href="([^"]*)"', text))
    assert set(links) == {"closer", "wider", "earlier", "later", "all"}
    shown = {name: len(told(browser.get(f"{TARGET}{html.unescape(link)}").text)) for name, link in links.items()}
    assert shown == {"closer": 2, "wider": 5, "earlier": 3, "later": 3, "all": 8}
    assert re.findall(r'aria-keyshortcuts="([^"]+)"', text) == ["+", "-", "ArrowLeft", "ArrowRight", "0"]


@pytest.mark.slow
@pytest.mark.usefixtures("_measured_again")
def test_the_words_and_figures_below_a_part_of_the_drift_are_of_that_part(
    client: Client, repository: Repository
) -> None:
    browser = client()
    since = datetime.now(UTC) - timedelta(weeks=1)
    values = [p.value for p in repository.known_points("example_command", {"tuning_experiment"}, since=since, most=500)]
    shares = [value / values[0] for value in values]
    for query, seen in (("", range(8)), ("?first=3&last=4", (2, 3))):
        text = browser.get(f"{TARGET}{query}").text
        of = [shares[number] for number in seen]
        said = f"{percent(min(of))} to {percent(max(of))} against the first value, {percent(of[-1])} at last."
        assert said in text
        figures = text.partition("<summary>Figures of ")[2].partition("</table>")[0]
        assert re.findall(r'<th scope="row" class="number">(\d+)</th>', figures) == [str(n + 1) for n in seen]
        assert re.findall(r'data-label="Against the first" class="number">([^<]+)<', figures) == [*map(percent, of)]
    nowhere = browser.get(f"{TARGET}?first=100&last=200").text
    assert "None of its measurements is in this part." in nowhere
    assert "Figures" not in nowhere
    assert told(nowhere) == []
    assert told(browser.get(f"{TARGET}?low=5&high=9").text) == []


@pytest.mark.slow
@pytest.mark.usefixtures("_measured_again")
@pytest.mark.parametrize(
    ("query", "status"),
    [("first=&last=&low=&high=", 200), ("first=6&last=4", 200), ("first=-1", 422), ("first=x", 422), ("low=nan", 422),
     ("high=inf", 422), ("low=1e300", 422), ("low=2&high=1", 200), ("first=999999", 200), ("last=1000001", 422)],
)  # fmt: skip
@pytest.mark.parametrize(("path", "numbered"), [("/experiment/done", "Iterations"), (TARGET, "Measurements")])
def test_a_form_may_be_empty_and_what_is_no_part_is_refused(
    client: Client, path: str, numbered: str, query: str, status: int
) -> None:
    answer = client().get(f"{path}?{query}")
    assert answer.status_code == status
    if query == "first=6&last=4":
        assert f"{numbered} 4 to 6:" in answer.text


def test_the_same_part_of_several_series_is_of_the_same_days() -> None:
    begin = datetime(2026, 11, 29, tzinfo=UTC)
    points = [
        KnownPoint("tpcb", "throughput", configuration, begin + timedelta(days=day), 100.0, f"night-{day}")
        for day, configuration in enumerate("abacab")
    ]
    found = [[(number, point.experiment) for number, point in series] for series in series_of(points)]
    assert found == [[(1, "night-0"), (3, "night-2"), (5, "night-4")], [(2, "night-1"), (6, "night-5")]]
