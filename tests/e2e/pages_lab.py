"""The pages in a real Airflow, of which only the API server runs, over made-up experiments; and a real browser."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import httpx

from otterflow.repository import Repository
from stack.airflow import AirflowStack
from stack.lab import Lab
from tests.web import made_up

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Frame, Page

CHROMIUM = "chromium"
VIEWER, USER, OP = "visitor", "user", "op"
PATIENCE_MS = 90_000
"""How long a browser waits for anything: a busy machine is slow."""


@dataclass(frozen=True)
class PagesLab:
    """A running API server and the repository that its pages show."""

    airflow: AirflowStack
    repository: Repository

    def token(self, user: str) -> str:
        """What Airflow gives the user at login."""
        credentials = {"username": user, "password": self.airflow.password_of(user)}
        answer = httpx.post(f"{self.airflow.url}/auth/token", json=credentials, timeout=120, trust_env=False)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def get(self, path: str, token: str | None = None, **headers: str) -> httpx.Response:
        """A page as a browser asks for it, with the token in Airflow's cookie."""
        given = {"Accept": "text/html", **headers} | ({"Cookie": f"_token={token}"} if token is not None else {})
        return httpx.get(f"{self.airflow.url}{path}", headers=given, timeout=120, trust_env=False)


@contextmanager
def pages_lab() -> Iterator[PagesLab]:
    """Airflow with the experiments `shop-tpcb`, which has ended, and `shop-live`, which is under way."""
    folder = Path(tempfile.mkdtemp(prefix="otterflow-pages-"))
    home = folder / "otterflow"
    home.mkdir()
    own = {"OTTERFLOW_HOME": str(home)}
    users = {VIEWER: "viewer", USER: "user", OP: "op"}
    airflow = AirflowStack(folder / "control", own, api_alone=True, users=users)
    with patch.dict(os.environ, own):
        try:
            repository = Repository.open(f"sqlite:///{home / 'repository.db'}")
            made_up.whole(repository, "shop-tpcb", trials=30)
            made_up.begun(repository, "shop-live")
            for iteration in range(8):
                made_up.tried(repository, "shop-live", iteration)
            made_up.tried(repository, "shop-live", 8, ends=False)
            repository.hold_target("example_command", "shop-live")
            _proposed(repository)
            airflow.start(timeout_s=800)
            yield PagesLab(airflow, repository)
        finally:
            airflow.stop()
            shutil.rmtree(folder)


def _proposed(repository: Repository) -> None:
    """A promotion of what `shop-tpcb` has found, number 1."""
    ratios = (repository.experiment("shop-tpcb").outcome or {})["comparison"]["ratios"]
    rows = [
        {"arm": arm, "value": "", **{end: of[end] for end in ("ratio", "low", "high")}} for arm, of in ratios.items()
    ]
    compared = {"objective": "throughput", "benchmark": "pgbench_tpcb", "proposed": "best", "rows": rows}
    proposal = {"changes": [], "compared": compared}
    repository.propose("example_command", run="promote_configuration/shop", form={}, proposal=proposal)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The machine's own Chromium."""
    from playwright.sync_api import sync_playwright

    found = shutil.which(CHROMIUM)
    assert found, "stack/setup.sh --dev installs it"
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=[*as_root, "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()


def logged_in(browser: Browser, lab: PagesLab | Lab, user: str, *, dark: bool = False, width: int = 1280) -> Page:
    """A page of the user, who has logged in by Airflow's form; Airflow's own switch says light or dark."""
    context = browser.new_context(
        viewport={"width": width, "height": 1000}, color_scheme="dark" if dark else "light", locale="en-US"
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(f"{lab.airflow.url}/auth/login?next=/")
    page.locator("input[name=username]").fill(user)
    page.locator("input[name=password]").fill(lab.airflow.password_of(user))
    page.locator("button[type=submit]").click()
    page.wait_for_url(f"{lab.airflow.url}/**", wait_until="domcontentloaded")
    page.get_by_text("Tuning").first.wait_for()
    return page


def tuning(page: Page) -> Frame:
    """The frame of the pages, opened by the navigation."""
    page.get_by_text("Tuning").first.click()
    return frame(page)


def frame(page: Page) -> Frame:
    """The frame that the pages are in."""
    page.locator("iframe").wait_for()
    handle = page.locator("iframe").element_handle()
    assert handle is not None
    found = handle.content_frame()
    assert found is not None
    return found
