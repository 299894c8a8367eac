"""`suggest`: from the trials so far to the next configuration. The baseline, the rules, a short design, then the model.

It keeps nothing between calls: the same arguments give the same answer. `suggest_batch` gives several at once, for as
many identical targets. What comes after the first trials is an algorithm's to say (`algorithms/`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from threadpoolctl import threadpool_limits

from otterflow.errors import InvalidInput, Problem
from otterflow.knobs.space import Config, KnobSpace, Value
from otterflow.tuner.algorithms import ALGORITHMS, algorithm_problems
from otterflow.tuner.design import NEAR, SHARES, design_point, design_size
from otterflow.tuner.incumbent import incumbent_row
from otterflow.tuner.options import Mode, Options, Repairer, check_batch, option_problems
from otterflow.tuner.past import PastExperiment
from otterflow.tuner.ranking import Ranking
from otterflow.tuner.reasons import reasons_for
from otterflow.tuner.trial import OK, Kind, Suggestion, Trial, check_trials
from otterflow.tuner.turn import PENDING, Turn
from otterflow.tuner.warm_start import past_is_trusted, warm_start

MIN_MEASURED = 2
"""Distinct measured configurations that a model needs."""
_DESIGN_DRAWS = 20
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
    repair: Repairer | None = None,
    algorithm: str = "default",
    pending: Sequence[Mapping[str, Value]] = (),
    past: Sequence[PastExperiment] = (),
    ranked: bool = False,
    ranking: Ranking | None = None,
) -> Suggestion:
    """The configuration to try next.

    `rules` is the rule-based configuration, tried second. `mode` "safe" stays nearer to what is known to work.
    `budget` is how many trials the experiment will have, if known: a short one gets a short design. `repair` is
    applied to what is about to be suggested (the constraints between knobs); it must be deterministic. `algorithm` is
    one of `ALGORITHMS`. `pending` are configurations that are being measured just now. `past` are other experiments to
    learn from, those most likely to be alike first: what was best there is tried early, and their models help this
    one's as far as they rank its trials well. `ranked` has candidates that move only the knobs that matter most beside
    those that move any; `ranking` is what other experiments say of that. Algorithms without a model and optuna's make
    no use of these.

    Raises InvalidInput for trials that cannot be learned from, here or in the past, rules and pending that are no
    configurations of the space, and options out of range; each problem names its field.
    """
    options = Options(seed, rules, mode, budget, repair, algorithm, tuple(pending), tuple(past), ranked, ranking)
    return _suggestions(space, trials, 1, options)[0]


def suggest_batch(space: KnobSpace, trials: Sequence[Trial], size: int, **options: Any) -> list[Suggestion]:
    """`size` configurations to try at the same time, for as many identical targets; all differ.

    Each is chosen as if those before it had come out as the model believes. `options` are those of `suggest`, and
    what it raises this raises too; also InvalidInput for a `size` below 1 and for an unknown option.
    """
    check_batch(size)
    unknown = sorted(set(options) - set(Options.__dataclass_fields__))
    if unknown:
        advice = f"use {', '.join(Options.__dataclass_fields__)}"
        raise InvalidInput([Problem(name, "is not an option of the tuner", advice) for name in unknown])
    return _suggestions(space, trials, size, Options(**options))


def _suggestions(space: KnobSpace, trials: Sequence[Trial], size: int, options: Options) -> list[Suggestion]:
    problems = [*option_problems(space, options), *algorithm_problems(options)]
    if problems:
        raise InvalidInput(problems)
    check_trials(space, trials)
    if not ALGORITHMS[options.algorithm].designed:
        options = replace(options, past=())  # to compare with: the same whatever else was measured
    pending = [Trial(dict(config), None, PENDING) for config in options.pending]
    made: list[Suggestion] = []
    with threadpool_limits(1):  # the matrices are small, and the server under test may be on the same machine
        for _ in range(size):
            made.append(_next(Turn(space, trials, pending, options)))
            value = made[-1].predicted_mean
            pending = [*pending, Trial(dict(made[-1]), value, PENDING if value is None else OK)]
    return made


def _next(turn: Turn) -> Suggestion:
    options, algorithm = turn.options, ALGORITHMS[turn.options.algorithm]
    if not turn.number:
        return _plain(turn.space.baseline(), "baseline", "the configuration in force before the experiment")
    rules = options.rules
    if rules is not None and turn.number < _RULES_BY and not turn.tried.has(turn.encoder.genotype(rules)):
        if len(turn.tried.genotypes) < 2:
            return _plain(rules, "rules", "what a DBA would set from memory, cores and disk")
    first = 1 + (rules is not None)
    if algorithm.designed:
        if (taken := warm_start(turn, first)) is not None:
            return taken
        too_early = turn.number - first < design_size(len(turn.space), options.budget) and not past_is_trusted(turn)
        if too_early or turn.measured.ok.sum() < MIN_MEASURED:
            return _from_design(turn)
    return algorithm.next(turn)


def _plain(config: Mapping[str, Value], kind: Kind, idea: str) -> Suggestion:
    return Suggestion(config, kind=kind, reasons={"idea": idea})


def _from_design(turn: Turn) -> Suggestion:
    encoder, options, known = turn.encoder, turn.options, turn.measured
    if known.ok.any():
        centre, name = known.genotypes[incumbent_row(known, None)], "best so far"
    else:
        centre, name = encoder.genotype(turn.space.baseline()), "baseline"
    config: Config = {}
    shares = SHARES[options.mode]
    for _ in range(_DESIGN_DRAWS):
        point = design_point(encoder, centre, turn.rng, shares[(turn.number - 1) % len(shares)], NEAR[options.mode])
        config = options.repaired(encoder.config(point))
        if not turn.tried.has(encoder.genotype(config)):
            break
    reasons = reasons_for(
        f"design: a share of the knobs moved from the {name}", encoder, config, encoder.config(centre), None
    )
    genotype = encoder.genotype(config)
    return Suggestion(
        config,
        kind="design",
        crash_probability=turn.crash_probability(genotype),
        feasible_probability=turn.feasible_probability(genotype),
        reasons=reasons,
    )
