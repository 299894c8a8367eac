from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.dbms.postgresql.service import (
    classify_start,
    is_up_command,
    log_tail_command,
    reload,
    restart_command,
    service_functions,
    start_command,
)
from otterflow.dbms.postgresql.target import PostgresqlTarget
from otterflow.dbms.target import Target
from otterflow.dbms.values import StartOutcome
from otterflow.remote.session import Completed
from stack.host import DatabaseHost
from tests.dbms.stopping import stop_command
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

Run = Callable[[str], Completed]


def write_knobs(host: DatabaseHost, text: str) -> None:
    host.user.write_file(host.cluster.knobs_file, text)


def restart(run: Run, target: Target) -> tuple[StartOutcome, str]:
    done = run(restart_command(target))
    return classify_start(done.exit_code, done.stderr), done.stderr


def test_stop_and_start_are_what_they_say_however_often(run: Run, target: Target, access: DatabaseAccess) -> None:
    up = is_up_command(target, access)
    assert run(up).exit_code == 0
    assert run(start_command(target)).exit_code == 0
    assert run(stop_command(service_functions(target))).exit_code == 0
    assert run(stop_command(service_functions(target))).exit_code == 0
    assert run(up).exit_code == 2
    assert run(start_command(target)).exit_code == 0
    assert run(up).exit_code == 0


def test_a_restart_and_a_reload_bring_the_knobs_file_into_force(
    run: Run, target: Target, clean_host: DatabaseHost
) -> None:
    def shown(name: str) -> str:
        with clean_host.cluster.connect() as connection:
            return str(connection.execute(f"SHOW {name}").fetchone()[0])  # type: ignore[index]

    write_knobs(clean_host, "shared_buffers = 96MB\nwork_mem = 5MB\n")
    assert restart(run, target)[0] is StartOutcome.up
    assert (shown("shared_buffers"), shown("work_mem")) == ("96MB", "5MB")
    write_knobs(clean_host, "shared_buffers = 96MB\nwork_mem = 6MB\n")
    with clean_host.cluster.connect() as connection:

        def ask(sql: str) -> list[Any]:
            return connection.execute(sql).fetchall()

        reload(ask, {})
    wait_until(lambda: shown("work_mem") == "6MB")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shared_buffers = 900GB\n", "could not map anonymous shared memory"),
        ("work_mem = banana\n", 'invalid value for parameter "work_mem"'),
        ("this is; garbage\n", "syntax error in file"),
        ("no_such_knob = 1\n", "unrecognized configuration parameter"),
        ("shared_preload_libraries = 'no_such_library'\n", "could not access file"),
    ],
)
def test_a_refused_configuration_is_told_with_the_servers_own_words(
    run: Run, target: Target, access: DatabaseAccess, clean_host: DatabaseHost, text: str, said: str
) -> None:
    run("echo 'FATAL: could not bind: Address already in use, of yesterday' >> " + str(clean_host.cluster.log_file))
    write_knobs(clean_host, text)
    outcome, stderr = restart(run, target)
    assert outcome is StartOutcome.refused
    assert said in stderr
    assert "of yesterday" not in stderr
    assert run(is_up_command(target, access)).exit_code == 2
    write_knobs(clean_host, "")
    assert restart(run, target)[0] is StartOutcome.up


def test_a_taken_port_is_not_the_configurations_fault(run: Run, target: Target, clean_host: DatabaseHost) -> None:
    clean_host.cluster.stop()
    with socket.create_server((clean_host.cluster.host, clean_host.cluster.port)):
        assert restart(run, target)[0] is StartOutcome.not_run
    assert restart(run, target)[0] is StartOutcome.up


