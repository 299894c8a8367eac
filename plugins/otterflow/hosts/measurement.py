"""One measurement: is the configuration in force, warm up, read the counters, run, read the counters, believe or not.

What is in force is read back once more after the last run: somebody may have changed the server meanwhile. Used for a
trial and for each turn of the final comparison. Every remote job has a deterministic name, and the counters before the
window are kept in the repository, so a measurement that is begun again goes on where it was.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import median_low
from typing import TYPE_CHECKING, Any

from otterflow.errors import (
    BenchmarkFailed,
    BenchmarkTimedOut,
    ConnectionFault,
    MachineryFault,
    NothingMeasured,
    ServerStopped,
)
from otterflow.hosts.baseline_replay import judge_against_baseline
from otterflow.hosts.data import mark_used
from otterflow.hosts.host import driver_bin_dir
from otterflow.hosts.quiet import MOST_TRIES, QuietGate
from otterflow.hosts.stoppage import raise_if_it_went_away
from otterflow.hosts.user_metrics import MetricsAround
from otterflow.hosts.window import NoWindow
from otterflow.measures.objective import InvalidResult
from otterflow.measures.quiet import HOST_WORK
from otterflow.measures.result import BenchmarkResult
from otterflow.remote.job_commands import KILLED, TIMED_OUT, JobState
from otterflow.workloads.belief import believe
from otterflow.workloads.definition import plan as run_plan

if TYPE_CHECKING:
    from otterflow.dbms.values import Started
    from otterflow.experiment.plan import Plan
    from otterflow.hosts.jobs import JobOutcome
    from otterflow.hosts.lookout import Lookout
    from otterflow.hosts.workbench import Workbench
    from otterflow.measures.hopeless import Phase
    from otterflow.workloads.base import JobScript
    from otterflow.workloads.definition import RunPlan

log = logging.getLogger(__name__)

FIRST_STEPS = ("warmup", "run1")
"""How the jobs are called that a measurement may begin with, after its name and a hyphen."""


@dataclass(frozen=True)
class Measurement:
    """What is to be measured: the configuration `wanted` in force, in `repeats` runs after one warm-up.

    The jobs are called `<name>-warmup` and `<name>-run<k>`; `window` is told when the runs begin and end. With
    `one_pass` a run of a stream is a single pass, or as few as the goal's percentiles take: where turns are repeated,
    more turns tell more than longer ones.
    """

    name: str
    wanted: Mapping[str, Any]
    repeats: int = 1
    window: NoWindow = field(default_factory=NoWindow)
    one_pass: bool = False
    lookout: Lookout | None = None
    """Looks on, and ends what can come to nothing."""

    def run_plan(self, plan: Plan) -> RunPlan:
        """How long the benchmark warms up and is measured."""
        spec, benchmark = plan.spec, plan.benchmark
        found = run_plan(benchmark, spec.warmup_s, spec.duration_s, spec.seed)
        if self.one_pass and found.passes:
            return replace(found, passes=benchmark.fewest_passes(plan.goal.names), duration_s=0.0)
        return found


@dataclass(frozen=True)
class Measured:
    """What a measurement gave: the objective's value (the median of `repeats`) and the result that has it."""

    value: float
    repeats: list[float]
    result: dict[str, Any]
    window_s: float
    """Warm-up and measured runs together: what the benchmark itself took."""


def measure(bench: Workbench, asked: Measurement) -> Measured:
    """Warm up once, then run as often as asked.

    Raises NotApplied when what is wanted is not in force before and after, ServerCrashed, BenchmarkFailed or
    BenchmarkTimedOut; Hopeless, with its job still at work, where the lookout sees no use in going on; ServerStopped,
    with nothing left of the measurement, when somebody stopped the server meanwhile.
    """
    try:
        return _measure(bench, asked)
    except ServerStopped:
        bench.jobs.clean(asked.name)  # so that the next try measures anew, warm-up and all
        raise


