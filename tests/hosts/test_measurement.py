"""One measurement, with a host, a server and jobs that only note what they are asked: the steps and what goes wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from otterflow.dbms.base import Service
from otterflow.dbms.postgresql.dbms import DBMS
from otterflow.dbms.values import Started
from otterflow.errors import (
    BenchmarkFailed,
    BenchmarkTimedOut,
    MachineryFault,
    NotApplied,
    NothingMeasured,
    Problem,
    ServerCrashed,
    ServerStopped,
)
from otterflow.experiment.plan import Plan, checked_plan, load_plan
from otterflow.experiment.spec import ExperimentSpec
from otterflow.hosts import measurement
from otterflow.hosts.jobs import JobOutcome
from otterflow.hosts.measurement import Measured, Measurement, measure
from otterflow.hosts.window import NoWindow
from otterflow.measures.objective import InvalidResult
from otterflow.measures.result import BenchmarkResult
from otterflow.measures.user_metrics import NumberKind, UserMetric
from otterflow.remote.job import JobEnd
from otterflow.remote.job_commands import KILLED, TIMED_OUT, JobState
from otterflow.remote.script import JobScript

FORM: dict[str, Any] = {"experiment": "e", "target": "example_command", "benchmark": "pgbench_tpcb"}
WANTED = {"work_mem": 4096}
DONE = JobEnd(JobState.finished, 0, "")
BEGAN = Started(1000.0, 1000.0)
CRASHED_SINCE = Started(1060.0, 1060.0)
"""The server began to count anew: it had not been shut down in order."""
RESTARTED_SINCE = Started(1060.0, 900.0)


def plan_for(**form: object) -> Plan:
    return load_plan(ExperimentSpec.from_params(FORM | {"duration_s": 60} | form))


def result(throughput: float, seconds: float = 60.0, **more: Any) -> BenchmarkResult:
    return BenchmarkResult(
        throughput=throughput,
        latency_ms={},
        errors=0,
        transactions=round(throughput * seconds),
        seconds=seconds,
        **more,
    )


@dataclass
class Steps(NoWindow):
    """All that a measurement asks for, in order; what it is answered may be changed."""

    plan: Plan = field(default_factory=plan_for)
    results: list[BenchmarkResult] = field(default_factory=lambda: [result(100.0), result(100.0)])
    warms_up: bool = True
    ends: Mapping[str, JobEnd] = field(default_factory=dict)
    now: Started = BEGAN
    """The start that the server is of when the runs are over."""
    said: list[str] = field(default_factory=list)

    disturbed: int = 0
    """So many runs are disturbed, the first ones."""
    may_repeat: bool = True

    def measure(self, repeats: int = 1, baseline: BenchmarkResult | None = None) -> Measured:
        host = SimpleNamespace(access=None)
        first = SimpleNamespace(kind="baseline", state="ok", result=baseline and baseline.as_dict())
        asked = SimpleNamespace(trials=lambda name, metrics: [first] if baseline else [])
        bench = SimpleNamespace(
            plan=self.plan, workload=self, host=host, server=self, jobs=self, repository=asked, name="e"
        )
        return measure(cast(Any, bench), Measurement("trial-3", WANTED, repeats, window=self))

    # The server.
    def look(self, wanted: Mapping[str, Any]) -> tuple[None, Started]:
        assert wanted == WANTED
        self.said.append("look")
        return None, BEGAN if self.said.count("look") == 1 else self.now

    def is_up(self) -> bool:
        return True

    def started(self) -> Started:
        return self.now

    def log_tail(self) -> str:
        return "PANIC: out of memory"

    @property
    def service(self) -> Service:
        return DBMS.service

    # The jobs.
    def run_job(self, name: str) -> JobOutcome:
        self.said.append(name)
        return JobOutcome(self.ends.get(name, DONE), {}, 10.0 if name.endswith("warmup") else 61.5)

    def clean(self, name: str) -> None:
        self.said.append(f"clean {name}")

    # The workload, whose `run` makes a script where that of the jobs takes one.
    def warm_up(self, *way: object) -> JobScript | None:
        return JobScript("warm up", timeout_s=30) if self.warms_up else None

    def run(
        self, first: object, *more: object, on_driver: bool = False, progress: object = None, lookout: object = None
    ) -> Any:
        if isinstance(first, str):
            assert on_driver
            return self.run_job(first)
        return JobScript("run", timeout_s=90)

    def parse(self, results: Mapping[str, str], log: str) -> BenchmarkResult:
        return self.results[sum(step.startswith("trial-3-run") for step in self.said) - 1]

    def progress(self, line: str) -> str | None:
        return None

    # The window.
    def begin(self, host: object) -> None:
        self.said.append("counters before")

    def end(self, host: object, runs_s: float) -> None:
        self.said.append(f"counters after {runs_s:g} s")


@dataclass
class Around:
    """The user's metrics around a run, as if they had been read."""

    numbers: dict[str, float] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    late: bool = False

    def begin(self, script: JobScript) -> JobScript:
        return script

    def end(self, result: BenchmarkResult, files: Mapping[str, str]) -> BenchmarkResult:
        return replace(result, metrics=self.numbers, absent=self.absent)


