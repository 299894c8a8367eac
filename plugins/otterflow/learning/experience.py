"""Packs of experience as the tuner's past experiments: which of them one experiment is told, and in its server's units.

They go the way of the user's own past experiments (`tuner/transfer.py`) and come after them. A pack that cannot be used
is left out and said, for an experiment can do without. Imports the tuner, and so scikit-learn: import it inside a task
only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from otterflow import settings
from otterflow.errors import InvalidInput, Problem
from otterflow.experiment.typed import live_settings_of, space_of
from otterflow.knobs.space import Knob, KnobSpace, Value
from otterflow.language.quantities import is_known, unit_family
from otterflow.learning.pack_files import NamedPack, read_packs
from otterflow.learning.packs import PackedExperiment, PackedKnob
from otterflow.measures.scale import Scale
from otterflow.repository import Experiment
from otterflow.tuner.past import PastExperiment, fit_past
from otterflow.tuner.trial import Trial

_SHOWN = 5
"""Knobs that a line of the log names."""


@dataclass(frozen=True)
class Experience:
    """What packs tell one experiment: the likeliest first, and lines for the log that say what came from where."""

    past: Sequence[PastExperiment] = ()
    said: Sequence[str] = ()


@dataclass(frozen=True)
class _Found:
    """An experiment of a pack, and the name that it has in logs and reasons."""

    name: str
    packed: PackedExperiment


def shipped_experience(dbms: str) -> list[PastExperiment]:
    """All experience for a DBMS, by name, in the packs' units, which are the server's."""
    packs, _ = read_packs(settings.experience_dir())
    return [_past(found, lambda knob: 1.0) for found in _of_dbms(packs, dbms)]


def experience_for(experiment: Experiment) -> Experience:
    """What the packs of its DBMS that share a tuned knob with an experiment tell it.

    Those with its objective come first, then those of its benchmark, then those that share the most knobs.
    """
    packs, problems = read_packs(settings.experience_dir())
    said = [f"a pack is left out: {problem}" for problem in problems]
    space = space_of(experiment)
    units = {name: setting.unit for name, setting in live_settings_of(experiment).items()}
    past: list[PastExperiment] = []
    for found in _likeliest_first(experiment, space, _of_dbms(packs, experiment.dbms)):
        try:
            told = _usable(found, space, units)
        except (InvalidInput, ArithmeticError, ValueError) as error:  # NumPy's own among them
            said.append(f"{found.name} is left out: {error}")
            continue
        past.append(told)
        said.append(_line(found, told, space))
    return Experience(past, said)


def _usable(found: _Found, space: KnobSpace, units: Mapping[str, str | None]) -> PastExperiment:
    """The experiment in the server's units. Raises InvalidInput where it has nothing to say of this space.

    Its model is fitted here, so that what is wrong with that is found before an experiment depends on it; the
    suggestion finds it fitted.
    """
    told = _past(found, lambda knob: _factor(knob, units))
    if not any(knob.name in told.space for knob in space):
        raise InvalidInput(Problem("knobs", "none of them is tuned here", "nothing to do"))
    if fit_past(told) is None:
        raise InvalidInput(
            Problem("trials", "too few that differ, in their knobs or in what came of them", "nothing to do")
        )
    return told


def _of_dbms(packs: Sequence[NamedPack], dbms: str) -> list[_Found]:
    return [
        _Found(f"experience/{named.name}" + ("" if len(named.pack.experiments) == 1 else f"/{packed.name}"), packed)
        for named in packs
        for packed in named.pack.experiments
        if packed.dbms == dbms
    ]


def _likeliest_first(experiment: Experiment, space: KnobSpace, found: Sequence[_Found]) -> list[_Found]:
    def kinship(one: _Found) -> tuple[bool, bool, int, str]:
        shared = sum(knob.name in space for knob in one.packed.knobs)
        other_objective = one.packed.objective != experiment.objective
        return other_objective, one.packed.benchmark != experiment.benchmark, -shared, one.name

    return sorted(found, key=kinship)


def _past(found: _Found, factor: Callable[[PackedKnob], float | None]) -> PastExperiment:
    """The experiment in other units; a knob without a factor is left out, as if it had not been tuned.

    Values are told on the scale on which those of the user's own experiments are.
    """
    factors = {knob.name: by for knob in found.packed.knobs if (by := factor(knob)) is not None}
    space = KnobSpace([_scaled(knob, factors[knob.name]) for knob in found.packed.space if knob.name in factors])
    trials = found.packed.told()
    scale = Scale.of([trial.value for trial in trials if trial.value is not None], maximise=True)
    return PastExperiment(found.name, space, [_told(trial, space, factors, scale) for trial in trials], foreign=True)


def _told(trial: Trial, space: KnobSpace, factors: Mapping[str, float], scale: Scale) -> Trial:
    config = {name: _times(space[name], value, factors[name]) for name, value in trial.config.items() if name in space}
    return replace(trial, config=config, value=None if trial.value is None else scale.score(trial.value))


def _scaled(knob: Knob, factor: float) -> Knob:
    if factor == 1.0 or not knob.is_numeric:
        return knob
    low, high = (_number(knob, factor * bound) for bound in (knob.low, knob.high))
    special = tuple(s for s in knob.special if not low <= s <= high)
    start = knob.baseline if knob.is_special(knob.baseline) else _number(knob, factor * float(knob.baseline))
    return replace(knob, low=low, high=high, special=special, baseline=start)


def _times(knob: Knob, value: Value, factor: float) -> Value:
    """A value in another unit; one that is special has none."""
    if factor == 1.0 or not knob.is_numeric or knob.is_special(value):
        return value
    return _number(knob, factor * float(value))


def _number(knob: Knob, value: float) -> int | float:
    return round(value) if knob.type == "integer" else value


def _factor(knob: PackedKnob, units: Mapping[str, str | None]) -> float | None:
    """By what the pack's numbers of a knob are multiplied to be in the server's unit; None where they do not compare.

    1 for a knob that the server has not got: nothing is made of its value.
    """
    here = units.get(knob.name, knob.unit)
    if here == knob.unit:
        return 1.0
    if here is None or knob.unit is None or not (is_known(here) and is_known(knob.unit)):
        return None
    (family, size), (other, wanted) = unit_family(knob.unit), unit_family(here)
    return size / wanted if family is other else None


def _line(found: _Found, told: PastExperiment, space: KnobSpace) -> str:
    """What it brings, which knobs are tuned in both, and what is cut to the range here or not understood."""
    shared = [knob for knob in space if knob.name in told.space]
    parts = [
        f"{found.name} has {found.packed.words}; {len(shared)} of its {len(found.packed.knobs)} knobs are tuned here"
    ]
    if cut := [knob.name for knob in shared if _reaches_beyond(knob, told)]:
        parts.append(f"it tried values beyond the range here, which are cut to it: {_names(cut)}")
    if left := [knob.name for knob in found.packed.knobs if knob.name in space and knob.name not in told.space]:
        parts.append(f"left out, for their units are other ones here: {_names(left)}")
    return "; ".join(parts)


def _reaches_beyond(knob: Knob, told: PastExperiment) -> bool:
    there = told.space[knob.name]
    if not (knob.is_numeric and there.is_numeric):
        return False
    values = [trial.config[knob.name] for trial in told.trials]
    return any(not there.is_special(value) and not knob.low <= float(value) <= knob.high for value in values)


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
