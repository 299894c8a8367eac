"""A user's own command: its scripts, its one line of JSON (whole, cut short, with errors, empty), and a real one."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.dbms.postgresql.dbms import DBMS
from otterflow.errors import BenchmarkFailed, InvalidInput
from otterflow.measures.objective import TIMES_OF_WORK, Objective
from otterflow.remote.script import JobScript
from otterflow.workloads.base import plan, workload_for
from otterflow.workloads.belief import believe
from otterflow.workloads.command.output import EXAMPLE, RESULT_FILE, read_result
from otterflow.workloads.command.settings import CommandSettings
from otterflow.workloads.command.workload import RESULT_BYTES, CommandWorkload
from otterflow.workloads.definition import Benchmark, RunPlan, load_benchmark
from tests.workloads.conftest import Ran

Output = Callable[[str], str]
Run = Callable[[JobScript], Ran]
GOOD = Path(__file__).parent / "good"
ACCESS = DatabaseAccess.with_password("db.example.org", 5432, "tuner", "bench", "top-secret")
ASKED = RunPlan(warmup_s=2.5, duration_s=9.5, seed=4)
EVERYTHING = tuple(o for o in Objective if o not in TIMES_OF_WORK)


def workload(**changes: Any) -> CommandWorkload:
    record = {"driver": "command", "load": "make data", "run": "run it\n", "bytes_per_scale": 1000} | changes
    settings = CommandSettings.model_validate(record, context={"folder": GOOD})
    return CommandWorkload(settings, load_timeout_s=100, run_timeout_s=20)


def own(**changes: Any) -> Benchmark:
    benchmark = load_benchmark(GOOD / "own_command.yaml")
    return benchmark.model_copy(update={"workload": benchmark.workload.model_copy(update=changes)})


def read(text: str, measures: tuple[Objective, ...] = (Objective.throughput,)) -> Any:
    return read_result({RESULT_FILE: text}, measures)


# Commands


def test_the_scripts() -> None:
    chosen = workload(scale=3)
    load, run, warm_up = chosen.load(ACCESS, None), chosen.run(ACCESS, ASKED, None), chosen.warm_up(ACCESS, ASKED, None)
    assert warm_up is not None
    assert load.files == {"pgpass": ACCESS.pgpass, "load.sh": "make data\n"}
    assert run.files["run.sh"] == warm_up.files["warm_up.sh"] == "run it\n"
    assert load.script.splitlines()[-2:] == [
        "export OTTERFLOW_SCALE=3",
        "bash -e -o pipefail load.sh < /dev/null",
    ]
    assert warm_up.script.splitlines()[-2:] == [
        "export OTTERFLOW_DURATION_S=3 OTTERFLOW_SEED=8",
        "bash -e -o pipefail warm_up.sh < /dev/null",
    ]
    assert run.script.splitlines()[-4:] == [
        "export OTTERFLOW_DURATION_S=10 OTTERFLOW_SEED=9",
        "bash -e -o pipefail run.sh < /dev/null | tee output.txt",
        f"tail -c {RESULT_BYTES} output.txt > {RESULT_FILE}",
        "rm -f output.txt",
    ]
    assert (load.timeout_s, run.timeout_s, warm_up.timeout_s) == (100, 29.5, 22.5)
    assert (load.results, run.results, warm_up.results) == ((), (RESULT_FILE,), ())
    assert "secret" not in load.script + run.script + warm_up.script


def test_a_warm_up_of_its_own_or_none() -> None:
    own_one = workload(warm_up="warm it").warm_up(ACCESS, ASKED, None)
    assert own_one is not None
    assert own_one.files["warm_up.sh"] == "warm it\n"
    assert workload().warm_up(ACCESS, RunPlan(duration_s=5), None) is None


def test_the_fingerprint_follows_the_load_and_its_files() -> None:
    one = workload(files=["command/count.sh"])
    assert one.data_fingerprint() == workload(files=["command/count.sh"], run="another").data_fingerprint()
    others = (workload(files=["command/count.sh"], load="another"), workload(), workload(scale=2))
    assert len({one.data_fingerprint(), *(other.data_fingerprint() for other in others)}) == 4
    assert workload(scale=7).estimated_bytes() == 7000


def test_what_the_driver_host_needs_is_what_the_file_says() -> None:
    assert set(workload(programs=["python3", "/opt/bench/run"]).programs()) >= {"python3", "/opt/bench/run", "bash"}


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "replay.jar").write_bytes(b"PK\x03\x04\xff")
    with pytest.raises(ValidationError, match=r"replay\.jar is no text in UTF-8; install it on the driver host"):
        workload(files=[str(tmp_path / "replay.jar")])


def test_the_same_file_name_twice_is_refused(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.sh").write_text("true\n")
    text = (GOOD / "own_command.yaml").read_text()
    text = re.sub(r"files: .*", "files: [a/x.sh, b/x.sh]", text)
    (tmp_path / "own_command.yaml").write_text(text)
    with pytest.raises(InvalidInput, match=r"x\.sh is there twice; all files are put into one folder"):
        load_benchmark(tmp_path / "own_command.yaml")


# What the command printed


def test_a_whole_run(output: Output) -> None:
    result = read(output("command_whole.txt"), EVERYTHING)
    record = json.loads(output("command_whole.txt").splitlines()[-1])
    assert result.as_dict() == record
    assert result.transactions == 7


def test_the_example_is_one() -> None:
    result = read(f"hello\n\n{EXAMPLE}\n\n", EVERYTHING)
    assert (result.throughput, result.transactions, result.latency_ms["p99"]) == (812.5, 48750, 15.2)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the command printed nothing; its last line is to be like {"),
        ("\n \n", "the command printed nothing"),
        ("done\n", "the command's last line is no JSON: 'done'"),
        ("{whole}\ndone\n", "the command's last line is text after the result, which must come last: 'done'"),
        ("{half}", "the command's last line is cut short or no JSON ("),
        ("-1\n", "the command's last line is no JSON object: '-1'; it is to be like"),
        ("[1]\n", "the command's last line is no JSON object: '[1]'"),
        ('{"throughput": NaN}', "not to be believed, NaN is no number"),
        ('{"throughput": -Infinity}', "not to be believed, -Infinity is no number"),
        ('{"transactions": 1' + "0" * 400 + "}", "not to be believed, 100000000000000000... is no number"),
        ("{}", "the command's result has no errors; it is to be like"),
        ("x" * 300, "x..."),
    ],
)
def test_another_last_line(text: str, sentence: str) -> None:
    text = text.replace("{whole}", EXAMPLE).replace("{half}", EXAMPLE[: len(EXAMPLE) // 2])
    with pytest.raises(BenchmarkFailed, match=re.escape(sentence)):
        read(text)


def test_a_line_cut_anywhere_is_a_failure() -> None:
    for length in range(len(EXAMPLE)):
        with pytest.raises(BenchmarkFailed):
            read(EXAMPLE[:length])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"throughput": -1}, "throughput = -1; it must be a number above 0"),
        ({"throughput": 0}, "throughput = 0; it must be"),
        ({"throughput": "812"}, "throughput = '812'; it must be"),
        ({"throughput": None}, "throughput = None; it must be"),
        ({"throughput": 1e999}, "the command's last line is not to be believed, Infinity is no number"),
        ({"latency_ms": {"p95": -1}}, "latency_ms.p95 = -1; it must be"),
        ({"latency_ms": {"p999": 1}}, "latency_ms.p999; known are mean, p50, p95, p99"),
        ({"latency_ms": 4.2}, "latency_ms = 4.2, which is no JSON object"),
        ({"errors": -1}, "errors = -1; it must be a whole number from 0 up"),
        ({"errors": 0.5}, "errors = 0.5; it must be a whole number"),
        ({"transactions": True}, "transactions = True; it must be a whole number"),
        ({"seconds": 0}, "seconds = 0; it must be a number above 0"),
        ({"latency": {"p95": 3}}, "the unknown key 'latency'; known are throughput, latency_ms, errors,"),
    ],
)
def test_wrong_numbers(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BenchmarkFailed, match=re.escape(sentence)):
        read(json.dumps(json.loads(EXAMPLE) | changes))


@pytest.mark.parametrize("lacking", ["throughput", "errors", "transactions", "seconds", "latency_ms"])
def test_a_number_that_is_promised_and_absent(lacking: str) -> None:
    record = json.loads(EXAMPLE)
    del record[lacking]
    with pytest.raises(BenchmarkFailed, match="has no"):
        read(json.dumps(record), EVERYTHING)


def test_a_huge_number_is_not_finite() -> None:
    with pytest.raises(BenchmarkFailed, match="throughput = inf; it must be a number above 0"):
        read(EXAMPLE.replace("812.5", "1e999"))


def test_progress_is_whatever_it_says_but_for_the_result(output: Output) -> None:
    lines = output("command_whole.txt").splitlines()
    assert [said for said in map(workload().progress, lines) if said] == ["counted with seed 9"]
    assert len(workload().progress("x" * 5000) or "") == 200


# Real ones


@pytest.mark.integration
def test_a_command_of_ones_own_loads_runs_and_is_believed(database: DatabaseAccess, bin_dir: str, run_job: Run) -> None:
    benchmark = own()
    one, asked = workload_for(benchmark, DBMS), plan(benchmark, seed=4)
    warm_up = one.warm_up(database, asked, bin_dir)
    assert warm_up is not None
    for job in (one.load(database, bin_dir), one.load(database, bin_dir), warm_up):
        done = run_job(job)
        assert done.exit_code == 0, done.log
    done = run_job(one.run(database, asked, bin_dir))
    assert done.exit_code == 0, done.log
    result = one.parse(done.results, done.log)
    believe(result, benchmark, asked)
    assert benchmark.objectives == EVERYTHING
    assert all(objective.read(result) > 0 for objective in benchmark.objectives)
    assert "output.txt" not in done.left


@pytest.mark.integration
@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("true", "the command printed nothing"),
        ("printf '%s' '{\"throughput\": 8'", "cut short or no JSON"),
        ("echo -1", "no JSON object: '-1'"),
        (f"echo {shlex.quote(EXAMPLE)}; echo bye", "text after the result"),
        (f"echo {shlex.quote(EXAMPLE)}", r"not to be believed: it covers 60\.0 s of the 600 s"),
    ],
)
def test_what_a_real_command_prints_is_read_or_refused(
    database: DatabaseAccess, run_job: Run, command: str, sentence: str
) -> None:
    benchmark = own(run=command)
    one, asked = workload_for(benchmark, DBMS), plan(benchmark, duration_s=600)
    done = run_job(one.run(database, asked, None))
    assert done.exit_code == 0, done.log
    with pytest.raises(BenchmarkFailed, match=sentence):
        believe(one.parse(done.results, done.log), benchmark, asked)


@pytest.mark.integration
@pytest.mark.parametrize("command", ["exit 3", "false\necho no", "false | cat", "no-such-program"])
def test_a_command_that_fails_ends_the_job(database: DatabaseAccess, run_job: Run, command: str) -> None:
    for job in (
        workload_for(own(run=command), DBMS).run(database, plan(own()), None),
        workload_for(own(load=command), DBMS).load(database, None),
    ):
        assert run_job(job).exit_code not in (0, None)


@pytest.mark.integration
def test_a_command_finds_the_database_and_nothing_of_the_surroundings(database: DatabaseAccess, run_job: Run) -> None:
    said = "echo $PGHOST $PGPORT $PGUSER $PGDATABASE $(stat -c %a $PGPASSFILE) $OTTERFLOW_SCALE ${PGPASSWORD-unset}"
    done = run_job(workload_for(own(run=said), DBMS).run(database, plan(own()), None))
    assert done.log.strip() == f"{database.host} {database.port} {database.user} {database.database} 600 2 unset"
