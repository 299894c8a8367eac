"""What each page shows, and to whom."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser

import pytest
from fastapi.testclient import TestClient

from otterflow.repository import Repository
from otterflow.web import experiments
from tests.web import made_up
from tests.web.conftest import Client

pytestmark = pytest.mark.slow

PAGES = (
    "/", "/targets", "/target/example_command", "/knobs", "/knobs?target=example_command", "/compare", "/nights",
    "/compare?a=done&b=live", "/replays", "/experiment/done", "/experiment/done?drift=out", "/experiment/live",
    "/experiment/done/trial/0", "/experiment/done/trial/5", "/experiment/live/trial/4", "/run/tuning_iteration/x",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _two(repository: Repository) -> None:
    """One experiment that has ended, one with a trial planned, and one that other Dag's readers may see."""
    if repository.opener("done") is not None:
        return
    made_up.whole(repository, "done")
    made_up.begun(repository, "live")
    for iteration in range(4):
        made_up.tried(repository, "live", iteration)
    made_up.tried(repository, "live", 4, ends=False)
    repository.hold_target("example_command", "live")
    made_up.begun(repository, "hidden", run="nightly_secret/hidden", target="example_systemd")


class Outline(HTMLParser):
    """What of a page matters to who does not see it: unclosed elements, fields without a label, tables' headings."""

    VOID = frozenset({"meta", "link", "input", "br", "img", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []
        self.ids: list[str] = []
        self.headings: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids += [str(given["id"])] if "id" in given else []
        self.headings += [tag] if re.fullmatch("h[1-6]", tag) else []
        if tag in ("input", "select") and "label" not in self.open and given.get("type") != "hidden":
            self.faults.append(f"{tag} without a label: {given}")
        if tag == "th" and "scope" not in given:
            self.faults.append(f"a heading that says not of what: {given}")
        if tag == "svg" and not given.get("aria-label") and given.get("aria-hidden") != "true":
            self.faults.append("a picture without words")
        if any(name.startswith("on") or name == "style" for name in given):
            self.faults.append(f"script or style within the page: {given}")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"{tag} is closed and was not opened last")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_whole_and_can_be_read_without_eyes(client: Client, path: str) -> None:
    answer = client().get(path)
    assert answer.status_code == 200, answer.text
    outline = Outline()
    outline.feed(answer.text)
    assert outline.faults == []
    assert outline.open == []
    assert sorted(set(outline.ids)) == sorted(outline.ids)
    assert outline.headings.count("h1") == 1
    assert '<html lang="en">' in answer.text
    assert "None" not in re.sub(r"<pre.*?</pre>", "", answer.text, flags=re.DOTALL)


@pytest.mark.parametrize("path", PAGES)
def test_every_link_within_the_pages_leads_somewhere(client: Client, path: str) -> None:
    browser = client()
    links = set(re.findall(r'(?:href|src)="/otterflow(/[^"]*)"', browser.get(path).text))
    assert links
    for link in links:
        assert browser.get(link.replace("&amp;", "&")).status_code in (200, 303), link


def test_the_list_says_state_target_trials_and_gain(client: Client) -> None:
    text = client().get("/").text
    assert "3 experiments" in text
    row = text[text.index(">done</a>") : text.index("</tr>", text.index(">done</a>"))]
    for said in ("finished", "example_command", "pgbench_tpcb", "12 of 12", "1 without a value", "<svg"):
        assert said in row
    assert re.search(r"<strong>\+3\d\.\d %</strong>", row)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", {"done", "live", "hidden"}), ("q=DON", {"done"}), ("q=systemd", {"hidden"}), ("q=%25", set()),
        ("q=_o_e", set()), ("state=finished", {"done"}), ("state=failed", set()), ("page=2", set()),
        ("target=example_systemd", {"hidden"}),
    ],
)  # fmt: skip
def test_the_list_is_filtered_and_searched(client: Client, query: str, names: set[str]) -> None:
    assert set(re.findall(r'/experiment/(\w+)">', client().get(f"/?{query}").text)) == names


