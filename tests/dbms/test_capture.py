"""What a server's log tells of its load: what it lacks, where it is, and the window in which it tells more."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from otterflow.dbms.capture_block import BEGIN, CAPTURED_FILE, block_functions
from otterflow.dbms.postgresql import capture
from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.dbms.target import Target
from tests.dbms.conftest import target_of

SETTINGS = {
    "logging_collector": "on", "log_destination": "stderr,csvlog", "log_directory": "log",
    "log_filename": "postgresql-%a.log", "log_timezone": "Europe/Berlin", "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_min_duration_statement": "0", "log_statement": "none", "log_parameter_max_length": "-1",
    "log_parameter_max_length_on_error": "-1", "log_transaction_sample_rate": "0", "compute_query_id": "auto",
    "lc_messages": "C", "data_directory": "/srv/data", "server_version_num": "150018",
}  # fmt: skip


def found(user: dict[str, Any] | None = None, **settings: str) -> dict[str, Any]:
    who = {"user": "otterflow", "reads_all": True, "may_reload": True} | (user or {})
    return {"settings": SETTINGS | settings, **who}


def test_a_log_that_has_all_has_no_problem() -> None:
    assert capture.log_problems(found()) == []
    assert capture.limits(found()) == []
    assert capture.access_problems(found(), reloads=True) == []


@pytest.mark.parametrize(
    ("settings", "field", "advice"),
    [
        ({"log_min_duration_statement": "-1"}, "log_min_duration_statement: it is off", "set it to 0"),
        ({"log_min_duration_statement": "250"}, "log_min_duration_statement: it is 250 ms", "or use method window"),
        ({"log_parameter_max_length": "64"}, "log_parameter_max_length: it is 64 bytes", "set it to -1"),
        ({"lc_messages": "de_DE.UTF-8"}, "lc_messages: it is 'de_DE.UTF-8'", "set it to 'C'"),
        ({"log_destination": "syslog"}, "log_destination: it is 'syslog'", "add stderr"),
        (
            {"logging_collector": "off", "log_line_prefix": "%t "},
            "log_line_prefix: '%t ' does not tell",
            "log_line_prefix = ",
        ),
    ],
)
def test_what_a_log_lacks_is_told_by_setting(settings: dict[str, Any], field: str, advice: str) -> None:
    problems = capture.log_problems(found(**settings))
    assert len(problems) == 1
    assert str(problems[0]).startswith(field)
    assert advice in problems[0].advice


def test_who_asks_needs_rights_and_is_told_the_grant() -> None:
    asks = found({"reads_all": False, "may_reload": False})
    said = [str(problem) for problem in capture.access_problems(asks, reloads=True)]
    assert [text.rpartition("; ")[2] for text in said] == [
        'GRANT pg_monitor TO "otterflow"', 'GRANT EXECUTE ON FUNCTION pg_reload_conf() TO "otterflow"',
    ]  # fmt: skip
    assert len(capture.access_problems(asks, reloads=False)) == 1


def test_the_files_are_where_the_server_says() -> None:
    target = target_of()
    log = capture.log_of(found(), target)
    assert (log["kind"], log["patterns"]) == ("csvlog", ["/srv/data/log/postgresql-*.csv*"])
    assert capture.log_of(found(log_destination="jsonlog,stderr", log_directory="/var/log/pg"), target)["patterns"] == [
        "/var/log/pg/postgresql-*.json*"
    ]
    plain = capture.log_of(found(log_destination="stderr"), target)
    assert (plain["kind"], plain["patterns"]) == ("stderr", ["/srv/data/log/postgresql-*.log*"])
    outside = capture.log_of(found(logging_collector="off"), target_of(log_file="/var/log/pg.log"))
    assert (outside["kind"], outside["patterns"]) == ("stderr", ["/var/log/pg.log*", "/var/log/pg.log/*"])


def test_a_window_sets_all_that_the_log_is_read_by_and_changes_no_more_than_it_has_to() -> None:
    """What is right already is set as it is: a file that was changed, and not loaded yet, would come into force."""
    right = {name: SETTINGS[name] for name in ("log_destination", "log_line_prefix")}
    right |= {"log_parameter_max_length": "-1", "log_parameter_max_length_on_error": "-1"}
    plan = capture.window_plan(found(log_min_duration_statement="-1"), target_of(), None)
    assert plan.settings == {**right, "log_min_duration_statement": "0"}
    assert capture.window_plan(found(), target_of(), None).settings == plan.settings, "what it has already stays so"
    sample = capture.window_plan(found(log_min_duration_statement="1000"), target_of(), 0.05)
    assert sample.settings == {
        **right, "log_min_duration_statement": "-1", "log_transaction_sample_rate": "0.05",
    }  # fmt: skip
    site = found(
        log_parameter_max_length="0", compute_query_id="off", lc_messages="de_DE", log_destination="stderr",
        log_line_prefix="%t ",
    )  # fmt: skip
    plan = capture.window_plan(site, target_of(), None)
    assert plan.settings == {
        **right, "log_min_duration_statement": "0", "compute_query_id": "on", "lc_messages": "C",
        "log_destination": "stderr,csvlog", "log_line_prefix": "%t ",
    }  # fmt: skip
    assert plan.log["kind"] == "csvlog"
    bare = capture.window_plan(found(logging_collector="off", log_line_prefix="%t "), target_of(), None)
    assert bare.settings["log_line_prefix"] == "%m|%u|%d|%c|%v|%e|%Q|"
    assert (bare.log["kind"], bare.log["prefix"]) == ("stderr", "%m|%u|%d|%c|%v|%e|%Q|")
    old = found(logging_collector="off", log_line_prefix="%t ", server_version_num="130020")
    assert "%Q" not in capture.window_plan(old, target_of(), None).settings["log_line_prefix"]


def test_a_sample_is_refused_where_the_log_would_tell_of_what_is_not_drawn() -> None:
    assert capture.window_problems(found(log_statement="ddl"), sampled=False) == []
    (problem,) = capture.window_problems(found(log_statement="ddl"), sampled=True)
    assert str(problem).startswith("log_statement: it is 'ddl'")
    (problem,) = capture.window_problems(found(log_destination="syslog", logging_collector="off"), sampled=False)
    assert problem.field == "log_destination"


# The job, with real bash and a psql that says of each setting what the knobs file says.

PSQL = """#!/usr/bin/env bash
answer() {
  echo "$1" >> "$PSQL_SAID"
  if [ -e "$PSQL_SAID.down" ] || [ -e "$PSQL_SAID.refused" ]; then echo "no way in" >&2; return 2; fi
  case $1 in
    *pg_conf_load_time*) stat -c %y "$KNOBS.loaded" 2> /dev/null || true ;;
    *pg_reload_conf*)
      if [ -e "$PSQL_SAID.broken" ]; then return 0; fi
      grep -c log_min "$KNOBS" > "$KNOBS.loaded" 2> /dev/null || true
      ;;
    *"SELECT EXISTS"*) if [ "$(cat "$KNOBS.loaded")" = 1 ]; then echo t; else echo f; fi ;;
    *) echo "log_min_duration_statement = -1, by configuration file /srv/other.conf" ;;
  esac
}
for last; do :; done
case $last in
  --command=*) answer "${last#--command=}" ;;
  *) while read -r line && [ "$line" != '\\q' ]; do answer "$line" || exit; done ;;
