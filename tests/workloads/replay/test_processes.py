"""The replayer's processes: dealt out, begun together, joined, and gone with the first, however it goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from otterflow.dbms.postgresql.statements.dialect import DIALECT
from otterflow.dbms.statement import Statement
from otterflow.workloads.replay.replayer.answers import Access
from otterflow.workloads.replay.replayer.dealing import Hand, automatic, deal, shares
from otterflow.workloads.replay.replayer.processes import play
from otterflow.workloads.replay.replayer.ran import Ran
from otterflow.workloads.replay.replayer.running import CannotReplay, Progress, Run
from otterflow.workloads.replay.replayer.settings import MixSettings, ReplaySettings
from otterflow.workloads.replay.replayer.spool import Spool
from otterflow.workloads.replay.replayer.tally import Tally
from otterflow.workloads.replay.replayer.ways import Entrance, way_of
from tests.waiting import wait_until
from tests.workloads.replay.test_parts import SETTINGS


class Counting(Run):
    """Counts so many statements, each named for when the process began, and plays on until it is to stop."""

    def __init__(self, number: int, waits: bool = False, does: Callable[[], Any] = int, deadline_s: float = 30) -> None:
        settings = ReplaySettings(**{**SETTINGS, "deadline_s": deadline_s, "progress_s": 0.05})
        super().__init__(settings, Entrance(way_of("postgresql"), Access("h", 1, "u", "d"), {}), number, Tally())
        self._number, self._waits, self._does = number, waits, does

    async def _play(self) -> None:
        for _ in range(self._number):
            self._tally.add(str(self._start_s), 1.0, 1, None)
        self._does()
        if self._waits:
            await self._stop.wait()


@pytest.fixture
def leaves_no_process() -> Iterator[None]:
    """Fails where a child is left that was not there before: running, or dead and not waited for."""
    before = set(psutil.Process().children())
    yield
    assert set(psutil.Process().children()) <= before


def _play(*makes: Callable[[], Run], deadline_s: float = 30) -> Ran:
    return play(makes, lambda seconds, now: None, deadline_s, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("numbers", [(3,), (3, 4, 5)])
def test_processes_begin_together_and_their_counts_are_joined(numbers: tuple[int, ...]) -> None:
    ran = _play(*(partial(Counting, number) for number in numbers))
    assert ran.tally.done == sum(numbers)
    assert [used.statements for used in ran.processes] == list(numbers)
    assert len(ran.tally.classes) == 1, "one clock"
    assert ran.connections == sum(numbers)


@pytest.mark.slow
def test_progress_is_of_all(capsys: pytest.CaptureFixture[str]) -> None:
    told: list[Progress] = []

    def tell(seconds: float, now: Progress) -> None:
        told.append(now)
        if now == Progress(3, 0, 0):
            signal.raise_signal(signal.SIGTERM)

    ran = play([partial(Counting, number, True) for number in (1, 2)], tell, 30, 0.1)
    assert ran.cut == "signal 15"
    assert told[-1] == Progress(3, 0, 0)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _fail() -> None:
    raise RuntimeError("a secret")


@pytest.mark.slow
@pytest.mark.usefixtures("leaves_no_process")
@pytest.mark.parametrize(("does", "said"), [(_die, "was killed"), (_fail, "failed: RuntimeError$")])
def test_without_one_process_there_is_no_result(does: Callable[[], Any], said: str) -> None:
    begun_s = time.perf_counter()
    with pytest.raises(CannotReplay, match=said):
        _play(partial(Counting, 1, True), partial(Counting, 1, True, does))
    assert time.perf_counter() - begun_s < 25, "the other is told to end"


@pytest.mark.slow
@pytest.mark.usefixtures("leaves_no_process")
def test_a_process_that_does_not_end_at_the_deadline_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otterflow.workloads.replay.replayer.processes._AFTER_DEADLINE_S", 0.3)
    with pytest.raises(CannotReplay, match="did not end at the deadline"):
        _play(partial(Counting, 1), partial(Counting, 1, False, partial(time.sleep, 60)), deadline_s=0.1)


MAIN = """
import os, sys
from functools import partial
from tests.workloads.replay.test_processes import Counting, play
ran = play([partial(Counting, 1, True, lambda: os.write(1, b"%d\\n" % os.getpid()))] * 3, lambda *_: None, 30, 1)
print(ran.cut)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_processes_end_with_the_first(number: signal.Signals) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", MAIN], stdout=subprocess.PIPE, text=True, env=env) as first:
        assert first.stdout is not None
        pids = [int(first.stdout.readline()) for _ in range(3)]
        first.send_signal(number)
        left = first.stdout.read()
    assert left.strip() == ("signal 15" if number == signal.SIGTERM else "")
    wait_until(lambda: not any(_is_alive(pid) for pid in pids), 20)


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _hands(tmp_path: Path, statements: list[Statement], cores: int = 16, **changes: Any) -> list[Hand]:
    with Spool(str(tmp_path), DIALECT, "shop") as spool:
        spool.fill(statements)
        return deal(spool, ReplaySettings(**{**SETTINGS, **changes}), cores)


