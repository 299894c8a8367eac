"""The guides' pictures of the pages, taken from a real Airflow by the browser of the tests: `make pictures`."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from stack.lab import Lab
from tests.e2e import question
from tests.e2e.pages_lab import VIEWER, chromium, logged_in, pages_lab, tuning

if TYPE_CHECKING:
    from playwright.sync_api import Browser

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
_PATIENCE_S = 300


def take() -> None:
    """Write docs/images/pages_*.png and promotion_question.png anew."""
    with chromium() as browser:
        _pages(browser)
        _question(browser)


def _pages(browser: Browser) -> None:
    with pages_lab() as lab:
        page = logged_in(browser, lab, VIEWER, width=1360)
        shown = tuning(page)
        shown.get_by_role("heading", name="Experiments").wait_for()
        page.screenshot(path=IMAGES / "pages_experiments.png")
        shown.get_by_role("link", name="shop-tpcb", exact=True).click()
        shown.get_by_role("heading", name="Comparison").wait_for()
        page.screenshot(path=IMAGES / "pages_experiment.png")


def _question(browser: Browser) -> None:
    """A promotion is asked for on a real server, and its form is opened."""
    folder = Path(tempfile.mkdtemp(prefix="otterflow-pictures-"))
    folder.chmod(0o755)
    lab = Lab(folder / "lab")
    with patch.dict(os.environ, OTTERFLOW_HOME=str(lab.otterflow_home)):
        try:
            lab.start_servers(print)
            question.with_users(lab, "shop")
            question.proposable(lab.repository)
            lab.airflow.start(timeout_s=800)
            lab.airflow.wait_for_dags(question.DAG, timeout_s=_PATIENCE_S)
            lab.airflow.client.trigger(question.DAG, {**question.FORM, "target": "shop"}, "shop")
            _wait_for_the_question(lab, "shop")
            question.opened(browser, lab, "shop").screenshot(path=IMAGES / "promotion_question.png")
        finally:
            lab.stop()
            shutil.rmtree(folder)


def _wait_for_the_question(lab: Lab, run_id: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        tasks = {t["task_id"]: t["state"] for t in lab.airflow.client.task_instances(question.DAG, run_id)}
        if tasks["approve"] == "awaiting_input":
            return
        if tasks["propose"] == "failed":
            raise RuntimeError("\n".join(lab.airflow.client.task_log(question.DAG, run_id, "propose")[-20:]))
        time.sleep(1)
    raise TimeoutError(f"no question after {_PATIENCE_S} s: {tasks}")


if __name__ == "__main__":
    take()
