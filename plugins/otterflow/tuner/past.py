"""A past experiment as the tuner knows it: its trials, and a model of its objective that answers in today's space.

Experiments seldom tune the same knobs over the same ranges. A past model is fitted in the space of its own experiment,
and a configuration of the current space is translated before it is asked:

- a knob of both spaces keeps its value: clipped to the past's range, a special value only where the past knew it;
- a knob that is tuned now and was not then says nothing to the past model;
- a knob that was tuned then and is not now is taken to stand where it stood before that experiment, as today's does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.space import Config, Knob, KnobSpace, Value
from otterflow.tuner.encoding import Array, Encoder
from otterflow.tuner.history import History, pool
from otterflow.tuner.surrogate import GaussianProcess, Groups, most_probable, process_at
from otterflow.tuner.trial import CRASHED, Trial, check_trials

MIN_MEASURED = 3
"""Distinct measured configurations below which a past experiment teaches nothing."""
_SWITCH = {"1": "on", "on": "on", "true": "on", "0": "off", "off": "off", "false": "off"}
_MOST_LEARNED = 100
"""Configurations that a past model learns from."""


@dataclass(frozen=True, eq=False)
class PastExperiment:
    """An experiment that has ended, or one under way elsewhere: its space and its trials, oldest first.

    Values are on any scale on which larger is better, another than the current experiment's if need be. `metrics` has
    a mapping of the server's metrics for each trial (empty where none were taken), or is None. `hyperparameters` are
    those that `fitted_hyperparameters` found for these trials earlier; None, or a wrong number, has them fitted again.
    `foreign` is one on a server that nobody here knows: mode `safe` does not try its best unasked.
    """

    name: str
    space: KnobSpace
    trials: Sequence[Trial]
    metrics: Sequence[Mapping[str, float]] | None = None
    hyperparameters: Sequence[float] | None = None
    foreign: bool = False


@dataclass(frozen=True)
class PastModel:
    """A fitted model of a past experiment's objective; predictions are standardised (mean 0, deviation 1)."""

    name: str
    encoder: Encoder
    process: GaussianProcess
    tried: Sequence[Config]
    """The measured configurations, the best by the model's mean first."""
    values: Array
    """What was measured of them, standardised."""
    kept: NDArray[np.bool_]
    """Whether they kept the constraints of their experiment."""
    crashed: Sequence[Config]
    """The configurations that crashed that server."""
    foreign: bool

    @property
    def best_first(self) -> list[Config]:
        """The configurations that kept the constraints, the best by the model's mean first."""
        return [config for config, kept in zip(self.tried, self.kept, strict=True) if kept]


class Translation:
    """Genotypes of the current space to genotypes of a past one."""

    def __init__(self, current: Encoder, past: Encoder) -> None:
        self.current, self.past = current, past
        self._here = {knob.name: j for j, knob in enumerate(current.knobs)}
        self.shared = [k.name for k in past.knobs if k.name in self._here and _alike(k, current.space[k.name])]
        self._start = past.genotype({k.name: k.baseline for k in past.knobs})

    def genotypes(self, genotypes: Array) -> Array:
        """Current genotypes (n, knobs) as past genotypes (n, past knobs)."""
        out = np.repeat(self._start[None], len(genotypes), axis=0)
        for i, knob in enumerate(self.past.knobs):
            if knob.name in self.shared:
                j = self._here[knob.name]
                out[:, i] = _gene_column(self.current.knobs[j], knob, genotypes[:, j], self._start[i])
        return out

    def config_here(self, past: Mapping[str, Value], otherwise: Mapping[str, Value]) -> Config:
        """A past configuration in the current space; knobs that it does not have, or cannot have here, as `otherwise`.

        A number is clipped to the current range.
        """
        config = dict(otherwise)
        for name in self.shared:
            value = _value_here(self.current.space[name], self.past.space[name], past[name])
            if value is not None:
                config[name] = value
        return config

    def as_it_was(self, past: Mapping[str, Value], otherwise: Mapping[str, Value]) -> Config | None:
        """The same, if it is the very same: no value is another here, and what is not tuned here stood at its start."""
        config = self.config_here(past, otherwise)
        stood = all(past[k.name] == k.baseline for k in self.past.knobs if k.name not in self.shared)
        return config if stood and all(_word(config[n]) == _word(past[n]) for n in self.shared) else None


def fit_past(past: PastExperiment) -> PastModel | None:
    """The model of a past experiment; None where it has too few measurements, or all of the same value.

    Fitted once for an object: a suggestion that follows finds it ready. Raises InvalidInput for trials that are none of
    its space's.
    """
    return _fitted(past)


