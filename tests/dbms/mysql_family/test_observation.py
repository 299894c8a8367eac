"""Observing a MariaDB or MySQL with users: what its client is told, and what is believed of what it left."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from otterflow.dbms.mariadb.observation import OBSERVATION as MARIADB
from otterflow.dbms.mysql.observation import OBSERVATION as MYSQL
from otterflow.dbms.mysql_family.access import DatabaseAccess
from otterflow.dbms.mysql_family.observation_output import NOT_COUNTED, read_result
from otterflow.dbms.values import Query, StatementRefused
from otterflow.errors import BenchmarkFailed, NothingMeasured
from otterflow.measures.result import BenchmarkResult

ACCESS = DatabaseAccess("127.0.0.1", 3306, "otter", "it's \\ here", "secret", {}, "mariadb")
STATUS = {
    "epoch_s": 1000.0, "uptime_s": "5000", "since_flush_s": "5000", "questions": "70000", "own_questions": "5",
    "rollbacks": "10",
}  # fmt: skip
TIMED = {"calls": 5000, "total_ns": 10**9, "errors": 2, "lost": 0, "first_seen": "2026-01-01 00:00:00.000001"}


def snapshot(**changes: Any) -> str:
    return json.dumps(STATUS | TIMED | changes)


def after(**changes: Any) -> str:
    later: dict[str, Any] = {
        "epoch_s": 1300.0, "uptime_s": "5300", "since_flush_s": "5300", "questions": "100047", "own_questions": "52",
        "rollbacks": "40", "calls": 35000, "total_ns": 7 * 10**9, "errors": 5,
    }  # fmt: skip
    return snapshot(**later | changes)


def of_all(text: str) -> str:
    """As the summary of all databases' statements gives it."""
    return json.dumps({name: value for name, value in json.loads(text).items() if name not in ("lost", "first_seen")})


def without_times(text: str) -> str:
    return json.dumps({name: value for name, value in json.loads(text).items() if name not in TIMED})


def read(before: str, later: str) -> BenchmarkResult:
    return read_result({"before.json": before, "after.json": later}, 100)


def test_a_window_of_one_database() -> None:
    result = read(snapshot(), after())
    assert (result.transactions, result.throughput, result.errors, result.seconds) == (30_000, 100, 3, 300)
    assert result.latency_ms == {"mean": pytest.approx(6e9 / 30_000 / 1e6)}
    assert not result.absent


def test_a_window_of_all_databases_leaves_out_its_own_statements() -> None:
    result = read(of_all(snapshot()), of_all(after()))
    assert (result.transactions, result.throughput, result.errors) == (30_000, 100, 3)
    assert result.latency_ms == {"mean": pytest.approx(6e9 / 30_000 / 1e6)}


@pytest.mark.parametrize("calls", [4, 5000, 9000, 90_000])
def test_times_of_other_statements_than_were_answered_are_not_believed(calls: int) -> None:
    result = read(of_all(snapshot()), of_all(after(calls=calls)))
    assert result.throughput == 100
    assert "where 30000 were answered" in result.absent["latency_mean"]


def test_a_window_without_times() -> None:
    result = read(without_times(snapshot()), without_times(after()))
    assert (result.transactions, result.throughput, result.errors) == (30_000, 100, 30)
    assert result.latency_ms == {}
    assert result.absent == {"latency_mean": NOT_COUNTED}


def test_statements_that_found_no_room_leave_the_throughput() -> None:
    result = read(snapshot(), after(lost=3))
    assert result.throughput == 100
    assert "raise performance_schema_digests_size" in result.absent["latency_mean"]


