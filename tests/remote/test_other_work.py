"""Whose work the processors did: the server's with that of its children, the benchmark's, and the rest."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from otterflow.remote.other_work import (
    TIMES_FILE,
    WorkSample,
    benchmark_seconds,
    other_work,
    parse_sample,
    sample_command,
    times_after,
)
from otterflow.remote.script import JobScript

SAMPLE = """
@@otterflow ticks
100

@@otterflow uptime
1000.5 3000.0

@@otterflow stat
cpu  9000 0 1000 80000 500 100 100 300 0 0
btime 1700000000

@@otterflow processes
1 (systemd) S 0 1 1 0 -1 0 0 0 0 0 500 500 9000 9000 20 0 1 0 10 0 0
50 (postgres) S 1 50 50 0 -1 0 0 0 0 0 10 20 300 70 20 0 1 0 5000 0 0
51 (postgres) S 50 51 51 0 -1 0 0 0 0 0 40 60 0 0 20 0 1 0 5100 0 0
70 (postgres) S 1 70 70 0 -1 0 0 0 0 0 1 1 1 1 20 0 1 0 90000 0 0
80 (odd) name (x) S 51 80 80 0 -1 0 0 0 0 0 5 0 0 0 20 0 1 0 5200 0 0
"""
PROGRAMS = ("postgres",)


def sample(**changes: float | None) -> WorkSample:
    return replace(parse_sample(SAMPLE, PROGRAMS, 1700000050.3), **changes)  # type: ignore[arg-type]


def test_the_servers_time_is_that_of_its_process_and_of_all_below_it() -> None:
    found = sample()
    assert (found.uptime_s, found.steal_s) == (1000.5, 3.0)
    assert found.busy_s == pytest.approx(102.0)
    assert found.total_s == pytest.approx(910.0)
    assert found.server_s == pytest.approx((10 + 20 + 300 + 70 + 40 + 60 + 5) / 100)


def test_of_two_servers_the_one_that_started_when_it_says_is_meant() -> None:
    assert parse_sample(SAMPLE, PROGRAMS, 1700000900.5).server_s == pytest.approx(0.04)
    assert parse_sample(SAMPLE, PROGRAMS, 1700000010.0).server_s is None
    assert parse_sample(SAMPLE, ("mysqld",), 1700000900.5).server_s is None
    with pytest.raises(ValueError, match="no CPU times"):
        parse_sample("", PROGRAMS, 0.0)


def test_what_neither_the_server_nor_the_benchmark_did_is_the_others() -> None:
    before = sample()
    after = sample(uptime_s=1010.5, busy_s=112.0, total_s=930.0, steal_s=5.0, server_s=10.05)
    found = other_work(before, after, benchmark_s=1.0)
    assert found is not None
    assert found.others_share == pytest.approx((10 - 5 - 1) / 20)
    assert (found.steal_share, found.seconds) == pytest.approx((0.1, 10.0))
    assert other_work(before, replace(after, server_s=None), 1.0) is None
    assert other_work(after, before, 1.0) is None, "the host was rebooted"
    busy = other_work(before, after, benchmark_s=99.0)
    assert busy is not None
    assert busy.others_share == 0.0
    taken_back = other_work(before, replace(after, total_s=before.total_s + 3.5), benchmark_s=1.0)
    assert taken_back is not None
    assert taken_back.others_share == 1.0, "four seconds of work in three and a half that were counted"


BURN = """
import os, sys, time
open("/proc/self/comm", "w").write("otterd")
if os.fork() == 0:
    while time.process_time() < 0.3: pass
    os._exit(0)
os.wait()
print("burnt", flush=True)
sys.stdin.read()
"""


def look(programs: tuple[str, ...]) -> WorkSample:
    done = subprocess.run(["bash", "-c", sample_command()], capture_output=True, text=True, check=True)
    return parse_sample(done.stdout, programs, time.time())


@pytest.mark.slow
def test_this_machine_and_a_server_whose_child_has_worked_and_ended() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "burnt\n"
        found = look(("otterd",))
        server.communicate("")
    assert found.server_s is not None
    assert found.server_s >= 0.25, "the child's time"
    assert found.busy_s > found.server_s


@pytest.mark.slow
def test_a_job_says_what_it_took_and_ends_as_it_would_have(tmp_path: Path) -> None:
    busy = f"{sys.executable} -c 'import time\nwhile time.process_time() < 0.3: pass'"
    job = times_after(JobScript(f"cat given\n{busy}\nexit 3\n", {"given": "text"}, 9.0, ("out",)), {"more": "x"})
    assert (job.timeout_s, job.results) == (9.0, ("out", "more", TIMES_FILE))
    for name, content in job.files.items():
        (tmp_path / name).write_text(str(content))
    done = subprocess.run(["bash", "-c", job.script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "text")
    assert benchmark_seconds((tmp_path / TIMES_FILE).read_text()) >= 0.3
    assert benchmark_seconds("1m2.500s 0m0.250s\n0m1.000s 0m0.000s\n") == pytest.approx(63.75)
