"""What the repository keeps of an experiment as plain JSON, as the types that it stands for.

Here alone is it parsed, and once: the record carries what was made of it (`Record.once`), since the repository
lies below the rooms whose types these are. `experiment.frozen.plan_of` gives the files.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from otterflow.dbms.registry import dbms_named
from otterflow.experiment.spec import ExperimentSpec
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import KnobSpace

if TYPE_CHECKING:
    from otterflow.repository import Experiment, Glimpse


def spec_of(experiment: Experiment | Glimpse) -> ExperimentSpec:
    """The form that it was begun with. Raises InvalidInput where this version cannot read what was kept."""
    return experiment.once(_spec)


def space_of(experiment: Experiment) -> KnobSpace:
    """The knobs that it tunes. Raises InvalidInput while it is not prepared."""
    return experiment.once(_space)


def facts_of(experiment: Experiment) -> HostFacts:
    """What `check_target` found the server may use. Raises InvalidInput while it is not prepared."""
    return experiment.once(_facts)


def live_settings_of(experiment: Experiment) -> Mapping[str, LiveSetting]:
    """The server's settings as `check_target` found them, by name; empty while it is not prepared."""
    return experiment.once(_live)


def _spec(experiment: Experiment | Glimpse) -> ExperimentSpec:
    return ExperimentSpec.from_record(experiment.spec)


def _space(experiment: Experiment) -> KnobSpace:
    return KnobSpace.from_records(experiment.space)


def _facts(experiment: Experiment) -> HostFacts:
    return HostFacts.from_dict(experiment.facts)


def _live(experiment: Experiment) -> Mapping[str, LiveSetting]:
    from_row = dbms_named(experiment.dbms).settings.from_row
    return MappingProxyType({name: from_row(row) for name, row in experiment.live.items()})
