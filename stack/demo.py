"""`make demo`, `demo-night`, `up`, `down` and `clean`: otterflow on private servers, from nothing to a result.

The settings `ITERATIONS`, `BENCHMARK` and `SEED` of the environment change the experiment that `make demo` runs;
`DBMS=mariadb` runs it on a MariaDB, and `POSTGRES_BIN` names the folder of another PostgreSQL's programs.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console, RenderableType

from otterflow.errors import InvalidInput, Problem
from otterflow.experiment.plan import known
from otterflow.experiment.spec import MAX_ITERATIONS, ExperimentSpec
from otterflow.settings import include_dir
from otterflow.workloads.definition import benchmarks
from stack.belongings import take_back
from stack.host import Host
from stack.lab import STATE, SYSTEMS, AnyLab, lab_folder, lab_of, recorded_lab, system_of
from stack.processes import StackError, belonging_to
from stack.programs import bin_dir_from_environment
from stack.view import show, summary
from stack.watch import ExperimentFailed, follow

RESULT = STATE / "result.json"
NIGHT = STATE / "night.json"
TARGET = "demo"
BENCHMARKS = {"postgresql": "analytics", "mariadb": "sysbench_uniform_read_only"}
"""What is tuned for by default: loads that only read, so that no restore is needed between trials."""
TIMES: dict[str, dict[str, int]] = {"postgresql": {}, "mariadb": {"warmup_s": 10, "duration_s": 15}}
"""How long the demo measures where that is not the benchmark's own time, so that one need not wait half an hour."""


@dataclass(frozen=True)
class DemoSettings:
    """What may be changed about the demo's experiment."""

    iterations: int = 10
    benchmark: str = BENCHMARKS["postgresql"]
    seed: int = 0
    ablation: int = 0
    """Trials that send knobs home, in per cent of the iterations; without them the demo is over sooner."""
    dbms: str = "postgresql"
    bin_dir: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> DemoSettings:
        """Read ITERATIONS, BENCHMARK, SEED, ABLATION, DBMS, POSTGRES_BIN. Raises InvalidInput that names it."""
        dbms = _dbms(environment) or cls.dbms
        return cls(
            iterations=_integer(environment, "ITERATIONS", cls.iterations, 1, MAX_ITERATIONS),
            benchmark=_benchmark(environment.get("BENCHMARK") or BENCHMARKS[dbms], dbms),
            seed=_integer(environment, "SEED", cls.seed, 0, 2**31 - 1),
            ablation=_integer(environment, "ABLATION", cls.ablation, 0, 100),
            dbms=dbms,
            bin_dir=bin_dir_from_environment(environment),
        )

    def conf(self) -> dict[str, Any]:
        """The trigger form of `tuning_experiment`, filled in."""
        return {
            "experiment": "demo",
            "target": TARGET,
            "benchmark": self.benchmark,
            "iterations": self.iterations,
            "ablation_percent": self.ablation,
            "seed": self.seed,
            # The demo's data is loaded for it alone; for the shipped length of a run no restore is needed.
            "restore_every": 0,
            # Of ten trials on a small server only a large gain is of interest, and that shows in five rounds.
            "final_rounds": 5,
            **TIMES[self.dbms],
        }


def demo(console: Console, settings: DemoSettings) -> int:
    """Run the experiment on a fresh lab; returns the exit code. In a terminal the lab stays up until Ctrl-C."""
    return from_nothing(
        console,
        lambda: lab_of(lab_folder(STATE), TARGET, dbms=settings.dbms, bin_dir=settings.bin_dir),
        RESULT,
        lambda lab: _run_experiment(lab, console, settings),
    )


def night(console: Console, bin_dir: Path | None) -> int:
    """Record a load, tune by night on it, and try the winner on all of it; on a fresh lab, as `demo` does."""
    from stack.night import NightLab, run

    return from_nothing(console, lambda: NightLab(lab_folder(STATE), bin_dir), NIGHT, lambda lab: run(lab, console))


L = TypeVar("L", bound=AnyLab[Host])


def from_nothing(
    console: Console,
    make: Callable[[], L],
    result_file: Path,
    run: Callable[[L], tuple[dict[str, Any], RenderableType]],
) -> int:
    """Make a lab where none is, have `run` start and use it, and keep its result; returns the exit code.

    `run` gives the result, and what is to be said of it. In a terminal the lab stays up until Ctrl-C.
    """
    lab = make()
    if lab.is_up:
        console.print("The stack of an earlier `make up` or `make demo` is running; end it with `make down` first.")
        return 2
    lab.remove()
    result_file.unlink(missing_ok=True)
    lab = make()
    try:
        _say_where(lab, console)
        result, said = run(lab)
        result_file.write_text(json.dumps(result, indent=2) + "\n")
        console.print(said, markup=False, highlight=False)
        console.print(f"Result: {result_file}")
        if console.is_terminal:
            _show_login(lab, console)
            console.print("The stack stays up until you press Ctrl-C.")
            threading.Event().wait()
    except (StackError, ExperimentFailed) as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("Interrupted.")
        return 0 if result_file.exists() else 130
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # nothing may be left half-stopped
        console.print("Stopping the stack ...")
        lab.stop()
        console.print("Stopped; no process is left. `make up` starts it again with what the demo has left.")
    return 0


