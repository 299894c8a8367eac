"""The picture in the question of a promotion: drawn from the proposal, for who may read the run that asks."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from otterflow.places import experiment_page, pages_at, promotion_picture
from otterflow.repository import Repository
from tests.web.conftest import Client

COMPARED = {
    "objective": "throughput", "benchmark": "<b>tpcb</b>", "proposed": "best",
    "rows": [
        {"arm": "rules", "value": "1,150 /s", "ratio": 1.15, "low": 1.12, "high": 1.18},
        {"arm": "best", "value": "1,320 /s", "ratio": 1.32, "low": None, "high": None},
    ],
}  # fmt: skip


@pytest.fixture
def number(repository: Repository) -> int:
    proposal = {"changes": [], "compared": COMPARED}
    return repository.propose("shop", run="promote_configuration/one", form={}, proposal=proposal).id


def test_it_shows_what_was_compared_on_a_ground_of_its_own(client: Client, number: int) -> None:
    answer = client({"promote_configuration"}).get(promotion_picture(number))
    assert answer.headers["content-type"].startswith("image/svg+xml")
    drawn = ElementTree.fromstring(answer.text)
    assert drawn.attrib["aria-label"] == "throughput of <b>tpcb</b>. rules: 1.15 (1.12 to 1.18); best: 1.32"
    assert drawn[0].attrib == {"width": "100%", "height": "100%", "fill": "#ffffff"}
    bold = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text") if text.get("font-weight") == "bold"]
    assert bold == ["best"]


def test_it_is_for_who_may_read_the_run_that_asks(client: Client, number: int) -> None:
    refused, unknown = (client({"tuning_experiment"}).get(promotion_picture(n)) for n in (number, number + 1000))
    assert refused.status_code == unknown.status_code == 404
    assert refused.text == unknown.text


@pytest.mark.parametrize("number", ["0", "-1", str(2**31), "x", "1%2f..%2f2"])
def test_what_is_no_promotion_is_404(client: Client, number: str) -> None:
    assert client().get(f"/promotion/{number}/plot.svg").status_code in (404, 422)


@pytest.mark.slow
def test_a_configuration_that_was_not_measured_has_none(client: Client, repository: Repository) -> None:
    proposal: dict[str, Any] = {"changes": [], "compared": None}
    found = repository.propose("shop", run="promote_configuration/two", form={}, proposal=proposal)
    assert client().get(promotion_picture(found.id)).status_code == 404


def test_addresses_are_behind_the_path_that_airflow_is_behind() -> None:
    assert pages_at("https://example.org/air/flow/") == "/air/flow/otterflow"
    assert pages_at("http://127.0.0.1:8080") == pages_at("") == "/otterflow"
    assert experiment_page("a/b ?") == "/experiment/a%2Fb%20%3F"
