"""Suggestions by a model of the objective: what is expected to improve on the incumbent most, and to survive."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from otterflow.knobs.space import Config
from otterflow.tuner.algorithms.climb import climbed
from otterflow.tuner.algorithms.few_knobs import children_of_few, leading_knobs
from otterflow.tuner.crashes import CrashModel
from otterflow.tuner.encoding import Array
from otterflow.tuner.history import History, pool
from otterflow.tuner.incumbent import incumbent_row
from otterflow.tuner.reasons import reasons_for
from otterflow.tuner.search import NEARS, POOL, best_children, polished
from otterflow.tuner.transfer import TransferModel, with_past
from otterflow.tuner.trial import OK, Suggestion, Trial
from otterflow.tuner.turn import Turn

_STARTS = 6
_SHARES: Mapping[str, Sequence[float]] = {"explore": (0.1, 0.35, 0.5, 0.8), "safe": (0.05, 0.1, 0.2)}
"""By mode, the shares of the knobs that the candidates move."""
_FURTHER = (0.5, 1.0)
"""Shares of the knobs that move where all that is worth trying was tried."""
_NEARS = {"explore": NEARS, "safe": (0.9,)}
"""By mode, how often a moved number moves near by."""
_REACH = 0.12
"""In mode safe, how far a number may go beyond all values of its knob that the server survived, in ranges; and one
level at least, where there are few."""
_CRASH_LIMIT = {"explore": 0.08, "safe": 0.06}
"""A configuration more likely than this to crash is not tried while anything else is worth trying."""
_MOST_CRASH = {"explore": 0.5, "safe": 0.2}
"""A configuration more likely than this to crash is never tried: measuring the best one again tells more."""


class ObjectiveModel(Protocol):
    """What a suggestion needs of a model, a dataclass: `Model`, and each of this folder's."""

    @property
    def tried_means(self) -> Array:
        """Standardised mean at the measured configurations (`history.ok`)."""

    def predict(self, features: Array) -> tuple[Array, Array]:
        """Mean and standard deviation at features (m, columns), on the scale of the trials' values."""

    def expected_improvement(self, features: Array) -> Array:
        """Expected improvement over the best of `tried_means` at features (m, columns), standardised."""


Fit = Callable[[History, np.random.Generator], ObjectiveModel]


@dataclass(frozen=True)
class ByModel:
    """Fits a model and takes the child of good trials that is worth most.

    `climb` climbs to the top of the acquisition from there, `polish` only a little.
    """

    fit: Fit
    idea: str
    climb: bool = False
    polish: bool = False

    def __call__(self, turn: Turn) -> Suggestion:
        """The next configuration. There must be two measured configurations at least."""
        options, rng = turn.options, turn.rng
        known, model = self._learned(turn)
        model = _over_the_feasible(known, model)

        def worth(genotypes: Array) -> Array:
            return _worth(turn, model, turn.encoder.features(genotypes))

        order = np.argsort(-model.tried_means, kind="stable")
        starts = known.genotypes[known.ok][order[:_STARTS]]
        shares = _SHARES[options.mode]
        nears = _NEARS[options.mode]
        bounds = _survived(turn) if options.mode == "safe" else None
        found = best_children(turn.encoder, worth, starts, rng, shares=shares, nears=nears, bounds=bounds)
        few = leading_knobs(turn, known, model) if options.ranked else turn.space.names
        if len(few) < len(turn.space):
            led = children_of_few(turn, few, worth, starts, shares=shares, nears=nears, bounds=bounds)
            found = np.concatenate([found, led])
        if self.climb and options.mode == "explore":
            found = climbed(turn.encoder, worth, found, rng)
        if self.polish:
            found = polished(turn.encoder, worth, found, rng, nears[-1])
        config = _first_new(turn, found, worth)
        if config is None:  # what is left over by quantising and repair was tried already, or crashes: look further
            further = best_children(
                turn.encoder, worth, starts, rng, shares=_FURTHER, nears=nears, keep=POOL, bounds=bounds
            )
            config = _first_new(turn, further, worth)
        best = turn.encoder.config(_best_measured(turn, known, model))
        if config is None:
            config = best
        genotype = turn.encoder.genotype(config)
        mean, std = model.predict(turn.encoder.features(genotype[None]))
        return Suggestion(
            config,
            kind="model",
            predicted_mean=float(mean[0]),
            predicted_std=float(std[0]),
            crash_probability=turn.crash_probability(genotype),
            feasible_probability=turn.feasible_probability(genotype),
            reasons=reasons_for(self.idea, turn.encoder, config, best, model)
            | _past_shares(model)
            | ({"leading_knobs": list(few)} if options.ranked else {}),
        )

    def _learned(self, turn: Turn) -> tuple[History, ObjectiveModel]:
        """What the model is fitted to, and the model.

        What is pending is told as if it had come out as the model believes (the kriging believer, Ginsbourger, Le
        Riche and Carraro 2010): the mean stays, the doubt there goes, and with it the wish to try the like of it.
        """
        known, fit = turn.measured.telling(), with_past(self.fit, turn.voices)
        if all(t.state == OK for t in turn.pending) and turn.pending:
            known = turn.tried.telling()
            return known, fit(known, turn.rng)
        model = with_past(self.fit, turn.voices, turn.chorus)(known, turn.rng)
        if not turn.pending:
            return known, model
        known = pool(turn.space, [*turn.trials, *believed(turn, model)]).telling()
        return known, fit(known, turn.rng)


