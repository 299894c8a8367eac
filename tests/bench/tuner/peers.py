"""Other tuners, as their own documentation uses them: ten first trials of theirs, then their models.

They need NumPy and their own packages (`optuna`, with `torch` for its Gaussian process; `smac`), none of the project's.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from tests.bench.tuner.knob import Config, Knob

_INITIAL = 10
_MODE = "__mode"
"""Added to a knob's name: a categorical that says whether it is in its range or at a special value."""

_Told = Sequence[tuple[Config, float | None]]


class Optuna:
    """Optuna's samplers; `kind` is "tpe" or "gp"."""

    def __init__(self, knobs: Sequence[Knob], seed: int, kind: str) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        first = _INITIAL + 1
        sampler = (
            optuna.samplers.TPESampler(seed=seed, multivariate=True, n_startup_trials=first)
            if kind == "tpe"
            else optuna.samplers.GPSampler(seed=seed, n_startup_trials=first)
        )
        self._create, self._knobs = optuna.trial.create_trial, knobs
        self._open: Any = None
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        categorical, number = (
            optuna.distributions.CategoricalDistribution,
            optuna.distributions.FloatDistribution,
        )
        self._space: dict[str, Any] = {}
        for knob in knobs:
            if knob.kind == "enum":
                self._space[knob.name] = categorical(knob.values)
                continue
            if knob.special:
                self._space[knob.name + _MODE] = categorical(_modes(knob))
            self._space[knob.name] = number(0.0, 1.0)

    def suggest(self, trials: _Told) -> Config:
        config, value = _last(trials)
        if self._open is None:
            params = _encode(self._knobs, config)
            self._study.add_trial(self._create(params=params, distributions=self._space, value=value))
        else:
            self._study.tell(self._open, value)
        self._open = self._study.ask(self._space)
        return _decode(self._knobs, self._open.params)


class Smac:
    """SMAC3's facade for hyperparameter optimisation: a random forest and expected improvement."""

    def __init__(self, knobs: Sequence[Knob], seed: int) -> None:
        import logging

        import smac
        from ConfigSpace import CategoricalHyperparameter, ConfigurationSpace, UniformFloatHyperparameter

        logging.disable(logging.CRITICAL)
        self._knobs = knobs
        self._open: Any = None
        self._space = space = ConfigurationSpace(seed=seed)
        for knob in knobs:
            if knob.kind == "enum":
                space.add(CategoricalHyperparameter(knob.name, list(knob.values), default_value=knob.default))
                continue
            middle = 0.5 if knob.default in knob.special else knob.to_unit(knob.default)
            space.add(UniformFloatHyperparameter(knob.name, 0.0, 1.0, default_value=middle))
            if knob.special:
                weights = [0.8, *[0.2 / len(knob.special)] * len(knob.special)]
                start = _mode(knob, knob.default)
                name = knob.name + _MODE
                space.add(CategoricalHyperparameter(name, _modes(knob), weights=weights, default_value=start))
        facade = smac.HyperparameterOptimizationFacade
        scenario = smac.Scenario(
            space, n_trials=400, seed=seed, deterministic=True, output_directory=tempfile.mkdtemp()
        )
        initial = facade.get_initial_design(scenario, n_configs=_INITIAL, max_ratio=1.0)
        self._facade = facade(
            scenario, lambda config, seed=0: 0.0, initial_design=initial, overwrite=True, logging_level=False
        )

    def suggest(self, trials: _Told) -> Config:
        from smac.runhistory import TrialInfo, TrialValue

        _, value = _last(trials)
        asked = self._open or TrialInfo(config=self._space.get_default_configuration(), seed=0)
        self._facade.tell(asked, TrialValue(cost=-value))
        self._open = self._facade.ask()
        return _decode(self._knobs, dict(self._open.config))


def _last(trials: _Told) -> tuple[Config, float]:
    """The last trial, a crash as the worst value seen so far: what OtterTune and LlamaTune tell their models."""
    config, value = trials[-1]
    return config, min((v for _, v in trials if v is not None), default=0.0) if value is None else value


def _modes(knob: Knob) -> list[str]:
    return ["range", *(str(s) for s in knob.special)]


def _mode(knob: Knob, value: Any) -> str:
    return next((str(s) for s in knob.special if s == value), "range")


def _encode(knobs: Sequence[Knob], config: Config) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for knob in knobs:
        value = config[knob.name]
        if knob.kind == "enum":
            params[knob.name] = value
            continue
        if knob.special:
            params[knob.name + _MODE] = _mode(knob, value)
        params[knob.name] = 0.5 if value in knob.special else knob.to_unit(float(value))
    return params


def _decode(knobs: Sequence[Knob], params: Mapping[str, Any]) -> Config:
    config: Config = {}
    for knob in knobs:
        mode = params.get(knob.name + _MODE, "range")
        if knob.kind == "enum":
            config[knob.name] = params[knob.name]
        elif mode != "range":
            config[knob.name] = next(s for s in knob.special if str(s) == mode)
        else:
            config[knob.name] = knob.from_unit(float(params[knob.name]))
    return config
