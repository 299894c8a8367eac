"""A parameter group of Amazon RDS or Aurora: for the AWS CLI, and for Terraform.

Values are plain numbers in the server's own units, as the service wants them: "Amazon RDS uses the default units for
all parameters" (its user guide). What it does not let anybody change differs from family to family and with time, so
the script asks the service before it changes anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from otterflow.dbms.bundle.values import Bundle, ExportedKnob, Order, allowed
from otterflow.dbms.bundle.yaml_text import by_name, head
from otterflow.knobs.space import Value

MOST_AT_ONCE = 20
"""So many parameters one call of the service's interface takes."""


@dataclass(frozen=True)
class Service:
    """One kind of parameter group: its words in the CLI and in Terraform."""

    folder: str
    title: str
    family: str
    """The service's word for a DBMS of one version."""
    is_cluster: bool
    refused: Mapping[str, str]
    """Knobs that the service does not let anybody change, and why."""

    @property
    def noun(self) -> str:
        """The group's name in commands and options."""
        return "db-cluster-parameter-group" if self.is_cluster else "db-parameter-group"

    @property
    def resource(self) -> str:
        """Terraform's resource."""
        return "aws_rds_cluster_parameter_group" if self.is_cluster else "aws_db_parameter_group"


def add(bundle: Bundle, order: Order, service: Service) -> None:
    """Add the service's files to the bundle; none where it takes none of the knobs, but their names and why."""
    taken, left_out = allowed(order, service.refused)
    if left_out:
        bundle.left_out[service.folder] = left_out
    if not taken:
        return
    knobs = by_name(taken)
    chunks = [knobs[at : at + MOST_AT_ONCE] for at in range(0, len(knobs), MOST_AT_ONCE)]
    for number, chunk in enumerate(chunks, start=1):
        bundle.files[f"{service.folder}/parameters-{number}.json"] = _parameters(chunk)
    bundle.files[f"{service.folder}/apply.sh"] = _script(order, service, knobs)
    bundle.files[f"{service.folder}/main.tf"] = _terraform(order, service, knobs)


def plain(value: Value) -> str:
    """A value as the service takes it: 1 and 0 for a switch, a number without a unit, or the word."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
    return str(value)


def _method(knob: ExportedKnob) -> str:
    return "pending-reboot" if knob.restart else "immediate"


def _parameters(knobs: Sequence[ExportedKnob]) -> str:
    rows = [
        {"ParameterName": knob.name, "ParameterValue": plain(knob.value), "ApplyMethod": _method(knob)}
        for knob in knobs
    ]
    return json.dumps(rows, indent=2) + "\n"


def _script(order: Order, service: Service, knobs: Sequence[ExportedKnob]) -> str:
    names = " ".join(knob.name for knob in knobs)
    whence = "".join(f"# {knob.name}: {knob.because}\n" for knob in knobs)
    noun = service.noun
    return (
        "#!/bin/sh\n"
        + head(
            order,
            f"{service.title}: sh apply.sh GROUP makes the parameter group if there is none, and sets the knobs in it.",
            "Give the group to the server yourself. To go back, give the server its former group.",
        )
        + whence
        + f"""set -eu
cd "$(dirname "$0")"
group=${{1:?"usage: sh apply.sh GROUP, a parameter group of family {service.family}"}}
fixed=$(aws rds describe-engine-default-{"cluster-" if service.is_cluster else ""}parameters \\
  --db-parameter-group-family {service.family} \\
  --query 'EngineDefaults.Parameters[?IsModifiable==`false`].ParameterName' --output text)
for name in {names}; do
  if printf '%s\\n' $fixed | grep -qxF "$name"; then
    echo "$name cannot be changed in {service.family}: take it out of parameters-*.json" >&2
    exit 1
  fi
done
if ! aws rds describe-{noun}s --{noun}-name "$group" > /dev/null 2>&1; then
  aws rds create-{noun} --{noun}-name "$group" \\
    --db-parameter-group-family {service.family} --description "Made from a measured configuration"
fi
for file in parameters-*.json; do
  aws rds modify-{noun} --{noun}-name "$group" --parameters "file://$file"
done
"""
    )


def _terraform(order: Order, service: Service, knobs: Sequence[ExportedKnob]) -> str:
    label = order.group.replace("-", "_")
    parameters = "".join(
        f"""
  # {knob.because}
  parameter {{
    name         = {hcl(knob.name)}
    value        = {hcl(plain(knob.value))}
    apply_method = {hcl(_method(knob))}
  }}
"""
        for knob in knobs
    )
    return (
        head(order, f"{service.title}: give the group to the server by its parameter_group_name.")
        + f"""resource "{service.resource}" "{label}" {{
  name   = {hcl(order.group)}
  family = {hcl(service.family)}
{parameters}}}
"""
    )


def hcl(text: str) -> str:
    """A text as a quoted one of HCL, in which nothing stands for another value."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("${", "$${").replace("%{", "%%{")
    return f'"{escaped}"'
