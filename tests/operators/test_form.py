"""The trigger form: the fields of the spec, and first a target that can be used where the form is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import ParamValidationError

from otterflow.errors import InvalidInput
from otterflow.experiment.spec import ExperimentSpec, FormSection
from otterflow.operators.form import experiment_params

SHIPPED = ("example_command", "example_compose", "example_live")


@pytest.mark.parametrize(
    ("own", "wished", "offered"),
    [
        ((), None, "example_command"),
        ((), "example_compose", "example_compose"),
        (("staging",), None, "staging"),
        (("staging",), "example_compose", "example_compose"),
        (("staging", "demo"), None, "demo"),
        (("staging",), "gone", "staging"),
        (("staging",), "", "staging"),
    ],
)
def test_the_form_offers_a_target_that_is_there(
    own: tuple[str, ...], wished: str | None, offered: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*SHIPPED, *own):
        (tmp_path / f"{name}.yaml").touch()
    monkeypatch.setenv("OTTERFLOW_TARGETS_DIR", str(tmp_path))
    monkeypatch.delenv("OTTERFLOW_DEFAULT_TARGET", raising=False)
    if wished is not None:
        monkeypatch.setenv("OTTERFLOW_DEFAULT_TARGET", wished)
    assert experiment_params()["target"].value == offered


def test_the_form_is_shown_without_any_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTTERFLOW_TARGETS_DIR", str(tmp_path))
    assert experiment_params()["target"].resolve() == ""


def test_the_form_is_the_specs_fields_in_their_order_by_section() -> None:
    form = experiment_params()
    assert list(form) == list(ExperimentSpec.model_fields)
    sections = [param.schema["section"] for param in form.values()]
    assert sections == sorted(sections)
    assert set(sections) == {section.value for section in FormSection}
    for name, field in ExperimentSpec.model_fields.items():
        assert (form[name].schema["title"], form[name].description) == (field.title, field.description)
        assert form[name].description


def test_what_the_form_sends_untouched_is_what_the_spec_has_by_itself() -> None:
    sent = {name: param.resolve() for name, param in experiment_params().items()}
    named = {name: sent[name] for name in ("experiment", "target", "benchmark")}
    assert ExperimentSpec.from_params(sent) == ExperimentSpec.from_params(named)


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("experiment", ["night-1"], ["", "a b", "x" * 64]),
        ("objective", ["throughput / latency_p99"], ["", "x" * 501]),
        ("direction", ["maximise"], ["up"]),
        ("constraints", [[], ["errors < 1"] * 10], [["errors < 1"] * 11, [""]]),
        ("iterations", [1, 1000], [0, 1001]),
        ("ablation_percent", [0, 12.5, 100], [-1, 101]),
        ("time_budget_min", [None, 0.01, 43200], [0, 43201]),
        ("stop_below_percent", [None, 0.001, 1000], [0, 1001]),
        ("stop_confidence", [0.5, 0.9999], [0.49, 1]),
        ("knob_set", ["all"], ["most"]),
        ("extra_knobs", [[], ["work_mem"]], [["Work Mem"], [""]]),
        ("excluded_knobs", [[], ["work_mem"]], [["Work Mem"]]),
        ("risks_allowed", [[], ["durability", "logging"]], [["all"]]),
        ("algorithm", ["gpr"], ["magic"]),
        ("mode", ["safe"], ["wild"]),
        ("restore_every", [None, 0, 1000], [-1, 1001]),
        ("repeats", [1, 50], [0, 51]),
        ("warmup_s", [None, 0, 3600], [-1, 3601]),
        ("duration_s", [None, 0.5, 86400], [0, 86401]),
        ("reference_every", [0, 1000], [-1, 1001]),
        ("quiet_gate", [True, False], ["maybe"]),
        ("final_rounds", [3, 50], [2, 51]),
        ("final_min", [None, 0.1, 10080], [0, 10081]),
        ("gain_that_matters_percent", [None, 0.1, 100], [0, 101]),
        ("seed", [0, 2**31 - 1], [-1, 2**31]),
    ],
)
def test_form_and_spec_take_and_refuse_the_same(field: str, good: list[Any], bad: list[Any]) -> None:
    named = {"experiment": "e", "target": "t", "benchmark": "b"}
    param = experiment_params()[field]
    for value in good:
        assert param.resolve(value) == value
        ExperimentSpec.from_params({**named, field: value})
    for value in bad:
        with pytest.raises(ParamValidationError):
            param.resolve(value)
        with pytest.raises(InvalidInput):
            ExperimentSpec.from_params({**named, field: value})


@pytest.mark.parametrize("field", ["constraints", "extra_knobs", "excluded_knobs", "risks_allowed"])
def test_an_empty_list_is_no_field_that_must_be_filled(field: str) -> None:
    """Airflow marks a field as required unless it may be null, and sends null for a list that was emptied."""
    param = experiment_params()[field]
    assert param.schema["type"] == ["null", "array"]
    assert param.resolve(None) is None
    spec = ExperimentSpec.from_params({"experiment": "e", "target": "t", "benchmark": "b", field: None})
    assert getattr(spec, field) == ()


def test_no_field_has_what_airflows_form_cannot_show() -> None:
    for name, param in experiment_params().items():
        assert not {"$ref", "anyOf", "oneOf", "allOf"} & set(param.schema), name
        assert param.schema["type"], name