def test_a_long_list_has_pages(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiments, "MOST", 2)
    first, second = (client().get(f"/?page={number}").text for number in (1, 2))
    assert re.findall(r'/experiment/(\w+)">', first) == ["hidden", "live"]
    assert re.findall(r'/experiment/(\w+)">', second) == ["done"]
    assert 'rel="next"' in first
    assert 'rel="next"' not in second
    assert 'rel="prev"' in second


def test_who_may_not_read_the_dag_sees_nothing_of_its_experiments(client: Client) -> None:
    browser = client({"tuning_experiment"})
    assert set(re.findall(r'/experiment/(\w+)">', browser.get("/").text)) == {"done", "live"}
    assert "hidden" not in browser.get("/compare").text
    assert "example_systemd" not in browser.get("/targets").text + browser.get("/knobs").text
    paths = ("/experiment/hidden", "/experiment/hidden/trial/0", "/compare?a=hidden&b=done", "/target/example_systemd")
    for path in paths:
        refused, unknown = browser.get(path), browser.get(path.replace("hidden", "nosuch").replace("systemd", "nosuch"))
        assert refused.status_code == unknown.status_code == 404
        assert refused.text == unknown.text, "nothing tells one that is hidden from one that is not there"
    assert browser.get("/run/nightly_secret/hidden").status_code == 200


def test_a_holder_that_may_not_be_read_is_not_named(client: Client, repository: Repository) -> None:
    made_up.begun(repository, "behind", run="nightly_secret/behind")
    repository.release_target("example_command", "live")
    repository.hold_target("example_command", "behind")
    try:
        for path in ("/targets", "/target/example_command"):
            text = client({"tuning_experiment"}).get(path).text
            assert "an experiment that you may not read" in text
            assert "behind" not in text
            assert ">behind</a>" in client().get(path).text
    finally:
        repository.release_target("example_command", "behind")
        repository.hold_target("example_command", "live")


def test_an_experiment_that_has_ended_says_what_came_of_it(client: Client, repository: Repository) -> None:
    text = client().get("/experiment/done").text
    outcome = repository.experiment("done").outcome or {}
    assert outcome["verdict"] in text
    assert 'data-live="4"' not in text
    for said in ("times better than the baseline", "128MB", "undo_tuning", "Resume", "Where the time went"):
        assert said in text
    assert text.count('class="changed"') >= 3


def test_the_values_for_a_form_are_those_of_the_form(client: Client) -> None:
    text = client().get("/experiment/done").text
    forms = [json.loads(html.unescape(each)) for each in re.findall(r"<pre[^>]*>(.*?)</pre>", text, re.DOTALL)]
    again = next(form for form in forms if form.get("experiment") == "done-again")
    assert again["iterations"] == 12
    assert next(form for form in forms if form.get("resume"))["iterations"] == 32
    assert {"experiment": "done", "which": "winner"} in forms
    assert "/dags/promote_configuration" in text


def test_drift_is_taken_out_by_a_switch(client: Client) -> None:
    measured, without = (client().get(f"/experiment/done?drift={which}").text for which in ("in", "out"))
    assert "x baseline" in without
    assert "x baseline" not in measured
    assert client().get("/experiment/done?drift=maybe").status_code == 422


def test_what_comes_next_and_why(client: Client) -> None:
    text = client().get("/experiment/live").text
    assert 'data-live="4"' in text
    assert "Trial 4, and why" in text
    assert "the largest expected gain of 2000 candidates" in text
    assert "may crash: 4 %" in text


