"""What is done to a host, to its server, to the way there and to the repository; and how it is mended."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from otterflow.operators.connections import open_repository
from stack.host import Host
from tests.bench.faults.system import System
from tests.moved_clock import WorkerClock
from tests.operators.harness import Dags, Run
from tests.small_disk import fill, make_room

START, RUN, FINISH = "tuning_experiment", "tuning_iteration", "tuning_finish"
EXPERIMENT = "faults"
STRUCK = 1
"""The iteration that the faults strike. Trial 0, the baseline, is measured by then."""
AWAY_S = 8
"""How long SSH is gone where it comes back by itself: the benchmark has ended by then."""
RECOVERS_S = 12
"""For how long a slow recovery is slowed down."""
HANGS_S = 5
"""How long the server stands still where it goes on by itself."""
AWAY = ".away"
"""How what was moved out of the way ends."""


@dataclass
class Scene:
    """Where a fault strikes: host and DBMS, the Dags, the worker's clock; the run, where it strikes ahead of a task."""

    system: System[Any]
    host: Host
    dags: Dags
    clock: WorkerClock
    form: dict[str, Any]
    run: Run | None = None

    @property
    def server(self) -> Any:
        """The host's private server."""
        return self.system.server(self.host)


Act = Callable[[Scene], None]


def plan(**knobs: Any) -> Act:
    """Put values into the configuration that is planned for the struck iteration, which must not have begun."""

    def act(scene: Scene) -> None:
        repository = open_repository()
        trial = repository.trial(EXPERIMENT, STRUCK)
        wanted = {**trial.wanted, **knobs}
        planned = repository.plan_trial(EXPERIMENT, STRUCK, kind="model", wanted=wanted, repairs=[], reasons={}, seed=0)
        assert planned.wanted == wanted, "the trial has begun"

    return act


def send(sent: signal.Signals) -> Act:
    """Send a signal to the server."""

    def act(scene: Scene) -> None:
        scene.system.signal(scene.host, sent)

    return act


def of_system(name: str) -> Act:
    """What the DBMS's own class does, by the name of its method."""

    def act(scene: Scene) -> None:
        getattr(scene.system, name)(scene.host)

    return act


def hang_for_a_while(scene: Scene) -> None:
    """The server stands still, and goes on by itself."""
    pid = scene.server.pid
    os.kill(pid, signal.SIGSTOP)
    time.sleep(HANGS_S)
    os.kill(pid, signal.SIGCONT)


def recover_slowly(scene: Scene) -> None:
    """The server dies, and takes longer to recover than a start may.

    Its process stands still for most of the time, and works in between, as on a host whose disk is slow.
    """
    kill_server(scene)
    threading.Thread(target=_slow_down, args=[scene, time.monotonic() + RECOVERS_S]).start()


def _slow_down(scene: Scene, until: float) -> None:
    while time.monotonic() < until:
        pid = scene.server.pid
        with contextlib.suppress(ProcessLookupError):
            if pid is not None:
                os.kill(pid, signal.SIGSTOP)
                time.sleep(0.48)
                os.kill(pid, signal.SIGCONT)
        time.sleep(0.02)


def restart_server(scene: Scene) -> None:
    """An administrator restarts it."""
    scene.server.restart()


def all_of(*acts: Act) -> Act:
    """One after the other."""

    def act(scene: Scene) -> None:
        for one in acts:
            one(scene)

    return act


def cut_ssh(scene: Scene) -> None:
    """The way to the host is gone."""
    scene.host.sshd.stop()


def mend_ssh(scene: Scene) -> None:
    """It is there again, on the same port with the same key."""
    scene.host.sshd.start()


def interrupt_ssh(scene: Scene) -> None:
    """The way to the host is gone for some seconds."""
    cut_ssh(scene)
    time.sleep(AWAY_S)
    mend_ssh(scene)


def repository_file() -> Path:
    """Where the embedded repository lies."""
    return Path(os.environ["OTTERFLOW_HOME"]) / "repository.db"


def repository_down(scene: Scene) -> None:
    """The repository cannot be opened: a folder stands in its place."""
    path = repository_file()
    path.rename(path.with_suffix(AWAY))
    path.mkdir()


