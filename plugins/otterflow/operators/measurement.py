"""One measurement: is the configuration in force, warm up, read the counters, run, read the counters, believe or not.

What is in force is read back once more after the last run: somebody may have changed the server meanwhile. Used for a
trial and for each turn of the final comparison. Every remote job has a deterministic name, and the counters before the
window are kept in the repository, so a measurement that is begun again goes on where it was.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from statistics import median_low
from typing import TYPE_CHECKING, Any

from otterflow.dbms.postgresql import metrics
from otterflow.errors import BenchmarkFailed, BenchmarkTimedOut, MachineryFault, NothingMeasured
from otterflow.operators.data import mark_used
from otterflow.operators.user_metrics import MetricsAround
from otterflow.remote import proc
from otterflow.remote.job_commands import KILLED, TIMED_OUT, JobState
from otterflow.workloads.job import plan as run_plan
from otterflow.workloads.objective import InvalidResult
from otterflow.workloads.result import BenchmarkResult, believe

if TYPE_CHECKING:
    from otterflow.operators.workbench import Workbench
    from otterflow.remote.job import JobEnd, RemoteJob
    from otterflow.repository import Repository, Trial
    from otterflow.workloads.base import JobScript

log = logging.getLogger(__name__)

FIRST_STEPS = ("warmup", "run1")
"""How the jobs are called that a measurement may begin with, after its name and a hyphen."""


@dataclass(frozen=True)
class Measured:
    """What a measurement gave: the objective's value (the median of `repeats`) and the result that has it."""

    value: float
    repeats: list[float]
    result: dict[str, Any]
    window_s: float
    """Warm-up and measured runs together: what the benchmark itself took."""


class NoWindow:
    """Counters that nobody asked for: the final comparison compares the objective alone."""

    def begin(self, bench: Workbench) -> None:
        """Nothing."""

    def end(self, bench: Workbench) -> None:
        """Nothing."""


class TrialWindow(NoWindow):
    """The counters around a trial's measured window, kept in the repository."""

    def __init__(self, repository: Repository, trial: Trial) -> None:
        self._repository = repository
        self._trial = trial

    def begin(self, bench: Workbench) -> None:
        """Record the counters before the window. The first record of a try stays: a task begun again is inside it."""
        trial = self._trial
        if not self._repository.snapshots(trial.experiment, trial.iteration).before:
            self._repository.record_before(trial.experiment, trial.iteration, _counters(bench))

    def end(self, bench: Workbench) -> None:
        """Record the counters after the window."""
        self._repository.record_after(self._trial.experiment, self._trial.iteration, _counters(bench))


def _counters(bench: Workbench) -> dict[str, Any]:
    done = bench.session.run(proc.sample_command(), what="reading the host's load", timeout_s=30)
    with bench.query(bench.plan.target.database) as query:
        return {"dbms": metrics.snapshot(query).as_dict(), "host": proc.parse_sample(done.stdout).as_dict()}


def measure(
    bench: Workbench,
    name: str,
    wanted: Mapping[str, Any],
    repeats: int,
    window: NoWindow,
    on_start: Callable[[RemoteJob], None],
    *,
    one_pass: bool = False,
) -> Measured:
    """Warm up once, then run `repeats` times; jobs are called `<name>-warmup` and `<name>-run<k>`.

    With `one_pass` a run of a stream is a single pass, or as few as the goal's percentiles take: where turns are
    repeated, more turns tell more than longer ones.
    Raises NotApplied when `wanted` is not in force before and after, ServerCrashed, BenchmarkFailed or
    BenchmarkTimedOut.
    """
    spec, workload = bench.plan.spec, bench.workload
    plan = run_plan(bench.plan.benchmark, spec.warmup_s, spec.duration_s, spec.seed)
    if one_pass and plan.passes:
        plan = replace(plan, passes=bench.plan.benchmark.fewest_passes(bench.plan.goal.names), duration_s=0.0)
    bench.server.read_back(wanted)
    if not bench.plan.is_live:
        mark_used(bench)
    bin_dir = bench.driver_bin_dir
    window_s = 0.0
    warm_up = workload.warm_up(bench.access, plan, bin_dir)
    if warm_up is not None:
        window_s += _run(bench, f"{name}-warmup", warm_up, on_start).seconds
    window.begin(bench)
    results, values = [], []
    for number in range(1, repeats + 1):
        run_name = f"{name}-run{number}"
        around = MetricsAround(bench)
        ran = _run(bench, run_name, around.begin(workload.run(bench.access, plan, bin_dir)), on_start)
        window_s += ran.seconds
        result = workload.parse(ran.results, ran.end.log_tail)
        believe(result, bench.plan.benchmark, plan)
        result = around.end(result, ran.results)
        results.append(result)
        try:
            values.append(_value(bench, result))
        except (InvalidResult, NothingMeasured) as error:
            if not around.late:
                raise
            bench.clean_jobs(run_name)  # so that the cleared task measures anew
            raise MachineryFault(str(error)) from None
        log.info(
            "%s of run %s of %s: %.6g %s",
            bench.plan.objective.value,
            number,
            repeats,
            values[-1],
            bench.plan.objective.unit,
        )
    window.end(bench)
    bench.server.read_back(wanted)
    middle = median_low(values)
    chosen: BenchmarkResult = results[values.index(middle)]
    return Measured(middle, values, chosen.as_dict(), round(window_s, 3))


def _value(bench: Workbench, result: BenchmarkResult) -> float:
    """The objective's number, of a result that has those of the constraints too.

    Raises InvalidResult, with the reason that is known where a number is absent; NothingMeasured where that is of a
    live server, whose statistics are not the configuration's doing.
    """
    try:
        for constraint in bench.plan.goal.constraints:
            constraint.slack(result)
        return bench.plan.objective.read(result)
    except InvalidResult as error:
        if not result.absent:
            raise
        reasons = "; ".join(f"{name}: {why}" for name, why in result.absent.items())
        fault = NothingMeasured if bench.plan.is_live else InvalidResult
        raise fault(f"{error}: {reasons}") from None


@dataclass(frozen=True)
class _Ran:
    end: JobEnd
    results: Mapping[str, str]
    seconds: float


def _run(bench: Workbench, name: str, script: JobScript, on_start: Callable[[RemoteJob], None]) -> _Ran:
    end, results, seconds = bench.run_job(
        name, script, on_driver=True, progress=bench.workload.progress, on_start=on_start
    )
    if end.ok:
        return _Ran(end, results, seconds)
    if end.state is JobState.lost or end.exit_code == KILLED:
        bench.clean_jobs(name)  # so that the cleared task starts it anew
    if end.state is JobState.lost:
        raise MachineryFault(f"job {name} is gone without an exit code: was the driver host restarted?")
    if end.exit_code == KILLED:
        raise MachineryFault(f"job {name} was ended from outside: the task was cancelled, or somebody killed it")
    bench.raise_if_server_died(f"job {name} ended with {end.exit_code}")
    if end.exit_code == TIMED_OUT:
        raise BenchmarkTimedOut(f"job {name} ran past its limit of {script.timeout_s:g} s and was ended on the host")
    raise BenchmarkFailed(f"job {name} ended with exit code {end.exit_code}; the end of its output:\n{end.log_tail}")
