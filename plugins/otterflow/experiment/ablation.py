"""Only what matters: which of the winner's changed knobs may go back to the baseline, and nothing that matters is lost.

A search moves many knobs at once, and the winner keeps what it moved for nothing. The tuner's sums of functions of one
knob each (`tuner.losses`) say what each move is worth, and how sure that is. By them the knobs are put in an order, and
the longest beginning of it that may well be sent home is measured as a trial. What that trial says goes into the sums,
and the next step is decided anew: a group that lost too much pushes its doubtful knobs to the end of the order, and a
shorter beginning is tried. What is kept in the end is the largest group that was measured and is believed, by all
trials together, to lose nothing that matters.

Pure: configurations and values in, configurations out. The tuner is imported where it is asked, SciPy with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import TYPE_CHECKING

from otterflow.knobs.space import Config, KnobSpace

if TYPE_CHECKING:
    from otterflow.tuner import Losses
    from otterflow.tuner import Trial as TunerTrial

TRIED_FROM = 0.4
"""A group that loses nothing that matters with less than this probability is not tried: at first, for the fewer trials
are left, the surer it has to be, up to `SURE`."""
SURE = 0.94
"""A measured group stays at home if it loses nothing that matters with this probability at least."""
RISK = 0.5
"""What a standard deviation counts beside the mean loss when the knobs are put in order."""
REPEATS = 2
"""A group is measured so often at most."""
WORTH_REMEASURING = 3
"""With so many trials the first measures the winner again: all losses are from it, and it may be lucky."""

Home = frozenset[str]
"""The knobs that are back at the baseline's value."""


def _is_fit(trial: TunerTrial) -> bool:
    """Whether it gave a value and kept the constraints."""
    return trial.state == "ok" and all(slack >= 0 for slack in trial.slacks)


def _unchanged(config: Config) -> Config:
    return config


@dataclass(frozen=True, kw_only=True)
class Question:
    """The winner of a search, and what is known when its knobs are to be sent home.

    `trials` are those of the search and `made` the ablation's own, in order, of which there will be `most` at most;
    larger values are better. `mean` is what the search's model thinks of the winner, and `limit` the loss from which on
    it matters, both on the trials' scale. `repair` is the constraints between knobs.
    """

    space: KnobSpace
    baseline: Config
    winner: Config
    trials: Sequence[TunerTrial]
    made: Sequence[TunerTrial]
    most: int
    mean: float
    limit: float
    seed: int = 0
    repair: Callable[[Config], Config] = _unchanged


@dataclass(frozen=True)
class Step:
    """A configuration to be measured: the winner with `home` sent home, and what that is believed to lose."""

    config: Config
    home: Home
    loss: float
    std: float
    probability: float
    """That nothing that matters is lost."""


@dataclass(frozen=True)
class GroupLoss:
    """What the trials themselves say is lost with `knobs`, and the standard deviation of that."""

    knobs: Home
    loss: float
    std: float


@dataclass(frozen=True)
class Effect:
    """What is lost with one knob: by its own measurement where there is one, else as the model believes.

    `groups` are measurements of groups that it is in and that were not sent home; `fatal` ones gave no value.
    """

    knob: str
    is_home: bool
    loss: float
    std: float
    is_measured: bool
    groups: tuple[GroupLoss, ...]
    fatal: tuple[Home, ...]


