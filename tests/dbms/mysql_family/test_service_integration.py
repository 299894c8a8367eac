"""Starting, stopping and asking a real MariaDB, over SSH, as otterflow does."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil
import pytest

from otterflow.dbms.mariadb.service import SERVICE
from otterflow.dbms.mysql_family.preflight import NO_START
from otterflow.dbms.target import Target
from otterflow.dbms.values import Answer, StartOutcome
from otterflow.remote.session import Completed
from stack.mariadb_host import MariadbHost
from tests.dbms.stopping import stop_command
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

Run = Callable[[str], Completed]


@dataclass
class Place:
    """As much of an access as asking takes."""

    host: str
    port: int
    user: str = "otterflow"


@pytest.fixture
def access(clean_host: MariadbHost) -> Place:
    return Place(clean_host.mariadb.host, clean_host.mariadb.port)


@pytest.fixture
def stopped(clean_host: MariadbHost) -> MariadbHost:
    clean_host.mariadb.stop()
    return clean_host


def answer(run: Run, target: Target, access: Place) -> Answer:
    return SERVICE.answer(run(SERVICE.is_up_command(target, access)).exit_code)  # type: ignore[arg-type]


def restart(run: Run, target: Target, access: Place) -> tuple[StartOutcome, str]:
    done = run(SERVICE.restart_command(target, access))  # type: ignore[arg-type]
    return SERVICE.classify_start(done.exit_code, done.stderr), done.stderr


def write_knobs(host: MariadbHost, *lines: str) -> None:
    host.user.write_file(host.mariadb.knobs_file, "\n".join(["[mysqld]", *lines, ""]), 0o644)


def shown(host: MariadbHost, name: str) -> object:
    with host.mariadb.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT @@GLOBAL.{name} AS shown")
        return cursor.fetchall()[0]["shown"]


def test_stop_and_start_are_what_they_say_however_often(run: Run, target: Target, access: Place) -> None:
    assert answer(run, target, access) is Answer.accepts
    assert run(SERVICE.start_command(target)).exit_code == 0
    assert run(stop_command(SERVICE.functions(target))).exit_code == 0
    assert run(stop_command(SERVICE.functions(target))).exit_code == 0
    assert answer(run, target, access) is Answer.none
    assert run(SERVICE.start_command(target)).exit_code == 0
    assert answer(run, target, access) is Answer.accepts


def test_a_restart_brings_the_knobs_file_into_force(
    run: Run, target: Target, access: Place, clean_host: MariadbHost
) -> None:
    write_knobs(clean_host, "max_connections = 77", "innodb_buffer_pool_size = 64M")
    former = clean_host.mariadb.pid
    assert restart(run, target, access)[0] is StartOutcome.up
    assert (shown(clean_host, "max_connections"), shown(clean_host, "innodb_buffer_pool_size")) == (77, 64 * 2**20)
    assert clean_host.mariadb.pid != former


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("foo_bar = 1", "unknown variable 'foo_bar"),
        ("innodb_flush_method = banana", "Error while setting value 'banana'"),
        ("innodb-buffer-pool-size = 1.5G", "Unknown suffix"),
        ("thread_cache_size = -1", "Incorrect unsigned value"),
    ],
)
def test_what_the_server_says_beforehand_leaves_it_running(
    line: str, said: str, run: Run, target: Target, access: Place, clean_host: MariadbHost
) -> None:
    former = clean_host.mariadb.pid
    write_knobs(clean_host, line)
    outcome, stderr = restart(run, target, access)
    assert outcome is StartOutcome.refused
    assert said in stderr
    assert clean_host.mariadb.pid == former


@pytest.mark.parametrize("line", ["innodb_page_size = 4k", "innodb_buffer_pool_size = 2M"])
def test_what_only_the_start_shows_is_refused_with_the_servers_words(
    line: str, run: Run, target: Target, access: Place, clean_host: MariadbHost
) -> None:
    write_knobs(clean_host, line)
    done = run(SERVICE.restart_command(target, access))  # type: ignore[arg-type]
    assert SERVICE.classify_start(done.exit_code, done.stderr) is StartOutcome.refused
    assert done.exit_code != NO_START
    assert "InnoDB" in done.stderr
    assert answer(run, target, access) is Answer.none
    write_knobs(clean_host)
    assert restart(run, target, access)[0] is StartOutcome.up


def test_a_fault_of_another_file_is_not_the_configurations(
    run: Run, target: Target, access: Place, clean_host: MariadbHost
) -> None:
    other = clean_host.mariadb.knobs_file.with_name("aa-other.cnf")
    clean_host.user.write_file(other, "[mysqld]\nfoo_bar = 1\n", 0o644)
    try:
        assert restart(run, target, access)[0] is StartOutcome.not_run
        assert answer(run, target, access) is Answer.accepts
    finally:
        other.unlink()


def test_data_that_are_not_there_are_the_configurations_fault(
    run: Run, target: Target, access: Place, stopped: MariadbHost
) -> None:
    data = stopped.mariadb.data_dir
    data.rename(data.with_name("elsewhere"))
    try:
        done = run(SERVICE.start_command(target, access))  # type: ignore[arg-type]
        assert SERVICE.classify_start(done.exit_code, done.stderr) is StartOutcome.not_run, done.stderr
        assert "does not exist" in done.stderr
    finally:
        if data.exists():
            data.rename(data.with_name("made-by-the-start"))
        data.with_name("elsewhere").rename(data)


def test_a_killed_server_left_its_pid_file_and_a_stopped_one_did_not(
    run: Run, target: Target, access: Place, clean_host: MariadbHost
) -> None:
    def state() -> str:
        return run(SERVICE.control_state_command(target)).stdout.strip()

    assert not SERVICE.is_shut_down(state())
    pid = clean_host.mariadb.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not clean_host.mariadb.is_running)
    assert (state(), SERVICE.is_shut_down(state()), SERVICE.is_on_its_way(state())) == ("killed", False, False)
    assert run(SERVICE.start_command(target)).exit_code == 0
    assert run(stop_command(SERVICE.functions(target))).exit_code == 0
    assert SERVICE.is_shut_down(state())


def test_a_server_that_hangs_is_neither_up_nor_at_work(
    run: Run, target: Target, access: Place, clean_host: MariadbHost
) -> None:
    pid = clean_host.mariadb.pid
    assert pid is not None
    psutil.Process(pid).suspend()
    try:
        assert answer(run, target, access) is Answer.none
    finally:
        psutil.Process(pid).resume()
    assert answer(run, target, access) is Answer.accepts


def test_a_server_that_refuses_the_user_is_up(run: Run, target: Target, access: Place) -> None:
    access.user = "nobody-known"
    assert answer(run, target, access) is Answer.accepts


def test_each_start_is_told_from_the_one_before(
    run: Run, target: Target, access: Place, clean_host: MariadbHost
) -> None:
    def query(sql: str) -> list[dict[str, object]]:
        with clean_host.mariadb.connect() as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    first = SERVICE.started(query)
    time.sleep(1.1)
    with clean_host.mariadb.connect() as connection, connection.cursor() as cursor:
        cursor.execute("FLUSH STATUS")
    assert SERVICE.started(query).is_same_start(first)
    assert restart(run, target, access)[0] is StartOutcome.up
    assert not SERVICE.started(query).is_same_start(first)


def test_the_end_of_the_log_is_shown(run: Run, target: Target) -> None:
    assert "ready for connections" in run(SERVICE.log_tail_command(target, 4000)).stdout


def test_no_command_keeps_the_channel_open(run: Run, target: Target) -> None:
    run(stop_command(SERVICE.functions(target)))
    begun = time.monotonic()
    assert run(SERVICE.start_command(target)).exit_code == 0
    assert time.monotonic() - begun < 120, "as long as the server runs"
