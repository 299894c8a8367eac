"""A user's own piece of work with an end: its scripts, the times of its passes, and a real one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.dbms.postgresql.dbms import DBMS
from otterflow.errors import BenchmarkFailed
from otterflow.measures.objective import Objective
from otterflow.remote.script import JobScript
from otterflow.workloads.base import plan, workload_for
from otterflow.workloads.belief import believe
from otterflow.workloads.command.batch import PASSES_FILE, read_passes
from otterflow.workloads.definition import Benchmark, RunPlan, load_benchmark
from tests.workloads.conftest import Ran

Output = Callable[[str], str]
Run = Callable[[JobScript], Ran]
GOOD = Path(__file__).parent / "good"
ACCESS = DatabaseAccess.with_password("db.example.org", 5432, "tuner", "bench", "top-secret")


def own(**changes: Any) -> Benchmark:
    benchmark = load_benchmark(GOOD / "own_batch.yaml")
    return benchmark.model_copy(update={"workload": benchmark.workload.model_copy(update=changes)})


def test_the_scripts() -> None:
    benchmark = own()
    workload, asked = workload_for(benchmark, DBMS), RunPlan(passes=3, warmup_passes=1, duration_s=90, seed=4)
    load, run, warm_up = (job(ACCESS, None) for job in _jobs(workload, asked))
    assert load.script.endswith("bash -e -o pipefail load.sh < /dev/null\n")
    assert "export OTTERFLOW_SEED=9\npasses=3 budget_ms=90000\n" in run.script
    assert "export OTTERFLOW_SEED=8\npasses=1 budget_ms=0\n" in warm_up.script
    assert "\n    bash -e -o pipefail run.sh < /dev/null\n" in run.script
    assert run.files["run.sh"] == warm_up.files["run.sh"]
    assert (load.timeout_s, run.timeout_s, warm_up.timeout_s) == (30, 120, 30)
    assert (load.results, run.results, warm_up.results) == ((), (PASSES_FILE,), ())
    assert all("secret" not in job.script for job in (load, run, warm_up))
    assert workload.warm_up(ACCESS, RunPlan(passes=1), None) is None


def _jobs(workload: Any, asked: RunPlan) -> tuple[Callable[..., JobScript], ...]:
    return (
        workload.load,
        lambda access, bin_dir: workload.run(access, asked, bin_dir),
        lambda access, bin_dir: workload.warm_up(access, asked, bin_dir),
    )


def test_its_time_is_what_is_measured() -> None:
    assert set(own().objectives) == {Objective.run_time, Objective.latency_mean, Objective.throughput}
    assert workload_for(own(), DBMS).data_fingerprint().startswith("batch-2-")
    assert workload_for(own(), DBMS).data_fingerprint() == workload_for(own(run="true"), DBMS).data_fingerprint()
    assert workload_for(own(), DBMS).data_fingerprint() != workload_for(own(load="true"), DBMS).data_fingerprint()


def test_whole_passes(output: Output) -> None:
    result = read_passes(output("batch_whole.passes.txt"))
    assert result.passes_s == (0.212, 0.076, 0.088)
    assert (result.run_time_s, result.transactions, result.errors) == (0.088, 3, 0)
    assert result.seconds == 0.396
    assert result.throughput == pytest.approx(3 / 0.396)
    assert result.latency_ms == {"mean": pytest.approx(1000 * 0.376 / 3)}
    believe(result, own(), plan(own()))


def test_passes_cut_anywhere_are_a_failure(output: Output) -> None:
    text = output("batch_whole.passes.txt").rstrip("\n")
    for length in range(text.index("measured_ms")):
        with pytest.raises(BenchmarkFailed):
            read_passes(text[:length])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "hold no whole pass"),
        ("pass 1\n", "hold no whole pass"),
        ("pass 1\npass_ms 20\npass 2\n", "pass 2 did not end"),
        ("pass 1\npass_ms 20\n", "cut short after pass 1"),
        ("pass 1\npass_ms -1\nmeasured_ms 20\n", "hold the line 'pass_ms -1', which is none"),
        ("pass 1\npass_ms nan\nmeasured_ms 20\n", "hold the line 'pass_ms nan', which is none"),
    ],
)
def test_wrong_passes(text: str, sentence: str) -> None:
    with pytest.raises(BenchmarkFailed, match=sentence):
        read_passes(text)


def test_a_pass_of_no_time_is_not_believed() -> None:
    with pytest.raises(BenchmarkFailed, match=r"passes_s\.1 is 0, not above zero"):
        believe(read_passes("pass 1\npass_ms 0\nmeasured_ms 1\n"), own(), RunPlan(passes=1))


def test_progress() -> None:
    lines = ["pass 1", "half of it is done", "", "pass_ms 2340", "measured_ms 2341"]
    assert [workload_for(own(), DBMS).progress(line) for line in lines] == [
        "pass 1 of the work has begun",
        "half of it is done",
        None,
        "pass of the work took 2.3 s",
        None,
    ]


@pytest.mark.integration
def test_a_job_of_ones_own_loads_runs_and_is_believed(database: DatabaseAccess, bin_dir: str, run_job: Run) -> None:
    benchmark = own()
    workload, asked = workload_for(benchmark, DBMS), plan(benchmark)
    load, run, warm_up = (job(database, bin_dir) for job in _jobs(workload, asked))
    for job in (load, load, warm_up):
        done = run_job(job)
        assert done.exit_code == 0, done.log
    done = run_job(run)
    assert done.exit_code == 0, done.log
    result = workload.parse(done.results, done.log)
    believe(result, benchmark, asked)
    assert len(result.passes_s) == 3
    assert benchmark.objective.read(result) > 0


@pytest.mark.integration
def test_a_pass_that_fails_ends_the_job(database: DatabaseAccess, bin_dir: str, run_job: Run) -> None:
    benchmark = own(run="psql --no-psqlrc --set=ON_ERROR_STOP=1 --command='SELECT 1 / 0'")
    done = run_job(workload_for(benchmark, DBMS).run(database, plan(benchmark), bin_dir))
    assert done.exit_code != 0
    assert "division by zero" in done.log
    with pytest.raises(BenchmarkFailed, match="hold no whole pass"):
        workload_for(benchmark, DBMS).parse(done.results, done.log)
