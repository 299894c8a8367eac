"""One process of a run: it begins when it is told to, tells its progress, and one deadline ends all that it plays."""

from __future__ import annotations

import asyncio
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection as Pipe
from typing import Any, NamedTuple, Protocol

from otterflow.errors import OtterflowError
from otterflow.workloads.replay.replayer.answers import CannotConnect, ConnectionLost
from otterflow.workloads.replay.replayer.player import Player
from otterflow.workloads.replay.replayer.ran import Ran, Used
from otterflow.workloads.replay.replayer.server_times import Counters
from otterflow.workloads.replay.replayer.tally import Tally, Times
from otterflow.workloads.replay.replayer.ways import Entrance

END_S = 5.0
"""So long statements that were cancelled at the deadline may take to end."""
_LOOK_EVERY_S = 0.02


class CannotReplay(OtterflowError):
    """Nothing could be replayed: the database cannot be reached, or a process of the replayer died."""


class Progress(NamedTuple):
    """How far a process is: statements done, errors among them, and connections that are open."""

    done: int = 0
    errors: int = 0
    open: int = 0


class Limits(Protocol):
    """What a run's settings say to every run."""

    @property
    def deadline_s(self) -> float:
        """When everything ends, from the start."""

    @property
    def progress_s(self) -> float:
        """How often progress is told."""


class Run(ABC):
    """What one process plays, over connections by one entrance."""

    def __init__(self, limits: Limits, entrance: Entrance, connections: int, tally: Tally) -> None:
        self._limits, self._entrance = limits, entrance
        self._connections = connections
        self._tally = tally
        self._lag = Times()
        self._stop = asyncio.Event()
        self._stopped_by: str | None = None
        self._playing: set[Player[Any]] = set()
        self._broken: list[BaseException] = []
        self._start_s = 0.0

    async def all(self, start_s: float, tell: Callable[[Progress], None], parent: Pipe | None = None) -> Ran:
        """Play from `start_s` on, by `time.perf_counter`, until all is done, the deadline, or the end of `parent`."""
        self._start_s = start_s
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end, f"signal {number.value}")
        if parent is not None:
            loop.add_reader(parent.fileno(), self._hear, parent)
        await asyncio.sleep(max(0.0, start_s - time.perf_counter()))
        loop.call_later(self._limits.deadline_s, self._end, "the deadline")
        cpu_s = time.process_time()
        helpers = [asyncio.ensure_future(each) for each in (self._measure_lag(), self._tell_progress(tell))]
        await self._play()
        seconds = time.perf_counter() - self._start_s
        share = (time.process_time() - cpu_s) / seconds if seconds else 0.0
        for helper in helpers:
            helper.cancel()
        if self._broken:
            raise self._broken[0]
        used = Used(share, self._tally.done, self._tally.own_lateness.percentile(99) or 0.0)
        return Ran(self._tally, seconds, [used], self._connections, self._lag, self._stopped_by)

    @abstractmethod
    async def _play(self) -> None:
        """Play everything until `_stop` is set."""

    def _watch(self, task: asyncio.Future[None], begun: set[asyncio.Future[None]]) -> None:
        """A fault in a task that plays ends the run."""
        begun.add(task)

        def ended(task: asyncio.Future[None]) -> None:
            begun.discard(task)
            error = None if task.cancelled() else task.exception()
            if error is not None:
                self._broken.append(error)
                self._end("a fault of the replayer")

        task.add_done_callback(ended)

    async def _end_playing(self, begun: set[asyncio.Future[None]]) -> None:
        """Cancel what is running, on the server too, and leave no connection open."""
        for task in begun:
            task.cancel()
        await asyncio.wait(begun, timeout=END_S)
        for player in self._playing:
            player.connection.abort()

    def _end(self, why: str) -> None:
        if not self._stop.is_set():
            self._stopped_by = why
            self._stop.set()

    def _hear(self, parent: Pipe) -> None:
        """The first process says why to end, or has ended itself."""
        try:
            self._end(parent.recv())
        except EOFError:
            asyncio.get_running_loop().remove_reader(parent.fileno())
            self._end("the end of the replayer's first process")

    async def _measure_lag(self) -> None:
        """How late the replayer's own timers are."""
        while True:
            before_s = time.perf_counter()
            await asyncio.sleep(_LOOK_EVERY_S)
            self._lag.add(max(0.0, time.perf_counter() - before_s - _LOOK_EVERY_S) * 1000)

    async def _tell_progress(self, tell: Callable[[Progress], None]) -> None:
        while True:
            await asyncio.sleep(self._limits.progress_s)
            tell(Progress(self._tally.done, sum(self._tally.errors.values()), len(self._playing)))


async def first_words(entrance: Entrance) -> Entrance:
    """The entrance with all that a session begins with. Raises CannotReplay where no connection can be made."""
    probe, access = entrance.connection(), entrance.access
    try:
        await probe.open(entrance.startup)
    except CannotConnect as error:
        raise CannotReplay(
            f"database: no connection to {access.database!r} on {access.host}:{access.port} "
            f"({error.sqlstate}: {error}); check host, port, user, password_file and tls"
        ) from None
    probe.close()
    return replace(entrance, startup=entrance.way.completed(entrance.startup, probe.parameters))


async def read_counters(entrance: Entrance, *, with_texts: bool) -> Counters:
    """What the server has counted of its statements by now, over a connection of its own."""
    connection = entrance.connection()
    try:
        await connection.open(entrance.startup)
        return await entrance.way.read_times(connection, with_texts)
    except (CannotConnect, ConnectionLost) as error:
        return Counters(why_not=f"no connection for the server's statistics ({error.sqlstate})")
    finally:
        connection.close()
