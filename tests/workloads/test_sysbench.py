"""sysbench: its commands, and what its outputs say (whole, with collisions, cut short, with errors, empty)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import pytest

from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.errors import BenchmarkFailed
from otterflow.workloads.definition import RunPlan
from otterflow.workloads.sysbench.output import REPORT_FILE, read_result
from otterflow.workloads.sysbench.settings import SysbenchSettings
from otterflow.workloads.sysbench.ways import WAYS
from otterflow.workloads.sysbench.workload import LARGEST_SEED, SysbenchWorkload

Output = Callable[[str], str]
ACCESS = DatabaseAccess("db.example.org", 5432, "tuner", "bench", "db.example.org:5432:*:tuner:top-secret\n")
ASKED = RunPlan(warmup_s=2, duration_s=29.5, seed=4)
CONNECTION = (
    "--db-driver=pgsql --pgsql-host=db.example.org --pgsql-port=5432 --pgsql-user=tuner --pgsql-db=bench "
    "--tables=3 --table-size=500"
)


def workload(**changes: Any) -> SysbenchWorkload:
    settings = {"driver": "sysbench", "test": "oltp_read_write", "tables": 3, "table_size": 500} | changes
    return SysbenchWorkload(
        SysbenchSettings.model_validate(settings), WAYS["postgresql"], load_timeout_s=100, run_timeout_s=20
    )


# Commands


def test_load() -> None:
    job = workload(load_threads=8).load(ACCESS, None)
    assert job.script.splitlines()[-3:] == [
        f"sysbench oltp_read_write {CONNECTION} cleanup",
        f"stdbuf -oL sysbench oltp_read_write {CONNECTION} --threads=3 --rand-seed=1 prepare",
        "psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 '--command=VACUUM (ANALYZE) sbtest1, sbtest2, sbtest3'",
    ]
    assert (job.timeout_s, job.results) == (100, ())


def test_the_measured_run_has_a_histogram_and_the_warm_up_has_none() -> None:
    chosen = workload(test="oltp_read_only", threads=5, rand_type="pareto")
    run, warm_up = chosen.run(ACCESS, ASKED, None), chosen.warm_up(ACCESS, ASKED, None)
    assert warm_up is not None
    begin = f"stdbuf -oL sysbench oltp_read_only {CONNECTION} --threads=5"
    assert warm_up.script.splitlines()[-1] == (
        f"{begin} --time=2 --rand-type=pareto --rand-seed=9 --db-ps-mode=auto --percentile=99 --report-interval=1 run"
    )
    assert run.script.splitlines()[-1] == (
        f"{begin} --time=30 --rand-type=pareto --rand-seed=10 --db-ps-mode=auto --percentile=99 --report-interval=1 "
        f"--histogram=on run | tee {REPORT_FILE}"
    )
    assert (run.timeout_s, warm_up.timeout_s) == (49.5, 22)
    assert run.results == (REPORT_FILE,)


def test_the_password_is_in_the_password_file_alone() -> None:
    chosen = workload()
    for job in (chosen.load(ACCESS, None), chosen.run(ACCESS, ASKED, None)):
        assert "secret" not in job.script
        assert "--pgsql-password" not in job.script
        assert job.files == {"pgpass": ACCESS.pgpass}


def test_any_seed_is_one_that_sysbench_takes_and_never_the_clock() -> None:
    for seed in (0, 1, LARGEST_SEED, 2**31, 2**62 - 1):
        script = workload().run(ACCESS, RunPlan(duration_s=5, seed=seed), None).script
        given = int(script.split("--rand-seed=")[1].split()[0])
        assert 1 <= given < 2**31


def test_without_prepared_statements() -> None:
    assert " --db-ps-mode=disable " in workload(prepared=False).run(ACCESS, ASKED, None).script


def test_the_tests_share_their_data_and_other_sizes_do_not() -> None:
    assert workload().data_fingerprint() == workload(test="oltp_point_select", threads=1).data_fingerprint()
    assert workload().data_fingerprint() != workload(tables=30, table_size=50).data_fingerprint()
    assert workload().estimated_bytes() == 3 * 500 * 256


# Outputs


def test_a_whole_run(output: Output) -> None:
    report = output("sysbench_whole.report.txt")
    result = read_result({REPORT_FILE: report}, "")
    assert (result.throughput, result.transactions, result.seconds) == (806.95, 2447, 3.0318)
    assert result.errors == 0
    assert result.latency_ms["mean"] == pytest.approx(12051.22 / 2447)
    assert "99th percentile:                       23.52" in report
    assert result.latency_ms["p99"] == pytest.approx(23.52, abs=0.01)
    assert 0.82 <= result.latency_ms["p50"] < result.latency_ms["p95"] < result.latency_ms["p99"] <= 41.12


def test_percentiles_are_of_the_histograms_nearest_rank(output: Output) -> None:
    report = output("sysbench_whole.report.txt")
    rows = [line.split() for line in report.splitlines() if " |" in line and "-" not in line]
    latencies = [float(row[0]) for row in rows for _ in range(int(row[-1]))]
    result = read_result({REPORT_FILE: report}, "")
    for percent in (50, 95, 99):
        expected = sorted(latencies)[math.ceil(len(latencies) * percent / 100) - 1]
        assert result.latency_ms[f"p{percent}"] == expected


def test_percentiles_of_few_transactions_are_not_told(output: Output) -> None:
    report = re.sub(r" +[0-9.]+ \|.*\n", "", output("sysbench_whole.report.txt"))
    report = report.replace("count\n", "count\n       5.000 |**** 30\n", 1)
    report = report.replace("2447   (806.95 per sec.)", "30   (9.90 per sec.)")
    result = read_result({REPORT_FILE: report}, "")
    assert result.latency_ms.keys() == {"mean", "p50", "p95"}
    assert result.absent == {"latency_p99": "30 latencies are too few for percentile 99, which takes 100"}


def test_collisions_and_reconnects_are_errors(output: Output) -> None:
    report = output("sysbench_collisions.report.txt")
    assert read_result({REPORT_FILE: report}, "").errors == 7
    found = "    reconnects:                          0 "
    assert found in report
    assert read_result({REPORT_FILE: report.replace(found, found.replace("0", "3"))}, "").errors == 10


@pytest.mark.parametrize(
    ("report", "log", "sentence"),
    [
        ("sysbench_error.report.txt", "", r"sysbench gave up: FATAL: .* canceling statement due to statement timeout"),
        (
            "sysbench_no_server.report.txt",
            "",
            r"sysbench gave up: FATAL: Connection to database failed: .*Connection refused",
        ),
        ("sysbench_crash.report.txt", "sysbench_crash.log", "sysbench gave up: .*Segmentation fault"),
    ],
)
def test_a_run_that_sysbench_gave_up(output: Output, report: str, log: str, sentence: str) -> None:
    with pytest.raises(BenchmarkFailed, match=sentence):
        read_result({REPORT_FILE: output(report)}, output(log) if log else "")


def test_nothing_at_all() -> None:
    with pytest.raises(BenchmarkFailed, match="sysbench printed no report: it said nothing"):
        read_result({}, "")


def test_a_report_cut_short(output: Output) -> None:
    with pytest.raises(BenchmarkFailed, match="cut short or not sysbench's: it has 0 lines 'transactions'"):
        read_result({REPORT_FILE: output("sysbench_cut_short.report.txt")}, "")


def test_a_report_cut_anywhere_is_a_failure_or_whole(output: Output) -> None:
    whole = output("sysbench_whole.report.txt")
    end = whole.index("Threads fairness:")
    for length in range(0, end, 53):
        with pytest.raises(BenchmarkFailed):
            read_result({REPORT_FILE: whole[:length]}, "")


@pytest.mark.parametrize(
    ("found", "put", "sentence"),
    [
        ("(806.95 per", "(nan per", "transactions per second = 'nan', which is no number from 0 up"),
        ("(806.95 per", "(-1 per", "transactions per second = '-1', which is no number"),
        (" 2447   (", " 2446   (", "reports 2446 transactions, but its histogram has 2447"),
        (" 2447   (", " 0   (", "finished no transaction"),
        ("3.0318s", "infs", "total time = 'inf', which is no number"),
        ("12051.22", "soon", "sum of latencies = 'soon', which is no number"),
        ("ignored errors: ", "forgiven errors: ", "it has 0 lines 'ignored errors'"),
    ],
)
def test_wrong_reports(output: Output, found: str, put: str, sentence: str) -> None:
    report = output("sysbench_whole.report.txt")
    assert found in report
    with pytest.raises(BenchmarkFailed, match=sentence):
        read_result({REPORT_FILE: report.replace(found, put)}, "")


def test_two_reports_in_one_are_none(output: Output) -> None:
    with pytest.raises(BenchmarkFailed, match="it has 2 lines"):
        read_result({REPORT_FILE: output("sysbench_whole.report.txt") * 2}, "")


def test_progress(output: Output) -> None:
    chosen = workload()
    said = [chosen.progress(line) for line in output("sysbench_whole.report.txt").splitlines()]
    assert [line for line in said if line] == [
        "1 s: 605 transactions/s, latency p99 23.52 ms",
        "2 s: 1,017 transactions/s, latency p99 26.20 ms",
        "3 s: 820 transactions/s, latency p99 20.00 ms",
    ]
    colliding = [chosen.progress(line) for line in output("sysbench_collisions.report.txt").splitlines()]
    assert "2 s: 791 transactions/s, latency p99 16.71 ms, 4 errors/s" in colliding
    loading = [chosen.progress(line) for line in output("sysbench_load.log").splitlines()]
    assert {line for line in loading if line} == {
        f"loading: {what} {table}"
        for what in ("inserting 1000 records into", "creating a secondary index on")
        for table in ("sbtest1", "sbtest2")
    }
