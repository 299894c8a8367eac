"""BenchBase: its configuration file and commands, and how its summary is read.

BenchBase itself is not run here. The summaries are made by hand in the shape that BenchBase writes, and the job's flow
is tried with a fake `java` that leaves such a summary.
"""

from __future__ import annotations

import json
import re
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otterflow import settings
from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.dbms.postgresql.dbms import DBMS
from otterflow.errors import BenchmarkFailed, InvalidInput
from otterflow.remote.files import missing_programs_command
from otterflow.remote.script import JobScript
from otterflow.workloads.base import plan, workload_for
from otterflow.workloads.belief import believe
from otterflow.workloads.benchbase.configuration import configuration
from otterflow.workloads.benchbase.output import SUMMARY_FILE, read_result
from otterflow.workloads.benchbase.postgresql import jdbc_url
from otterflow.workloads.benchbase.settings import BenchbaseSettings
from otterflow.workloads.benchbase.ways import WAYS
from otterflow.workloads.benchbase.workload import CONFIGURATION_FILE, BenchbaseWorkload
from otterflow.workloads.definition import RunPlan, load_benchmark
from tests.workloads.conftest import Ran

Output = Callable[[str], str]
SECRET = "p<&>:\\\"]]>'secret"
ACCESS = DatabaseAccess.with_password("db.example.org", 5433, "tuner", "bench", SECRET)
ASKED = RunPlan(warmup_s=2.5, duration_s=30, seed=4)
SHIPPED = {path.stem: load_benchmark(path) for path in (settings.include_dir() / "benchmarks").glob("benchbase_*.yaml")}
RECORD: dict[str, Any] = {
    "driver": "benchbase",
    "benchmark": "tpcc",
    "transactions": {"NewOrder": 45, "Payment": 43, "OrderStatus": 4, "Delivery": 4, "StockLevel": 4},
    "scale": 3,
    "bytes_per_scale": 1000,
    "isolation": "repeatable-read",
}


def chosen(**changes: Any) -> BenchbaseSettings:
    return BenchbaseSettings.model_validate(RECORD | changes)


def workload(**changes: Any) -> BenchbaseWorkload:
    return BenchbaseWorkload(chosen(**changes), WAYS["postgresql"], load_timeout_s=100, run_timeout_s=20)


# The configuration file


def test_the_configuration() -> None:
    root = ElementTree.fromstring(configuration(chosen(), WAYS["postgresql"], ACCESS, time_s=29.5, seed=2**62 - 1))
    texts = {element.tag: element.text for element in root if len(element) == 0}
    seed = int(texts.pop("randomSeed") or "")
    assert 0 <= seed < 2**31
    assert texts == {
        "type": "POSTGRES",
        "driver": "org.postgresql.Driver",
        "url": "jdbc:postgresql://db.example.org:5433/bench?ApplicationName=otterflow&reWriteBatchedInserts=true",
        "username": "tuner",
        "password": SECRET,
        "isolation": "TRANSACTION_REPEATABLE_READ",
        "batchsize": "128",
        "loaderThreads": "2",
        "scalefactor": "3",
        "terminals": "8",
    }
    work = {element.tag: element.text for element in root.iterfind("works/work/*")}
    assert work == {"time": "30", "warmup": "0", "rate": "unlimited", "weights": "45,43,4,4,4"}
    names = [element.text for element in root.iterfind("transactiontypes/transactiontype/name")]
    assert names == ["NewOrder", "Payment", "OrderStatus", "Delivery", "StockLevel"]


def test_a_rate_and_the_benchmarks_own_options() -> None:
    root = ElementTree.fromstring(
        configuration(chosen(rate=500, options={"tracefile": "a/b.txt"}), WAYS["postgresql"], ACCESS)
    )
    assert root.findtext("works/work/rate") == "500"
    assert root.findtext("tracefile") == "a/b.txt"


def test_no_password_is_an_empty_one() -> None:
    root = ElementTree.fromstring(configuration(chosen(), WAYS["postgresql"], DatabaseAccess("db", 5432, "u", "d")))
    assert root.findtext("password") == ""


@given(
    password=st.text(
        st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp"), exclude_characters="\ufffe\uffff$"), min_size=1
    )
)
def test_any_usual_password_arrives_as_it_is(password: str) -> None:
    access = DatabaseAccess.with_password("db", 5432, "u:\\", "d", password)
    assert ElementTree.fromstring(configuration(chosen(), WAYS["postgresql"], access)).findtext("password") == password


