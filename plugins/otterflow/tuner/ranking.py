"""The knobs that matter, in order: `rank`. And how many of them to search at a stage of an experiment: `knobs_for`.

Two methods answer, the Lasso path (`lasso.py`, OtterTune's) and the total effects of the tuner's own model
(`importance.py`). The order is the model's; the Lasso's scores are shown beside it.

Measured on histories of our own tuner, 3 % noise, 5 seeds, six offline problems of 8 to 121 knobs, of which k matter
(k is 4, 6, 8 on the synthetic ones of 8, 20, 60 knobs; 6, 5 and 10 on forests fitted to MySQL and PostgreSQL). Truth
is the noise-free function's total effect. Precision at k / share of the k most important knobs' effect that is found:

    after       synthetic8  synthetic20  synthetic60  mysql_sysb.  mysql_job    pg_tpcc          mean
    10  model      .50/.59      .50/.75      .28/.44      .40/.48    .48/.77    .26/.40       .40/.57
        Lasso      .55/.57      .40/.63      .23/.29      .33/.45    .40/.89    .04/.04       .32/.48
    20  model      .60/.80      .53/.75      .25/.46      .53/.76    .56/.96    .28/.40       .46/.69
        Lasso      .60/.79      .40/.62      .25/.43      .47/.68    .52/.95    .30/.33       .42/.63
    40  model      .80/.94      .63/.85      .33/.49      .73/.91    .72/.99    .42/.54       .61/.79
        Lasso      .75/.89      .57/.72      .25/.43      .43/.60    .64/.99    .34/.53       .50/.70
    chance         .45/.48      .30/.46      .17/.25      .43/.44    .16/.20    .12/.22       .27/.34

The mean of the two methods' shares was worse than the model alone (.52/.73 against .60/.79 at 40 trials, 2 seeds), and
so were effects by the forest alone (.41/.58) and effects from random starting points of the whole space (.57/.78).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from otterflow.knobs.space import KnobSpace
from otterflow.tuner.encoding import Encoder
from otterflow.tuner.history import History, pool
from otterflow.tuner.importance import Surrogate, total_effects
from otterflow.tuner.lasso import lasso_scores
from otterflow.tuner.model import fit_model
from otterflow.tuner.trial import Trial, check_trials

MIN_MEASURED = 4
"""Distinct measured configurations below which there is no ranking, only the order of the space."""
FIRST_KNOBS = 4
TRIALS_PER_KNOB = 5
COVERED = 0.95
"""Of the importance. After 10, 20 and 40 trials on the problem of 60 knobs this kept 33, 24 and 24 of them, which held
72, 74 and 84 % of the true effect; 0.8 kept 15, 12 and 13, which held 51, 50 and 69 %."""


@dataclass(frozen=True)
class Ranking:
    """Knobs in order of importance, with what each method says of them."""

    names: tuple[str, ...]
    """All knobs of the space, the most important first."""
    shares: Mapping[str, float]
    """Share of importance by knob; they add up to 1."""
    effects: Mapping[str, float]
    """Total effect by the model: the share of the measurements' variance that the knob has a part in."""
    lasso: Mapping[str, float]
    """How early the knob enters the Lasso path, from 1 (first, always) to 0 (never)."""
    measured: int
    """Distinct measured configurations that this rests on; 0 for an order that is only a prior."""

    def as_dict(self) -> dict[str, Any]:
        """The ranking as JSON takes it."""
        return {**asdict(self), "names": list(self.names)}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Ranking:
        """The ranking back from `as_dict`."""
        return cls(**{**record, "names": tuple(record["names"])})

    def for_space(self, space: KnobSpace) -> Ranking:
        """The ranking of the knobs of another space.

        Knobs that it lacks are left out; knobs that only it has get the mean share of the others, for nothing is known
        of them. Without a knob in common it is the prior.
        """
        known = [name for name in space.names if name in self.shares]
        if not known:
            return prior_ranking(space)
        unknown = float(np.mean([self.shares[name] for name in known]))
        shares = {name: self.shares.get(name, unknown) for name in space.names}
        effects = {name: self.effects.get(name, 0.0) for name in space.names}
        lasso = {name: self.lasso.get(name, 0.0) for name in space.names}
        return _ranking(shares, effects, lasso, self.measured)


