"""What is done to a host, to its server, to the way there and to the repository; and how it is mended."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

from otterflow.operators.connections import open_repository
from stack.host import DatabaseHost
from tests.moved_clock import WorkerClock
from tests.operators.harness import Dags, Run
from tests.small_disk import fill, make_room

START, RUN, FINISH = "tuning_experiment", "tuning_iteration", "tuning_finish"
EXPERIMENT = "faults"
STRUCK = 1
"""The iteration that the faults strike. Trial 0, the baseline, is measured by then."""
AWAY_S = 8
"""How long SSH is gone where it comes back by itself: the benchmark has ended by then."""


@dataclass
class Scene:
    """Where a fault strikes: the host, the Dags, and the worker's clock; the run, where it strikes ahead of a task."""

    host: DatabaseHost
    dags: Dags
    clock: WorkerClock
    form: dict[str, Any]
    run: Run | None = None


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


def postmaster(sent: signal.Signals) -> Act:
    """Send a signal to the postmaster."""

    def act(scene: Scene) -> None:
        os.kill(scene.host.cluster.pid or 0, sent)

    return act


def kill_a_backend(scene: Scene) -> None:
    """What the kernel does when memory runs out: one backend gets SIGKILL, and the server restarts itself."""
    with scene.host.cluster.connect("postgres") as connection:
        row = connection.execute("SELECT max(pid) FROM pg_stat_activity WHERE datname = 'bench'").fetchone()
    assert row is not None
    assert row[0], "no backend is at work"
    os.kill(row[0], signal.SIGKILL)


def execute(statement: str, database: str = "postgres") -> Act:
    """Run a statement as an administrator would."""

    def act(scene: Scene) -> None:
        with scene.host.cluster.connect(database) as connection:
            connection.execute(statement)

    return act


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
    path.rename(path.with_suffix(".away"))
    path.mkdir()


def repository_up(scene: Scene) -> None:
    """The repository is back as it was."""
    path = repository_file()
    if path.is_dir():
        shutil.rmtree(path)
        path.with_suffix(".away").rename(path)


def fill_disk(scene: Scene) -> None:
    """The file system of the host's folders takes no more."""
    fill(scene.host.root)


def empty_disk(scene: Scene) -> None:
    """There is room again."""
    make_room(scene.host.root)


def append(path: Callable[[DatabaseHost], Path], line: str) -> Act:
    """Somebody adds a line to a file of the server's configuration."""

    def act(scene: Scene) -> None:
        file = path(scene.host)
        scene.host.user.write_file(file, (file.read_text() if file.exists() else "") + line + "\n")

    return act


def remove(path: Callable[[DatabaseHost], Path], line: str) -> Act:
    """And takes it away again."""

    def act(scene: Scene) -> None:
        file = path(scene.host)
        scene.host.user.write_file(file, file.read_text().replace(line + "\n", ""))

    return act


def knobs_file(host: DatabaseHost) -> Path:
    """The file that otterflow writes."""
    return host.cluster.knobs_file


def main_file(host: DatabaseHost) -> Path:
    """The server's postgresql.conf."""
    return host.cluster.data_dir / "postgresql.conf"


def delete_knobs_file(scene: Scene) -> None:
    """Somebody tidies up."""
    scene.host.cluster.knobs_file.unlink(missing_ok=True)


def kill_jobs(scene: Scene) -> None:
    """The processes of the remote job get SIGKILL, as a reboot would end them: no verdict is written."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if Path(process.cwd()).is_relative_to(scene.host.work_dir):
                process.kill()


def reboot(scene: Scene) -> None:
    """All processes of the host are gone at once, and the job's mark is of another boot."""
    kill_jobs(scene)
    os.kill(scene.host.cluster.pid or 0, signal.SIGKILL)
    for mark in scene.host.work_dir.rglob("pid"):
        pid, started, _ = mark.read_text().split()
        scene.host.user.write_file(mark, f"{pid} {started} 00000000-0000-0000-0000-000000000000\n")


def remove_snapshot(scene: Scene) -> None:
    """Somebody frees disk space where it is easiest."""
    for folder in scene.host.snapshot_dir.iterdir():
        folder.rename(folder.with_name(f"{folder.name}.away"))


def bring_snapshot_back(scene: Scene) -> None:
    """And is told."""
    for folder in scene.host.snapshot_dir.glob("*.away"):
        target = folder.with_suffix("")
        if target.exists():
            shutil.rmtree(target)
        folder.rename(target)


def damage_snapshot(scene: Scene) -> None:
    """A snapshot whose files cannot be read as a dump any more."""
    for file in scene.host.snapshot_dir.rglob("toc.dat"):
        shutil.copy2(file, file.with_suffix(".away"))
        file.write_bytes(b"not a dump")


def mend_snapshot(scene: Scene) -> None:
    """The files from the backup."""
    for file in scene.host.snapshot_dir.rglob("toc.away"):
        shutil.copy2(file, file.with_suffix(".dat"))
        file.unlink()


def change_password(scene: Scene) -> None:
    """The role's password is changed and nobody tells Airflow."""
    execute("ALTER ROLE otterflow PASSWORD 'another'")(scene)


def change_password_back(scene: Scene) -> None:
    """The old password again; over the socket, which trusts."""
    dsn = psycopg.conninfo.make_conninfo(
        host=str(scene.host.cluster.socket_dir), port=scene.host.cluster.port, dbname="postgres", user="otterflow"
    )
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            psycopg.sql.SQL("ALTER ROLE otterflow PASSWORD {}").format(psycopg.sql.Literal(scene.host.cluster.password))
        )