@pytest.mark.parametrize("password", ["${sys:user.home}", " secret", "secret ", "sec\tret", "sec\x00ret"])
def test_a_password_that_benchbase_would_change_is_refused_and_not_shown(password: str) -> None:
    access = DatabaseAccess.with_password("db", 5432, "u", "d", password)
    with pytest.raises(InvalidInput, match="BenchBase's password: the password holds ") as caught:
        configuration(chosen(), WAYS["postgresql"], access)
    assert password not in str(caught.value)


def test_addresses() -> None:
    assert jdbc_url(DatabaseAccess("::1", 5432, "u", "a b?c")).startswith("jdbc:postgresql://[::1]:5432/a%20b%3Fc?")
    tls = {"sslmode": "require", "gssencmode": "disable"}
    assert jdbc_url(DatabaseAccess("db", 5432, "u", "d", parameters=tls)).endswith("&sslmode=require")
    with pytest.raises(InvalidInput, match="driver_host: '/run/postgresql' is a socket, which Java does not reach"):
        jdbc_url(DatabaseAccess("/run/postgresql", 5432, "u", "d"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"transactions": {"NewOrder": 45, "Payment": 43}}, "NewOrder, Payment make 88 per cent; they must make 100"),
        ({"transactions": {"New</name>Order": 100}}, "transactions"),
        ({"options": {"loaderThreads": "9"}}, "loaderThreads is written by otterflow"),
        ({"options": {"Password": "x"}}, "Password is written by otterflow"),
        ({"isolation": "snapshot"}, "isolation"),
        ({"home": "benchbase"}, "home"),
        ({"terminals": 0}, "terminals"),
    ],
)
def test_wrong_settings(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        chosen(**changes)


def test_every_shipped_configuration_has_its_types_and_shares() -> None:
    assert {name.removeprefix("benchbase_") for name in SHIPPED} >= {
        "tpcc",
        "ycsb",
        "twitter",
        "wikipedia",
        "tatp",
        "smallbank",
        "epinions",
    }
    for benchmark in SHIPPED.values():
        assert isinstance(benchmark.workload, BenchbaseSettings)
        assert benchmark.name == f"benchbase_{benchmark.workload.benchmark}"
        root = ElementTree.fromstring(configuration(benchmark.workload, WAYS["postgresql"], ACCESS))
        weights = (root.findtext("works/work/weights") or "").split(",")
        assert len(weights) == len(root.findall("transactiontypes/transactiontype")) >= 5
        assert sum(map(float, weights)) == 100


# Commands


def test_the_commands() -> None:
    one = workload(home="/srv/bench base", java="/usr/lib/jvm/bin/java")
    java = "/usr/lib/jvm/bin/java -jar '/srv/bench base/benchbase.jar' --bench=tpcc --config=\"$folder/benchbase.xml\" "
    load, run, warm_up = one.load(ACCESS, None), one.run(ACCESS, ASKED, None), one.warm_up(ACCESS, ASKED, None)
    assert warm_up is not None
    execute = java + '--execute=true --interval-monitor=1000 --directory="$folder/results"\n'
    assert java + "--create=true --load=true --execute=false\n" in load.script
    assert execute in run.script
    assert execute in warm_up.script
    assert all("cd -- '/srv/bench base'\n" in job.script for job in (load, run, warm_up))
    assert (load.timeout_s, run.timeout_s, warm_up.timeout_s) == (100, 50, 22.5)
    assert (load.results, run.results, warm_up.results) == ((), (SUMMARY_FILE,), ())
    times = [re.findall(r"<(time|warmup)>(\d+)<", str(job.files[CONFIGURATION_FILE])) for job in (run, warm_up)]
    assert times == [[("time", "30"), ("warmup", "0")], [("time", "3"), ("warmup", "0")]]  # see configuration


def test_the_password_is_in_files_alone() -> None:
    for job in (workload().load(ACCESS, None), workload().run(ACCESS, ASKED, None)):
        assert "secret" not in job.script
        assert "secret" not in repr(job)
        assert {name for name, text in job.files.items() if "secret" in text} == {"pgpass", CONFIGURATION_FILE}


def test_the_fingerprint_follows_scale_and_options() -> None:
    marks = {
        workload().data_fingerprint(),
        workload(scale=4).data_fingerprint(),
        workload(options={"fieldSize": "8"}).data_fingerprint(),
    }
    assert len(marks) == 3
    assert workload(terminals=1, isolation="serializable").data_fingerprint() in marks
    assert workload().estimated_bytes() == 3000


def test_what_is_not_installed_is_named(tmp_path: Path) -> None:
    one = workload(home=str(tmp_path), java="java-of-nowhere")
    command = missing_programs_command(one.programs())

    def missing() -> list[str]:
        return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout.split()

    assert {"java-of-nowhere", f"{tmp_path}/benchbase.jar"} <= set(missing())
    (tmp_path / "benchbase.jar").write_text("not executable, as archives are\n")
    assert "java-of-nowhere" in missing()
    assert f"{tmp_path}/benchbase.jar" not in missing()


# The job's flow, with a fake java

FAKE_JAVA = """\
#!/bin/bash
# A fake: it does what the job's script sees of `java -jar benchbase.jar`.
set -eu
for word in "$@"; do
    case $word in
        --config=*) config=${word#*=} ;;
        --directory=*) results=${word#*=} ;;
        --execute=true) execute=yes ;;
    esac
done
echo "in $PWD: $*"
echo "mode $(stat -c %a "$config")"
test -f config/plugin.xml
if [ -n "${execute:-}" ]; then
    echo "[INFO ] 2026-01-01 00:00:00,000 [Thread-9] Monitor run - Throughput: 1234.0 txn/sec"
    mkdir -p "$results"
    cp summary-to-leave.json "$results/tpcc_2026-01-01_00-00-00.summary.json"
    echo "raw" > "$results/tpcc_2026-01-01_00-00-00.raw.csv"
fi
exit "$(cat exit-code-to-leave)"
"""


@pytest.fixture
def fake_home(tmp_path: Path, output: Output) -> Path:
    """A folder like an unpacked BenchBase's, with a fake java in it."""
    home = tmp_path / "bench base"
    (home / "config").mkdir(parents=True)
    (home / "config" / "plugin.xml").write_text("<plugins/>\n")
    (home / "benchbase.jar").write_text("")
    (home / "summary-to-leave.json").write_text(output("benchbase_whole_by_hand.summary.json"))
    (home / "exit-code-to-leave").write_text("0\n")
    (home / "fake-java").write_text(FAKE_JAVA)
    (home / "fake-java").chmod(stat.S_IRWXU)
    return home


Run = Callable[[JobScript], Ran]


def test_a_run_keeps_the_summary_alone_and_removes_the_password(fake_home: Path, run_job: Run) -> None:
    one = workload(home=str(fake_home), java=str(fake_home / "fake-java"))
    done = run_job(one.run(ACCESS, ASKED, None))
    assert done.exit_code == 0, done.log
    assert f"in {fake_home}: -jar {fake_home}/benchbase.jar --bench=tpcc" in done.log
    assert "mode 600" in done.log
    assert "secret" not in done.log
    assert done.left == {"pgpass", SUMMARY_FILE}
    assert one.parse(done.results, done.log).transactions > 0
    assert [said for said in map(one.progress, done.log.splitlines()) if said] == ["1,234 transactions/s"]
    warm_up = one.warm_up(ACCESS, ASKED, None)
    assert warm_up is not None
    assert run_job(warm_up).left == {"pgpass"}


def test_a_failed_run_removes_the_password_too(fake_home: Path, run_job: Run) -> None:
    (fake_home / "exit-code-to-leave").write_text("1\n")
    one = workload(home=str(fake_home), java=str(fake_home / "fake-java"))
    for job in (one.load(ACCESS, None), one.run(ACCESS, ASKED, None)):
        done = run_job(job)
        assert done.exit_code == 1
        assert CONFIGURATION_FILE not in done.left


def test_a_run_that_leaves_no_summary_fails(fake_home: Path, run_job: Run) -> None:
    (fake_home / "fake-java").write_text("#!/bin/sh\necho usage: benchbase\n")
    done = run_job(workload(home=str(fake_home), java=str(fake_home / "fake-java")).run(ACCESS, ASKED, None))
    assert done.exit_code == 1
    assert "BenchBase left 0 summaries, not one" in done.log


def test_without_benchbase_the_job_says_so(tmp_path: Path, run_job: Run) -> None:
    done = run_job(workload(home=str(tmp_path / "nowhere")).run(ACCESS, ASKED, None))
    assert done.exit_code != 0
    assert "nowhere: No such file or directory" in done.log


# The summary


def whole(output: Output, **changes: Any) -> dict[str, str]:
    record = json.loads(output("benchbase_whole_by_hand.summary.json"))
    distribution = record["Latency Distribution"]
    for name, value in changes.pop("latency", {}).items():
        distribution[name] = value
    record |= changes
    return {SUMMARY_FILE: json.dumps({name: value for name, value in record.items() if value is not None})}


def test_a_whole_summary(output: Output) -> None:
    result = read_result(whole(output), "")
    assert result.latency_ms == {"mean": 9.944, "p50": 8.114, "p95": 21.73, "p99": 37.021}
    assert result.throughput == pytest.approx(47988 / 60.000041213)
    assert result.seconds == pytest.approx(60.0, abs=0.001)
    assert (result.transactions, result.errors) == (47988, 225)
    benchmark = SHIPPED["benchbase_tpcc"]
    believe(result, benchmark, plan(benchmark, duration_s=60))


def test_percentiles_of_few_requests_are_not_told(output: Output) -> None:
    few = {"Throughput (requests/second)": 0.5, "Goodput (requests/second)": 0.5, "Measured Requests": 30}
    result = read_result(whole(output, **few), "")
    assert result.latency_ms == {"mean": 9.944, "p50": 8.114, "p95": 21.73}
    assert result.absent == {"latency_p99": "30 latencies are too few for percentile 99, which takes 100"}


@pytest.mark.parametrize("state", ["ERROR", "MEASURE", None, ""])
def test_another_final_state_is_a_failure(output: Output, state: str | None) -> None:
    log = "[ERROR] Worker: SQLState = 08006\norg.postgresql.util.PSQLException: An I/O error occurred\n"
    with pytest.raises(BenchmarkFailed, match=f"ended in the state {state!r}, not 'EXIT': org.postgresql.*I/O error"):
        read_result(whole(output, **{"Final State": state}), log)


def test_minus_one_anywhere_is_a_failure(output: Output) -> None:
    record = json.loads(output("benchbase_whole_by_hand.summary.json"))
    names = [name for name, value in record.items() if isinstance(value, int | float)]
    for name in names:
        with pytest.raises(BenchmarkFailed, match=re.escape(f"has {name} = -1: nothing was measured")):
            read_result(whole(output, **{name: -1}), "")
    assert len(record["Latency Distribution"]) == 9
    for name in record["Latency Distribution"]:
        with pytest.raises(BenchmarkFailed, match=re.escape(f"has {name} = -1: nothing was measured")):
            read_result(whole(output, latency={name: -1}), "")


def test_a_run_without_a_transaction(output: Output) -> None:
    with pytest.raises(BenchmarkFailed, match="= -1: nothing was measured"):
        read_result({SUMMARY_FILE: output("benchbase_nothing_measured_by_hand.summary.json")}, "")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"Goodput (requests/second)": None}, "has no 'Goodput (requests/second)'"),
        ({"Measured Requests": None}, "has no 'Measured Requests'"),
        ({"Elapsed Time (nanoseconds)": "1 min"}, "'Elapsed Time (nanoseconds)' = '1 min', which is no number"),
        ({"Throughput (requests/second)": True}, "= True, which is no number"),
        ({"Throughput (requests/second)": float("nan")}, "Throughput (requests/second) = nan: nothing was measured"),
        ({"Measured Requests": 10**400}, "has Measured Requests = inf: nothing was measured"),
        ({"Measured Requests": 5}, "disagrees with itself: 803.549 requests per second over 60 s, but 5 requests"),
        ({"Goodput (requests/second)": 99999.0}, "goodput 99999 is above its throughput 803.549 per second"),
        ({"Latency Distribution": None}, "has no 'Latency Distribution'"),
        ({"Latency Distribution": {}}, "has no 'Average Latency (microseconds)'"),
        ({"latency": {"99th Percentile Latency (microseconds)": "soon"}}, "= 'soon', which is no number"),
    ],
)
def test_wrong_summaries(output: Output, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BenchmarkFailed, match=re.escape(sentence)):
        read_result(whole(output, **changes), "")


