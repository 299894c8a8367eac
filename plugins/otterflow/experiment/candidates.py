"""What is tried on the past: the best that an experiment found, or a configuration that somebody has written down."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from otterflow.errors import InvalidInput, Problem
from otterflow.experiment.comparison import BASELINE
from otterflow.experiment.spec import KnobName
from otterflow.yaml_files import NAME_PATTERN, checked_name, read_model

if TYPE_CHECKING:
    from otterflow.repository import Repository

log = logging.getLogger(__name__)

_FIELD = "candidates"


class NamedConfiguration(BaseModel):
    """A file under `include/configurations/`: values of knobs, as the DBMS's users write them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    description: str = ""
    dbms: str
    knobs: Annotated[dict[KnobName, bool | int | float | str], Field(min_length=1)]


def configuration_of(candidate: str, repository: Repository, folder: Path, dbms: str) -> dict[str, Any]:
    """The candidate's values by knob; `folder` holds the named configurations.

    Raises InvalidInput where it is not known, has no result yet, or is of another DBMS.
    """
    kind, _, name = candidate.partition(":")
    own = _of_experiment(name, repository) if kind == "experiment" else _named(name, folder)
    if own[0] != dbms:
        raise InvalidInput(Problem(_FIELD, f"{candidate!r} is of {own[0]}", f"name one for {dbms}"))
    return own[1]


def _of_experiment(name: str, repository: Repository) -> tuple[str, dict[str, Any]]:
    experiment = repository.experiment(name)
    if experiment.outcome is None:
        advice = "wait until it has ended, or name another"
        raise InvalidInput(Problem(_FIELD, f"experiment {name!r} has no result; it is {experiment.state}", advice))
    if experiment.outcome["winner"] == BASELINE:
        log.warning("in experiment %s nothing beat the baseline beyond noise; what it thought best is tried", name)
    return experiment.dbms, dict(experiment.outcome["best_configuration"])


def _named(name: str, folder: Path) -> tuple[str, dict[str, Any]]:
    path = folder / f"{name}.yaml"
    example = "docs/backfill.md for an example"
    found = read_model(NamedConfiguration, path, field=_FIELD, plural="configurations", example=example)
    checked_name(found, path, "configuration")
    return found.dbms, dict(found.knobs)
