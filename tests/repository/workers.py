"""What the processes of the concurrency tests do. Each is a process of its own, as Airflow's tasks are."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from itertools import count
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from otterflow.errors import TargetHeld
from otterflow.repository import Repository
from otterflow.repository.database import Database
from otterflow.repository.tables import ConfigurationRow, TargetRow
from tests.repository.samples import BASELINE, measured, new_experiment

CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [__name__]
)  # a server that has imported all this once: each starts at once, and is alone
TIMEOUT_S = 120


def at_once(work: Callable[..., Any], url: URL, processes: int) -> list[Any]:
    """What `work(repository's url, number)` gives in each of that many processes, all let loose at one moment.

    What a process raises comes back in its place.
    """
    start, answers = CONTEXT.Barrier(processes), CONTEXT.SimpleQueue()
    text = url.render_as_string(hide_password=False)
    running = [CONTEXT.Process(target=_answer, args=(work, text, i, start, answers)) for i in range(processes)]
    for process in running:
        process.start()
    found = dict(answers.get() for _ in running)
    for process in running:
        process.join(TIMEOUT_S)
    return [found[i] for i in range(processes)]


def _answer(work: Callable[..., Any], url: str, number: int, start: Any, answers: Any) -> None:
    start.wait(TIMEOUT_S)
    try:
        answers.put((number, work(url, number)))
    except Exception as error:
        answers.put((number, f"{type(error).__name__}: {error}"))


def begin(work: Callable[..., Any], url: URL, *arguments: Any) -> BaseProcess:
    """Start `work(url, *arguments)` in a process of its own."""
    process = CONTEXT.Process(target=work, args=(url.render_as_string(hide_password=False), *arguments))
    process.start()
    return process


def kill(process: BaseProcess) -> None:
    """End the process as the kernel does when memory is short: at once, without a word."""
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(TIMEOUT_S)


def open_empty(url: str, number: int) -> str:
    """Make the tables, or find them made."""
    return str(Repository.open(url).experiments())


def hold(url: str, number: int) -> str:
    """Try to hold the target as an experiment of one's own."""
    try:
        Repository.open(url).hold_target("staging", f"experiment-{number}")
    except TargetHeld as refusal:
        return refusal.holder
    return f"experiment-{number}"


def take_turns(url: str, number: int, counter: Path) -> int:
    """Hold the target again and again, and count up a file under no other lock than the hold."""
    repository, me, held = Repository.open(url), f"experiment-{number}", 0
    deadline = time.monotonic() + TIMEOUT_S
    while held < 10 and time.monotonic() < deadline:
        try:
            repository.hold_target("staging", me)
        except TargetHeld:
            continue
        counter.write_text(str(int(counter.read_text()) + 1))
        repository.release_target("staging", me)
        held += 1
    return held


def create(url: str, number: int) -> str:
    """Create the same experiment as everybody else."""
    return Repository.open(url).create_experiment(new_experiment()).created_at.isoformat()


def begin_the_same_try(url: str, number: int) -> int:
    """Plan and begin the same trial as everybody else."""
    repository = Repository.open(url)
    repository.plan_trial("night", 0, kind="baseline", wanted=BASELINE, repairs=[], reasons={}, seed=1)
    return repository.begin_try("night", 0).attempt


def run_an_experiment(url: str, number: int) -> int:
    """A whole small experiment."""
    repository, name = Repository.open(url), f"experiment-{number}"
    repository.create_experiment(new_experiment(name))
    for iteration in range(8):
        measured(repository, iteration, name)
    return len(repository.trials(name))


def stop_half_way(url: str, reached: Any) -> None:
    """Write half of a transaction, say so, and never come to its end."""
    with Database(url).write() as session:
        session.add(TargetRow(name="half"))
        session.add(ConfigurationRow(hash="0" * 64, content={}))
        session.flush()
        reached.set()
        signal.pause()


def write_without_end(url: str, reached: Any) -> None:
    """Replace all metrics of a trial, n of them with the value n, over and over."""
    repository = Repository.open(url)
    for turn in count():
        size = 50 + 150 * (turn % 2)
        metrics = {f"metric_{i}": float(size) for i in range(size)}
        repository.record_metrics("night", 0, metrics, host={}, reset=[str(size)])
        reached.set()
