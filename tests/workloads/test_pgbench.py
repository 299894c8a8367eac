"""pgbench: its commands, what its outputs say (whole, cut short, with errors, empty), and the summary of its log."""

from __future__ import annotations

import math
import random
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.errors import BenchmarkFailed
from otterflow.workloads.definition import RunPlan
from otterflow.workloads.pgbench.client import SUMMARY_FILES, summarise
from otterflow.workloads.pgbench.output import LATENCY_FILE, REPORT_FILE, read_result
from otterflow.workloads.pgbench.settings import PgbenchSettings
from otterflow.workloads.pgbench.workload import PgbenchWorkload

Output = Callable[[str], str]
ACCESS = DatabaseAccess("db.example.org", 5432, "tuner", "bench")
ASKED = RunPlan(warmup_s=2, duration_s=30, seed=4)


def workload(**changes: Any) -> PgbenchWorkload:
    settings = {"driver": "pgbench", "script": "tpcb-like", "scale": 10, "clients": 6, "threads": 3} | changes
    return PgbenchWorkload(PgbenchSettings.model_validate(settings), load_timeout_s=100, run_timeout_s=20)


def captured(output: Output, name: str) -> dict[str, str]:
    return {REPORT_FILE: output(f"{name}.report.txt"), LATENCY_FILE: output(f"{name}.latency.txt")}


# Commands


def test_load() -> None:
    job = workload().load(ACCESS, None)
    assert job.script.splitlines()[-1] == "pgbench --initialize --quiet --scale=10"
    assert (job.timeout_s, job.results) == (100, ())


def test_the_measured_run_is_logged_and_the_warm_up_is_not() -> None:
    chosen = workload(protocol="prepared")
    run, warm_up = chosen.run(ACCESS, ASKED, None), chosen.warm_up(ACCESS, ASKED, None)
    assert warm_up is not None
    assert warm_up.script.splitlines()[-1] == (
        "pgbench --builtin=tpcb-like --client=6 --jobs=3 --time=2 --protocol=prepared --random-seed=8 --progress=1"
    )
    assert (
        "\npgbench --builtin=tpcb-like --client=6 --jobs=3 --time=30 --protocol=prepared --random-seed=9 --progress=1 "
        f"--log --log-prefix=transactions --no-vacuum | tee {REPORT_FILE}\n"
    ) in run.script
    assert (run.timeout_s, warm_up.timeout_s) == (50, 22)
    assert run.results == (REPORT_FILE, LATENCY_FILE)


def test_without_a_warm_up_the_run_vacuums_itself() -> None:
    assert "--no-vacuum" not in workload().run(ACCESS, RunPlan(duration_s=5), None).script


def test_a_sample_is_logged_where_asked() -> None:
    assert "--sampling-rate=0.1 " in workload(latency_sample=0.1).run(ACCESS, ASKED, None).script
    assert "--sampling-rate" not in workload().run(ACCESS, ASKED, None).script


def test_seconds_are_rounded_up_to_what_pgbench_takes() -> None:
    assert "--time=1 " in workload().run(ACCESS, RunPlan(duration_s=0.2), None).script


# Outputs


def test_a_whole_run(output: Output) -> None:
    result = read_result(captured(output, "pgbench_whole"), output("pgbench_whole.log"))
    report = output("pgbench_whole.report.txt")
    assert f"tps = {result.throughput:.6f} " in report
    assert f"actually processed: {result.transactions}\n" in report
    assert f"latency average = {result.latency_ms['mean']:.3f} ms" in report
    assert result.errors == 0
    assert result.seconds == pytest.approx(3, abs=0.1)
    assert result.latency_ms["p50"] < result.latency_ms["p95"] < result.latency_ms["p99"]


def test_failed_transactions_are_errors_and_have_no_latency(output: Output) -> None:
    result = read_result(captured(output, "pgbench_failures"), output("pgbench_failures.log"))
    assert (result.transactions, result.errors) == (1369, 5591)


