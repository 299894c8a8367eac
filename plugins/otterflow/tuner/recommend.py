"""`suggest`: from the trials so far to the next configuration. The baseline, the rules, a short design, then the model.

It keeps nothing between calls: the same arguments give the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

import numpy as np

from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.space import Config, KnobSpace, Value
from otterflow.tuner.crashes import CrashModel, fit_crashes
from otterflow.tuner.design import design_point, design_size
from otterflow.tuner.encoding import Array, Encoder
from otterflow.tuner.history import History, pool
from otterflow.tuner.incumbent import incumbent_row
from otterflow.tuner.model import Model, fit_model
from otterflow.tuner.reasons import reasons_for
from otterflow.tuner.search import maximise
from otterflow.tuner.trial import Kind, Suggestion, Trial, check_trials, config_problems

Mode = Literal["explore", "safe"]
Repair = Callable[[Config], Mapping[str, Value]]

MIN_MEASURED = 2
"""Distinct measured configurations that a model needs."""
_STARTS = 6
_SHARE = {"explore": 0.35, "safe": 0.15}
"""The share of the knobs that a point of the design moves."""
_CRASH_LIMIT = {"explore": 0.4, "safe": 0.1}
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
    history = pool(space, trials)
    encoder = history.encoder
    if not trials:
        return _plain(space.default(), "baseline", "the configuration in force before the experiment")
    if rules is not None and len(trials) < _RULES_BY and not history.has(encoder.genotype(rules)):
        if len(history.genotypes) < 2:
            return _plain(dict(rules), "rules", "what a DBA would set from memory, cores and disk")
    if len(trials) - (rules is not None) - 1 < design_size(len(space), budget) or history.ok.sum() < MIN_MEASURED:
        return _from_design(history, trials, rules, seed, mode, budget, repair)
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


def _from_design(
    history: History,
    trials: Sequence[Trial],
    rules: Mapping[str, Value] | None,
    seed: int,
    mode: Mode,
    budget: int | None,
    repair: Repair | None,
) -> Suggestion:
    encoder = history.encoder
    centre, name = _centre(encoder, history, rules)
    size = design_size(len(encoder.knobs), budget)
    position = len(trials) - 1 - (rules is not None)
    config: Config = {}
    for attempt in range(20):
        point = design_point(encoder, centre, max(0, position) + attempt * 1000, seed, _SHARE[mode], size)
        config = _repaired(encoder.config(point), repair)
        if not history.has(encoder.genotype(config)):
            break
    crash = fit_crashes(history, np.random.default_rng([seed, len(trials)]))
    probability = float(crash.probability(encoder.features(encoder.genotypes([config])))[0])
    reasons = reasons_for(f"space-filling design around the {name}", encoder, config, encoder.config(centre), None)
    return Suggestion(config, kind="design", crash_probability=probability, reasons=reasons)


def _centre(encoder: Encoder, history: History, rules: Mapping[str, Value] | None) -> tuple[Array, str]:
    """The better of the baseline and the rules, as far as they were measured."""
    known = {"baseline": encoder.genotype(encoder.space.default())}
    if rules is not None:
        known["rules"] = encoder.genotype(rules)
    best, best_value = "baseline", -np.inf
    for name, genotype in known.items():
        for row in np.flatnonzero(history.ok):
            if np.array_equal(history.genotypes[row], genotype) and history.means[row] > best_value:
                best, best_value = name, float(history.means[row])
    return known[best], best


def _from_model(history: History, n_trials: int, seed: int, mode: Mode, repair: Repair | None) -> Suggestion:
    encoder = history.encoder
    rng = np.random.default_rng([seed, n_trials])
    model = fit_model(history, rng)
    crash = fit_crashes(history, rng)

    def worth(genotypes: Array) -> Array:
        return _worth(model, crash, encoder.features(genotypes), _CRASH_LIMIT[mode])

    order = np.argsort(-model.tried_means, kind="stable")
    starts = history.genotypes[history.ok][order[:_STARTS]]
    found, _ = maximise(encoder, worth, starts, model.process.relevance + 1e-6, rng)
    config = _first_new(history, found, worth, repair)
    features = encoder.features(encoder.genotypes([config]))
    mean, std = model.predict(features)
    against = encoder.config(history.genotypes[incumbent_row(history, model)])
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