def test_the_first_statement_ever() -> None:
    assert read(snapshot(calls=0, total_ns=0, errors=0, first_seen=None), after()).transactions == 35_000


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"calls": 5099}, "99 statements were answered within 300 s, fewer than least_transactions"),
        ({"calls": 4}, "was emptied within the window"),
        ({"first_seen": "2026-01-02 00:00:00.000001"}, "was emptied within the window"),
        ({"epoch_s": 990.0}, "clock went back by 10.0 s"),
    ],
)
def test_windows_in_which_nothing_was_measured(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(NothingMeasured, match=sentence.replace("(", r"\(")):
        read(snapshot(), after(**changes))


@pytest.mark.parametrize("changes", [{"since_flush_s": "200"}, {"questions": "69000"}, {"rollbacks": "3"}])
def test_counters_that_were_flushed(changes: dict[str, Any]) -> None:
    with pytest.raises(NothingMeasured, match="FLUSH STATUS"):
        read(without_times(snapshot()), without_times(after(**changes)))
    assert read(snapshot(), after(**changes)).throughput == 100, "digests know nothing of that"


def test_a_restart_in_the_window() -> None:
    with pytest.raises(BenchmarkFailed, match="restarted within the window"):
        read(snapshot(), after(uptime_s="100"))


@pytest.mark.parametrize("text", ["", "\n"])
def test_an_observation_that_did_not_reach_its_end(text: str) -> None:
    with pytest.raises(BenchmarkFailed, match=r"left no after\.json"):
        read(snapshot(), text)


@pytest.mark.parametrize("text", [after()[:-40], "[]", "{}", "null", "ERROR 2013", after(calls="many")])
def test_output_that_is_cut_short_or_something_else(text: str) -> None:
    with pytest.raises(BenchmarkFailed, match=r"after\.json is cut short or no snapshot"):
        read(snapshot(), text)


@pytest.mark.parametrize("observation", [MARIADB, MYSQL])
def test_the_job_is_whole_bash_and_holds_no_secret(observation: Any) -> None:
    job = observation.observe(ACCESS, "/opt/it's", scope="database", duration_s=300)
    done = subprocess.run(["bash", "-n"], input=job.script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "{1..20}; do sleep 15.000" in job.script
    told = [text for name, text in job.files.items() if name != "client.cnf"]
    assert not [text for text in [job.script, *told] if "secret" in text]
    assert f"@database = _utf8mb4 0x{ACCESS.database.encode().hex()}" in job.files["begin.sql"]
    assert ("SCHEMA_NAME = @database" in job.files["before_timed.sql"]) == (observation is MYSQL)
    of_all = observation.observe(ACCESS, None, scope="server", duration_s=300).files["before_timed.sql"]
    assert "SCHEMA_NAME = @database" not in of_all


def test_the_load_is_told_as_a_sentence() -> None:
    assert (
        MARIADB.progress("live 30.1 s, 1412.5 statements/s, 7 active\n")
        == "30 s: 1,412.5 statements/s, 7 active sessions"
    )
    assert MARIADB.progress("live 1.0 s, 0.0 statements/s, -1 active") == "1 s: 0.0 statements/s, 0 active sessions"
    assert MARIADB.progress("ERROR 1045 (28000)") is None


@pytest.mark.parametrize(
    ("row", "counted", "advice"),
    [
        ({"is_on": 0}, [], "set performance_schema = ON in an option file and restart the server"),
        ({"is_on": 1}, None, "GRANT SELECT ON performance_schema.* TO `otter`@`10.0.0.%`"),
        ({"is_on": 1}, [{"n": 0}], "SET ENABLED = 'YES' WHERE NAME = 'statements_digest'"),
    ],
)
def test_what_is_missing_for_latencies_is_told_with_its_remedy(
    row: dict[str, Any], counted: list[dict[str, Any]] | None, advice: str
) -> None:
    def query(sql: str, parameters: Any = ()) -> list[dict[str, Any]]:
        if "CURRENT_USER" in sql:
            return [{"name": "otter@10.0.0.%", **row}]
        if counted is None:
            raise StatementRefused("1142", "SELECT command denied")
        return counted

    asked: Query = query
    lacks = MARIADB.requirements(asked)
    assert lacks.problems == []
    assert lacks.statements is not None
    assert advice in lacks.statements.advice


def test_nothing_is_missing() -> None:
    rows: dict[bool, list[dict[str, Any]]] = {True: [{"name": "otter@%", "is_on": 1}], False: [{"n": 1}]}
    assert MYSQL.requirements(lambda sql, parameters=(): rows["CURRENT_USER" in sql]).statements is None