def test_no_summary_and_other_texts() -> None:
    for text, sentence in (("", "left no summary"), ("[]", "no JSON object"), ("hello", "cut short or no JSON")):
        with pytest.raises(BenchmarkFailed, match=sentence):
            read_result({SUMMARY_FILE: text}, "")


def test_a_summary_cut_anywhere_is_a_failure(output: Output) -> None:
    text = output("benchbase_whole_by_hand.summary.json").rstrip()
    for length in range(0, len(text), 11):
        with pytest.raises(BenchmarkFailed):
            read_result({SUMMARY_FILE: text[:length]}, "")


def test_progress_of_a_load() -> None:
    lines = [
        "[INFO ] 2026-01-01 00:00:00,000 [main] DBWorkload main - Creating new TPCC database...",
        "[INFO ] 2026-01-01 00:00:09,000 [main] DBWorkload main - Finished loading data into TPCC database...",
        "[INFO ] 2026-01-01 00:00:19,000 [main] ThreadBench run - MEASURE :: Warmup complete, starting measurements.",
        "[DEBUG] 2026-01-01 00:00:20,000 [main] anything else",
    ]
    assert [workload_for(SHIPPED["benchbase_tpcc"], DBMS).progress(line) for line in lines] == [
        "creating new TPCC database",
        "finished loading data into TPCC database",
        "warmup complete, starting measurements",
        None,
    ]
