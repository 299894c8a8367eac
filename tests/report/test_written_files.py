"""What the task `report` leaves beside `result.json`; a fault in it does not keep an experiment from closing."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from otterflow.operators.report import ReportOperator
from otterflow.report import page
from tests.report.conftest import WON, Ended


@pytest.fixture
def operator() -> ReportOperator:
    return ReportOperator(task_id="report", experiment="night")


def beside(operator: ReportOperator, ended: Ended, folder: Path, **more: Any) -> list[str]:
    """The files that are there once it has written."""
    ended.repository.record_outcome("night", ended.result(WON) | more)
    operator._beside(folder, ended.repository)
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.slow
def test_the_report_and_the_bundle_lie_beside_the_result(
    ended: Ended, operator: ReportOperator, tmp_path: Path
) -> None:
    folder = tmp_path / "results"
    names = ["export-1.zip", "export.zip", "report-1.html", "report.html"]
    assert beside(operator, ended, folder) == names
    assert zipfile.is_zipfile(folder / "export.zip")
    assert "<title>Tuning report: night</title>" in (folder / "report.html").read_text()


@pytest.mark.slow
def test_a_run_that_changes_nothing_leaves_no_bundle_of_the_one_before(
    ended: Ended, operator: ReportOperator, tmp_path: Path
) -> None:
    folder = tmp_path / "results"
    beside(operator, ended, folder)
    baseline = ended.experiment.baseline
    left = beside(operator, ended, folder, best_configuration=baseline, run=2)
    assert left == ["export-1.zip", "report-1.html", "report-2.html", "report.html"]


def test_a_fault_in_the_report_is_told_and_the_rest_goes_on(
    ended: Ended, operator: ReportOperator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    def broken(*_: object) -> str:
        raise RuntimeError("no ink")

    monkeypatch.setattr(page, "report_page", broken)
    assert beside(operator, ended, tmp_path / "results") == ["export-1.zip", "export.zip"]