@pytest.fixture(autouse=True)
def around(monkeypatch: pytest.MonkeyPatch) -> Around:
    found = Around()
    monkeypatch.setattr(measurement, "MetricsAround", lambda host, metrics: found)
    return found


@dataclass
class Gate:
    """Stands for the quiet gate: the first runs are disturbed."""

    bench: Any
    began: Started

    @property
    def may_repeat(self) -> bool:
        return bool(self.bench.workload.may_repeat)

    def begin(self, script: JobScript) -> JobScript:
        return script

    def end(self, ran: JobOutcome) -> dict[str, Any]:
        steps = self.bench.workload
        steps.disturbed -= 1
        return {"others_share": 0.5, "disturbed": "work of others" if steps.disturbed >= 0 else None}


@pytest.fixture(autouse=True)
def gate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurement, "QuietGate", Gate)


@pytest.mark.parametrize(
    ("disturbed", "may_repeat", "runs", "work"),
    [
        (0, True, ["run1"], {"disturbed": None, "tries": 1}),
        (1, True, ["run1", "run1-again2"], {"disturbed": None, "tries": 2}),
        (9, True, ["run1", "run1-again2", "run1-again3"], {"disturbed": "work of others", "tries": 3}),
        (9, False, ["run1"], {"disturbed": "work of others", "tries": 1}),
    ],
)
def test_a_disturbed_run_is_measured_again_and_marked_if_it_stays_so(
    disturbed: int, may_repeat: bool, runs: list[str], work: dict[str, Any]
) -> None:
    steps = Steps(results=[result(10.0), result(20.0), result(30.0)], disturbed=disturbed, may_repeat=may_repeat)
    measured = steps.measure()
    assert [step.removeprefix("trial-3-") for step in steps.said if step.startswith("trial-3-run")] == runs
    assert measured.value == 10.0 * len(runs), "the last try counts"
    assert measured.result["host_work"] == {"others_share": 0.5, **work}
    assert f"counters after {61.5 * len(runs):g} s" in steps.said, "the window holds all tries"


