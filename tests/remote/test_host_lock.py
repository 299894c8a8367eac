"""The lock on the host, with real bash: who holds it, whose turn it is, and what waits for what."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from otterflow.remote.host_lock import (
    BUSY,
    HELD,
    NO_TURN,
    HostLock,
    acting_command,
    owner_of,
    release_command,
    take_command,
)

ABOUT = {"experiment": "night", "airflow": "on host web1"}


def bash(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=30)


@pytest.fixture
def night(tmp_path: Path) -> HostLock:
    return HostLock(str(tmp_path / "a b.lock"), "night 2026-11-29T01:02:03+00:00", ABOUT)


@pytest.fixture
def day(night: HostLock) -> HostLock:
    return HostLock(night.path, "day 2026-11-29T04:05:06+00:00", {"experiment": "day"})


def test_a_second_holder_is_told_who_holds_and_since_when(night: HostLock, day: HostLock) -> None:
    assert bash(take_command(night, 1)).returncode == 0
    assert bash(take_command(night, 1)).returncode == 0, "ours already"
    refused = bash(take_command(day, 1))
    assert refused.returncode == HELD
    assert owner_of(refused.stderr) == night.owner
    assert "airflow: on host web1\nsince: 20" in refused.stderr
    assert bash(acting_command(day, "t", "echo acted", 1, first=True)).stdout == ""
    assert bash(release_command(day)).returncode == 0
    assert bash(take_command(day, 1)).returncode == HELD, "another's release frees nothing"
    assert bash(take_command(day, 1, instead_of=night.owner)).returncode == 0
    assert bash(take_command(night, 1)).returncode == HELD
    bash(release_command(day))
    assert not Path(day.path).exists()


def test_a_lock_that_was_broken_is_taken_by_the_next_task_and_stops_the_one_at_work(night: HostLock) -> None:
    assert bash(acting_command(night, "one", "echo acted", 1, first=True)).stdout == "acted\n"
    bash(release_command(night))
    stopped = bash(acting_command(night, "one", "echo acted", 1, first=False))
    assert (stopped.returncode, stopped.stdout) == (HELD, "")
    assert "somebody has broken it" in stopped.stderr
    assert bash(acting_command(night, "two", "exit 7", 1, first=True)).returncode == 7


@pytest.mark.slow
def test_who_acts_next_waits_for_the_command_at_work_and_the_overtaken_task_acts_no_more(night: HostLock) -> None:
    slow = acting_command(night, "restart", 'sleep 1.5; echo done > "$lock/../work"', 1, first=True)
    with subprocess.Popen(["bash", "-c", slow]) as at_work:
        while not (Path(night.path) / "turn").exists():
            time.sleep(0.02)
        recover = bash(acting_command(night, "recover", 'cat "$lock/../work"', 20, first=True))
        assert recover.stdout == "done\n", recover.stderr
        at_work.wait()
    overtaken = bash(acting_command(night, "restart", "echo acted", 1, first=False))
    assert (overtaken.returncode, overtaken.stdout) == (NO_TURN, "")
    assert "it is the turn of recover" in overtaken.stderr
    assert bash(acting_command(night, "recover", "echo acted", 1, first=False)).stdout == "acted\n"


def test_a_server_that_was_started_under_the_lock_does_not_keep_it(night: HostLock) -> None:
    start = "setsid sleep 60 > /dev/null 2>&1 < /dev/null & echo $!"
    server = psutil.Process(int(bash(acting_command(night, "restart", start, 1, first=True)).stdout))
    try:
        assert bash(acting_command(night, "restart", "true", 1, first=False)).returncode == 0
        assert server.is_running(), "its end was waited for"
    finally:
        server.kill()


@pytest.mark.slow
def test_a_command_that_never_ends_is_told_of(night: HostLock) -> None:
    slow = acting_command(night, "restart", "exec sleep 60", 1, first=True)
    with subprocess.Popen(["bash", "-c", slow], start_new_session=True) as at_work:
        while not (Path(night.path) / "turn").exists():
            time.sleep(0.02)
        busy = bash(acting_command(night, "recover", "true", 1, first=True))
        os.killpg(at_work.pid, signal.SIGTERM)
    assert busy.returncode == BUSY
    assert "acts on the server for more than 1 s" in busy.stderr
