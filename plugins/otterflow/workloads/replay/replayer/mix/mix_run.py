"""One process's clients: each does one drawn unit after the other over its own connection until the time is over."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from otterflow.workloads.replay.replayer.answers import CannotConnect, ConnectionLost, sent
from otterflow.workloads.replay.replayer.mix.draws import Draws
from otterflow.workloads.replay.replayer.mix.store import DrawnUnit, Store
from otterflow.workloads.replay.replayer.pace import wait_until
from otterflow.workloads.replay.replayer.player import Player
from otterflow.workloads.replay.replayer.running import END_S, Run
from otterflow.workloads.replay.replayer.settings import MixSettings
from otterflow.workloads.replay.replayer.spool import Item
from otterflow.workloads.replay.replayer.tally import Tally
from otterflow.workloads.replay.replayer.ways import Entrance

AGAIN_S = 0.2
"""A client whose connection was lost tries again so long after."""


class MixTally(Tally):
    """What a mix counts beside.

    `..._in_time` ended within the run's time; `unfinished` had not ended some seconds after it. `set_up` statements put
    a session's settings in force, `drawn` counts the units by kind, and `repeated` those that the run did again.
    """

    def __init__(self) -> None:
        super().__init__()
        self.transactions_in_time = 0
        self.statements_in_time = 0
        self.unfinished = 0
        self.set_up = 0
        self.drawn: Counter[int] = Counter()
        self.repeated = 0

    def merge(self, other: Tally) -> None:
        """Count what another process has counted too."""
        super().merge(other)
        if isinstance(other, MixTally):
            self.transactions_in_time += other.transactions_in_time
            self.statements_in_time += other.statements_in_time
            self.unfinished += other.unfinished
            self.set_up += other.set_up
            self.drawn.update(other.drawn)
            self.repeated += other.repeated


@dataclass(frozen=True)
class Share:
    """What one process of `parts` is to do: so many clients, and so many transactions a second (None: at once)."""

    part: int
    parts: int
    clients: int
    rate: float | None


class MixPace:
    """A unit's first statement is due at the unit's time, the others at once. `has_times` is whether units have one."""

    def __init__(self, has_times: bool) -> None:
        self.has_times = has_times
        self.unit_due_s: float | None = None

    def due(self, item: Item, ready_s: float) -> float:
        """When the statement is to be sent."""
        due_s, self.unit_due_s = self.unit_due_s, None
        return ready_s if due_s is None else due_s

    def began(self, due_s: float, sent_s: float) -> float:
        """A transaction begins when it is due: who waits in a queue waits."""
        return due_s


class MixRun(Run):
    """The clients of one process."""

    def __init__(self, store: Store, share: Share, settings: MixSettings, entrance: Entrance) -> None:
        self._own = MixTally()
        super().__init__(settings, entrance, share.clients, self._own)
        self._store, self._share, self._settings = store, share, settings
        self._draws = Draws(store.kinds, settings.seed, settings.from_end, share.part, share.parts)
        self._gaps = random.Random(f"{settings.seed} {share.part} {settings.from_end}")  # noqa: S311
        self._next_due_s = 0.0
        self._over = False

    async def _play(self) -> None:
        self._next_due_s = self._start_s
        clients: set[asyncio.Future[None]] = set()
        for _ in range(self._share.clients):
            self._watch(asyncio.ensure_future(self._client()), clients)
        left_s = self._start_s + self._settings.duration_s - time.perf_counter()
        await _unless(self._stop, left_s)
        self._over = True
        own = self._own
        own.transactions_in_time, own.statements_in_time = own.transactions.number, own.done
        await _unless(self._stop, END_S, clients)
        if clients:
            await self._end_playing(clients)
        own.drawn, own.repeated = self._draws.drawn, self._draws.repeated

    async def _client(self) -> None:
        entrance = self._entrance
        while not self._over:
            pace = MixPace(self._share.rate is not None)
            player = Player(entrance.connection(), entrance.way.dialect, pace, self._own)
            self._playing.add(player)
            try:
                await player.connection.open(entrance.startup)
                await self._do_units(player)
            except CannotConnect as error:
                self._own.errors[error.sqlstate] += 1
            except ConnectionLost as lost:
                player.count_running(lost.sqlstate)
            except asyncio.CancelledError:
                self._own.unfinished += 1
                await player.connection.cancel()
                raise
            finally:
                player.connection.close()
                self._playing.discard(player)
            if not self._over:
                await _unless(self._stop, AGAIN_S)

    async def _do_units(self, player: Player[MixPace]) -> None:
        context = 0
        while not self._over:
            due_s = self._due()
            if due_s is not None and not await self._comes(due_s):
                return
            unit = self._store.read(self._draws.next())
            await player.settle()
            if unit.context != context:
                await self._set_up(player, unit.context)
                context = unit.context
            await self._do(player, unit, due_s)
            if unit.leaves_state:
                await player.settle()
                await self._send_own(player, player.connection.all_back())
                context = 0

    async def _do(self, player: Player[MixPace], unit: DrawnUnit, due_s: float | None) -> None:
        player.pace.unit_due_s = due_s
        await player.play(iter(unit.items))

    async def _set_up(self, player: Player[MixPace], context: int) -> None:
        """Settings as the unit's session had them, from those that every session begins with."""
        link = player.connection
        await self._send_own(player, link.settings_back())
        for text, values in self._store.contexts[context]:
            await self._send_own(player, (link.message(text, values, None),))

    async def _send_own(self, player: Player[MixPace], messages: Iterable[bytes]) -> None:
        for message in messages:
            outcome = await sent(player.connection, message)
            self._own.set_up += 1
            if outcome.error is not None:
                self._own.errors[outcome.error] += 1

    def _due(self) -> float | None:
        """When the next unit of all clients is due, at random times of the rate (Poisson); None: at once."""
        if self._share.rate is None:
            return None
        self._next_due_s += self._gaps.expovariate(self._share.rate)
        return self._next_due_s

    async def _comes(self, due_s: float) -> bool:
        """Wait until a unit is due. Returns False where the run is over by then."""
        if due_s > self._start_s + self._settings.duration_s:
            return False
        await wait_until(due_s)
        return not self._over


async def _unless(stop: asyncio.Event, seconds: float, tasks: set[asyncio.Future[None]] | None = None) -> None:
    """Wait so long, or until it is to stop, or until no task is left."""
    waiting = asyncio.ensure_future(stop.wait())
    until_s = time.perf_counter() + seconds
    while not waiting.done() and (tasks is None or tasks):
        left_s = until_s - time.perf_counter()
        if left_s <= 0:
            break
        await asyncio.wait({waiting, *(tasks or ())}, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
