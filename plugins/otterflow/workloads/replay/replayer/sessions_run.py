"""Plays recorded sessions, as many as are dealt to one process: each begins at its time, on a connection of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from otterflow.workloads.replay.replayer.dealing import CONNECT_AHEAD_S, Hand
from otterflow.workloads.replay.replayer.pace import Pace, wait_until
from otterflow.workloads.replay.replayer.player import Player
from otterflow.workloads.replay.replayer.running import Run
from otterflow.workloads.replay.replayer.settings import FAST, ReplaySettings
from otterflow.workloads.replay.replayer.spool import Spool, SpooledSession
from otterflow.workloads.replay.replayer.tally import Tally
from otterflow.workloads.replay.replayer.ways import Entrance


class SessionsRun(Run):
    """One process's sessions, with no more connections at a time than its hand has."""

    def __init__(
        self, spool: Spool, hand: Hand, settings: ReplaySettings, open_stream: bool, entrance: Entrance
    ) -> None:
        super().__init__(settings, entrance, hand.connections, Tally())
        self._spool, self._settings, self._open_stream = spool, settings, open_stream
        self._sessions: Sequence[SpooledSession] = hand.sessions
        self._slots = asyncio.Semaphore(hand.connections)

    async def _play(self) -> None:
        begun: set[asyncio.Future[None]] = set()
        waiting = list(reversed(self._sessions))
        beginner = asyncio.ensure_future(self._begin(waiting, begun))
        stop = asyncio.ensure_future(self._stop.wait())
        first: set[asyncio.Future[Any]] = {beginner, stop}
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if beginner.done():
            beginner.result()
        while not stop.done() and begun:
            pending: set[asyncio.Future[Any]] = {*begun, stop}
            await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        beginner.cancel()
        stop.cancel()
        self._tally.not_sent += sum(each.statements for each in waiting)
        if begun:
            await self._end_playing(begun)

    async def _begin(self, waiting: list[SpooledSession], begun: set[asyncio.Future[None]]) -> None:
        """Begin each session in its turn, when it is due and a connection is free."""
        while waiting:
            if self._settings.schedule != FAST:
                first_s = waiting[-1].first_s / self._settings.factor
                await wait_until(self._start_s + first_s - CONNECT_AHEAD_S)
            await self._slots.acquire()
            self._watch(asyncio.ensure_future(self._session(waiting.pop())), begun)

    async def _session(self, session: SpooledSession) -> None:
        settings, entrance = self._settings, self._entrance
        pace = Pace(settings.schedule, settings.factor, self._start_s, open_stream=self._open_stream)
        player = Player(entrance.connection(), entrance.way.dialect, pace, self._tally)
        self._playing.add(player)
        try:
            await player.open_and_play(self._spool.items(session), session.statements, entrance.startup)
        except asyncio.CancelledError:
            await player.connection.cancel()
        finally:
            player.connection.close()
            self._playing.discard(player)
            self._slots.release()
