"""What a server of the family is set to for a window, what stands in the way of one, and what its job leaves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from otterflow.dbms.mariadb.capture import CAPTURE as capture
from otterflow.dbms.mysql.capture import CAPTURE as MYSQL
from otterflow.dbms.mysql_family.access import DatabaseAccess
from otterflow.dbms.mysql_family.capture_window import LOG_FILE, ZONES_S
from tests.dbms.mysql_family.conftest import target_of

SETTINGS = {
    "log_output": "FILE", "long_query_time": "10.000000", "log_slow_rate_limit": "1",
    "log_slow_filter": "admin,filesort",
    "min_examined_row_limit": "0", "log_slow_disabled_statements": "sp", "slow_query_log": "OFF", "general_log": "OFF",
    "wsrep_on": "OFF",
}  # fmt: skip


def found(changes: dict[str, Any] | None = None, **settings: str) -> dict[str, Any]:
    given = {"user": "otterflow@%", "lacks": [], "lacks_on_table": [], "charset": "utf8mb4", "has_rows": False}
    return given | (changes or {}) | {"settings": SETTINGS | settings}


def test_a_server_that_logs_nothing_can_be_recorded() -> None:
    assert capture.access_problems(found(), reloads=True) == []
    assert capture.window_problems(found(), sampled=False) == []


def test_who_asks_needs_rights_and_is_told_the_grants() -> None:
    lacking = found({"lacks": ["SUPER", "PROCESS"], "lacks_on_table": ["SELECT", "DROP"], "charset": None})
    said = [str(problem) for problem in capture.access_problems(lacking, reloads=True)]
    assert [text.rpartition("; ")[2] for text in said] == [
        "GRANT SUPER, PROCESS ON *.* TO `otterflow`@`%`", "GRANT SELECT, DROP ON mysql.slow_log TO `otterflow`@`%`",
    ]  # fmt: skip
    assert capture.access_problems(lacking, reloads=False) == []


@pytest.mark.parametrize(
    ("facts", "field", "advice"),
    [
        (found(slow_query_log="ON"), "slow_query_log", "SET GLOBAL slow_query_log = OFF"),
        (found(general_log="ON"), "general_log", "SET GLOBAL general_log = OFF"),
        (found(wsrep_on="ON"), "wsrep_on", "no node of a Galera cluster"),
        (found({"has_rows": True}), "mysql.slow_log", "TRUNCATE TABLE mysql.slow_log"),
        (found({"charset": None}), "mysql.slow_log", "mariadb-upgrade"),
    ],
)
def test_what_is_somebodys_own_stands_in_the_way(facts: dict[str, Any], field: str, advice: str) -> None:
    (problem,) = capture.window_problems(facts, sampled=False)
    assert problem.field == field
    assert advice in problem.advice


def test_rows_are_read_in_zones_that_every_mysql_knows() -> None:
    assert all(-13 * 3600 < zone_s <= 13 * 3600 for zone_s in ZONES_S.values())


def test_no_other_method_is_for_mariadb() -> None:
    (problem,) = capture.log_problems(found())
    assert "whole seconds" in problem.found
    (problem,) = capture.window_problems(found(), sampled=True)
    assert "draws no whole transactions" in problem.found


def test_a_table_that_loses_characters_is_told_of() -> None:
    assert [limit.field for limit in capture.limits(found())] == ["sessions", "errors"]
    assert capture.limits(found({"charset": "utf8mb3"}))[-1].advice.endswith("CHARACTER SET utf8mb4 NOT NULL")


def test_a_window_sets_what_the_server_has_and_switches_on_last() -> None:
    plan = capture.window_plan(found(), target_of(), None)
    assert list(plan.settings)[-1] == "slow_query_log"
    assert plan.settings.keys() == SETTINGS.keys() - {"general_log", "wsrep_on"}
    older = found()
    del older["settings"]["log_slow_disabled_statements"]
    assert "log_slow_disabled_statements" not in capture.window_plan(older, target_of(), None).settings
    assert plan.log == {"patterns": [LOG_FILE], "table": "mariadb"}


def test_no_password_and_no_value_of_a_users_is_in_the_jobs_script() -> None:
    access = DatabaseAccess("127.0.0.1", 3306, "otterflow", "information_schema", "s3cret", program="mariadb")
    job = capture.capture_job(
        target_of(), access, capture.WANTED, [LOG_FILE], recording="shop-1", end=datetime.now(UTC), longest_s=60,
        max_log_bytes=1, keep_free_bytes=1,
    )  # fmt: skip
    assert "s3cret" not in job.script
    assert "s3cret" in job.files["client.cnf"]
    assert job.results == ("captured",)
    put_back = capture.put_back_job(target_of(), access, "shop-1")
    assert "s3cret" not in put_back.script


def test_what_a_job_leaves_is_when_it_logged_and_why_it_ended() -> None:
    assert capture.read_capture({}) is None
    open_still = capture.read_capture({"captured": "on 5.5\n"})
    assert open_still is not None
    assert (open_still.on_s, open_still.off_s) == (5.5, None)
    ended = capture.read_capture({"captured": "on 5.5\noff 9.25 restarted\n"})
    assert ended is not None
    assert (ended.off_s, ended.because) == (9.25, "the server was restarted, or was down, while the load was recorded")


def test_a_block_in_the_knobs_file_is_told_of() -> None:
    text = "# otterflow capture: begin; recording shop-1, until 2026-12-01T13:00:00Z\n# otterflow capture: end\n"
    problem = capture.left_on(text, "/srv/zz.cnf")
    assert problem is not None
    assert "for recording shop-1, until 2026-12-01T13:00:00Z" in problem.found
    assert "TRUNCATE TABLE mysql.slow_log" in problem.advice
    assert capture.left_on("[mysqld]\n", "/srv/zz.cnf") is None


MYSQLS = {
    "log_output": "FILE", "long_query_time": "10.000000", "min_examined_row_limit": "0", "slow_query_log": "OFF",
    "log_slow_admin_statements": "OFF", "log_queries_not_using_indexes": "ON", "general_log": "OFF",
    "read_only": "OFF", "super_read_only": "OFF",
}  # fmt: skip


def of_mysql(**settings: str) -> dict[str, Any]:
    return found({"charset": "binary"}) | {"settings": MYSQLS | settings}


def test_a_mysql_is_set_to_what_it_has() -> None:
    facts = of_mysql()
    assert MYSQL.window_problems(facts, sampled=False) == []
    assert [limit.field for limit in MYSQL.limits(facts)] == ["sessions", "errors"], "its texts are whole"
    plan = MYSQL.window_plan(facts, target_of(dbms="mysql"), None)
    assert plan.settings.keys() == MYSQLS.keys() - {"general_log", "read_only", "super_read_only"}
    assert plan.settings["log_queries_not_using_indexes"] == "OFF"
    assert plan.log["table"] == "mysql"
    (problem,) = MYSQL.log_problems(facts)
    assert "use method window" in problem.advice


def test_sessions_of_a_percona_server_keep_their_own_settings_in_a_window() -> None:
    given = {"slow_query_log_use_global_control": "all"}
    plan = MYSQL.window_plan(of_mysql(**given), target_of(dbms="mysql"), None)
    assert next(iter(plan.settings.items())) == ("slow_query_log_use_global_control", ""), "before what they would obey"


def test_a_mysql_that_is_read_only_could_not_empty_the_table() -> None:
    (problem,) = MYSQL.window_problems(of_mysql(read_only="ON", super_read_only="ON"), sampled=False)
    assert problem.field == "super_read_only"


@pytest.mark.parametrize(
    ("has", "read_only", "lacks"),
    [
        ({"SUPER", "PROCESS"}, "ON", []),
        ({"SYSTEM_VARIABLES_ADMIN", "PROCESS"}, "OFF", []),
        ({"SYSTEM_VARIABLES_ADMIN", "PROCESS"}, "ON", ["CONNECTION_ADMIN"]),
        (set(), "OFF", ["SYSTEM_VARIABLES_ADMIN", "PROCESS"]),
    ],
)
def test_what_a_mysql_asks_of_its_user(has: set[str], read_only: str, lacks: list[str]) -> None:
    assert MYSQL.lacks(has, MYSQLS | {"read_only": read_only}, 80400) == lacks
