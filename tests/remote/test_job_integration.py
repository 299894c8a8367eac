from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from otterflow.errors import CommandFailed
from otterflow.remote.job import JobPaths, JobState, RemoteJob
from otterflow.remote.session import Session
from otterflow.remote.shell import quote
from stack.sshd import PrivateSshd
from tests.remote.conftest import client_of
from tests.remote.relay import Relay
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

HOSTILE = 'it\'s; rm -rf "$HOME" `id` $(id)\n\\ *.conf é\n'


def job_pid(job: RemoteJob) -> int:
    return int(Path(job.paths.root, "pid").read_text().split()[0])


def session_members(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=,stat=", "-s", str(pid)], capture_output=True, text=True).stdout
    return [int(line.split()[0]) for line in found.splitlines() if "Z" not in line]


def test_a_job_runs_with_its_files_and_leaves_log_exit_code_and_results(job: RemoteJob) -> None:
    lines: list[str] = []
    assert job.start_or_attach(
        "cat query.sql; cp query.sql result; echo to stderr >&2; exit 7", {"query.sql": HOSTILE}, 30
    )
    end = job.wait(lines.append, poll_s=0.1)
    assert (end.state, end.exit_code, end.ok) == (JobState.finished, 7, False)
    assert lines == [*HOSTILE.splitlines(), "to stderr"]
    assert end.log_tail == HOSTILE + "to stderr\n"
    assert job.fetch(["result", "absent"]) == {"result": HOSTILE}


def test_the_end_is_seen_when_it_comes(job: RemoteJob) -> None:
    job.start_or_attach("sleep 1", {}, 90)
    started = time.monotonic()
    assert job.poll(wait_s=50).state is JobState.finished
    assert time.monotonic() - started < 40, "the wait went on to its end"


def test_a_jobs_seconds_are_its_own_however_late_they_are_asked_for(job: RemoteJob, work_dir: str) -> None:
    go = Path(work_dir) / "go"
    started = time.monotonic()
    job.start_or_attach(f"until test -e {quote(str(go))}; do sleep 0.1; done; sleep 1", {}, 90)
    assert job.seconds() is None, "it has not ended"
    go.touch()
    job.wait(print, poll_s=0.1)
    seen_s = time.monotonic() - started
    time.sleep(1.5)
    assert 0.9 < (job.seconds() or 0.0) < seen_s + 0.5


def test_only_the_user_may_read_what_a_job_holds(job: RemoteJob) -> None:
    job.start_or_attach("cat pgpass > copy", {"pgpass": "secret"}, 30)
    assert job.wait(print, poll_s=0.1).ok
    root = Path(job.paths.root)
    modes = {stat.S_IMODE(p.stat().st_mode) for p in root.rglob("*") if p.is_file()}
    assert (modes, stat.S_IMODE(root.stat().st_mode)) == ({0o600}, 0o700)


def test_absent_before_and_after(job: RemoteJob) -> None:
    assert job.poll().state is JobState.absent
    assert job.kill() is False
    job.start_or_attach("true", {}, 30)
    job.wait(print, poll_s=0.1)
    job.cleanup()
    assert job.poll().state is JobState.absent
    assert not Path(job.paths.root).exists()


def test_a_running_job_is_not_cleaned_up(job: RemoteJob) -> None:
    job.start_or_attach("sleep 60", {}, 90)
    with pytest.raises(CommandFailed, match="still running; kill it first"):
        job.cleanup()
    assert job.poll().state is JobState.running


def test_many_starts_at_once_run_it_once(sshd: PrivateSshd, work_dir: str) -> None:
    def start(_: int) -> bool:
        with RemoteJob(lambda: Session(lambda: client_of(sshd)), JobPaths(work_dir, "one")) as job:
            return job.start_or_attach('echo "ran $$"; sleep 1', {}, 30)

    with ThreadPoolExecutor(6) as pool:
        started = list(pool.map(start, range(6)))
    with RemoteJob(lambda: Session(lambda: client_of(sshd)), JobPaths(work_dir, "one")) as job:
        lines: list[str] = []
        assert job.wait(lines.append).ok
    assert sorted(started) == [False] * 5 + [True]
    assert len(lines) == 1


def test_a_second_task_attaches_and_sees_the_whole_log(sshd: PrivateSshd, job: RemoteJob) -> None:
    job.start_or_attach("for i in 1 2 3 4; do echo $i; sleep 0.3; done", {}, 30)
    job.close()
    with RemoteJob(lambda: Session(lambda: client_of(sshd)), job.paths) as second:
        assert second.start_or_attach("echo another script", {}, 30) is False
        lines: list[str] = []
        assert second.wait(lines.append, poll_s=0.1).ok
    assert lines == ["1", "2", "3", "4"]


def test_the_job_goes_on_while_the_connection_is_down(
    relayed: Callable[[], Session], relay: Relay, work_dir: str
) -> None:
    lines: list[str] = []
    with RemoteJob(relayed, JobPaths(work_dir, "dropped")) as job:
        job.start_or_attach("for i in 1 2 3 4 5 6; do echo $i; sleep 0.5; done", {}, 30)
        threading.Timer(0.7, relay.refuse).start()
        threading.Timer(2.0, relay.refuse, [False]).start()
        end = job.wait(lines.append, poll_s=0.2)
    assert end.ok
    assert lines == list("123456")


def test_kill_ends_grandchildren_and_those_that_ignore_term(job: RemoteJob) -> None:
    job.start_or_attach("(trap '' TERM; bash -c 'sleep 61 & wait') & timeout 60 sleep 62 & sleep 63", {}, 90)
    pid = job_pid(job)
    wait_until(lambda: len(session_members(pid)) >= 7)
    assert job.kill() is True
    assert session_members(pid) == []
    end = job.wait(print)
    assert (end.state, end.exit_code) == (JobState.finished, 143)
    assert job.kill() is False


def test_the_time_limit_ends_grandchildren(job: RemoteJob) -> None:
    job.start_or_attach("echo on; set -m; sleep 61 & (trap '' TERM; sleep 62; sleep 63) & wait", {}, 2)
    pid = job_pid(job)
    end = job.wait(print, poll_s=0.1)
    assert (end.state, end.exit_code, end.log_tail) == (JobState.finished, 124, "on\n")
    wait_until(lambda: session_members(pid) == [])


def test_a_job_whose_processes_vanished_is_lost(job: RemoteJob) -> None:
    job.start_or_attach("echo on; sleep 60", {}, 90)
    wait_until(lambda: len(session_members(job_pid(job))) >= 4)
    for member in session_members(job_pid(job)):
        psutil.Process(member).kill()
    wait_until(lambda: job.poll().state is JobState.lost)
    assert job.start_or_attach("echo again", {}, 30) is False
    job.cleanup()
    assert job.start_or_attach("echo again", {}, 30) is True
    assert job.wait(print, poll_s=0.1).log_tail == "again\n"


def test_a_poll_while_a_kill_is_under_way_waits_for_its_exit_code(job: RemoteJob) -> None:
    job.start_or_attach("sleep 60", {}, 90)
    wait_until(lambda: len(session_members(job_pid(job))) >= 2)
    with Path(job.paths.jobs, ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        def end_the_kill() -> None:
            Path(job.paths.root, "exit_code").write_text("143\n")
            fcntl.flock(lock, fcntl.LOCK_UN)

        for member in session_members(job_pid(job)):
            psutil.Process(member).kill()
        timer = threading.Timer(0.7, end_the_kill)
        timer.start()
        seen = job.poll()
        timer.join()
    assert (seen.state, seen.exit_code) == (JobState.finished, 143)


def test_a_reused_pid_is_not_taken_for_the_job(job: RemoteJob) -> None:
    job.start_or_attach("sleep 60", {}, 90)
    pid, started, boot = Path(job.paths.root, "pid").read_text().split()
    Path(job.paths.root, "pid").write_text(f"{pid} {int(started) + 1} {boot}\n")
    assert job.poll().state is JobState.lost
    assert job.kill() is False
    Path(job.paths.root, "pid").write_text(f"{pid} {started} another-boot\n")
    assert job.poll().state is JobState.lost
    Path(job.paths.root, "pid").write_text(f"{pid} {started} {boot}\n")
    assert job.poll().state is JobState.running


def test_an_interrupted_start_is_made_anew(sshd: PrivateSshd, job: RemoteJob) -> None:
    sshd.user.make_dir(Path(job.paths.jobs))
    sshd.user.make_dir(Path(job.paths.root))
    sshd.user.write_file(Path(job.paths.root) / "script", "half a scr")
    assert job.poll().state is JobState.absent
    assert job.start_or_attach("echo whole", {}, 30) is True
    assert job.wait(print, poll_s=0.1).log_tail == "whole\n"


def test_a_start_whose_files_did_not_arrive_runs_nothing(session: Session, job: RemoteJob) -> None:
    from otterflow.remote.job_commands import start_command, start_input

    half = start_input("touch ran", {"data": "x" * 1000})[:-2]
    with pytest.raises(CommandFailed, match="before the job's files had arrived"):
        session.run(start_command(job.paths, 30), what="starting", timeout_s=20, stdin=half)
    assert job.poll().state is JobState.absent


def test_a_large_log_and_many_bytes_arrive_whole(job: RemoteJob) -> None:
    text = "é" * 700_001
    lines: list[str] = []
    job.start_or_attach("cat data", {"data": text}, 30)
    job.wait(lines.append, poll_s=0.1)
    assert "".join(lines) == text


def test_a_result_beyond_the_limit_is_refused(job: RemoteJob) -> None:
    job.start_or_attach("seq 100 > result", {}, 30)
    job.wait(print, poll_s=0.1)
    with pytest.raises(CommandFailed, match="result has 292 bytes, more than 100"):
        job.fetch(["result"], max_bytes=100)


def test_a_work_dir_of_another_user_is_refused(sshd: PrivateSshd) -> None:
    with RemoteJob(lambda: Session(lambda: client_of(sshd)), JobPaths("/usr/share/otterflow-is-not-here", "x")) as job:
        with pytest.raises(CommandFailed, match="Permission denied"):
            job.start_or_attach("true", {}, 10)


def test_a_planted_link_as_work_dir_is_refused(sshd: PrivateSshd, work_dir: str) -> None:
    link = Path(work_dir) / "planted"
    link.symlink_to(work_dir)
    with RemoteJob(lambda: Session(lambda: client_of(sshd)), JobPaths(str(link), "x")) as job:
        with pytest.raises(CommandFailed, match="is a link or belongs to another user"):
            job.start_or_attach("true", {}, 10)


@pytest.fixture
def tiny_disk(work_dir: str) -> Iterator[Path]:
    """A file system of 256 KiB as the work folder."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system takes root")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=0777", "tmpfs", work_dir], check=True)
    try:
        yield Path(work_dir)
    finally:
        subprocess.run(["umount", work_dir], check=True)


@pytest.fixture
def on_tiny_disk(sshd: PrivateSshd, tiny_disk: Path) -> Iterator[RemoteJob]:
    folder = tiny_disk / "work"
    sshd.user.make_dir(folder)
    with RemoteJob(lambda: Session(lambda: client_of(sshd)), JobPaths(str(folder), "full")) as job:
        yield job
        job.kill()


def test_a_job_that_ends_on_a_full_disk_still_says_how(on_tiny_disk: RemoteJob) -> None:
    on_tiny_disk.start_or_attach("cat /dev/zero > ballast; exit 7", {}, 30)
    end = on_tiny_disk.wait(print, poll_s=0.1)
    assert (end.state, end.exit_code) == (JobState.finished, 7)
    assert str(end) == "ended with exit code 7"


def test_a_job_is_not_started_on_a_full_disk(on_tiny_disk: RemoteJob, tiny_disk: Path) -> None:
    with contextlib.suppress(OSError), (tiny_disk / "ballast").open("wb", buffering=0) as ballast:
        while True:
            ballast.write(bytes(4096))
    with pytest.raises(CommandFailed, match="No space left on device"):
        on_tiny_disk.start_or_attach("echo ran", {}, 30)
    assert on_tiny_disk.poll().state is JobState.absent


def test_an_empty_exit_code_is_a_lost_job_with_a_sentence(job: RemoteJob) -> None:
    job.start_or_attach("exit 3", {}, 30)
    assert job.wait(print, poll_s=0.1).exit_code == 3
    Path(job.paths.root, "exit_code").write_text("")
    end = job.wait(print, poll_s=0.1)
    assert (end.state, end.exit_code) == (JobState.lost, None)
    assert "left no exit code" in str(end)
    assert "disk was full" in str(end)
    job.cleanup()
