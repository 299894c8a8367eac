"""Airflow's form that triggers an experiment, filled in as a person does: section by section, by what is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from otterflow.experiment.spec import ExperimentSpec
from stack.lab import Lab

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

DAG = "tuning_experiment"


def triggered(page: Page, lab: Lab, run_id: str, fields: Mapping[str, Any]) -> None:
    """Open the form, give the fields their values, and trigger; what is not given stays as the form has it."""
    page.goto(f"{lab.airflow.url}/dags/{DAG}")
    page.get_by_role("button", name="Trigger").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Advanced Options").wait_for()
    of_section: dict[str, list[str]] = {}
    for name in fields:
        of_section.setdefault(_said(name, "section"), []).append(name)
    for section, names in of_section.items():
        opener = dialog.get_by_role("button", name=section)
        if opener.get_attribute("aria-expanded") != "true":
            opener.click()
        for name in names:
            _given(dialog, name, fields[name])
    dialog.get_by_role("button", name="Advanced Options").click()
    dialog.locator("input[name=dagRunId]").fill(run_id)
    dialog.get_by_role("button", name="Trigger", exact=True).click()
    page.wait_for_url(f"**/dags/{DAG}/runs/{run_id}")


def _given(dialog: Locator, name: str, value: Any) -> None:
    field = dialog.locator(f"[name=element_{name}]")
    if isinstance(value, bool):
        if field.is_checked() != value:
            field.press("Space")  # the switch that is seen is drawn over it
        assert field.is_checked() is value
    elif field.get_attribute("type") == "hidden":  # a choice
        dialog.get_by_role("combobox", name=_said(name, "title")).click()
        dialog.page.get_by_role("option", name=str(value), exact=True).click()
        assert field.input_value() == str(value)
    else:
        field.fill(str(value))
        field.press("Tab")
        assert field.input_value() == str(value)


def _said(name: str, key: str) -> str:
    """What the form says of a field."""
    info = ExperimentSpec.model_fields[name]
    if key == "title":
        assert info.title is not None
        return info.title
    assert isinstance(info.json_schema_extra, dict)
    return str(info.json_schema_extra[key])
