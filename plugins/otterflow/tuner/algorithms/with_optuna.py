"""Optuna's samplers in the tuner's place, where optuna is installed; it is no dependency of the project.

Optuna keeps a study; the tuner keeps nothing. So a study is filled with the trials so far at each turn, and asked once.
A special value is a choice of its own there (a knob's mode), and a crash is told as the worst value seen, as OtterTune
and LlamaTune told it: optuna has no other way to learn from one.
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any

import numpy as np

from otterflow.tuner.encoding import Array, Encoder
from otterflow.tuner.trial import Suggestion
from otterflow.tuner.turn import Turn

_START_TRIALS = 10
_DRAWS = 20
_RANGE = "range"


def installed() -> bool:
    """Whether optuna can be imported."""
    return find_spec("optuna") is not None


def by_tpe(turn: Turn) -> Suggestion:
    """Optuna's tree-structured Parzen estimator, multivariate."""
    return _suggestion(turn, "TPESampler", multivariate=True, n_startup_trials=_START_TRIALS)


def by_gp(turn: Turn) -> Suggestion:
    """Optuna's Gaussian process; optuna wants torch for it."""
    return _suggestion(turn, "GPSampler", n_startup_trials=_START_TRIALS)


def _suggestion(turn: Turn, sampler: str, **settings: Any) -> Suggestion:
    optuna = importlib.import_module("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    encoder, options = turn.encoder, turn.options
    seed = int(turn.rng.integers(2**31))
    study = optuna.create_study(direction="maximize", sampler=getattr(optuna.samplers, sampler)(seed=seed, **settings))
    distributions = _distributions(optuna.distributions, encoder)
    for genotype, value in zip(turn.measured.genotypes, _told(turn), strict=True):
        params = _parameters(encoder, genotype)
        study.add_trial(optuna.trial.create_trial(params=params, distributions=distributions, value=value))
    for _ in range(_DRAWS):
        config = options.repaired(encoder.config(_genotype(encoder, study.ask(distributions).params)))
        genotype = encoder.genotype(config)
        if not turn.tried.has(genotype):
            break
    return Suggestion(
        config,
        kind="model",
        crash_probability=turn.crash_probability(genotype),
        feasible_probability=turn.feasible_probability(genotype),
        reasons={"idea": f"optuna's {sampler}"},
    )


def _told(turn: Turn) -> list[float]:
    """A value for each configuration tried: its mean, or the worst mean where it crashed."""
    history = turn.measured
    worst = float(history.means[history.ok].min()) if history.ok.any() else 0.0
    return [float(v) for v in np.where(history.ok, history.means, worst)]


def _distributions(kinds: Any, encoder: Encoder) -> dict[str, Any]:
    """Optuna's description of the space: positions in [0, 1], values of enums by their index, and modes."""
    space: dict[str, Any] = {}
    for knob in encoder.knobs:
        if not knob.is_numeric:
            space[knob.name] = kinds.CategoricalDistribution(tuple(range(len(knob.values))))
            continue
        space[knob.name] = kinds.FloatDistribution(0.0, 1.0)
        if knob.special:
            space[_mode(knob.name)] = kinds.CategoricalDistribution((_RANGE, *range(len(knob.special))))
    return space


def _parameters(encoder: Encoder, genotype: Array) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for knob, gene in zip(encoder.knobs, genotype, strict=True):
        if not knob.is_numeric:
            params[knob.name] = int(gene)
            continue
        params[knob.name] = float(gene) if gene >= 0 else 0.5
        if knob.special:
            params[_mode(knob.name)] = _RANGE if gene >= 0 else round(-1 - gene)
    return params


def _genotype(encoder: Encoder, params: dict[str, Any]) -> Array:
    genes = []
    for knob in encoder.knobs:
        mode = params.get(_mode(knob.name), _RANGE)
        genes.append(float(params[knob.name]) if mode == _RANGE else -1.0 - mode)
    return np.array(genes)


def _mode(name: str) -> str:
    return f"{name}: mode"
