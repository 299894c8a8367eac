"""What several pages need of an experiment: may it be seen, what do its numbers mean, how do its knobs read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException

from otterflow.dbms.registry import dbms_named
from otterflow.errors import OtterflowError
from otterflow.experiment.loop import relative_gains
from otterflow.experiment.typed import live_settings_of
from otterflow.measures.goal import Direction
from otterflow.measures.objective import Objective
from otterflow.repository import Experiment, Repository, Trial
from otterflow.web.reader import Reader
from otterflow.web.rendering import short

NOT_THERE = "There is no such experiment, or none that you may read."


def owner(repository: Repository, asking: Reader, name: str) -> str:
    """The Dag that the experiment belongs to. Raises 404 where there is none of that name, or it may not be read."""
    dag_id = repository.opener(name)
    if dag_id is None or not asking.may_read(dag_id):
        raise HTTPException(404, NOT_THERE)
    return dag_id


def seen(repository: Repository, asking: Reader, name: str) -> Experiment:
    """The experiment. Raises 404 where there is none of that name, or it may not be read."""
    owner(repository, asking, name)
    return repository.experiment(name)


def has_report(experiment: Experiment) -> bool:
    """Whether it has a result of a comparison; one that was imported has another."""
    return "comparison" in (experiment.outcome or {})


@dataclass(frozen=True)
class Yardstick:
    """What an experiment's numbers are: their unit, "" where nobody can tell it any more, and their better end."""

    unit: str
    maximise: bool


def yardstick_of(experiment: Experiment) -> Yardstick:
    """What was measured, by the result if there is one, else by the objective's name or the form."""
    told = experiment.outcome or {}
    if experiment.objective in Objective.__members__:
        objective = Objective(experiment.objective)
        return Yardstick(objective.unit, objective.maximise)
    maximise = told.get("maximise", experiment.spec.get("direction") != Direction.minimise)
    return Yardstick(str(told.get("unit", "")), bool(maximise))


def gains(trials: Sequence[Trial], told: Yardstick) -> dict[int, float]:
    """Each ended trial's gain over the baseline with the machine's drift taken out, by iteration.

    Empty where the values allow none, as an imported experiment's may.
    """
    ended = [trial for trial in trials if trial.state.ended]
    try:
        found = relative_gains(ended, told)
    except OtterflowError:
        return {}
    return {trial.iteration: gain for trial, gain in zip(ended, found, strict=True) if gain is not None}


class KnobTexts:
    """How values of knobs read, in the DBMS's own spelling where its settings are known."""

    def __init__(self, experiment: Experiment) -> None:
        try:
            self._display = dbms_named(experiment.dbms).spelling.display
            self._live = dict(live_settings_of(experiment))
        except (OtterflowError, LookupError, ValueError, TypeError):  # an imported one, or kept by another version
            self._live = {}

    def __call__(self, knob: str, value: Any) -> str:
        """The value as text; a dash for none."""
        if value is None:
            return "-"
        try:
            return self._display(value, self._live[knob]) if knob in self._live else short(value)
        except (OtterflowError, ValueError, TypeError):
            return short(value)

    def takes_restart(self, knob: str) -> bool | None:
        """Whether a new value takes a restart; None where nobody knows."""
        return self._live[knob].needs_restart if knob in self._live else None


def change(before: Any, after: Any) -> str:
    """By how much a value differs: a factor for numbers, else a word; empty where it does not."""
    if before == after or before is None or after is None:
        return ""
    numbers = [each for each in (before, after) if isinstance(each, int | float) and not isinstance(each, bool)]
    if len(numbers) < 2 or numbers[0] <= 0 or numbers[1] <= 0:
        return "changed"
    return f"x {numbers[1] / numbers[0]:.3g}"


def knob_rows(configurations: Mapping[str, Mapping[str, Any]], texts: KnobTexts, baseline: str) -> list[dict[str, Any]]:
    """A row for each knob of the configurations: each one's value, and by how much the last differs from `baseline`."""
    names = dict.fromkeys(knob for configuration in configurations.values() for knob in configuration)
    last = list(configurations)[-1] if configurations else baseline
    rows = []
    for knob in names:
        before, after = (configurations.get(which, {}).get(knob) for which in (baseline, last))
        rows.append(
            {
                "knob": knob,
                "values": [texts(knob, configuration.get(knob)) for configuration in configurations.values()],
                "change": change(before, after),
                "restart": texts.takes_restart(knob),
            }
        )
    return sorted(rows, key=lambda row: not row["change"])
