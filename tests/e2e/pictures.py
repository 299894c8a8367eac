"""The README's pictures of the pages, taken from a real Airflow by the browser of the tests: `make pictures`."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.pages_lab import VIEWER, chromium, logged_in, pages_lab, tuning

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"


def take() -> None:
    """Write docs/images/pages_*.png anew."""
    with pages_lab() as lab, chromium() as browser:
        page = logged_in(browser, lab, VIEWER, width=1360)
        shown = tuning(page)
        shown.get_by_role("heading", name="Experiments").wait_for()
        page.screenshot(path=IMAGES / "pages_experiments.png")
        shown.get_by_role("link", name="shop-tpcb", exact=True).click()
        shown.get_by_role("heading", name="Comparison").wait_for()
        page.screenshot(path=IMAGES / "pages_experiment.png")


if __name__ == "__main__":
    take()