def test_the_report_of_version_12(output: Output) -> None:
    result = read_result(
        {REPORT_FILE: output("pgbench_12.report.txt"), LATENCY_FILE: output("pgbench_whole.latency.txt")}, ""
    )
    assert (result.throughput, result.transactions, result.errors) == (443.010012, 1321, 0)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("pgbench_aborted", r"pgbench gave up: .*client 2 script 0 aborted .*FATAL:  terminating connection"),
        (
            "pgbench_no_server",
            r"pgbench printed no report: pgbench: error: connection to server at .* failed: Connection refused",
        ),
    ],
)
def test_a_run_that_pgbench_gave_up(output: Output, name: str, sentence: str) -> None:
    results = {REPORT_FILE: output(f"{name}.report.txt"), LATENCY_FILE: output("pgbench_whole.latency.txt")}
    with pytest.raises(BenchmarkFailed, match=sentence):
        read_result(results, output(f"{name}.log"))


def test_the_cause_is_told_with_the_client_that_gave_up() -> None:
    log = (
        "pgbench: error: ERROR:  operator does not exist: text = integer\n"
        'pgbench: error: client 4 script 0 aborted in command 56 query 0: ERROR:  prepared statement "P_6" \n'
        "pgbench: error: Run was aborted; the above results are incomplete.\n"
    )
    with pytest.raises(BenchmarkFailed, match=r"gave up: .*client 4 .* \(first: .*operator does not exist"):
        read_result({}, log)


def test_nothing_at_all() -> None:
    with pytest.raises(BenchmarkFailed, match="pgbench printed no report: it said nothing"):
        read_result({}, "")


def test_a_report_cut_short(output: Output) -> None:
    results = captured(output, "pgbench_whole") | {REPORT_FILE: output("pgbench_cut_short.report.txt")}
    with pytest.raises(BenchmarkFailed, match="cut short or not pgbench's: it has 0 lines 'number of transactions"):
        read_result(results, "")


def test_a_report_cut_anywhere_is_a_failure_or_whole(output: Output) -> None:
    whole = output("pgbench_whole.report.txt").rstrip("\n")
    results = captured(output, "pgbench_whole")
    for length in range(0, len(whole), 7):
        with pytest.raises(BenchmarkFailed):
            read_result(results | {REPORT_FILE: whole[:length]}, "")


def test_a_latency_summary_cut_anywhere_is_a_failure(output: Output) -> None:
    results = captured(output, "pgbench_whole")
    lines = results[LATENCY_FILE].splitlines()
    for count in range(len(lines)):
        with pytest.raises(BenchmarkFailed, match=r"cut short|no number"):
            read_result(results | {LATENCY_FILE: "\n".join(lines[:count])}, "")


@pytest.mark.parametrize(
    ("found", "put", "sentence"),
    [
        ("tps = 442", "tps = nan-442", "tps = 'nan-442.* which is no number"),
        ("processed: 1321", "processed: -1", "cut short or not pgbench's"),
        ("processed: 1321", "processed: 0", "did not end a single transaction"),
        ("processed: 1321", "processed: 1320", "reports 1320 transactions, but its log has 1321"),
    ],
)
def test_wrong_reports(output: Output, found: str, put: str, sentence: str) -> None:
    results = captured(output, "pgbench_whole")
    assert found in results[REPORT_FILE]
    with pytest.raises(BenchmarkFailed, match=sentence):
        read_result(results | {REPORT_FILE: results[REPORT_FILE].replace(found, put)}, "")


@pytest.mark.parametrize(
    ("found", "put", "sentence"),
    [
        ("count 1321", "count 0", "holds no finished transaction"),
        ("count 1321", "count many", "count = 'many', which is no number"),
        ("unreadable 0", "unreadable 3", "3 lines that are not transactions"),
    ],
)
def test_wrong_latency_summaries(output: Output, found: str, put: str, sentence: str) -> None:
    results = captured(output, "pgbench_whole")
    assert found in results[LATENCY_FILE]
    with pytest.raises(BenchmarkFailed, match=sentence):
        read_result(results | {LATENCY_FILE: results[LATENCY_FILE].replace(found, put)}, "")