def up(console: Console) -> int:
    """Start the lab and leave it running."""
    asked, folder = _dbms(os.environ), lab_folder(STATE)
    made = system_of(folder)
    if asked and made and asked != made:
        console.print(f"The lab in {folder} has {made}, not {asked}; `make clean` removes it.")
        return 2
    lab = lab_of(folder, TARGET, dbms=asked, bin_dir=bin_dir_from_environment(os.environ))
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
    was_up = _stop()
    console.print("Stopped; no process is left." if was_up else "Nothing was running.")
    return 0


def clean(console: Console) -> int:
    """End the lab, delete its files wherever they are, and take back what was made for it outside of the checkout."""
    _stop()
    folder = recorded_lab(STATE)
    if folder is not None:
        lab_of(folder, TARGET).remove()
    left = take_back()
    if left:
        console.print(f"Left in place: {left}.")
    return 0


def _stop() -> bool:
    """End the lab if there is one; says whether any process of it ran."""
    if recorded_lab(STATE) is None and not belonging_to(STATE):
        return False
    lab = lab_of(lab_folder(STATE), TARGET)
    was_up = lab.is_up
    lab.stop()
    return was_up


def _say_where(lab: AnyLab[Host], console: Console) -> None:
    if not lab.root.is_relative_to(STATE):
        console.print(f"The servers' user cannot work under {STATE}, so all their files are in {lab.root}.")


def _run_experiment(
    lab: AnyLab[Host], console: Console, settings: DemoSettings
) -> tuple[dict[str, Any], RenderableType]:
    lab.start(console.print)
    outcome = tuned(lab, settings.conf(), console)
    return outcome, summary(outcome)


def tuned(lab: AnyLab[Host], conf: Mapping[str, Any], console: Console) -> dict[str, Any]:
    """Trigger the experiment of a filled-in form on a lab that runs, show it to its end; its `result.json`.

    Raises ExperimentFailed.
    """
    spec = ExperimentSpec.from_params(conf)
    client = lab.airflow.client
    run_id = client.trigger("tuning_experiment", dict(conf))
    console.print(f"Triggered tuning_experiment: {spec.iterations} trials of {spec.benchmark}.")
    looks = follow(
        lab.repository, client, spec.experiment, run_id, iterations=spec.iterations, final_rounds=spec.final_rounds,
        objective=benchmarks(include_dir() / "benchmarks")[spec.benchmark].objective,
    )  # fmt: skip
    last = show(looks, console)
    if last.finished is None or last.finished.outcome is None:
        raise ExperimentFailed(f"experiment {spec.experiment!r} is finished but has no outcome")
    return last.finished.outcome


def _show_login(lab: AnyLab[Host], console: Console) -> None:
    console.print(f"Airflow: {lab.airflow.url}  (user admin, password {lab.airflow.password})")


def _integer(environment: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = environment.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
        raise InvalidInput(Problem(name, f"{text!r} is not valid", f"use a whole number from {low} to {high}"))
    return int(text)


def _benchmark(name: str, dbms: str) -> str:
    if name not in known("benchmarks"):
        raise InvalidInput(Problem("BENCHMARK", f"{name!r} is unknown", f"known: {', '.join(known('benchmarks'))}"))
    able = benchmarks(include_dir() / "benchmarks")[name].dbms
    if able is not None and dbms not in able:
        found = f"{name!r} is for {', '.join(sorted(able))}, and the demo runs on {dbms}"
        raise InvalidInput(Problem("BENCHMARK", found, f"choose another, such as {BENCHMARKS[dbms]}"))
    return name


def _dbms(environment: Mapping[str, str]) -> str | None:
    """The DBMS that is asked for, if any is. Raises InvalidInput for one that the demo has not."""
    name = environment.get("DBMS") or None
    if name is not None and name not in SYSTEMS:
        raise InvalidInput(Problem("DBMS", f"{name!r} is not to be had here", f"use one of {', '.join(SYSTEMS)}"))
    if name not in (None, "postgresql") and environment.get("POSTGRES_BIN"):
        raise InvalidInput(Problem("POSTGRES_BIN", f"it means nothing with DBMS={name}", "take one of the two out"))
    return name


def _refuse_night_elsewhere(dbms: str | None) -> None:
    if dbms not in (None, "postgresql"):
        found = f"{dbms!r} records no load that could be replayed"
        raise InvalidInput(Problem("DBMS", found, "run demo-night without it, on PostgreSQL"))


def main(arguments: list[str]) -> int:
    """The command line. SIGTERM ends the demo as Ctrl-C does, so that it stops what it started."""
    parser = argparse.ArgumentParser(prog="python -m stack.demo", description=__doc__.partition("\n")[0])
    parser.add_argument("command", choices=["demo", "night", "up", "down", "clean"])
    command = parser.parse_args(arguments).command
    console = Console(soft_wrap=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if command == "demo":
            return demo(console, DemoSettings.from_environment(os.environ))
        if command == "night":
            _refuse_night_elsewhere(_dbms(os.environ))
            return night(console, bin_dir_from_environment(os.environ))
        return {"up": up, "down": down, "clean": clean}[command](console)
    except (InvalidInput, StackError) as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        return 2
    finally:
        take_back()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