def _sessions(*numbers: int, step_s: float = 0.001, duration_ms: float = 0.55) -> list[Statement]:
    return sorted(
        Statement(f"s{place}", place + each * step_s, "SELECT 1", duration_ms=duration_ms)
        for place, number in enumerate(numbers)
        for each in range(number)
    )


def test_sessions_are_dealt_out_evenly(tmp_path: Path) -> None:
    hands = _hands(tmp_path, _sessions(6, 1, 1, 2, 2), processes=2, connections=3, schedule="fast")
    assert [[session.name for session in hand.sessions] for hand in hands] == [["s0"], ["s1", "s2", "s3", "s4"]]
    assert [hand.connections for hand in hands] == [2, 1]


def test_at_its_own_times_each_process_has_the_connections_of_its_sessions(tmp_path: Path) -> None:
    statements = _sessions(5, 5, 5, step_s=10.0)
    hands = _hands(tmp_path, statements, processes=2, schedule="clock")
    assert [hand.connections for hand in hands] == [2, 1]


def test_no_process_is_without_a_session(tmp_path: Path) -> None:
    assert len(_hands(tmp_path, _sessions(3, 3), processes=8, connections=8)) == 2
    assert len(_hands(tmp_path, _sessions(3, 3), processes=8, connections=1)) == 1


@pytest.mark.parametrize(("per_s", "cores", "processes"), [(0, 16, 1), (10_000, 16, 1), (10_001, 16, 2), (9e5, 16, 8)])
def test_how_many_processes_a_rate_wants(per_s: float, cores: int, processes: int) -> None:
    assert automatic(per_s, cores) == processes
    assert automatic(per_s, 1) == 1


@pytest.mark.slow
def test_the_rate_is_the_recordings_own(tmp_path: Path) -> None:
    statements = _sessions(*[1000] * 10, step_s=0.01)
    assert len(_hands(tmp_path, statements, schedule="clock")) == 1, "1,000 in the busiest second"
    assert len(_hands(tmp_path, statements, schedule="clock", factor=25.0)) == 3
    assert len(_hands(tmp_path, statements, schedule="fast")) == 2, "10 connections, 0.55 ms a statement"
    unknown = [each._replace(duration_ms=None) for each in statements]
    assert len(_hands(tmp_path, unknown, schedule="fast")) == 1


def test_a_mixs_clients_and_rate_are_shared_out() -> None:
    dealt = shares(MixSettings(**{**SETTINGS, "clients": 7, "processes": 3, "rate": 70.0}))
    assert [(each.part, each.parts, each.clients, each.rate) for each in dealt] == [
        (0, 3, 3, 30.0), (1, 3, 2, 20.0), (2, 3, 2, 20.0),
    ]  # fmt: skip
    assert [each.rate for each in shares(MixSettings(**{**SETTINGS, "clients": 1, "processes": 4}))] == [None]
