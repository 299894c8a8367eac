"""What is going on in an experiment, read from the repository and from Airflow: the source of the progress view."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from otterflow.errors import InvalidInput
from otterflow.experiment.comparison import ARMS
from otterflow.experiment.window import RESERVED_ROUNDS
from otterflow.measures.objective import Objective
from otterflow.repository import Experiment, ExperimentState, Measurement, Repository, Trial, TrialKind
from stack.airflow_client import AirflowClient

Runs = list[tuple[str, dict[str, object]]]
"""The Dag's name and the run, as Airflow's API gives it, of each run of one experiment."""


class ExperimentFailed(Exception):
    """The experiment did not come to its end. The message names the task and ends with the end of its log."""


@dataclass(frozen=True)
class Progress:
    """One look at an experiment. `doing` is the task that runs now, in words; times are seconds."""

    name: str
    objective: Objective
    iterations: int
    final_rounds: int
    elapsed_s: float
    state: ExperimentState = ExperimentState.created
    doing: str = ""
    trials: Sequence[Trial] = ()
    measurements: Sequence[Measurement] = ()
    finished: Experiment | None = field(default=None, repr=False)

    @property
    def ended_trials(self) -> list[Trial]:
        """The trials that are over, in their order."""
        return [trial for trial in self.trials if trial.state.ended]

    def best_until(self, iteration: int) -> float | None:
        """The best value measured in the trials up to and with `iteration`, in the objective's unit."""
        values = [t.objective for t in self.trials if t.iteration <= iteration and t.objective is not None]
        if not values:
            return None
        return max(values) if self.objective.maximise else min(values)

    @property
    def seconds_left(self) -> float | None:
        """An estimate from the trials so far: those to come, and the final comparison. None before the first ended."""
        lengths = [
            (t.ended_at - t.started_at).total_seconds() for t in self.ended_trials if t.started_at and t.ended_at
        ]
        if not lengths or self.state.ended:
            return None
        trial_s = statistics.median(lengths)
        rounds = min(self.final_rounds, max([RESERVED_ROUNDS, *(m.round for m in self.measurements)]))
        turns_left = max(0, self._arms() * rounds - len(self.measurements))
        trials_left = 0 if self.state == ExperimentState.finishing else max(0, self.iterations - len(lengths))
        return trials_left * trial_s + turns_left * self._turn_s(trial_s)

    def _arms(self) -> int:
        """How many configurations the final comparison measures in a round: two that are the same are measured once."""
        rounds = [m.round for m in self.measurements]
        return rounds.count(min(rounds)) if rounds and max(rounds) > min(rounds) else len(ARMS)

    def number_of(self, trial: Trial) -> str:
        """Which of the iterations a trial is, as `3/10`; one that sends knobs home is none of them, and a plus."""
        if trial.kind == TrialKind.ablation:
            return "+"
        return f"{trial.iteration + 1}/{self.iterations}"

    def _turn_s(self, trial_s: float) -> float:
        times = sorted(m.measured_at for m in self.measurements)
        if len(times) > 1:
            return (times[-1] - times[0]).total_seconds() / (len(times) - 1)
        benchmarks = [t.seconds["benchmark"] for t in self.ended_trials if "benchmark" in t.seconds]
        return statistics.median(benchmarks) if benchmarks else trial_s


def follow(
    repository: Repository, client: AirflowClient, name: str, run_id: str, *, iterations: int, final_rounds: int,
    objective: Objective, poll_s: float = 3.0,
) -> Iterator[Progress]:  # fmt: skip
    """Look every `poll_s` seconds until the experiment has ended; the last look has `finished` set.

    A look costs the API server a tenth of a second of the processor that the benchmark is measured on, so not often.
    Raises ExperimentFailed when a run failed, or the experiment ended in any state but `finished`.
    """
    began = time.monotonic()
    while True:
        experiment = _experiment(repository, name)
        runs = _runs(client, name, run_id)
        progress = Progress(
            name,
            Objective(experiment.objective) if experiment else objective,
            iterations,
            final_rounds,
            time.monotonic() - began,
            state=experiment.state if experiment else ExperimentState.created,
            doing=_doing(client, runs),
            trials=repository.trials(name) if experiment else (),
            measurements=repository.measurements(name) if experiment else (),
            finished=experiment if experiment and experiment.state == ExperimentState.finished else None,
        )
        yield progress
        if progress.finished:
            return
        if experiment and experiment.state.ended:
            raise ExperimentFailed(f"experiment {name!r} ended {experiment.state.value}: {experiment.message}")
        _raise_if_a_run_failed(client, runs)
        time.sleep(poll_s)


def _experiment(repository: Repository, name: str) -> Experiment | None:
    try:
        return repository.experiment(name)
    except InvalidInput:
        return None  # not created yet: its first task has not got so far


def _runs(client: AirflowClient, name: str, run_id: str) -> Runs:
    found: Runs = [("tuning_experiment", client.dag_run("tuning_experiment", run_id))]
    for dag_id in ("tuning_iteration", "tuning_finish"):
        runs = client.dag_runs(dag_id)
        found += [(dag_id, run) for run in runs if str(run["dag_run_id"]).startswith(f"{name}-")]
    return found


def _doing(client: AirflowClient, runs: Runs) -> str:
    active = [(dag_id, run) for dag_id, run in runs if run["state"] == "running"]
    if not active:
        return "waiting for the scheduler"
    dag_id, run = active[-1]
    tasks = client.task_instances(dag_id, str(run["dag_run_id"]))
    running = [task for task in tasks if task["state"] == "running"]
    if not running:
        return "between two tasks"
    task = running[-1]
    since = datetime.fromisoformat(task["start_date"])
    return f"{task['task_id']} ({(datetime.now(UTC) - since).total_seconds():.0f} s)"


def _raise_if_a_run_failed(client: AirflowClient, runs: Runs) -> None:
    for dag_id, run in runs:
        if run["state"] != "failed":
            continue
        raise ExperimentFailed(why_failed(client, dag_id, str(run["dag_run_id"])))


def why_failed(client: AirflowClient, dag_id: str, run_id: str) -> str:
    """What a run failed of: the end of the log of each failed task."""
    failed = [task for task in client.task_instances(dag_id, run_id) if task["state"] == "failed"]
    parts = [f"run {run_id} of {dag_id} failed"]
    for task in failed:
        log = client.task_log(dag_id, run_id, task["task_id"], max(1, task["try_number"]))
        parts += [f"--- end of the log of {task['task_id']}", *log[-25:]]
    return "\n".join(parts)