esac
"""
PG_ISREADY = """#!/usr/bin/env bash
if [ -e "$PSQL_SAID.down" ]; then exit 2; fi
"""
FOUND = "# by hand\nwork_mem = '8MB'\n"


class Job:
    """One target's knobs file, and jobs that change it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.knobs, self.log = folder, folder / "knobs.conf", folder / "server.log"
        self.log.write_text("before\n")
        (folder / "bin").mkdir()
        for name, text in {"psql": PSQL, "pg_isready": PG_ISREADY}.items():
            (folder / "bin" / name).write_text(text)
            (folder / "bin" / name).chmod(0o755)
        self.access = DatabaseAccess("127.0.0.1", 1, "u", "bench")

    @property
    def target(self) -> Target:
        return target_of(bin_dir=str(self.folder / "bin"), knobs_file=str(self.knobs))

    def capture(self, seconds: float, **changes: Any) -> subprocess.Popen[str]:
        end = datetime.now(UTC) + timedelta(seconds=seconds)
        given: dict[str, Any] = {
            "recording": "shop-1", "end": end, "longest_s": seconds, "max_log_bytes": 10**6, "keep_free_bytes": 0,
        }  # fmt: skip
        settings = {"log_min_duration_statement": "0", "log_line_prefix": "it's %m"}
        job = capture.capture_job(self.target, self.access, settings, [f"{self.log}*"], **(given | changes))
        for name, text in job.files.items():
            assert isinstance(text, str)
            (self.folder / name).write_text(text)
        return self.begin(job.script)

    def put_back(self, code: int = 0) -> str:
        process = self.begin(capture.put_back_job(self.target, self.access, "shop-1").script)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == code, said
        return said

    def begin(self, script: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "PSQL_SAID": str(self.folder / "said"), "KNOBS": str(self.knobs)}
        return subprocess.Popen(
            ["bash", "-c", script], cwd=self.folder, env=environment, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def wait_until_on(self) -> None:
        deadline = time.monotonic() + 120
        while not (self.folder / CAPTURED_FILE).exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    @property
    def captured(self) -> Any:
        return capture.read_capture({CAPTURED_FILE: (self.folder / CAPTURED_FILE).read_text()})


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


@pytest.mark.slow
def test_the_settings_are_in_the_file_for_the_window_and_gone_after_it(job: Job) -> None:
    job.knobs.write_text(FOUND)
    process = job.capture(2)
    job.wait_until_on()
    text = job.knobs.read_text()
    assert text.startswith(FOUND)
    assert "log_min_duration_statement = '0'\nlog_line_prefix = 'it''s %m'\n# otterflow capture: end\n" in text
    assert "recording 'shop-1'" not in str(problem := capture.left_on(text, str(job.knobs)))
    assert "for recording shop-1, until 20" in str(problem)
    said, _ = process.communicate(timeout=120)
    assert (process.returncode, job.knobs.read_text()) == (0, FOUND), said
    assert "the settings of the log are as they were" in said
    assert job.captured.off_s - job.captured.on_s > 1, "whole seconds"
    assert job.captured.because == ""
    assert job.knobs.stat().st_mode & 0o777 == 0o644
    assert capture.left_on(FOUND, "") is None


@pytest.mark.slow
def test_a_file_that_was_not_there_is_gone_again(job: Job) -> None:
    process = job.capture(2)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert not job.knobs.exists()
    assert sorted(path.name for path in job.folder.glob("knobs.conf*")) == ["knobs.conf.loaded"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_job_that_is_told_to_end_puts_the_settings_back(job: Job, number: signal.Signals) -> None:
    job.knobs.write_text(FOUND)
    process = job.capture(60)
    job.wait_until_on()
    os.killpg(process.pid, number)
    said, _ = process.communicate(timeout=120)
    assert (process.returncode, job.knobs.read_text()) == (143, FOUND), said
    assert job.captured.off_s is None


@pytest.mark.slow
def test_what_a_job_leaves_that_was_killed_is_put_back_with_what_was_written_since(job: Job) -> None:
    job.knobs.write_text(FOUND)
    process = job.capture(60)
    job.wait_until_on()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=120)
    assert BEGIN in job.knobs.read_text()
    job.knobs.write_text("jit = off\n" + job.knobs.read_text() + "work_mem = '9MB'\n")
    job.put_back()
    assert job.knobs.read_text() == "jit = off\n" + FOUND + "work_mem = '9MB'\n"
    assert job.put_back() == "", "a second time there is nothing to do"


def block(until: datetime) -> str:
    """What another recording has put into the file."""
    begin = f"{BEGIN}; recording other-1, until {until:%Y-%m-%dT%H:%M:%SZ}; a new file"
    return f"{begin}\nlog_min_duration_statement = '0'\n# otterflow capture: end\n"


@pytest.mark.slow
def test_two_windows_do_not_overlap_and_the_first_goes_on(job: Job) -> None:
    text = FOUND + block(datetime.now(UTC) + timedelta(minutes=5))
    job.knobs.write_text(text)
    process = job.capture(60)
    said, _ = process.communicate(timeout=120)
    assert (process.returncode, job.knobs.read_text()) == (5, text)
    assert "recording other-1, until 20" in said
    assert "two windows of one server must not overlap" in said
    assert job.put_back() == "", "what is another's stays"
    assert job.knobs.read_text() == text


@pytest.mark.slow
def test_a_capture_takes_the_place_of_what_a_killed_one_left(job: Job) -> None:
    job.knobs.write_text(FOUND + block(datetime.now(UTC) - timedelta(minutes=5)))
    process = job.capture(1)
    process.communicate(timeout=120)
    assert job.knobs.read_text() == FOUND


def test_a_knobs_file_that_was_removed_meanwhile_is_not_made_again(job: Job) -> None:
    script = f"set -euo pipefail\n{block_functions(job.target, 'shop-1')}\nunblock\n"
    said, _ = (process := job.begin(script)).communicate(timeout=60)
    assert not job.knobs.exists()
    assert (process.returncode, said) == (0, "")
    job.knobs.write_text(FOUND)
    job.begin(script).communicate(timeout=60)
    assert job.knobs.read_text() == FOUND


@pytest.mark.slow
def test_settings_that_do_not_come_into_force_are_taken_back_and_told_from_where(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otterflow.dbms.postgresql.capture_window.RELOAD_S", 1)
    (job.folder / "bin" / "psql").write_text(PSQL.replace("echo t;", "echo f;"))
    job.knobs.write_text(FOUND)
    process = job.capture(60)
    said, _ = process.communicate(timeout=120)
    assert (process.returncode, job.knobs.read_text()) == (3, FOUND)
    assert "by configuration file /srv/other.conf" in said
    assert not (job.folder / CAPTURED_FILE).exists()


@pytest.mark.slow
@pytest.mark.parametrize("why", ["log_size", "disk", "replaced"])
def test_it_ends_early_for_a_reason_that_is_told(job: Job, why: str) -> None:
    job.knobs.write_text(FOUND)
    changes = {"log_size": {"max_log_bytes": 100}, "disk": {"keep_free_bytes": 2**60}, "replaced": {}}[why]
    process = job.capture(60, **changes)
    job.wait_until_on()
    if why == "replaced":
        job.knobs.write_text("jit = on\n")
    while process.poll() is None:  # a log that grows: what it had as the window opened does not count
        job.log.write_text("x" * 1000 + job.log.read_text() if job.log.exists() else "x")
        time.sleep(0.2)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert job.knobs.read_text() == ("jit = on\n" if why == "replaced" else FOUND)
    assert (job.folder / "knobs.conf.loaded").read_text() == "0\n", "and the server has read it"
    told = {"log_size": "budget.log_size", "disk": "nearly full", "replaced": "replaced the knobs file"}[why]
    assert told in job.captured.because


def said_at_the_end(job: Job, monkeypatch: pytest.MonkeyPatch, server: str) -> str:
    """What the job of a window says at whose end the server is `down`, or whoever asks it is `refused`."""
    monkeypatch.setattr("otterflow.dbms.postgresql.capture_window.DOWN_S", 2)
    job.knobs.write_text(FOUND)
    process = job.capture(2)
    job.wait_until_on()
    (job.folder / f"said.{server}").touch()
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return said


@pytest.mark.slow
def test_a_server_that_is_down_at_the_end_reads_the_file_when_it_starts(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = said_at_the_end(job, monkeypatch, "down")
    assert job.knobs.read_text() == FOUND
    assert "the server is down, and reads that when it starts" in said


@pytest.mark.slow
def test_the_window_is_over_once_a_server_that_is_up_has_read_the_file(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = said_at_the_end(job, monkeypatch, "refused")
    assert job.captured.off_s is not None, "what was logged is whole"
    assert "no way in" in said
    assert "logs statements as in the window until it does" in said
    assert "log_min_duration_statement" not in job.knobs.read_text(), "a restart ends it, too"
    assert "for recording shop-1, until 20" in str(capture.left_on(job.knobs.read_text(), str(job.knobs)))
    assert "no way in" in job.put_back(code=6)
    (job.folder / "said.refused").unlink()
    (job.folder / "said.broken").touch()
    monkeypatch.setattr("otterflow.dbms.postgresql.capture_window.RELOAD_S", 1)
    assert "has not read its files again 1 s after a reload" in job.put_back(code=6)
    assert capture.left_on(job.knobs.read_text(), str(job.knobs)) is not None
    (job.folder / "said.broken").unlink()
    assert "the settings of the log are as they were" in job.put_back()
    assert job.knobs.read_text() == FOUND