def test_a_sampled_log_may_miss_its_share_by_luck_only(output: Output) -> None:
    results = captured(output, "pgbench_whole")
    near = results | {LATENCY_FILE: results[LATENCY_FILE].replace("count 1321", "count 140")}
    assert read_result(near, "", latency_sample=0.1).transactions == 1321
    with pytest.raises(BenchmarkFailed, match=r"where a sample of 0\.1 would have about 132"):
        read_result(results, "", latency_sample=0.1)


def test_progress(output: Output) -> None:
    chosen = workload()
    said = [chosen.progress(line) for line in output("pgbench_whole.log").splitlines()]
    assert [line for line in said if line] == [
        "1 s: 681 transactions/s, latency 5.55 ms",
        "2 s: 335 transactions/s, latency 12.03 ms",
        "3 s: 301 transactions/s, latency 13.18 ms",
    ]
    failing = [chosen.progress(line) for line in output("pgbench_failures.log").splitlines()]
    assert any(line and line.endswith(" failed") for line in failing)
    loading = [chosen.progress(line) for line in output("pgbench_load.log").splitlines()]
    assert [line for line in loading if line] == ["loading: 100 % of the accounts"]


# The summary of the log, made with awk on the driver host


def summary(folder: Path, logs: Sequence[str], scripts: int = 1) -> dict[str, float]:
    for name, text in SUMMARY_FILES.items():
        (folder / name).write_text(text)
    for number, text in enumerate(logs):
        (folder / f"transactions.77{f'.{number}' if number else ''}").write_text(text)
    subprocess.run(["bash", "-euo", "pipefail", "-c", summarise(scripts)], cwd=folder, check=True)
    assert not list(folder.glob("transactions.*"))
    pairs = [line.split() for line in (folder / LATENCY_FILE).read_text().splitlines()]
    return {name: float(value) for name, value in pairs}


def nearest_rank(latencies: Sequence[int], percent: int) -> int:
    return sorted(latencies)[math.ceil(len(latencies) * percent / 100) - 1]


@pytest.mark.parametrize("count", [1, 2, 19, 20, 100, 101, 5000])
def test_percentiles_are_those_of_the_sorted_latencies(tmp_path: Path, count: int) -> None:
    draw = random.Random(count)
    latencies = [round(draw.lognormvariate(7, 1)) for _ in range(count)]
    begun = 1_795_393_000_000_000
    ends = [begun + 1000 * place + latency for place, latency in enumerate(latencies)]
    lines = [
        f"0 {place} {lat} 0 {end // 10**6} {end % 10**6}\n"
        for place, (lat, end) in enumerate(zip(latencies, ends, strict=True))
    ]
    half = count // 2
    found = summary(tmp_path, ["".join(lines[:half]), "".join(lines[half:])])
    assert found["count"] == count
    assert found["sum_us"] == sum(latencies)
    assert found["span_us"] == max(ends) - begun
    assert [found[f"p{p}_us"] for p in (50, 95, 99)] == [nearest_rank(latencies, p) for p in (50, 95, 99)]


def test_captured_logs_of_two_threads(tmp_path: Path, output: Output) -> None:
    found = summary(tmp_path, [output("pgbench_transactions.1"), output("pgbench_transactions.2")])
    rows = [line.split() for line in (output("pgbench_transactions.1") + output("pgbench_transactions.2")).splitlines()]
    latencies = [int(row[2]) for row in rows if row[2] != "failed"]
    assert found["failed"] == len(rows) - len(latencies) > 0
    assert found["count"] == len(latencies)
    assert found["p95_us"] == nearest_rank(latencies, 95)
    assert found["unreadable"] == 0


def test_a_log_cut_short_and_foreign_lines_are_counted_as_unreadable(tmp_path: Path) -> None:
    found = summary(tmp_path, ["0 1 500 0 1795393000 100\n0 2 failed 0 1795393000 200\nhello\n0 3 50"])
    assert (found["count"], found["failed"], found["unreadable"]) == (1, 1, 2)


def test_an_empty_log(tmp_path: Path) -> None:
    found = summary(tmp_path, [""])
    assert found["count"] == 0
    assert "p50_us" not in found


def test_no_log_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        summary(tmp_path, [])
