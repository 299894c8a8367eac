"""What a client does next: units at random, each kind as often as it was recorded.

Kinds take their turns evenly spaced from a random start, and not by a throw for each: so every stretch of the mix has
what is heavy and rare nearly as often as it should be, and two runs differ less by their luck. Within a kind the units
come in random order, and none twice before all have come once.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Sequence

from otterflow.workloads.replay.replayer.mix.sample import Place
from otterflow.workloads.replay.replayer.mix.store import Kind


class Draws:
    """The draws of one of `parts` processes, which share the units of a kind where there are enough.

    `drawn` counts the draws by the place of their kind, and `repeated` those of a unit that this run has done before.
    """

    def __init__(self, kinds: Sequence[Kind], seed: int, from_end: bool, part: int, parts: int) -> None:
        self._chance = random.Random(f"{seed} {from_end} {part}")  # noqa: S311
        order = random.Random(f"{seed}")  # noqa: S311
        self._orders: list[list[Place]] = []
        for kind in kinds:
            places = order.sample(kind.kept, len(kind.kept))
            if from_end:
                places.reverse()
            self._orders.append(places[part::parts] if len(places) >= parts else places)
        self._every = [1.0 / kind.units for kind in kinds]
        self._turns = [(self._chance.random() * every, number) for number, every in enumerate(self._every)]
        heapq.heapify(self._turns)
        self.drawn: Counter[int] = Counter()
        self.repeated = 0

    def next(self) -> Place:
        """Where the next unit is."""
        at, number = self._turns[0]
        heapq.heapreplace(self._turns, (at + self._every[number], number))
        places = self._orders[number]
        before = self.drawn[number]
        self.drawn[number] += 1
        self.repeated += before >= len(places)
        return places[before % len(places)]
