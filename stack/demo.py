"""`make demo`, `make up` and `make down`: one experiment on a private PostgreSQL, from nothing to its result.

The settings `ITERATIONS`, `BENCHMARK` and `SEED` of the environment change the experiment that `make demo` runs.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from otterflow.errors import InvalidInput, Problem
from otterflow.experiment import MAX_ITERATIONS, ExperimentSpec, known
from otterflow.settings import include_dir
from otterflow.workloads.definition import benchmarks
from stack.airflow import PROJECT
from stack.lab import Lab, lab_folder
from stack.processes import StackError
from stack.view import show, summary
from stack.watch import ExperimentFailed, follow

STATE = PROJECT / ".demo"
RESULT = STATE / "result.json"
TARGET = "demo"


@dataclass(frozen=True)
class DemoSettings:
    """What may be changed about the demo's experiment."""

    iterations: int = 10
    benchmark: str = "analytics"
    seed: int = 0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> DemoSettings:
        """Read ITERATIONS, BENCHMARK and SEED. Raises InvalidInput that names the setting."""
        return cls(
            iterations=_integer(environment, "ITERATIONS", cls.iterations, 1, MAX_ITERATIONS),
            benchmark=_benchmark(environment.get("BENCHMARK") or cls.benchmark),
            seed=_integer(environment, "SEED", cls.seed, 0, 2**31 - 1),
        )

    def conf(self) -> dict[str, Any]:
        """The trigger form of `tuning_experiment`, filled in."""
        return {
            "experiment": "demo",
            "target": TARGET,
            "benchmark": self.benchmark,
            "iterations": self.iterations,
            "seed": self.seed,
            # The demo's data is loaded for it alone; for the shipped length of a run no restore is needed.
            "restore_every": 0,
        }


def demo(console: Console, settings: DemoSettings) -> int:
    """Run the experiment on a fresh lab; returns the exit code. In a terminal the lab stays up until Ctrl-C."""
    lab = _lab()
    if lab.is_up:
        console.print("The stack of an earlier `make up` or `make demo` is running; end it with `make down` first.")
        return 2
    lab.remove()
    RESULT.unlink(missing_ok=True)
    lab = _lab()
    try:
        _say_where(lab, console)
        lab.start(console.print)
        result = _run_experiment(lab, console, settings)
        RESULT.write_text(json.dumps(result, indent=2) + "\n")
        console.print(summary(result))
        console.print(f"Result: {RESULT}")
        if console.is_terminal:
            _show_login(lab, console)
            console.print("The stack stays up until you press Ctrl-C.")
            threading.Event().wait()
    except (StackError, ExperimentFailed) as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("Interrupted.")
        return 0 if RESULT.exists() else 130
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # nothing may be left half-stopped
        console.print("Stopping the stack ...")
        lab.stop()
        console.print("Stopped; no process is left. `make up` starts it again with what the demo has left.")
    return 0


def up(console: Console) -> int:
    """Start the lab and leave it running."""
    lab = _lab()
    try:
        _say_where(lab, console)
        lab.start(console.print)
    except StackError as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        lab.stop()
        return 1
    _show_login(lab, console)
    console.print("`make down` ends it.")
    return 0


def down(console: Console) -> int:
    """End the lab that `up` started, and nothing else."""
    lab = _lab()
    was_up = lab.is_up
    lab.stop()
    console.print("Stopped; no process is left." if was_up else "Nothing was running.")
    return 0


def _lab() -> Lab:
    return Lab(lab_folder(STATE), TARGET)


def _say_where(lab: Lab, console: Console) -> None:
    if not lab.root.is_relative_to(STATE):
        console.print(f"The servers' user cannot work under {STATE}, so all their files are in {lab.root}.")


def _run_experiment(lab: Lab, console: Console, settings: DemoSettings) -> dict[str, Any]:
    conf = settings.conf()
    spec = ExperimentSpec.from_params(conf)
    client = lab.airflow.client
    run_id = client.trigger("tuning_experiment", conf)
    console.print(f"Triggered tuning_experiment: {settings.iterations} trials of {settings.benchmark}.")
    looks = follow(
        lab.repository, client, spec.experiment, run_id, iterations=spec.iterations, final_rounds=spec.final_rounds,
        objective=benchmarks(include_dir() / "benchmarks")[spec.benchmark].objective,
    )  # fmt: skip
    last = show(looks, console)
    if last.finished is None or last.finished.outcome is None:
        raise ExperimentFailed(f"experiment {spec.experiment!r} is finished but has no outcome")
    return last.finished.outcome


def _show_login(lab: Lab, console: Console) -> None:
    console.print(f"Airflow: {lab.airflow.url}  (user admin, password {lab.airflow.password})")


def _integer(environment: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = environment.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
        raise InvalidInput(Problem(name, f"{text!r} is not valid", f"use a whole number from {low} to {high}"))
    return int(text)


def _benchmark(name: str) -> str:
    if name not in known("benchmarks"):
        raise InvalidInput(Problem("BENCHMARK", f"{name!r} is unknown", f"known: {', '.join(known('benchmarks'))}"))
    return name


def main(arguments: list[str]) -> int:
    """The command line. SIGTERM ends the demo as Ctrl-C does, so that it stops what it started."""
    parser = argparse.ArgumentParser(prog="python -m stack.demo", description=__doc__.partition("\n")[0])
    parser.add_argument("command", choices=["demo", "up", "down"])
    command = parser.parse_args(arguments).command
    console = Console(soft_wrap=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if command == "demo":
            return demo(console, DemoSettings.from_environment(os.environ))
        return up(console) if command == "up" else down(console)
    except InvalidInput as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