def repository_up(scene: Scene) -> None:
    """The repository is back as it was."""
    path = repository_file()
    if path.is_dir():
        shutil.rmtree(path)
        path.with_suffix(AWAY).rename(path)


def fill_disk(scene: Scene) -> None:
    """The file system of the host's folders takes no more."""
    fill(scene.host.root)


def empty_disk(scene: Scene) -> None:
    """There is room again."""
    make_room(scene.host.root)


def main_file(scene: Scene) -> Path:
    """The server's own configuration file."""
    return scene.system.main_file(scene.host)


def knobs_file(scene: Scene) -> Path:
    """The file that otterflow writes."""
    return Path(scene.server.knobs_file)


def append(path: Callable[[Scene], Path], line: str) -> Act:
    """Somebody adds a line to a file of the server's configuration."""

    def act(scene: Scene) -> None:
        file = path(scene)
        scene.host.user.write_file(file, (file.read_text() if file.exists() else "") + line + "\n", 0o644)

    return act


def remove(path: Callable[[Scene], Path], line: str) -> Act:
    """And takes it away again."""

    def act(scene: Scene) -> None:
        file = path(scene)
        scene.host.user.write_file(file, file.read_text().replace(line + "\n", ""), 0o644)

    return act


def delete_knobs_file(scene: Scene) -> None:
    """Somebody tidies up."""
    knobs_file(scene).unlink(missing_ok=True)


def open_knobs_file(mode: int) -> Act:
    """Somebody gives the knobs file other permissions."""

    def act(scene: Scene) -> None:
        if knobs_file(scene).exists():
            knobs_file(scene).chmod(mode)

    return act


def kill_jobs(scene: Scene) -> None:
    """The processes of the remote job get SIGKILL, as a reboot would end them: no verdict is written."""
    kill_jobs_of(scene.host)


def kill_jobs_of(host: Host) -> None:
    """All that works in the host's job folders is killed."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if Path(process.cwd()).is_relative_to(host.work_dir):
                process.kill()


def kill_server(scene: Scene) -> None:
    """The server gets SIGKILL, where it is there."""
    if scene.server.pid:
        os.kill(scene.server.pid, signal.SIGKILL)


def reboot(scene: Scene) -> None:
    """All processes of the host are gone at once, and the job's mark is of another boot."""
    kill_jobs(scene)
    kill_server(scene)
    forget_boot(scene.host)


def forget_boot(host: Host) -> None:
    """The marks of the host's jobs are of another boot."""
    for mark in host.work_dir.rglob("pid"):
        pid, started, _ = mark.read_text().split()
        host.user.write_file(mark, f"{pid} {started} 00000000-0000-0000-0000-000000000000\n")


def remove_snapshot(scene: Scene) -> None:
    """Somebody frees disk space where it is easiest."""
    for folder in scene.host.snapshot_dir.iterdir():
        folder.rename(folder.with_name(f"{folder.name}{AWAY}"))


def bring_snapshot_back(scene: Scene) -> None:
    """And is told."""
    for folder in scene.host.snapshot_dir.glob(f"*{AWAY}"):
        target = folder.with_suffix("")
        if target.exists():
            shutil.rmtree(target)
        folder.rename(target)


def damage_snapshot(scene: Scene) -> None:
    """The snapshot's most needed files are cut short, as by a disk that was full when they were copied back."""
    files = scene.system.files_to_damage(scene.host)
    assert files, "there is no snapshot to damage"
    for file in files:
        shutil.copy2(file, file.with_name(file.name + AWAY))
        file.write_bytes(b"cut short")


def mend_snapshot(scene: Scene) -> None:
    """The files from the backup."""
    for file in scene.host.snapshot_dir.rglob(f"*{AWAY}"):
        shutil.copy2(file, file.with_suffix(""))
        file.unlink()


def change_password(scene: Scene) -> None:
    """The user's password is changed and nobody tells Airflow."""
    scene.system.set_password(scene.host, "another")


def change_password_back(scene: Scene) -> None:
    """The old password again."""
    scene.system.set_password(scene.host, scene.server.password)
