"""The stream of queries: its scripts, and what its timings say (whole, cut short, with an error, empty)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from otterflow import settings
from otterflow.dbms.mysql_family.access import DatabaseAccess as MysqlAccess
from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.dbms.postgresql.dbms import DBMS
from otterflow.dbms.registry import dbms_named
from otterflow.errors import BenchmarkFailed
from otterflow.workloads.analytics.output import TIMINGS_FILE, read_result
from otterflow.workloads.analytics.workload import AnalyticsWorkload
from otterflow.workloads.base import workload_for
from otterflow.workloads.definition import RunPlan, load_benchmark

Output = Callable[[str], str]
ACCESS = DatabaseAccess("db.example.org", 5432, "tuner", "bench")
BENCHMARK = load_benchmark(settings.include_dir() / "benchmarks" / "analytics.yaml")
QUERIES = BENCHMARK.workload.query_names
CAPTURED = tuple(
    "q01_monthly_revenue q02_brands_by_segment q03_customer_value q04_days_between_purchases q05_buyers_by_category "
    "q06_latest_of_best_customers q07_one_subcategory q08_return_rate q09_price_bands q10_dense_daily_grid q11_cohorts "
    "q12_rollup q13_lapsed_customers q14_sessions".split()
)
"""The stream of the captured outputs."""


@pytest.fixture(scope="module")
def workload() -> AnalyticsWorkload:
    found = workload_for(BENCHMARK, DBMS)
    assert isinstance(found, AnalyticsWorkload)
    return found


# Scripts


def test_load_files_run_in_order_and_those_of_one_number_together(workload: AnalyticsWorkload) -> None:
    job = workload.load(ACCESS, None)
    steps = re.findall(r"^load_together (.*)$", job.script, re.M)
    assert [{name[:2] for name in step.split()} for step in steps] == [{"10"}, {"20"}, {"30"}, {"40"}, {"50"}]
    named = [name for step in steps for name in step.split()]
    assert set(named) | {"session.sql"} == set(job.files)
    assert f"variables=(--set=scale={BENCHMARK.scale} --set=parts=1)\n" in job.script
    assert job.timeout_s == BENCHMARK.load_timeout_s


def test_every_query_is_timed_under_its_name(workload: AnalyticsWorkload) -> None:
    job = workload.run(ACCESS, RunPlan(passes=2), None)
    stream = cast("str", job.files["stream.sql"])
    assert re.findall(r"^\\echo query (\S+)\n\\i (\S+)\.sql$", stream, re.M) == [(name, name) for name in QUERIES]
    assert stream.index("SET search_path") < stream.index(r"\timing on") < stream.index(QUERIES[0])
    assert {f"{name}.sql" for name in QUERIES} == set(job.files) - {"stream.sql"}
    assert job.results == (TIMINGS_FILE,)


def test_passes_and_time_reach_the_script(workload: AnalyticsWorkload) -> None:
    job = workload.run(ACCESS, RunPlan(passes=2, duration_s=90), None)
    assert "passes=2 budget_ms=90000\n" in job.script
    assert job.timeout_s == 90 + BENCHMARK.run_timeout_s
    warm_up = workload.warm_up(ACCESS, RunPlan(passes=2, warmup_passes=1, duration_s=90), None)
    assert warm_up is not None
    assert "passes=1 budget_ms=0\n" in warm_up.script


def test_in_mysqls_dialect_the_session_times_each_query_and_its_rows_go_nowhere() -> None:
    benchmark = load_benchmark(settings.include_dir() / "benchmarks" / "analytics_common.yaml")
    assert benchmark.dbms == frozenset({"mariadb", "mysql"})
    for name in sorted(benchmark.dbms):
        workload = workload_for(benchmark, dbms_named(name))
        assert workload.programs()[0] == name
        job = workload.run(MysqlAccess("db.example.org", 3306, "tuner", "bench"), RunPlan(passes=2), None)
        stream = cast("str", job.files["stream.sql"])
        timed = re.findall(r"^SELECT 'otterflow stream: query (\S+)';\nSET @otterflow_begun", stream, re.M)
        assert tuple(timed) == benchmark.workload.query_names
        assert stream.count("TIMESTAMPDIFF(MICROSECOND, @otterflow_begun, SYSDATE(6))") == len(timed)
        assert "sql_client --batch --raw --skip-column-names --unbuffered < stream.sql | sed -u -n" in job.script
        load = workload.load(MysqlAccess("db.example.org", 3306, "tuner", "bench"), None)
        assert "SET @scale = 5, @parts = 2" in load.files["variables.sql"]
        assert "load_together 20_dimensions.sql 20_sales.sql@0 20_sales.sql@1 20_visits.sql\n" in load.script


@pytest.mark.parametrize("name", ["analytics", "analytics_common"])
def test_the_streams_have_the_same_tables(name: str) -> None:
    schema = (settings.include_dir() / "benchmarks" / name / "load" / "10_schema.sql").read_text()
    tables = set(re.findall(r"CREATE TABLE (?:analytics\.)?(\w+) \(", schema)) - {"ones", "thousands"}
    assert len(tables) == 7
    assert {"calendar", "store", "product", "customer", "sales", "visits"} < tables


def test_the_fingerprint_follows_the_sql(workload: AnalyticsWorkload, tmp_path: Path) -> None:
    for path in (workload.settings.session_file, *workload.settings.load_files, *workload.settings.query_files):
        copy = tmp_path / path.relative_to(workload.settings.sql)
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(path.read_text())
    copied = replace(workload, settings=workload.settings.model_copy(update={"sql": tmp_path}))
    assert copied.data_fingerprint() == workload.data_fingerprint()
    (tmp_path / "queries" / "q99_new.sql").write_text("SELECT 1;\n")
    assert copied.data_fingerprint() == workload.data_fingerprint()
    (tmp_path / "load" / "20_sales.sql").write_text("SELECT 1;\n")
    assert copied.data_fingerprint() != workload.data_fingerprint()


def test_the_shipped_queries_only_read(workload: AnalyticsWorkload) -> None:
    for path in workload.settings.query_files:
        statement = re.sub(r"--.*", "", path.read_text()).strip()
        assert re.match(r"(SELECT|WITH)\b", statement), path.name
        if statement.endswith(r"\gexec"):  # a dashboard: its tiles are made by one statement and run by psql
            assert ";" not in statement, path.name
        else:
            assert statement.endswith(";"), path.name
            assert statement.count(";") == 1, path.name
        assert not re.search(r"\b(INSERT|UPDATE|DELETE|CREATE|SET|random|now|current_date)\b", statement), path.name


# Outputs


def test_a_whole_run(output: Output) -> None:
    text = output("analytics_whole.timings.txt")
    result = read_result(text, "", CAPTURED)
    times = [float(ms) for ms in re.findall(r"^Time: ([\d.]+) ms", text, re.M)]
    first, second = sum(times[:14]) / 1000, sum(times[14:]) / 1000
    assert result.passes_s == pytest.approx((first, second))
    assert result.run_time_s == pytest.approx((first + second) / 2)
    assert tuple(result.queries_ms) == CAPTURED
    assert result.queries_ms[CAPTURED[0]] == pytest.approx((times[0] + times[14]) / 2)
    assert result.transactions == 28
    assert result.seconds >= first + second
    assert result.throughput == pytest.approx(28 / result.seconds)
    assert result.latency_ms == pytest.approx(
        {"mean": sum(times) / 28, "p50": sorted(times)[13], "p95": sorted(times)[26]}
    )


def test_one_pass_is_too_few_for_high_percentiles() -> None:
    lines = ["pass 1", *[f"query {name}\nTime: {100 + place}.5 ms" for place, name in enumerate(CAPTURED)]]
    result = read_result("\n".join([*lines, "pass_ms 1600", "measured_ms 1610"]), "", CAPTURED)
    assert set(result.latency_ms) == {"mean", "p50"}


def test_a_query_of_several_statements_is_their_sum() -> None:
    text = "pass 1\nquery total\nTime: 1.5 ms\nTime: 1002.000 ms (00:01.002)\npass_ms 1010\nmeasured_ms 1010\n"
    assert read_result(text, "", ["total"]).queries_ms == {"total": 1003.5}


def test_nothing_at_all() -> None:
    with pytest.raises(BenchmarkFailed, match="the stream left no timings: psql: error: connection refused"):
        read_result("", "psql: error: connection refused\n", CAPTURED)


def test_a_stream_that_met_an_error(output: Output) -> None:
    with pytest.raises(
        BenchmarkFailed,
        match=r"pass 1 .* no time for q14_sessions: psql:q13_lapsed_customers.sql:9: ERROR: .*visits. does not exist",
    ):
        read_result(output("analytics_error.timings.txt"), output("analytics_error.log"), CAPTURED)


def test_a_run_cut_short(output: Output) -> None:
    text = output("analytics_cut_short.timings.txt")
    assert text.endswith("\nTime: 6")
    with pytest.raises(BenchmarkFailed, match="the line 'Time: 6', which is none"):
        read_result(text, "", CAPTURED)
    with pytest.raises(BenchmarkFailed, match="pass 2 of the stream has no time for q07_one_subcategory, q08"):
        read_result(text.removesuffix("Time: 6"), "", CAPTURED)


def test_a_run_cut_anywhere_is_a_failure(output: Output) -> None:
    whole = output("analytics_whole.timings.txt").rstrip("\n")
    for length in range(0, whole.rindex("measured_ms"), 11):
        with pytest.raises(BenchmarkFailed):
            read_result(whole[:length], "", CAPTURED)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("pass 1\nquery total\nTime: -1 ms\n", "the line 'Time: -1 ms', which is none"),
        ("pass 1\nquery total\nTime: 1.2.3 ms\n", "the time '1.2.3' ms is no number"),
        ("query total\nTime: 1 ms\n", "'query total' before their first pass"),
        ("pass 1\nquery total\nTime: 1 ms\n", "pass 1 of the stream did not end"),
        ("pass 1\nquery total\nTime: 1 ms\npass_ms 1\n", "cut short after pass 1"),
        ("measured_ms 0\n", "no whole pass"),
        ('{"throughput": 12', "which is none"),
    ],
)
def test_wrong_timings(text: str, sentence: str) -> None:
    with pytest.raises(BenchmarkFailed, match=sentence):
        read_result(text, "", ["total"])


def test_progress(workload: AnalyticsWorkload, output: Output) -> None:
    lines = output("analytics_whole.timings.txt").splitlines()
    said = [line for line in map(workload.progress, lines) if line]
    assert len(said) == 4
    assert said[0] == "pass 1 of the stream has begun"
    assert re.fullmatch(r"pass of the stream took \d+\.\d s", said[1])
    loading = [line for line in map(workload.progress, output("analytics_load.log").splitlines()) if line]
    assert len(loading) == len(workload.settings.load_files)
    assert all(re.fullmatch(r"loaded \d\d_\w+", line) for line in loading)
