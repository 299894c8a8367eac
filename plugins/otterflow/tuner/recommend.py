"""`suggest`: from the trials so far to the next configuration. The baseline, the rules, a short design, then the model.

It keeps nothing between calls: the same arguments give the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

import numpy as np
from threadpoolctl import threadpool_limits

from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.space import Config, KnobSpace, Value
from otterflow.tuner.crashes import CrashModel, fit_crashes
from otterflow.tuner.design import design_point, design_size
from otterflow.tuner.encoding import Array
from otterflow.tuner.history import History, pool
from otterflow.tuner.incumbent import incumbent_row
from otterflow.tuner.model import Model, fit_model
from otterflow.tuner.reasons import reasons_for
from otterflow.tuner.search import best_children
from otterflow.tuner.trial import Kind, Suggestion, Trial, check_trials, config_problems

Mode = Literal["explore", "safe"]
Repair = Callable[[Config], Mapping[str, Value]]

MIN_MEASURED = 2
"""Distinct measured configurations that a model needs."""
_STARTS = 6
_DESIGN_DRAWS = 20
_DESIGN_SHARE = {"explore": 0.5, "safe": 0.15}
"""The share of the knobs that a point of the design moves."""
_CHILD_SHARES = {"explore": (0.1, 0.35, 0.5, 0.8), "safe": (0.05, 0.1, 0.2)}
"""The shares that the model's candidates move."""
_CRASH_LIMIT = {"explore": 0.25, "safe": 0.1}
"""A configuration more likely than this to crash is not tried while anything else is worth trying."""
_RULES_BY = 3
"""The rules are tried within this many trials or never: what was tried may differ from them after repairs."""


def suggest(
    space: KnobSpace,
    trials: Sequence[Trial],
    *,
    seed: int = 0,
    rules: Mapping[str, Value] | None = None,
    mode: Mode = "explore",
    budget: int | None = None,
    repair: Repair | None = None,
) -> Suggestion:
    """The configuration to try next.

    `rules` is the rule-based configuration, tried second. `mode` "safe" stays nearer to what is known to work.
    `budget` is how many trials the experiment will have, if known: a short one gets a short design. `repair` is
    applied to what is about to be suggested (the constraints between knobs); it must be deterministic.

    Raises InvalidInput for trials that cannot be learned from, rules that are no configuration of the space, and
    options out of range; each problem names its field.
    """
    _check(space, trials, rules, mode, budget)
    with threadpool_limits(1):
        return _suggest(space, trials, seed, rules, mode, budget, repair)


def _suggest(
    space: KnobSpace,
    trials: Sequence[Trial],
    seed: int,
    rules: Mapping[str, Value] | None,
    mode: Mode,
    budget: int | None,
    repair: Repair | None,
) -> Suggestion:
    """One thread: the matrices are small, and the server under test may be on the same machine."""
    history = pool(space, trials)
    encoder = history.encoder
    if not trials:
        return _plain(space.default(), "baseline", "the configuration in force before the experiment")
    if rules is not None and len(trials) < _RULES_BY and not history.has(encoder.genotype(rules)):
        if len(history.genotypes) < 2:
            return _plain(dict(rules), "rules", "what a DBA would set from memory, cores and disk")
    first = 1 + (rules is not None)
    if len(trials) - first < design_size(len(space), budget) or history.ok.sum() < MIN_MEASURED:
        return _from_design(history, len(trials), seed, mode, repair)
    return _from_model(history, len(trials), seed, mode, repair)


def _check(
    space: KnobSpace, trials: Sequence[Trial], rules: Mapping[str, Value] | None, mode: str, budget: int | None
) -> None:
    problems = [] if rules is None else config_problems("rules", space, rules)
    if mode not in get_args(Mode):
        problems.append(Problem("mode", f"{mode!r} is unknown", f"use one of {', '.join(get_args(Mode))}"))
    if budget is not None and budget < 1:
        problems.append(Problem("budget", f"{budget!r} is not a number of trials", "use 1 or more, or leave it out"))
    if problems:
        raise InvalidInput(problems)
    check_trials(space, trials)


def _plain(config: Mapping[str, Value], kind: Kind, idea: str) -> Suggestion:
    return Suggestion(config, kind=kind, reasons={"idea": idea})


def _from_design(history: History, n_trials: int, seed: int, mode: Mode, repair: Repair | None) -> Suggestion:
    encoder, rng = history.encoder, np.random.default_rng([seed, n_trials])
    if history.ok.any():
        centre, name = history.genotypes[incumbent_row(history, None)], "best so far"
    else:
        centre, name = encoder.genotype(encoder.space.default()), "baseline"
    config: Config = {}
    for _ in range(_DESIGN_DRAWS):
        config = _repaired(encoder.config(design_point(encoder, centre, rng, _DESIGN_SHARE[mode])), repair)
        if not history.has(encoder.genotype(config)):
            break
    probability = fit_crashes(history.telling(), rng).probability(encoder.features(encoder.genotypes([config])))
    reasons = reasons_for(
        f"design: a share of the knobs moved from the {name}", encoder, config, encoder.config(centre), None
    )
    return Suggestion(config, kind="design", crash_probability=float(probability[0]), reasons=reasons)


def _from_model(history: History, n_trials: int, seed: int, mode: Mode, repair: Repair | None) -> Suggestion:
    encoder = history.encoder
    rng = np.random.default_rng([seed, n_trials])
    telling = history.telling()
    model = fit_model(telling, rng)
    crash = fit_crashes(telling, rng)

    def worth(genotypes: Array) -> Array:
        return _worth(model, crash, encoder.features(genotypes), _CRASH_LIMIT[mode])

    order = np.argsort(-model.tried_means, kind="stable")
    starts = telling.genotypes[telling.ok][order[:_STARTS]]
    found = best_children(encoder, worth, starts, rng, shares=_CHILD_SHARES[mode])
    config = _first_new(history, found, worth, repair)
    features = encoder.features(encoder.genotypes([config]))
    mean, std = model.predict(features)
    against = encoder.config(telling.genotypes[incumbent_row(telling, model)])
    reasons = reasons_for("expected improvement over the incumbent", encoder, config, against, model)
    return Suggestion(
        config,
        kind="model",
        predicted_mean=float(mean[0]),
        predicted_std=float(std[0]),
        crash_probability=float(crash.probability(features)[0]),
        reasons=reasons,
    )


def _worth(model: Model, crash: CrashModel, features: Array, limit: float) -> Array:
    """Log of expected improvement times the chance of survival, far lower beyond the limit on crashes (m,)."""
    probability = crash.probability(features)
    gain = np.log(np.maximum(model.expected_improvement(features), 1e-300))
    return np.asarray(gain + np.log1p(-probability) - 20.0 * (probability > limit))


def _first_new(history: History, found: Array, worth: Callable[[Array], Array], repair: Repair | None) -> Config:
    """The candidate worth most after quantising and repair that was not tried yet; the best one if all were."""
    encoder = history.encoder
    configs = [_repaired(encoder.config(g), repair) for g in found]
    genotypes = encoder.genotypes(configs)
    values = worth(genotypes)
    order = [int(i) for i in np.argsort(-values, kind="stable")]
    return configs[next((i for i in order if not history.has(genotypes[i])), order[0])]


def _repaired(config: Config, repair: Repair | None) -> Config:
    return config if repair is None else dict(repair(config))
