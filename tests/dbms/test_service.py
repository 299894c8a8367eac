from __future__ import annotations

import re

import pytest

from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.dbms.postgresql.service import (
    classify_start,
    is_up_command,
    log_tail_command,
    restart_command,
    restart_limit_s,
    service_functions,
    start_command,
)
from otterflow.dbms.start_report import STILL_RUNNING
from otterflow.dbms.values import StartOutcome
from tests.dbms.conftest import SERVICES, is_bash, target_of
from tests.dbms.stopping import stop_command

BUILDERS = [start_command, restart_command, log_tail_command]


@pytest.mark.parametrize("kind", SERVICES)
@pytest.mark.parametrize("builder", BUILDERS)
def test_every_command_is_whole_bash(kind: str, builder: object) -> None:
    assert is_bash(builder(target_of(service=SERVICES[kind])))  # type: ignore[operator]


def test_pg_ctl_waits_logs_and_is_called_by_its_full_path() -> None:
    command = restart_command(target_of(start_timeout_s=33, stop_timeout_s=44))
    assert '/usr/lib/postgresql/15/bin/pg_ctl -D "$data" -w -t 33 -l "$log" start' in command
    assert '/usr/lib/postgresql/15/bin/pg_ctl -D "$data" -w -t 44 -m fast stop' in command
    assert "data='/srv/it'\"'\"'s; here/data'" in command
    assert "pg_ctl -D" in start_command(target_of(bin_dir=None))


def test_systemd_goes_through_sudo_and_forgets_former_failures() -> None:
    command = restart_command(target_of(service=SERVICES["systemd"]))
    assert "sudo -n systemctl reset-failed postgresql@15-main" in command
    assert "sudo -n systemctl start postgresql@15-main" in command


@pytest.mark.parametrize(("sudo", "words"), [(True, "sudo -n pg_ctlcluster 15 main"), (False, "pg_ctlcluster 15 main")])
def test_a_debian_cluster_takes_already_running_for_success(sudo: bool, words: str) -> None:
    target = target_of(service=SERVICES["pg_ctlcluster"] | {"sudo": sudo})
    command = start_command(target)
    assert f"{words} start > " in command
    assert "[ $code -eq 2 ]; then" in command
    assert f"{words} stop || [ $? -eq 2 ]" in stop_command(service_functions(target))


def test_the_users_own_commands_are_one_word_for_bash() -> None:
    command = start_command(target_of(service=SERVICES["command"]))
    assert "bash -c 'echo '\"'\"'up'\"'\"' > /tmp/x; true'" in command


def test_is_up_asks_the_given_server() -> None:
    access = DatabaseAccess("/run/my pg", 5433, "tuner", "bench")
    command = is_up_command(target_of(bin_dir=None), access)
    assert command == "pg_isready -h '/run/my pg' -p 5433 -U tuner -d bench -t 3"


def test_the_limit_leaves_room_for_a_slow_stop_and_a_slow_start() -> None:
    assert restart_limit_s(target_of(start_timeout_s=60, stop_timeout_s=120)) > 180


REFUSED = [
    # Captured from PostgreSQL 15.
    "pg_ctl: could not start server\nExamine the log output.\n"
    "2026-11-23 00:00:01 UTC [1] FATAL:  could not map anonymous shared memory: Cannot allocate memory\n",
    '2026-11-23 LOG:  invalid value for parameter "work_mem": "banana"\n'
    'FATAL:  configuration file "/srv/data/postgresql.conf" contains errors\n',
    'LOG:  syntax error in file "/srv/conf/knobs.conf" line 1, near token "garbage"\n',
    "Job for postgresql@15-main.service failed because the service did not take the steps required by its unit\n",
    "Error: /usr/lib/postgresql/15/bin/pg_ctl /usr/lib/postgresql/15/bin/pg_ctl start -D ... exited with status 1:\n",
    'FATAL:  could not access file "nothing": No such file or directory\n',
]

NOT_RUN = [
    (127, "bash: line 1: /opt/pg/bin/pg_ctl: No such file or directory"),
    (1, "sudo: a password is required"),
    (1, "otter is not in the sudoers file."),
    (5, "Failed to start postgresql@9-x.service: Unit postgresql@9-x.service not found."),
    (1, "System has not been booted with systemd as init system (PID 1). Can't operate."),
    (1, "pg_ctl: cannot be run as root"),
    (1, 'pg_ctl: directory "/srv/none" does not exist'),
    (1, 'pg_ctl: directory "/srv" is not a database cluster directory'),
    (1, 'FATAL:  could not write lock file "postmaster.pid": No space left on device'),
    (1, 'LOG:  could not bind IPv4 address "127.0.0.1": Address already in use'),
    (1, "FATAL:  pre-existing shared memory block (key 1, ID 2) is still in use"),
    (1, "Error: specified cluster '15 none' does not exist"),
    (STILL_RUNNING, ""),
]


@pytest.mark.parametrize("stderr", REFUSED)
def test_what_the_configuration_did(stderr: str) -> None:
    assert classify_start(1, stderr) is StartOutcome.refused


@pytest.mark.parametrize(("code", "stderr"), NOT_RUN)
def test_what_the_machinery_did(code: int, stderr: str) -> None:
    assert classify_start(code, stderr) is StartOutcome.not_run


def test_a_configuration_that_pg_ctlcluster_cannot_read_is_refused_though_nothing_was_stopped() -> None:
    said = "Error: invalid line 1 in /srv/conf/knobs.conf: garbage here now\n"
    assert classify_start(STILL_RUNNING, said) is StartOutcome.refused


def test_success_is_success_whatever_was_said() -> None:
    assert classify_start(0, "sudo: unable to resolve host") is StartOutcome.up


@pytest.mark.parametrize("log_file", ["/srv/my log/*.log", "/srv/my log", "/srv/my log/a.log"])
def test_a_log_may_be_glob_folder_or_file(log_file: str) -> None:
    command = log_tail_command(target_of(log_file=log_file), 100)
    assert re.search(r"^logs=\('/srv/my log", command, re.MULTILINE)
    assert "tail -c 100" in command