def fitted_hyperparameters(past: PastExperiment) -> list[float] | None:
    """What is worth keeping of a past experiment's model, beside its trials; None where there is no model.

    A plain list of numbers: the logarithms of each knob's relevance, the variance, the noise and the prior's scale.
    """
    told = _targets(past)
    return None if told is None else [float(h) for h in most_probable(*told[1:])]


@lru_cache(maxsize=64)
def _fitted(past: PastExperiment) -> PastModel | None:
    told = _targets(past)
    if told is None:
        return None
    history, features, groups, targets, repeats = told
    known = past.hyperparameters
    if known is not None and len(known) == len(past.space) + 3 and np.isfinite(known).all():
        theta = np.array(known, dtype=float)
    else:
        theta = most_probable(features, groups, targets, repeats)
    process = process_at(theta, features, groups, targets, repeats)
    order = np.argsort(-process.predict(features)[0], kind="stable")
    tried = [history.encoder.config(g) for g in history.genotypes[history.ok][order]]
    kept = history.feasible[history.ok][order]
    crashed = [dict(t.config) for t in past.trials if t.state == CRASHED]
    return PastModel(past.name, history.encoder, process, tried, targets[order], kept, crashed, past.foreign)


def _targets(past: PastExperiment) -> tuple[History, Array, Groups, Array, Array] | None:
    """History, and features, groups, standardised targets and repeats of its measured configurations."""
    if problems := past_problems(past):
        raise InvalidInput(problems)
    history = pool(past.space, past.trials).telling(_MOST_LEARNED)
    values = history.means[history.ok]
    if len(values) < MIN_MEASURED or values.std() == 0.0:
        return None
    targets = (values - values.mean()) / values.std()
    return history, history.features[history.ok], history.encoder.knob_of_column, targets, history.repeats[history.ok]


def past_problems(past: PastExperiment) -> list[Problem]:
    """What is wrong with trials that an experiment cannot have had; each problem names the experiment."""
    where = f"past[{past.name}]"
    problems: list[Problem] = []
    try:
        check_trials(past.space, past.trials)
    except InvalidInput as error:
        problems += [Problem(f"{where}.{p.field}", p.found, p.advice) for p in error.problems]
    if past.metrics is not None and len(past.metrics) != len(past.trials):
        found = f"there are {len(past.metrics)} for {len(past.trials)} trials"
        problems.append(Problem(f"{where}.metrics", found, "give one mapping a trial"))
    return problems


def _alike(past: Knob, current: Knob) -> bool:
    return past.is_numeric == current.is_numeric


def _gene_column(current: Knob, past: Knob, genes: Array, unknown: float) -> Array:
    """One knob's column; `unknown` stands where the past has no word for the value."""
    if not current.is_numeric:
        words = [_word(v) for v in past.values]
        index = np.array([float(words.index(w)) if (w := _word(v)) in words else unknown for v in current.values])
        return np.asarray(index[genes.astype(int)])
    out = _past_units(current, past, genes)
    for s, value in enumerate(current.special):
        if value in past.special:
            gene = float(-1 - past.special.index(value))
        else:
            gene = past.to_unit(value) if past.low <= value <= past.high else unknown
        out[genes == -1 - s] = gene
    for s, value in enumerate(past.special):
        if current.low <= value <= current.high:
            out[(genes >= 0) & (np.abs(genes - current.to_unit(value)) < 1e-9)] = -1 - s
    return out


def _past_units(current: Knob, past: Knob, genes: Array) -> Array:
    """Positions on the current knob's scale as positions of the same values on the past knob's scale, clipped."""
    if (current.low, current.high, current.scale) == (past.low, past.high, past.scale):
        return np.clip(genes, 0.0, 1.0)
    return np.array([past.to_unit(current.from_unit(g)) for g in genes])


def _value_here(current: Knob, past: Knob, value: Value) -> Value | None:
    """A past value as a value of the current knob, a number clipped to its range; None where it has no word for it."""
    if current.problem_with(value) is None:
        return value
    if not current.is_numeric:
        return next((v for v in current.values if _word(v) == _word(value)), None)
    return None if past.is_special(value) else current.quantise(value)


def _word(value: Value) -> Value:
    """A value as it is compared: a switch is one, whether its server calls it a boolean, or an enum with more members.

    Servers have made enums of switches from one version to the next.
    """
    if isinstance(value, bool):
        return "on" if value else "off"
    return _SWITCH.get(value.lower(), value) if isinstance(value, str) else value