@pytest.mark.parametrize(
    "changes", [{"bin_dir": "/opt/nothing"}, {"data_dir": "/srv/nothing"}, {"data_dir": "/tmp"}], ids=str
)
def test_a_command_that_cannot_run_is_not_the_configurations_fault(
    run: Run, target: Target, changes: dict[str, str]
) -> None:
    run(stop_command(service_functions(target)))
    outcome, stderr = restart(run, target.model_copy(update=changes))
    assert outcome is StartOutcome.not_run, stderr


def test_a_killed_postmasters_children_do_not_stop_the_next_start(
    run: Run, target: Target, clean_host: DatabaseHost
) -> None:
    pid = clean_host.cluster.pid
    assert pid is not None
    busy = clean_host.cluster.connect()
    busy.execute("SET statement_timeout = '60s'")

    def burn() -> None:
        with pytest.raises(psycopg.Error):
            busy.execute("SELECT sum(a::numeric ^ 3) FROM generate_series(1, 100000000) a")

    worker = threading.Thread(target=burn)
    worker.start()
    time.sleep(0.5)
    os.kill(pid, signal.SIGKILL)
    outcome, stderr = restart(run, target)
    worker.join(30)
    assert outcome is StartOutcome.up, stderr
    assert clean_host.cluster.pid not in (None, pid)


def test_the_log_is_found_as_file_folder_and_glob(run: Run, target: Target, clean_host: DatabaseHost) -> None:
    log = clean_host.cluster.log_file
    folder = clean_host.user.make_dir(clean_host.root / "other log")
    clean_host.user.write_file(folder / "old.log", "old\n")
    os.utime(folder / "old.log", (1, 1))
    clean_host.user.write_file(folder / "new.log", "first\nlast\n")
    for log_file, tail in ((str(folder), "last\n"), (f"{folder}/*.log", "last\n"), (f"{folder}/o*.log", "old\n")):
        assert run(log_tail_command(target.model_copy(update={"log_file": log_file}), 5)).stdout == tail[-5:]
    assert run(log_tail_command(target, 4)).stdout == Path(log).read_text()[-4:]
    none = run(log_tail_command(target.model_copy(update={"log_file": "/srv/it's none/*.log", "name": "other"})))
    assert (none.exit_code, none.stderr) == (1, "log_file: no file matches /srv/it's none/*.log\n")


def test_where_the_log_is_a_glob_the_start_log_tells_why(run: Run, target: Target, clean_host: DatabaseHost) -> None:
    elsewhere = target.model_copy(update={"log_file": f"{clean_host.root}/no log yet/*.log"})
    write_knobs(clean_host, "work_mem = banana\n")
    outcome, stderr = restart(run, elsewhere)
    assert outcome is StartOutcome.refused
    assert 'invalid value for parameter "work_mem"' in stderr


def test_the_users_own_commands(run: Run, target: Target, clean_host: DatabaseHost) -> None:
    pg_ctl = f"{clean_host.cluster.bin_dir}/pg_ctl -D '{clean_host.cluster.data_dir}'"
    service = {
        "kind": "command",
        "start": f"{pg_ctl} -l '{clean_host.cluster.log_file}' start",
        "stop": f"{pg_ctl} stop || true",
    }
    own = PostgresqlTarget.model_validate(target.model_dump() | {"service": service})
    assert restart(run, own)[0] is StartOutcome.up
    write_knobs(clean_host, "work_mem = banana\n")
    outcome, stderr = restart(run, own)
    assert outcome is StartOutcome.refused
    assert 'invalid value for parameter "work_mem"' in stderr
    write_knobs(clean_host, "")


def test_a_server_in_a_container_is_not_judged_by_the_hosts_folders(run: Run, target: Target) -> None:
    service = {"kind": "command", "start": "echo the container ended >&2; exit 1", "stop": "true"}
    inside = PostgresqlTarget.model_validate(
        target.model_dump() | {"service": service, "data_dir": "/in/the/container"}
    )
    outcome, stderr = restart(run, inside)
    assert outcome is StartOutcome.refused
    assert "otterflow sees" not in stderr