def _measure(bench: Workbench, asked: Measurement) -> Measured:
    plan, workload = asked.run_plan(bench.plan), bench.workload
    way = bench.host.access, plan, driver_bin_dir(bench.plan.target)
    _, began = bench.server.look(asked.wanted)
    if not bench.plan.is_live:
        mark_used(bench)
    window_s = 0.0
    warm_up = workload.warm_up(*way)
    if warm_up is not None:
        window_s += _run(bench, f"{asked.name}-warmup", warm_up, began, asked.lookout, "warmup").seconds
    asked.window.begin(bench.host)
    runs_s, results, values, works = 0.0, [], [], []
    gate = QuietGate(bench, began)
    for number in range(1, asked.repeats + 1):
        tried = _run_quietly(bench, f"{asked.name}-run{number}", workload.run(*way), began, gate, asked.lookout)
        run_name, around, ran = tried.name, tried.around, tried.ran
        window_s, runs_s = window_s + tried.seconds, runs_s + tried.seconds
        works.append(tried.host_work)
        try:
            if number == asked.repeats:
                asked.window.end(bench.host, runs_s)
            result = workload.parse(ran.results, ran.end.log_tail)
            believe(result, bench.plan.benchmark, plan)
            judge_against_baseline(bench, result)
        except (BenchmarkFailed, ConnectionFault):  # a program that counts lost connections as errors has ended well
            raise_if_it_went_away(bench.server, began, f"as job {run_name} was over")
            raise
        result = around.end(result, ran.results)
        results.append(result)
        try:
            values.append(_value(bench.plan, result))
        except (InvalidResult, NothingMeasured) as error:
            if not around.late:
                raise
            bench.jobs.clean(run_name)  # so that the cleared task measures anew
            raise MachineryFault(str(error)) from None
        objective = bench.plan.objective
        log.info("%s of run %s of %s: %.6g %s", objective.value, number, asked.repeats, values[-1], objective.unit)
    if not bench.server.look(asked.wanted)[1].is_same_start(began):
        raise_if_it_went_away(bench.server, began, "before its last run was over")
    middle = median_low(values)
    chosen: BenchmarkResult = results[values.index(middle)]
    work = works[values.index(middle)]
    course = asked.lookout.course(middle) if asked.lookout else {}
    record = chosen.as_dict() | ({HOST_WORK: work} if work else {}) | course
    return Measured(middle, values, record, round(window_s, 3))


@dataclass(frozen=True)
class _Try:
    """A run that is believed, with its name and the user's metrics around it; `seconds` are those of all its tries."""

    name: str
    around: MetricsAround
    ran: JobOutcome
    host_work: dict[str, Any]
    seconds: float


def _run_quietly(
    bench: Workbench, name: str, script: JobScript, began: Started, gate: QuietGate, lookout: Lookout | None
) -> _Try:
    """Run the job, and again where the host worked for others beside it; the last try is kept, quiet or marked."""
    seconds, run_name = 0.0, name
    for number in range(1, MOST_TRIES + 1):
        run_name = name if number == 1 else f"{name}-again{number}"
        around = MetricsAround(bench.host, bench.plan.metrics)
        ran = _run(bench, run_name, gate.begin(around.begin(script)), began, lookout)
        seconds += ran.seconds
        work = gate.end(ran)
        if not work.get("disturbed"):
            break
        if not gate.may_repeat:
            log.warning("the run is kept and marked: on the data that it has left it cannot be measured again")
            break
        log.warning("try %s of %s of %s was disturbed", number, MOST_TRIES, name)
    return _Try(run_name, around, ran, work | ({"tries": number} if work else {}), seconds)


def _value(plan: Plan, result: BenchmarkResult) -> float:
    """The objective's number, of a result that has those of the constraints too.

    Raises InvalidResult, with the reason that is known where a number is absent; NothingMeasured where that is of a
    live server, whose statistics are not the configuration's doing.
    """
    try:
        for constraint in plan.goal.constraints:
            constraint.slack(result)
        return plan.objective.read(result)
    except InvalidResult as error:
        if not result.absent:
            raise
        reasons = "; ".join(f"{name}: {why}" for name, why in result.absent.items())
        fault = NothingMeasured if plan.is_live else InvalidResult
        raise fault(f"{error}: {reasons}") from None


def _run(
    bench: Workbench,
    name: str,
    script: JobScript,
    began: Started,
    lookout: Lookout | None = None,
    phase: Phase = "run",
) -> JobOutcome:
    """Run a job of the benchmark. Raises what its end means, unless that is a success."""
    if lookout is not None:
        lookout.begin(phase)
    ran = bench.jobs.run(name, script, on_driver=True, progress=bench.workload.progress, lookout=lookout)
    end = ran.end
    if end.ok:
        if lookout is not None:
            lookout.end(ran.seconds)
        return ran
    if end.state is JobState.lost or end.exit_code == KILLED:
        bench.jobs.clean(name)  # so that the cleared task starts it anew
    if end.state is JobState.lost:
        raise MachineryFault(f"job {name} {end}")
    if end.exit_code == KILLED:
        raise MachineryFault(f"job {name} was ended from outside: the task was cancelled, or somebody killed it")
    raise_if_it_went_away(bench.server, began, f"job {name} ended with {end.exit_code}")
    if end.exit_code == TIMED_OUT:
        raise BenchmarkTimedOut(f"job {name} ran past its limit of {script.timeout_s:g} s and was ended on the host")
    raise BenchmarkFailed(f"job {name} {end}; the end of its output:\n{end.log_tail}")