def rank(space: KnobSpace, trials: Sequence[Trial], *, seed: int = 0) -> Ranking:
    """Rank the knobs of `space` by what `trials` say of them.

    The order of the trials does not matter. With fewer than `MIN_MEASURED` distinct measured configurations, or where
    all of them measured alike, it is the order of the space, which is the catalog's: core knobs before the others.
    Raises InvalidInput for trials that cannot be learned from.
    """
    check_trials(space, trials)
    encoder = Encoder(space)
    in_order = sorted(trials, key=lambda t: (*encoder.genotype(t.config), t.state, t.value or 0.0))
    history = pool(space, in_order).telling()
    measured = history.means[history.ok]
    if len(measured) < MIN_MEASURED or np.ptp(measured) == 0.0:
        return prior_ranking(space)
    with threadpool_limits(1):
        return rank_by(history, fit_model(history, np.random.default_rng(seed)), seed=seed)


def rank_by(history: History, model: Surrogate, *, seed: int = 0, lasso: bool = True) -> Ranking:
    """Rank by a model that is fitted to `history` already. There must be a measured configuration.

    Without `lasso` its scores are all 0 and the order is the same: a search that asks in every trial need not wait for
    them (0.1 s at 40 trials).
    """
    names = history.encoder.space.names
    effects = total_effects(history, model, np.random.default_rng([seed, 1]))
    scores = lasso_scores(history, np.random.default_rng([seed, 2])) if lasso else np.zeros(len(names))
    by_model = dict(zip(names, map(float, effects), strict=True))
    return _ranking(by_model, by_model, dict(zip(names, map(float, scores), strict=True)), int(history.ok.sum()))


def combine(rankings: Sequence[Ranking]) -> Ranking | None:
    """One ranking of several experiments on one workload, over all their knobs; None if none of them is measured.

    A knob's numbers are the means over the experiments that tuned it, each weighted by its measured configurations.
    """
    told = [ranking for ranking in rankings if ranking.measured]
    if not told:
        return None
    names = dict.fromkeys(name for ranking in told for name in ranking.names)

    def means(of: Callable[[Ranking], Mapping[str, float]]) -> dict[str, float]:
        return {name: _mean_of(name, [(ranking.measured, of(ranking)) for ranking in told]) for name in names}

    measured = sum(ranking.measured for ranking in told)
    return _ranking(means(lambda r: r.shares), means(lambda r: r.effects), means(lambda r: r.lasso), measured)


def _mean_of(name: str, weighted: Sequence[tuple[int, Mapping[str, float]]]) -> float:
    known = [(weight, numbers[name]) for weight, numbers in weighted if name in numbers]
    return sum(weight * number for weight, number in known) / sum(weight for weight, _ in known)


def _ranking(
    weights: Mapping[str, float], effects: Mapping[str, float], lasso: Mapping[str, float], measured: int
) -> Ranking:
    """By weight, then by the Lasso, then as given; weights made shares, all alike where there are none."""
    order = sorted(weights, key=lambda name: (-weights[name], -lasso[name]))
    if not any(weights.values()):
        weights = dict.fromkeys(weights, 1.0)
    total = sum(weights.values())
    return Ranking(
        names=tuple(order),
        shares={name: weights[name] / total for name in order},
        effects={name: effects[name] for name in order},
        lasso={name: lasso[name] for name in order},
        measured=measured,
    )


def prior_ranking(space: KnobSpace) -> Ranking:
    """The order of the space itself, all shares alike: what is known before anything is measured.

    `build_space` keeps the catalog's order, in which the core knobs come first, then the extended set, then the rest.
    """
    names = space.names
    nothing = dict.fromkeys(names, 0.0)
    return Ranking(names, dict.fromkeys(names, 1.0 / len(names)), nothing, nothing, 0)


def knobs_for(ranking: Ranking, n_trials: int) -> tuple[str, ...]:
    """The knobs to search after `n_trials` trials, the most important first: few, and more as trials allow.

    `FIRST_KNOBS`, and one more for every `TRIALS_PER_KNOB` trials (OtterTune's paper began with 4, plus 2 an hour);
    but always enough to hold `COVERED` of the importance, so that a ranking which is not sure leaves most knobs in.
    """
    by_stage = FIRST_KNOBS + n_trials // TRIALS_PER_KNOB
    held = np.cumsum([ranking.shares[name] for name in ranking.names])
    by_share = int(np.searchsorted(held, COVERED - 1e-9)) + 1
    return ranking.names[: max(by_stage, by_share)]
