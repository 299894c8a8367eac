"""What a mix of own pgbench scripts leaves: whole, retried, paused, sampled, cut short, wrong, inconsistent data."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from otterflow.errors import BenchmarkFailed, InvalidInput
from otterflow.measures.formula import constraints, formula
from otterflow.measures.names import names_for
from otterflow.measures.objective import InvalidResult, Objective
from otterflow.workloads.belief import believe
from otterflow.workloads.definition import RunPlan
from otterflow.workloads.pgbench.output import LATENCY_FILE, REPORT_FILE, Report
from otterflow.workloads.pgbench.scripts_output import CHECK_FILE, read_scripts
from otterflow.workloads.pgbench.scripts_report import Counts, read_sections
from tests.workloads.test_pgbench import nearest_rank, summary
from tests.workloads.test_pgbench_scripts import MIX, TPCC, tpcc

Output = Callable[[str], str]


def captured(output: Output, name: str) -> dict[str, str]:
    return {
        REPORT_FILE: output(f"{name}.report.txt"),
        LATENCY_FILE: output(f"{name}.latency.txt"),
        CHECK_FILE: output(f"{name}.checks.txt"),
    }


def test_a_whole_run(output: Output) -> None:
    report = output("tpcc_whole.report.txt")
    result = read_scripts(captured(output, "tpcc_whole"), output("tpcc_whole.log"), tpcc())
    believe(result, TPCC, RunPlan(duration_s=3))
    assert list(result.types) == list(MIX)
    tps = re.search(rf" - {result.counted} transactions \(.*% of total, tps = ([\d.]+)\)", report)
    assert tps
    assert result.throughput == pytest.approx(float(tps.group(1)))
    assert result.types["new_order"]["throughput"] == result.throughput
    assert result.numbers == {"new_orders_per_minute": pytest.approx(60 * (result.throughput or 0))}
    assert result.transactions == sum(own["transactions"] for own in result.types.values())
    assert f"actually processed: {result.transactions}\n" in report
    assert result.errors == 0
    for name, own in result.types.items():
        found = re.search(rf": {name}.sql\n(?: - .*\n)*? - latency average = ([\d.]+) ms", report)
        assert found
        assert own["mean"] == pytest.approx(float(found.group(1)), abs=0.001)
    assert ("p95" in result.types["delivery"], "p99" in result.types["delivery"]) == (True, False)


def test_a_script_that_never_ran_has_no_counts_in_the_report_of_pgbench_18() -> None:
    report = (
        "total number of retries: 3\n"
        "SQL script 1: often.sql\n - weight: 96 (targets 96.0% of total)\n"
        " - 7 transactions (100.0% of total, tps = 3.5)\n - number of failed transactions: 1 (12.500%)\n"
        " - number of transactions retried: 2 (25.000%)\n - total number of retries: 3\n"
        "SQL script 2: seldom.sql\n - weight: 4 (targets 4.0% of total)\n - 0 transactions (0.0% of total)\n"
    )
    read = read_sections(report, Report(transactions=7, throughput=3.5, failed=1), ["often.sql", "seldom.sql"])
    assert read == [Counts(7, 1, 3), Counts(0, 0, 0)]
    cut = report.replace(" - total number of retries: 3\n", "")
    with pytest.raises(BenchmarkFailed, match=r"no number of retries for often\.sql"):
        read_sections(cut, Report(transactions=7, throughput=3.5, failed=1), ["often.sql", "seldom.sql"])


def test_a_types_latency_and_the_rate_by_the_minute_are_names_for_objectives(output: Output) -> None:
    result = read_scripts(captured(output, "tpcc_whole"), "", tpcc())
    names = names_for(TPCC)
    assert {"types.new_order.p95", "types.payment.throughput", "numbers.new_orders_per_minute"} < set(names)
    by_the_minute = formula("numbers.new_orders_per_minute", names, maximise=True)
    assert by_the_minute.read(result) == pytest.approx(60 * (result.throughput or 0))
    (limit,) = constraints(["types.new_order.p95 < 5000"], names)
    assert limit.slack(result) > 0
    with pytest.raises(InvalidResult, match=r"types\.delivery\.p99"):
        formula("types.delivery.p99", names, maximise=False).read(result)
    with pytest.raises(InvalidInput, match=r"types\.refund\.p95"):
        formula("types.refund.p95", names, maximise=False)


def test_every_transaction_counts_where_no_script_is_named(output: Output) -> None:
    result = read_scripts(captured(output, "tpcc_whole"), "", tpcc(throughput_of=None))
    tps = re.search(r"^tps = ([\d.]+)", output("tpcc_whole.report.txt"), re.M)
    assert tps
    assert result.throughput == pytest.approx(float(tps.group(1)), abs=1e-5)
    assert (result.counted, result.numbers) == (None, {})
    believe(result, TPCC, RunPlan(duration_s=3))


def test_retried_and_failed_transactions(output: Output) -> None:
    retried = read_scripts(captured(output, "tpcc_retries"), output("tpcc_retries.log"), tpcc())
    report = output("tpcc_retries.report.txt")
    assert f"\ntotal number of retries: {sum(own['retries'] for own in retried.types.values()):.0f}\n" in report
    assert f"\nnumber of failed transactions: {retried.errors} (" in report
    assert retried.errors == retried.types["payment"]["errors"] > 0
    failed = read_scripts(captured(output, "tpcc_failures"), output("tpcc_failures.log"), tpcc(max_tries=1))
    assert failed.errors > failed.transactions / 2
    assert failed.types["payment"]["retries"] == 0
    with pytest.raises(BenchmarkFailed, match=r"transactions failed \(\d+\.\d+%\), more than max_error_share 1.00%"):
        believe(failed, TPCC, RunPlan(duration_s=3))


def test_pauses_are_in_no_number(output: Output) -> None:
    result = read_scripts(captured(output, "tpcc_pauses"), output("tpcc_pauses.log"), tpcc(pause_ms=20))
    assert list(result.types) == list(MIX)
    done = re.findall(r"^ - (\d+) transactions", output("tpcc_pauses.report.txt"), re.M)
    assert result.transactions == sum(map(int, done[:-1])) < int(done[-1])
    assert result.types["stock_level"].keys() == {"transactions", "errors", "retries", "throughput", "mean", "p50"}
    believe(result, TPCC, RunPlan(duration_s=2))
    with pytest.raises(BenchmarkFailed, match=r"of the scripts new_order.sql, .* it tells of "):
        read_scripts(captured(output, "tpcc_pauses"), "", tpcc())


def test_percentiles_of_too_few_transactions_are_absent_with_a_reason(output: Output) -> None:
    results = {REPORT_FILE: output("pgbench_failures.report.txt").replace("processed: 1369", "processed: 30")}
    summary_of_few = output("pgbench_failures.latency.txt").replace("count 1369", "count 30") + "pauses 0\n"
    results |= {LATENCY_FILE: summary_of_few, CHECK_FILE: "checked\n"}
    result = read_scripts(results, "", tpcc(scripts={"payment": 3}, throughput_of=None))
    assert result.latency_ms.keys() == {"mean", "p50", "p95"}
    assert "p99" not in result.types["payment"]
    assert result.absent == {"latency_p99": "30 latencies are too few for percentile 99, which takes 100"}
    with pytest.raises(InvalidResult):
        Objective.latency_p99.read(result)


def test_a_single_script_has_no_section_of_its_own(output: Output) -> None:
    results = {REPORT_FILE: output("pgbench_failures.report.txt"), CHECK_FILE: "checked\n"}
    results[LATENCY_FILE] = output("pgbench_failures.latency.txt") + "pauses 0\n"
    result = read_scripts(results, "", tpcc(scripts={"payment": 3}, throughput_of=None))
    assert (result.transactions, result.errors) == (1369, 5591)
    assert result.types["payment"]["transactions"] == 1369
    assert {"mean", "p50", "p95", "p99"} < result.types["payment"].keys()
    assert result.types["payment"]["mean"] == result.latency_ms["mean"]


def test_a_run_that_pgbench_gave_up(output: Output) -> None:
    results = {REPORT_FILE: output("tpcc_aborted.report.txt"), LATENCY_FILE: "", CHECK_FILE: ""}
    with pytest.raises(BenchmarkFailed, match=r"pgbench gave up: .*client 1 script 1 aborted .*FATAL:  terminating"):
        read_scripts(results, output("tpcc_aborted.log"), tpcc())


def test_nothing_at_all() -> None:
    with pytest.raises(BenchmarkFailed, match="pgbench printed no report: it said nothing"):
        read_scripts({}, "", tpcc())


def test_inconsistent_data_refuse_the_result(output: Output) -> None:
    with pytest.raises(BenchmarkFailed, match="the data are wrong after the run: condition 1: w_ytd of warehouse 1 is"):
        read_scripts(captured(output, "tpcc_inconsistent"), output("tpcc_inconsistent.log"), tpcc())


@pytest.mark.parametrize(("text", "said"), [("", "no output"), ("condition 1: w_ytd\n", "condition 1: w_ytd")])
def test_a_check_that_did_not_end_refuses_the_result(output: Output, text: str, said: str) -> None:
    with pytest.raises(BenchmarkFailed, match=f"not checked to the end after the run: {said}"):
        read_scripts(captured(output, "tpcc_whole") | {CHECK_FILE: text}, "", tpcc())


@pytest.mark.parametrize("name", ["tpcc_whole", "tpcc_retries"])
def test_a_report_cut_anywhere_is_a_failure_or_lacks_no_number(output: Output, name: str) -> None:
    whole, results = output(f"{name}.report.txt"), captured(output, name)
    result = read_scripts(results, "", tpcc())
    refused = 0
    for length in range(0, len(whole), 7):
        try:
            found = read_scripts(results | {REPORT_FILE: whole[:length]}, "", tpcc())
        except BenchmarkFailed:
            refused = length
        else:
            assert found == result, f"cut after {length} characters"
    assert refused > whole.rindex(" - total number of retries")


def test_a_latency_summary_cut_anywhere_is_a_failure(output: Output) -> None:
    results = captured(output, "tpcc_whole")
    lines = results[LATENCY_FILE].splitlines()
    for count in range(len(lines)):
        with pytest.raises(BenchmarkFailed, match=r"cut short|no number"):
            read_scripts(results | {LATENCY_FILE: "\n".join(lines[:count])}, "", tpcc())


@pytest.mark.parametrize(
    ("found", "put", "sentence"),
    [
        ("SQL script 3: order_status.sql", "SQL script 3: other.sql", "new_order.sql, payment.sql, .* it tells of "),
        (" - 518 transactions (", " - several transactions (", "no number of transactions for new_order"),
        (" - 518 transactions (", " - 418 transactions (", "1191 transactions, but its scripts' sum to 1091"),
        (" - 518 transactions (", " - 540 transactions (", "1191 transactions, but its scripts' sum to 1213"),
        ("processed: 1191", "processed: 1200", "reports 1200 transactions, but its log has 1191"),
        ("total number of retries: 0\nlat", "total number of retries: 9\nlat", "9 retries, but its scripts' sum to 0"),
        ("failed transactions: 0 (0.000%)\nnumber", "failed transactions: 99\nnumber", "99 failed .* sum to 0"),
    ],
)
def test_wrong_reports(output: Output, found: str, put: str, sentence: str) -> None:
    results = captured(output, "tpcc_whole")
    assert found in results[REPORT_FILE]
    with pytest.raises(BenchmarkFailed, match=sentence):
        read_scripts(results | {REPORT_FILE: results[REPORT_FILE].replace(found, put)}, "", tpcc())


def test_what_the_threads_of_pgbench_lost_is_in_the_log(output: Output) -> None:
    results = captured(output, "tpcc_whole")
    result = read_scripts(results, "", tpcc())
    lost = results[REPORT_FILE].replace(" - 518 transactions (", " - 515 transactions (")
    assert read_scripts(results | {REPORT_FILE: lost}, "", tpcc()) == result
    assert result.counted == 518


def test_of_a_sampled_log_the_report_is_believed(output: Output) -> None:
    results = captured(output, "tpcc_whole")
    tenth = re.sub(
        r"^(count|script_\d_count) (\d+)",
        lambda m: f"{m[1]} {int(m[2]) // 10}",
        output("tpcc_whole.latency.txt"),
        flags=re.M,
    )
    result = read_scripts(results | {LATENCY_FILE: tenth}, "", tpcc(latency_sample=0.1))
    assert (result.transactions, result.counted) == (1191, 518)
    assert "p99" not in result.types["new_order"]
    assert result.types["order_status"].keys() == {"transactions", "errors", "retries", "throughput", "mean", "p50"}
    with pytest.raises(BenchmarkFailed, match=r"where a sample of 0\.1 would have about 119"):
        read_scripts(results, "", tpcc(latency_sample=0.1))


@pytest.mark.parametrize(
    ("found", "put", "sentence"),
    [
        ("script_0_count 518", "script_0_count 500", "518 transactions of new_order, but its log has 500"),
        ("script_0_count 518", "script_0_count 900", "518 transactions of new_order, but its log has 900"),
        ("script_0_count 518", "script_0_count x", "script_0_count = 'x', which is no number"),
        ("script_2_p50_us", "script_2_p51_us", "cut short: no script_2_p50_us"),
        ("unreadable 0", "unreadable 3", "3 lines that are not transactions"),
        ("count 1191\n", "count 0\n", "holds no finished transaction"),
        ("pauses 0\n", "", "cut short: no pauses"),
    ],
)
def test_wrong_latency_summaries(output: Output, found: str, put: str, sentence: str) -> None:
    results = captured(output, "tpcc_whole")
    assert found in results[LATENCY_FILE]
    with pytest.raises(BenchmarkFailed, match=sentence):
        read_scripts(results | {LATENCY_FILE: results[LATENCY_FILE].replace(found, put, 1)}, "", tpcc())


def test_a_mix_that_is_not_the_weights_is_refused(output: Output) -> None:
    weights = MIX | {"delivery": 30}
    with pytest.raises(BenchmarkFailed, match=r"made \d+ of 1191 transactions \(.*%\), its weight asks for"):
        read_scripts(captured(output, "tpcc_whole"), "", tpcc(scripts=weights))


# The summary of a log of several scripts


def test_each_scripts_percentiles_are_those_of_its_sorted_latencies(tmp_path: Path) -> None:
    draw = random.Random(3)
    logged = [(draw.choice([0, 0, 1, 2, 10]), round(draw.lognormvariate(7, 1))) for _ in range(3000)]
    begun = 1_795_393_000_000_000
    lines = []
    for place, (script, latency) in enumerate(logged):
        end = begun + 1000 * place + latency
        lines.append(f"0 {place} {latency} {script} {end // 10**6} {end % 10**6} 0\n")
    found = summary(tmp_path, ["".join(lines[:1000]), "".join(lines[1000:])], scripts=10)
    of_all = [latency for script, latency in logged if script < 10]
    assert found["count"] == len(of_all)
    assert [found[f"p{p}_us"] for p in (50, 95, 99)] == [nearest_rank(of_all, p) for p in (50, 95, 99)]
    for script in (0, 1, 2):
        own = [latency for number, latency in logged if number == script]
        assert found[f"script_{script}_count"] == len(own)
        assert found[f"script_{script}_sum_us"] == sum(own)
        for percent in (50, 95, 99):
            assert found[f"script_{script}_p{percent}_us"] == nearest_rank(own, percent)
    assert found["script_9_count"] == 0
    assert "script_9_p50_us" not in found
    ends = [begun + 1000 * place + latency for place, (_, latency) in enumerate(logged)]
    assert found["pauses"] == sum(script == 10 for script, _ in logged)
    assert found["span_us"] == max(ends) - min(begun + 1000 * place for place in range(len(logged)))
