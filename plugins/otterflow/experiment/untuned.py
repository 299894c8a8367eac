"""What an experiment did not tune, and why: said by the catalog, the form and the server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from otterflow.experiment.typed import live_settings_of
from otterflow.knobs.catalog import KnobSetName, TunableKnob

if TYPE_CHECKING:
    from otterflow.experiment.plan import Plan
    from otterflow.repository import Experiment


@dataclass(frozen=True)
class Untuned:
    """Knobs that were left as they are, and the reason that they share."""

    why: str
    knobs: tuple[str, ...]


def untuned(experiment: Experiment, plan: Plan) -> list[Untuned]:
    """The server's settings that were not tuned, by their reason: first knobs that could be, then those never tuned.

    Settings that the catalog does not know are not listed. An experiment that is not prepared has none.
    """
    live = live_settings_of(experiment)
    if not live:
        return []
    major, tuned = plan.dbms.settings.major(live), {record["name"] for record in experiment.space}
    by_reason: dict[str, list[str]] = {}
    for name, entry in plan.catalog.tunable(major).items():
        if name in live and name not in tuned:
            by_reason.setdefault(_why(entry, experiment, plan), []).append(name)
    for family in plan.catalog.untuned:
        there = [name for name in family.knobs if name in live]
        if there and family.covers(major):
            by_reason.setdefault(f"{family.family}: {family.reason}", []).extend(there)
    return [Untuned(why, tuple(sorted(names))) for why, names in by_reason.items()]


def _why(entry: TunableKnob, experiment: Experiment, plan: Plan) -> str:
    """Why a knob that could be tuned was not; the first reason that applies."""
    spec, live = plan.spec, live_settings_of(experiment)
    if entry.name in spec.excluded_knobs:
        return "The form excludes them (excluded_knobs)."
    if entry.unless is not None and entry.unless in live:
        return f"The server has {entry.unless}, and ignores them."
    if entry.risk is not None and entry.risk not in spec.risks_allowed:
        return f"They are locked: their risk class is {entry.risk.value!r} (risks_allowed)."
    if plan.is_live and not live[entry.name].takes_reload:
        return "They take a restart, and a server with users is never restarted."
    if not KnobSetName(spec.knob_set).holds(entry.set):
        return f"They are in the set {entry.set.value!r}, and the form asks for {spec.knob_set.value!r} (knob_set)."
    return "They did not belong to the space when the experiment began."
