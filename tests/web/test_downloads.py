"""What may be taken along: the report and the bundle of a configuration, by who may read the experiment's Dag."""

from __future__ import annotations

import io
import zipfile

import pytest

from otterflow.report.bundle import README
from otterflow.repository import Repository
from otterflow.web.rendering import part
from tests.report.reading import Page
from tests.web import made_up
from tests.web.conftest import Client
from tests.web.test_attacks import SCRIPTS, SQL, faults, hostile

KEPT = "attachment; filename*=UTF-8''"


@pytest.fixture(autouse=True)
def _three(repository: Repository) -> None:
    """One that has ended, one under way, and one that has ended and belongs to another Dag."""
    if repository.opener("done") is None:
        made_up.whole(repository, "done", trials=7)
        made_up.begun(repository, "live")
        made_up.tried(repository, "live", 0)
        made_up.whole(repository, "hidden", trials=3, run="nightly_secret/hidden")


def archive(content: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(content)) as found:
        assert found.testzip() is None
        return {name: found.read(name).decode() for name in found.namelist()}


@pytest.mark.slow
def test_the_report_is_one_file_that_is_kept(client: Client, repository: Repository) -> None:
    answer = client().get("/experiment/done/report.html")
    assert answer.headers["content-disposition"] == f"{KEPT}done-report.html"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = Page(answer.text)
    assert "Tuning report: done" in page.text
    assert (repository.experiment("done").outcome or {})["verdict"] in page.text
    assert any(name == "svg" for name, _ in page.elements)


@pytest.mark.slow
@pytest.mark.parametrize("configuration", ["best", "rules", "4"])
def test_a_configuration_is_an_archive_for_other_tools(client: Client, configuration: str) -> None:
    answer = client().get("/experiment/done/export.zip", params={"configuration": configuration})
    assert answer.headers["content-disposition"] == f"{KEPT}done-{configuration}.zip"
    files = archive(answer.content)
    assert {README, "knobs.conf", "alter_system.sql", "alter_system_undo.sql", "patroni/patch.yaml"} <= set(files)
    assert "Experiment done" in files[README]
    assert "shared_buffers = " in files["knobs.conf"]
    if configuration == "4":
        assert "trial 4" in files[README]


@pytest.mark.slow
def test_the_page_offers_what_there_is(client: Client) -> None:
    browser = client()
    ended, under_way = (browser.get(f"/experiment/{name}").text for name in ("done", "live"))
    for address in ("report.html", "export.zip?configuration=best", "export.zip?configuration=rules"):
        assert f'href="/otterflow/experiment/done/{address}" download' in ended
    assert "report.html" not in under_way
    assert "configuration=best" not in under_way
    assert "configuration=rules" in under_way
    assert "/dags/export_ottertune" in ended
    trials = [browser.get(f"/experiment/done/trial/{number}").text for number in (0, 4, 5)]
    assert ["export.zip?configuration=" in text for text in trials] == [False, True, False], "unchanged, ok, crashed"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/experiment/live/report.html", "no result"),
        ("/experiment/live/export.zip", "has no &#39;best&#39;"),
        ("/experiment/done/export.zip?configuration=worst", "use best, rules, or a trial"),
        ("/experiment/done/export.zip?configuration=99", "there is no trial 99"),
        ("/experiment/done/export.zip?configuration=0", "changes no knob"),
    ],
)
def test_what_there_is_not_is_told(client: Client, path: str, said: str) -> None:
    answer = client().get(path)
    assert answer.status_code in (404, 422)
    assert said in answer.text
    assert "content-disposition" not in answer.headers


@pytest.mark.slow
def test_who_may_not_read_the_dag_takes_nothing_along(client: Client) -> None:
    browser = client({"tuning_experiment"})
    for path in ("report.html", "export.zip", "export.zip?configuration=2"):
        refused, unknown = (browser.get(f"/experiment/{name}/{path}") for name in ("hidden", "nosuch"))
        assert refused.status_code == unknown.status_code == 404
        assert refused.text == unknown.text
        assert client({"nightly_secret"}).get(f"/experiment/hidden/{path}").is_success


@pytest.mark.slow
def test_hostile_names_are_neither_headers_nor_markup(client: Client, repository: Repository) -> None:
    texts = [text for text in (*SCRIPTS, *SQL) if "/" not in text and "\x00" not in text]
    name = "a\r\nSet-Cookie: x=y; " + " ".join(texts)
    hostile(repository, name=name, verdict=SCRIPTS[0], knob=SCRIPTS[1], message=SCRIPTS[3])
    browser = client()
    for file in ("report.html", "export.zip"):
        answer = browser.get(f"/experiment/{part(name)}/{file}")
        assert answer.status_code in (200, 404, 422), file
        assert "set-cookie" not in answer.headers
        assert faults(answer.text) == []
    for text in texts:
        answer = browser.get("/experiment/done/export.zip", params={"configuration": text})
        assert answer.status_code == 422
        assert faults(answer.text) == []