class Ablation:
    """Answers of one question; the model is fitted once, when it is first needed."""

    def __init__(self, question: Question) -> None:
        self.question = question
        baseline = question.baseline
        self.changed = tuple(name for name in question.space.names if question.winner[name] != baseline[name])

    def next(self) -> Step | None:
        """What is to be measured next; None where no larger group is likely enough to be sent home."""
        if not self.changed:
            return None
        of, best = self.question, self.reduced()
        likely = TRIED_FROM + (SURE - TRIED_FROM) * len(of.made) / of.most
        at_home = len(best.home) if best else 0
        for step in reversed(self._steps([self._sent(home) for home in self._chain()])):
            if len(step.home) <= at_home:
                return None
            if step.probability >= likely and len(self._measured(step.config)) < REPEATS:
                if not of.made and of.most >= WORTH_REMEASURING:
                    return Step(dict(of.winner), frozenset(), 0.0, 0.0, 1.0)
                return step
        return None

    def reduced(self) -> Step | None:
        """The winner without what is not missed, as it was measured; None where nothing could be sent home."""
        fit = [dict(t.config) for t in self.question.made if _is_fit(t) and self.home_of(t.config)]
        steps = self._steps(fit)
        sure = [step for step in steps if step.probability >= SURE]
        return max(sure, key=lambda step: (len(step.home), -step.loss), default=None)

    def effects(self) -> list[Effect]:
        """Of each changed knob what is lost with it."""
        step = self.reduced()
        home: Home = step.home if step else frozenset()
        alone = self.believed.to([self._sent(frozenset([name])) for name in self.changed])
        believed = zip(self.changed, alone.mean, alone.std, strict=True)
        groups, fatal = self._groups(home), [self.home_of(t.config) for t in self.question.made if not _is_fit(t)]
        return [self._effect(name, float(loss), float(std), home, groups, fatal) for name, loss, std in believed]

    def measured_loss(self, narrow: Home, wide: Home) -> GroupLoss | None:
        """What was measured to be lost from one group at home to a wider one; None unless both were measured."""
        before, after = self._values.get(narrow, []), self._values.get(wide, [])
        if not before or not after:
            return None
        std = self.believed.noise * math.sqrt(1 / len(before) + 1 / len(after))
        return GroupLoss(wide - narrow, fmean(before) - fmean(after), std)

    def sent(self, home: Home) -> Config:
        """The winner with those knobs at the baseline's values, whatever the constraints between knobs say."""
        of = self.question
        return {name: of.baseline[name] if name in home else value for name, value in of.winner.items()}

    def home_of(self, config: Config) -> Home:
        """Which of the changed knobs a configuration has at the baseline's value."""
        return frozenset(name for name in self.changed if config[name] == self.question.baseline[name])

    @cached_property
    def believed(self) -> Losses:
        """What all trials say of losses from the winner."""
        from otterflow.tuner import fit_losses

        of = self.question
        return fit_losses(of.space, [*of.trials, *of.made], of.winner, seed=of.seed)

    @cached_property
    def _values(self) -> Mapping[Home, Sequence[float]]:
        """What was measured of each group at home; of none at home it is the winner's own."""
        of, found = self.question, dict[Home, list[float]]()
        for trial in (*of.trials, *of.made):
            if _is_fit(trial) and trial.value is not None and self._is_reduced(trial.config):
                found.setdefault(self.home_of(trial.config), []).append(trial.value)
        return found

    def _is_reduced(self, config: Config) -> bool:
        """Whether it differs from the winner in nothing but knobs that are at home."""
        of = self.question
        return all(value in (of.winner[name], of.baseline[name]) for name, value in config.items())

    def _groups(self, home: Home) -> list[GroupLoss]:
        """Of each group that was measured and has not stayed at home, what is lost beyond what has."""
        found = []
        for wide in dict.fromkeys(self.home_of(trial.config) for trial in self.question.made):
            narrow = max((group for group in self._values if group < wide and group <= home), key=len, default=None)
            measured = None if narrow is None or wide <= home else self.measured_loss(narrow, wide)
            found += [] if measured is None else [measured]
        return found

    def _effect(
        self, name: str, loss: float, std: float, home: Home, groups: Sequence[GroupLoss], fatal: Sequence[Home]
    ) -> Effect:
        pairs = [(group - {name}, group) for group in self._values if name in group]
        own = [found for narrow, wide in pairs if (found := self.measured_loss(narrow, wide)) is not None]
        if own:
            surest = min(own, key=lambda found: found.std)
            loss, std = surest.loss, surest.std
        return Effect(
            name, name in home, loss, std, bool(own),
            tuple(group for group in groups if name in group.knobs and len(group.knobs) > 1),
            tuple(group for group in fatal if name in group),
        )  # fmt: skip

    def _chain(self) -> list[Home]:
        """Growing groups, the knobs that are missed least first.

        Of a group that gave no value none holds more than half: nobody knows which of its knobs is to blame.
        """
        alone = self.believed.to([self._sent(frozenset([name])) for name in self.changed])
        cost = dict(zip(self.changed, alone.mean + RISK * alone.std, strict=True))
        never = [self.home_of(t.config) for t in self.question.made if not _is_fit(t)]
        chain: list[Home] = []
        home: Home = frozenset()
        for name in sorted(self.changed, key=lambda name: cost[name]):
            wider = home | {name}
            if all(2 * len(group & wider) <= len(group) for group in never if group):
                home = wider
                chain.append(home)
        return chain

    def _sent(self, home: Home) -> Config:
        return self.question.repair(self.sent(home))

    def _steps(self, configs: Sequence[Config]) -> list[Step]:
        if not configs:
            return []
        lost = self.believed.to(configs)
        told = zip(configs, lost.mean, lost.std, lost.probability_below(self.question.limit), strict=True)
        return [Step(c, self.home_of(c), float(mean), float(std), float(p)) for c, mean, std, p in told]

    def _measured(self, config: Config) -> list[TunerTrial]:
        return [t for t in self.question.made if t.config == config]