def _past_shares(model: ObjectiveModel) -> dict[str, Any]:
    """For the reasons: the past experiments that had a say, each with its weight."""
    return {"past": model.chorus.shares()} if isinstance(model, TransferModel) else {}


def believed(turn: Turn, model: ObjectiveModel) -> list[Trial]:
    """The pending trials with the model's mean as the value of those that have none."""
    told = list(turn.pending)
    unknown = [i for i, t in enumerate(told) if t.state != OK]
    features = turn.encoder.features(turn.encoder.genotypes([told[i].config for i in unknown]))
    means, _ = model.predict(features)
    for i, mean in zip(unknown, means, strict=True):
        told[i] = replace(told[i], value=float(mean), state=OK)
    return told


def _over_the_feasible(known: History, model: ObjectiveModel) -> ObjectiveModel:
    """The model with what breaks a constraint taken out of what has to be improved on; where all do, as it is."""
    feasible = known.feasible[known.ok]
    if feasible.all() or not feasible.any():
        return model
    return replace(model, tried_means=np.where(feasible, model.tried_means, -np.inf))  # type: ignore[type-var]


def _best_measured(turn: Turn, known: History, model: ObjectiveModel) -> Array:
    """The incumbent's genotype (knobs,): the best by the model's mean of what was really measured."""
    rows = known.genotypes[known.ok]
    measured = np.array([turn.measured.has(genotype) for genotype in rows]) & known.feasible[known.ok]
    if not measured.any():
        return np.asarray(turn.measured.genotypes[incumbent_row(turn.measured, None)])
    return np.asarray(rows[np.argmax(np.where(measured, model.tried_means, -np.inf))])


def _survived(turn: Turn) -> tuple[Array, Array]:
    """The least and the greatest value (knobs,) of each number that may be tried: those that survived, and a bit more.

    One that was never tried in its range has no bounds.
    """
    numbers = np.where(turn.measured.genotypes >= 0, turn.measured.genotypes, np.nan)[turn.measured.ok]
    tried = ~np.isnan(numbers).all(axis=0)
    least = np.where(tried, np.nanmin(numbers, axis=0, initial=1.0), 0.0)
    greatest = np.where(tried, np.nanmax(numbers, axis=0, initial=0.0), 1.0)
    return turn.encoder.around(least, greatest, _REACH)


def _limiting(turn: Turn) -> CrashModel:
    """The crash model that forbids: what is known of this server alone, but in mode safe.

    An alike server may have crashed of what this one survives.
    """
    return turn.feared if turn.options.mode == "safe" else turn.crashes


def _worth(turn: Turn, model: ObjectiveModel, features: Array) -> Array:
    """Log of expected improvement times the chances to survive and to keep the constraints (m,).

    Far lower beyond the limit on crashes. As long as nothing keeps the constraints, that is all that is looked for.
    """
    crash, holds = _limiting(turn).at_worst(features), turn.feasibility.probability(features)
    worst = crash if turn.feared is _limiting(turn) else np.maximum(crash, turn.feared.at_worst(features))
    chances = np.log1p(-worst) + np.log(np.maximum(holds, 1e-12)) - 20.0 * (crash > _CRASH_LIMIT[turn.options.mode])
    if not turn.measured.feasible[turn.measured.ok].any():
        return np.asarray(chances)
    return np.asarray(chances + np.log(np.maximum(model.expected_improvement(features), 1e-300)))


def _first_new(turn: Turn, found: Array, worth: Callable[[Array], Array]) -> Config | None:
    """The candidate worth most after quantising and repair that was not tried yet and is not sure to crash, or None."""
    encoder = turn.encoder
    configs = [turn.options.repaired(encoder.config(g)) for g in found]
    genotypes = encoder.genotypes(configs)
    likely = _limiting(turn).probability(encoder.features(genotypes)) > _MOST_CRASH[turn.options.mode]
    order: Sequence[int] = [int(i) for i in np.argsort(-worth(genotypes), kind="stable")]
    return next((configs[i] for i in order if not likely[i] and not turn.tried.has(genotypes[i])), None)
