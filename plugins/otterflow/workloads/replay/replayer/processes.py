"""Runs of several processes, which begin together, and whose counts are joined.

The first process plays nothing: it tells the others when to begin, adds up their progress, and joins what they counted.
Each of the others is at the end of a pipe: when the first process is gone, however it went, they end too.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
import traceback
from collections.abc import Callable, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import Any

from otterflow.workloads.replay.replayer.ran import Ran, joined
from otterflow.workloads.replay.replayer.running import END_S, CannotReplay, Progress, Run

READY = "ready"
_BEGIN_AHEAD_S = 0.05
_AFTER_DEADLINE_S = 2 * END_S
_BETWEEN_LOOKS_S = 0.2

Make = Callable[[], Run]
Tell = Callable[[float, Progress], None]
"""Takes the seconds since the start, and how far all processes together are."""


def play(makes: Sequence[Make], tell: Tell, deadline_s: float, progress_s: float) -> Ran:
    """Play one run a process, in this process where there is but one. Raises CannotReplay where a process dies."""
    if len(makes) == 1:
        start_s = time.perf_counter()
        return asyncio.run(_one(makes[0], start_s, lambda now: tell(time.perf_counter() - start_s, now)))
    return _Processes(makes, tell, deadline_s, progress_s).play()


async def _one(make: Make, start_s: float, tell: Callable[[Progress], None], parent: Any = None) -> Ran:
    return await make().all(start_s, tell, parent)


class _Child:
    """A process, the pipe that it hears from, the pipe that it tells by, and what it told last."""

    def __init__(self, make: Make, others: Sequence[_Child]) -> None:
        hears, self.orders = Pipe(duplex=False)
        self.tells, told = Pipe(duplex=False)
        self.progress = Progress()
        self.ran: Ran | None = None
        self.pid = os.fork()
        if self.pid == 0:
            # A write end that a sibling held would keep this one from hearing of the first process's end.
            for pipe in (self.orders, self.tells, *(each for other in others for each in (other.orders, other.tells))):
                pipe.close()
            _be_child(make, hears, told)
        hears.close()
        told.close()

    def hear(self) -> bool:
        """Take what it tells. Returns whether it is at its end; raises CannotReplay where it ends without a result."""
        try:
            told = self.tells.recv()
        except EOFError:
            raise CannotReplay("a process of the replayer was killed; nothing of this run is kept") from None
        if isinstance(told, Progress):
            self.progress = told
        elif isinstance(told, Ran):
            self.ran = told
        elif told != READY:
            raise CannotReplay(f"a process of the replayer failed: {told}")
        return self.ran is not None

    def end(self, why: str) -> None:
        """Tell it to end."""
        try:
            self.orders.send(why)
        except OSError:
            pass

    def reap(self, until_s: float) -> None:
        """See it gone: it has ended by itself at that time, or is killed."""
        self.orders.close()
        self.tells.close()
        while os.waitpid(self.pid, os.WNOHANG) == (0, 0):
            if time.perf_counter() > until_s:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                return
            time.sleep(0.01)


class _Processes:
    def __init__(self, makes: Sequence[Make], tell: Tell, deadline_s: float, progress_s: float) -> None:
        self._makes, self._tell = makes, tell
        self._deadline_s, self._progress_s = deadline_s, progress_s
        self._children: list[_Child] = []

    def play(self) -> Ran:
        before = {number: signal.signal(number, self._hand_on) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            for make in self._makes:
                self._children.append(_Child(make, self._children))
            for child in self._children:
                child.hear()
            start_s = time.perf_counter() + _BEGIN_AHEAD_S
            for child in self._children:
                child.orders.send(start_s)
            self._listen(start_s)
        finally:
            until_s = time.perf_counter() + _AFTER_DEADLINE_S
            for child in self._children:
                child.reap(until_s)
            for number, handler in before.items():
                signal.signal(number, handler)
        return joined([child.ran for child in self._children if child.ran is not None])

    def _listen(self, start_s: float) -> None:
        """Until every process has told its result."""
        playing: dict[Any, _Child] = {child.tells: child for child in self._children}
        told_s = start_s
        while playing:
            for pipe in wait(list(playing), _BETWEEN_LOOKS_S):
                if playing[pipe].hear():
                    del playing[pipe]
            now_s = time.perf_counter()
            if now_s - told_s >= self._progress_s:
                told_s = now_s
                self._tell(now_s - start_s, _sum([child.progress for child in self._children]))
            if now_s > start_s + self._deadline_s + _AFTER_DEADLINE_S:
                raise CannotReplay("a process of the replayer did not end at the deadline; nothing of this run is kept")

    def _hand_on(self, number: int, frame: FrameType | None) -> None:
        for child in self._children:
            child.end(f"signal {number}")


def _sum(parts: Sequence[Progress]) -> Progress:
    return Progress(*(sum(column) for column in zip(*parts)))


def _be_child(make: Make, hears: Connection, told: Connection) -> None:
    """All that a forked process does; it never returns."""
    code = 1
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        told.send(READY)
        told.send(asyncio.run(_one(make, hears.recv(), told.send, hears)))
        code = 0
    except (EOFError, BrokenPipeError):
        pass  # the first process is gone
    except BaseException as error:
        traceback.print_exc()
        told.send(type(error).__name__)
    finally:
        os._exit(code)