@pytest.fixture(autouse=True)
def used(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which databases were said to be used."""
    marked: list[str] = []
    monkeypatch.setattr(measurement, "mark_used", lambda bench: marked.append(bench.plan.target.database))
    return marked


def test_the_steps_come_in_order_and_the_window_is_around_the_runs_alone(used: list[str]) -> None:
    steps = Steps()
    measured = steps.measure(repeats=2)
    assert steps.said == [
        "look",
        "trial-3-warmup",
        "counters before",
        "trial-3-run1",
        "trial-3-run2",
        "counters after 123 s",
        "look",
    ]
    assert used == [steps.plan.target.database]
    assert measured.window_s == 10.0 + 2 * 61.5


def test_the_value_is_the_median_and_the_result_is_the_one_that_has_it() -> None:
    measured = Steps(results=[result(90.0), result(120.0), result(100.0)]).measure(repeats=3)
    assert (measured.value, measured.repeats) == (100.0, [90.0, 120.0, 100.0])
    assert measured.result["throughput"] == 100.0


def test_of_an_even_number_of_runs_it_is_the_lower_of_the_two_in_the_middle() -> None:
    assert Steps(results=[result(90.0), result(120.0)]).measure(repeats=2).value == 90.0


def test_a_benchmark_without_warm_up_begins_with_the_counters() -> None:
    steps = Steps(warms_up=False)
    assert steps.measure().window_s == 61.5
    assert steps.said[:3] == ["look", "counters before", "trial-3-run1"]


def test_a_server_with_users_has_no_data_to_mark(used: list[str]) -> None:
    live = plan_for(target="example_live", benchmark="live", objective="throughput", restore_every=0)
    Steps(plan=live).measure()
    assert used == []


def test_what_is_not_in_force_is_said_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps()

    def look(wanted: Mapping[str, Any]) -> None:
        raise NotApplied([Problem("work_mem", "is 1MB", "take it out of the file")])

    monkeypatch.setattr(steps, "look", look)
    with pytest.raises(NotApplied):
        steps.measure()
    assert steps.said == []


@pytest.mark.parametrize(
    ("end", "fault", "words", "cleaned"),
    [
        (JobEnd(JobState.lost, None, ""), MachineryFault, "left no exit code", True),
        (JobEnd(JobState.finished, KILLED, ""), MachineryFault, "ended from outside", True),
        (JobEnd(JobState.finished, TIMED_OUT, ""), BenchmarkTimedOut, "past its limit of 90 s", False),
        (JobEnd(JobState.finished, 1, "no such table"), BenchmarkFailed, "exit code 1.*no such table", False),
    ],
    ids=["lost", "killed", "timed out", "failed"],
)
def test_the_end_of_a_job_says_whose_fault_it_is(
    end: JobEnd, fault: type[Exception], words: str, cleaned: bool
) -> None:
    steps = Steps(ends={"trial-3-run1": end})
    with pytest.raises(fault, match=f"(?s)job trial-3-run1 .*{words}") as caught:
        steps.measure()
    assert type(caught.value) is fault
    assert ("clean trial-3-run1" in steps.said) is cleaned  # only what is cleaned is started anew
    assert not [step for step in steps.said if step.startswith("counters after")]


def test_a_warm_up_that_fails_is_a_benchmark_that_failed() -> None:
    steps = Steps(ends={"trial-3-warmup": JobEnd(JobState.finished, 2, "")})
    with pytest.raises(BenchmarkFailed, match="job trial-3-warmup"):
        steps.measure()
    assert "trial-3-run1" not in steps.said


@pytest.mark.parametrize("ends", [{}, {"trial-3-run1": JobEnd(JobState.finished, 1, "connection lost")}])
def test_a_server_that_died_under_the_benchmark_is_a_crash_however_the_job_ended(ends: Mapping[str, JobEnd]) -> None:
    steps = Steps(now=CRASHED_SINCE, ends=ends)
    with pytest.raises(ServerCrashed, match="died under the benchmark") as caught:
        steps.measure()
    assert caught.value.log_tail == "PANIC: out of memory"
    assert not [step for step in steps.said if step.startswith("clean")]


@pytest.mark.parametrize("ends", [{}, {"trial-3-run1": JobEnd(JobState.finished, 1, "connection lost")}])
def test_a_server_that_somebody_restarted_is_measured_again_from_the_warm_up_on(ends: Mapping[str, JobEnd]) -> None:
    steps = Steps(now=RESTARTED_SINCE, ends=ends)
    with pytest.raises(ServerStopped, match="restarted"):
        steps.measure()
    assert steps.said[-1] == "clean trial-3"


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (result(0.0), "throughput is 0"),
        (result(100.0, seconds=9.0), "9"),
        (replace(result(100.0), errors=400), "transactions failed"),
    ],
    ids=["zero", "too short", "errors"],
)
def test_a_result_that_is_not_to_be_believed_fails_the_benchmark(found: BenchmarkResult, words: str) -> None:
    with pytest.raises(BenchmarkFailed, match=f"not to be believed: .*{words}"):
        Steps(results=[found]).measure()


def test_a_result_that_a_crash_has_spoilt_is_a_crash() -> None:
    """A program that counts lost connections among its errors ends well."""
    with pytest.raises(ServerCrashed, match="died under the benchmark"):
        Steps(results=[replace(result(100.0), errors=400)], now=CRASHED_SINCE).measure()


def replayed(done: int) -> BenchmarkResult:
    statements = {"to_send": 1000, "done": done}
    others = {"calls": 0, "seconds": 0.0, "rows": 0}
    kept = {"schedule": "fast", "factor": 1.0, "statements": statements, "errors": {}, "other_classes": others}
    return replace(result(100.0), replay=kept)


def test_a_replay_that_did_other_work_than_the_baselines_has_no_number() -> None:
    Steps(results=[replayed(990)]).measure()
    Steps(results=[replayed(990)]).measure(baseline=replayed(1000))
    with pytest.raises(NothingMeasured, match="cannot be judged by the baseline's: 900 statements were done, and 1000"):
        Steps(results=[replayed(900)]).measure(baseline=replayed(1000))


def waiting(target: str = "example_command", benchmark: str = "pgbench_tpcb") -> Plan:
    """A plan whose objective is a metric of the user's own."""
    plain = plan_for(target=target, benchmark=benchmark, objective="throughput", restore_every=0)
    spec = ExperimentSpec.from_params(plain.spec.record() | {"objective": "metrics.queue", "direction": "minimise"})
    queue = UserMetric(command="wc -l < /srv/queue", numbers={"queue": NumberKind.gauge})
    own = plain.benchmark.model_copy(update={"metrics": (queue,)})
    return checked_plan(spec, plain.target, own, plain.catalog, [])


@pytest.mark.parametrize(
    ("plan", "fault"),
    [(waiting(), InvalidResult), (waiting("example_live", "live"), NothingMeasured)],
    ids=["benchmark", "live server"],
)
def test_a_number_that_is_absent_is_said_with_its_reason(around: Around, plan: Plan, fault: type[Exception]) -> None:
    around.absent = {"metrics.queue": "its command ended with exit code 1"}
    steps = Steps(plan=plan)
    with pytest.raises(fault, match="its command ended with exit code 1") as caught:
        steps.measure()
    assert type(caught.value) is fault  # on a live server it is not the configuration's doing
    assert "clean trial-3-run1" not in steps.said


def test_a_number_that_was_read_too_late_is_measured_anew(around: Around) -> None:
    around.absent, around.late = {"metrics.queue": "it was read 900 s after the run"}, True
    steps = Steps(plan=waiting())
    with pytest.raises(MachineryFault, match="900 s after the run"):
        steps.measure()
    assert steps.said[-1] == "clean trial-3-run1"


def test_the_metrics_around_a_run_are_in_its_result_and_may_be_the_objective(around: Around) -> None:
    around.numbers = {"queue": 3.0}
    measured = Steps(plan=waiting()).measure()
    assert (measured.value, measured.result["metrics"]) == (3.0, {"queue": 3.0})


def test_a_turn_of_a_stream_is_as_few_passes_as_the_objective_takes() -> None:
    stream = plan_for(benchmark="analytics_large", duration_s=600)
    whole, turn = (Measurement("x", WANTED, one_pass=one_pass).run_plan(stream) for one_pass in (False, True))
    assert (whole.duration_s, turn.duration_s) == (600.0, 0.0)
    assert turn.passes == 1
    of_a_time = Measurement("x", WANTED, one_pass=True).run_plan(plan_for())
    assert (of_a_time.passes, of_a_time.duration_s) == (0, 60.0)
