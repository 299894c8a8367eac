"""A promotion as a person has it before them: the question of a real run, its answer, and the form of a rollback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import yaml

from otterflow.repository import Repository
from stack.airflow import ADMIN
from stack.lab import Lab
from tests.e2e.pages_lab import logged_in
from tests.web import made_up

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

DAG = "promote_configuration"
EXPERIMENT = "shop-tpcb"
FORM: dict[str, Any] = {
    "experiment": EXPERIMENT, "which": "best", "windows": 3, "window_s": 5, "settle_s": 0, "objective": "errors",
    "direction": "minimise", "why": "the reports of the evening are slow",
}  # fmt: skip
"""A promotion of what `proposable` has made. What is watched does not depend on the machine: errors."""


def with_users(lab: Lab, name: str) -> None:
    """The lab's server as a target with users."""
    record = yaml.safe_load((lab.host.targets_dir / "demo.yaml").read_text())
    text = yaml.safe_dump(record | {"has_users": True, "name": name})
    (lab.host.targets_dir / f"{name}.yaml").write_text(text)


def proposable(repository: Repository) -> None:
    """A made-up experiment that has ended with a winner, for a question to show."""
    made_up.whole(repository, EXPERIMENT, trials=30)


def opened(browser: Browser, lab: Lab, run_id: str) -> Page:
    """The form that answers the run's question, once its picture is drawn, for the administrator."""
    page = logged_in(browser, lab, ADMIN, width=1360)
    page.goto(f"{lab.airflow.url}/dags/{DAG}/runs/{quote(run_id)}/tasks/approve/required_actions")
    page.get_by_role("button", name="Approve", exact=True).wait_for()
    page.wait_for_function("[...document.images].some((i) => i.src.endsWith('/plot.svg') && i.naturalWidth > 0)")
    return page


def answered(page: Page, option: str, note: str) -> None:
    """Answer with a note, and wait until Airflow says that it has the answer."""
    page.locator("#element_note").fill(note)
    page.get_by_role("button", name=option, exact=True).click()
    page.get_by_text("successful").wait_for()


def rollback_offers(page: Page, lab: Lab, target: str) -> bool:
    """Open the form of `rollback`, and choose the target; whether it was there to choose."""
    page.goto(f"{lab.airflow.url}/dags/rollback")
    page.get_by_role("button", name="Trigger").first.click()
    page.get_by_role("dialog").get_by_label("Target").click()
    page.get_by_role("option").first.wait_for()
    option = page.get_by_role("option", name=target, exact=True)
    if option.count() == 0:
        lab.airflow.client.parse_again("rollback")
        return False
    option.click()
    return True


def rollback_triggered(page: Page, run_id: str, why: str) -> None:
    """Fill in the rest of the form that is open, and trigger."""
    dialog = page.get_by_role("dialog")
    dialog.locator("#element_why").fill(why)
    dialog.get_by_role("button", name="Advanced Options").click()
    dialog.locator("input[name=dagRunId]").fill(run_id)
    dialog.get_by_role("button", name="Trigger", exact=True).click()
    page.wait_for_url(f"**/dags/rollback/runs/{run_id}")