def test_a_live_page_is_looked_at_lightly(client: Client, repository: Repository) -> None:
    browser = client()
    first = browser.get("/experiment/live?live=true")
    assert "<html" not in first.text
    with pytest.MonkeyPatch.context() as patched:
        for heavy in ("experiment", "trials", "measurements"):
            patched.setattr(Repository, heavy, None)
        same = browser.get("/experiment/live?live=true", headers={"If-None-Match": first.headers["etag"]})
    assert same.status_code == 304
    assert same.content == b""
    repository.begin_try("live", 4)
    repository.record_seconds("live", 4, "restart", 3.0)
    changed = browser.get("/experiment/live?live=true", headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200
    assert "done: restart" in changed.text


def test_a_trial_says_its_configuration_reasons_repairs_metrics_and_log(client: Client) -> None:
    crashed, good = (client().get(f"/experiment/done/trial/{number}").text for number in (5, 4))
    assert "Cannot allocate memory" in crashed
    assert "the server did not start" in crashed
    assert "all sessions together may not use more memory" in good
    assert "xact_commit" in good
    assert "/dags/tuning_iteration/runs/done-0004" in good
    assert "the largest expected gain" in good


def test_the_servers_log_is_for_who_may_read_logs(client: Client) -> None:
    text = client(logs=False).get("/experiment/done/trial/5").text
    assert "Cannot allocate memory" not in text
    assert "You may not read the logs" in text


@pytest.mark.parametrize(
    "path", ["/experiment/done/trial/99", "/experiment/done/trial/-1", "/nothing", "/static/app.py"]
)
def test_what_is_not_there_is_404(client: Client, path: str) -> None:
    assert client().get(path).status_code == 404


def test_knobs_have_range_risk_and_rule_with_its_source(client: Client) -> None:
    text = client().get("/knobs?target=example_command").text
    row = text[text.index(">shared_buffers</th>") : text.index("</tr>", text.index(">shared_buffers</th>"))]
    assert "The server&#39;s own page cache." in row
    assert "ram * 0.5" in row
    assert "128MB to 8GB" in row
    assert "a quarter of the RAM (PostgreSQL manual, shared_buffers; pgtune)" in row
    assert ">durability</td>" in text
    other = client().get("/knobs?dbms=mariadb").text
    assert "innodb_buffer_pool_size" in other
    assert "shared_buffers" not in other


def test_a_catalog_that_cannot_be_read_says_why(
    client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("OTTERFLOW_INCLUDE_DIR", str(tmp_path))
    answer = client().get("/knobs")
    assert answer.status_code == 200
    assert "knob catalog: &#39;postgresql&#39; is unknown" in answer.text


def test_a_run_leads_to_its_experiment_or_trial(client: Client) -> None:
    browser = client()
    leads = {
        "tuning_iteration/done-0003": "/otterflow/experiment/done/trial/3",
        "tuning_iteration/done-0003.2": "/otterflow/experiment/done/trial/3",
        "tuning_finish/done-finish-1": "/otterflow/experiment/done",
        "tuning_experiment/done": "/otterflow/experiment/done",
        "nightly_secret/hidden": "/otterflow/experiment/hidden",
    }
    for run, to in leads.items():
        answer = browser.get(f"/run/{run}")
        assert (answer.status_code, answer.headers["location"]) == (303, to)
    assert "belongs to no experiment" in browser.get("/run/tuning_iteration/other-0003").text


def test_two_experiments_side_by_side(client: Client) -> None:
    text = client().get("/compare?a=done&b=live").text
    for said in ("nothing yet", "not compared yet", "Best configurations", "finished", "running"):
        assert said in text


def test_the_machines_drift_is_of_one_configuration(client: Client) -> None:
    text = client().get("/target/example_command").text
    assert "one configuration measured" in text
    assert "against the first value" in text


def test_a_repository_that_cannot_be_reached_is_told(
    client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    browser: TestClient = client()
    monkeypatch.setenv("AIRFLOW_CONN_OTTERFLOW_REPOSITORY", "mysql://user:s3cret@nowhere/db")
    answer = browser.get("/")
    assert answer.status_code == 503
    assert "has the type" in answer.text
    assert "s3cret" not in answer.text
