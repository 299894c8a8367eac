"""Trigger forms: the fields of `ExperimentSpec` and of `PromotionForm`, as Airflow's widgets take them.

Titles, help, bounds and defaults are the spec's own. The choices of target and benchmark are read from `include/` when
the Dag file is parsed (file names only, so it stays quick and the same for the same files). What JSON schema cannot
say, fields that depend on each other, `check_experiment` says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import Param
from pydantic import BaseModel

from otterflow.experiment.plan import known
from otterflow.experiment.promotion_form import PromotionForm
from otterflow.experiment.spec import ExperimentSpec
from otterflow.settings import default_target

FIRST_NAME = "my-first-experiment"


def experiment_params() -> dict[str, Param]:
    """The fields of tuning_experiment's form by name, in the order they are shown."""
    fields = _widgets(ExperimentSpec)
    fields["experiment"]["default"] = FIRST_NAME
    fields["target"] = _choice(fields["target"], known("targets"), default_target(), "demo")
    fields["benchmark"] = _choice(fields["benchmark"], known("benchmarks"), "analytics")
    return {name: Param(field.pop("default"), **field) for name, field in fields.items()}


def promotion_params() -> dict[str, Param]:
    """The fields of promote_configuration's form by name, in the order they are shown."""
    fields = _widgets(PromotionForm)
    fields["target"] = _choice(fields["target"], known("targets"))
    fields["benchmark"] = _choice(fields["benchmark"], known("benchmarks"), "live")
    return {name: Param(field.pop("default"), **field) for name, field in fields.items()}


def _widgets(model: type[BaseModel]) -> dict[str, dict[str, Any]]:
    schema = model.model_json_schema()
    return {name: _widget(field, schema["$defs"]) for name, field in schema["properties"].items()}


def _widget(field: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """A field's JSON schema as a form of Airflow shows it.

    A Param has no references and no alternatives but a list of types. One that may be null is not marked as required;
    so a list may be, for an emptied one arrives as null. Several of a few values are chosen from `examples`.
    """
    own = {key: value for key, value in field.items() if key not in ("$ref", "anyOf")}
    if "$ref" in field:
        own = _choices(field["$ref"], shared) | own
    for alternative in field.get("anyOf", ()):
        if alternative["type"] != "null":
            own |= alternative | {"type": ["null", alternative["type"]]}
    if own["type"] == "object":
        own["type"] = ["null", "object"]
    if own["type"] == "array":
        own["type"] = ["null", "array"]
        if "$ref" in own["items"]:
            values = _choices(own["items"]["$ref"], shared)["enum"]
            own |= {"items": {"type": "string", "enum": values}, "examples": values}
    return own


def _choices(reference: str, shared: Mapping[str, Any]) -> dict[str, Any]:
    """An enumeration without its docstring, which is for programmers."""
    return {key: value for key, value in shared[reference.rpartition("/")[2]].items() if key != "description"}


def _choice(field: Mapping[str, Any], names: Sequence[str], *preferred: str) -> dict[str, Any]:
    """One of the files that are there: the first of `preferred`, else one of the user's own, else any.

    Where there is none, the form is shown all the same: a pattern would refuse the empty default, and the Dag with it.
    """
    wished = [name for name in preferred if name in names]
    own = [name for name in names if not name.startswith("example_")]
    found = {key: value for key, value in field.items() if key != "pattern"}
    return found | {"default": [*wished, *own, *names, ""][0]} | ({"enum": list(names)} if names else {})
