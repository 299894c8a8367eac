"""A private Airflow: SQLite, LocalExecutor, the API server on loopback and a free port.

It runs the scheduler, the Dag processor and the API server as three processes, and a triggerer where tasks wait without
a worker. `airflow standalone` does the same with a parent process more; it takes twice as long until it is healthy
(24 s beside 12 s on 2 cores) and 0.6 GB more memory.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

import psutil

from stack.airflow_client import AirflowClient
from stack.checkout import PROJECT
from stack.postgres import ROLE, PrivateCluster
from stack.processes import (
    MARKER,
    StackError,
    belonging_to,
    describe,
    end_all,
    free_port,
    is_alive,
    start,
    tail,
    wait_until,
)

ADMIN = "admin"
COMPONENTS = ("scheduler", "dag_processor")
"""What the health page must report as healthy."""
TRIGGERER = "triggerer"
"""What tasks that wait without a worker need besides: those of nights and backfills."""

_PACE = {
    # Seconds between looks when there was nothing to do. Eight empty tasks in a row take 6 s instead of 10 s, for 4 %
    # more of one core while nothing happens.
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.25",
    # Often a worker notices only at its next heartbeat (5 s apart by default) that its task has ended. Until then it
    # takes no other task, and a task that was skipped or failed, unlike one that succeeded, counts as running.
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    # A task that the API server does not answer in time has failed, before it has begun. The benchmark on this machine,
    # or another's work, makes it slow: 5 s (the default) were too few with a load of 20.
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
    "AIRFLOW__CORE__PARALLELISM": "8",
    # Parsing takes a core from the benchmark that is being measured. A file that was changed is parsed anyhow.
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
}
_OWN = {"scheduler": {"OTTERFLOW_PRELOAD": "1"}, "standalone": {"OTTERFLOW_PRELOAD": "1"}}
"""What one process gets besides: tasks are forked from the scheduler (see plugins/otterflow_plugin.py)."""


_SCHEDULER = ("scheduler", "--skip-serve-logs")
_API = ("api-server",)
_DAG_PROCESSOR = ("dag-processor",)
_PROCESSES = (_SCHEDULER, _DAG_PROCESSOR, _API)
"""Without the server for tasks' logs, which listens on all addresses and knows no other: the API server reads the files
itself."""
_STANDALONE = (("standalone",),)
_DATABASE = "airflow"
_TRIGGERER = ((TRIGGERER, "--skip-serve-logs"),)


@dataclass(frozen=True)
class _Server:
    """A process of Airflow that is to run until it is stopped, and where it logs."""

    name: str
    process: psutil.Process
    log: Path

    def must_run(self) -> None:
        """Raise StackError with the end of the log, long enough for a trace back, where it has ended by itself."""
        if not is_alive(self.process):
            raise StackError(f"Airflow's {self.name} has ended by itself\n{tail(self.log, 60)}")


class AirflowStack:
    """Airflow under `root`, with `environment` (connections and the like) added to its own settings.

    `standalone` runs `airflow standalone` instead, the way a newcomer starts Airflow by hand; `triggerer` runs one too;
    `api_alone` runs the API server and nothing else, where no task is to run. `users` are those beside `admin`, with
    their roles.
    The metadata are in SQLite, or in a database of `metadata`, which is started and stopped with Airflow: a backfill is
    not begun reliably with SQLite.

    Runs as the invoking user. The password of the user `admin` and the secret that signs tokens are random and lie in
    files of mode 600.
    """

    def __init__(
        self,
        root: Path,
        environment: Mapping[str, str],
        *,
        dags_folder: Path = PROJECT / "dags",
        plugins_folder: Path = PROJECT / "plugins",
        standalone: bool = False,
        triggerer: bool = False,
        api_alone: bool = False,
        users: Mapping[str, str] = MappingProxyType({}),
        metadata: PrivateCluster | None = None,
    ) -> None:
        self.root = root.resolve()
        self.home = self.root / "airflow"
        self.migration_log = self.root / "airflow-db.log"
        self.passwords_file = self.root / "airflow-passwords.json"
        self.secrets_file = self.root / "airflow-secrets.json"
        self.port_file = self.root / "airflow-port"
        self.log_ports_file = self.root / "airflow-log-ports.json"
        self._environment = dict(environment)
        self._dags_folder, self._plugins_folder = dags_folder, plugins_folder
        self._standalone = standalone
        self._metadata = metadata
        self._components: tuple[str, ...] = (*COMPONENTS, TRIGGERER) if triggerer else COMPONENTS
        self._commands: tuple[tuple[str, ...], ...] = (
            _STANDALONE if standalone else _PROCESSES + (_TRIGGERER if triggerer else ())
        )
        if api_alone:
            self._components, self._commands = (), (_API,)
        self._roles = {ADMIN: "admin", **users}
        self._servers: list[_Server] = []

    @property
    def url(self) -> str:
        """Where the user interface is."""
        return f"http://127.0.0.1:{int(self.port_file.read_text())}"

    @property
    def password(self) -> str:
        """The password of the user `admin`."""
        return self.password_of(ADMIN)

    def password_of(self, user: str) -> str:
        """The password of a user."""
        return str(json.loads(self.passwords_file.read_text())[user])

    @cached_property
    def client(self) -> AirflowClient:
        """A client of the REST API, as `admin`."""
        return AirflowClient(self.url, ADMIN, self.password)

    def environment(self) -> dict[str, str]:
        """All that Airflow's processes get: the caller's surroundings without their Airflow, and our settings."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "OTTERFLOW_", "PYTHON"))}
        inherited["PATH"] = f"{Path(sys.executable).parent}:{inherited.get('PATH', '')}"
        return {**inherited, **self._settings(), **self._environment, MARKER: str(self.root)}

    def start(self, timeout_s: float = 400) -> None:
        """Start Airflow and wait until API, scheduler and Dag processor are healthy. Raises StackError."""
        self._write_secrets()
        if self.client.is_healthy(*self._components):
            return
        if self._metadata is not None:
            _make_database(self._metadata)
        if not self._standalone:
            self._airflow("db", "migrate")
        self._servers = [self._start(command) for command in self._commands]

        def healthy() -> bool:
            self.must_run()
            return self.client.is_healthy(*self._components)

        wait_until(
            healthy, timeout_s=timeout_s, what="Airflow is healthy", log=self._log_of(self._commands[0]), poll_s=0.25
        )
        if self._standalone:  # which goes on when one of those that it has started ends
            self._servers += _started_by(self._servers[0])

    def must_run(self) -> None:
        """Raise StackError, with its name and the end of its log, where a process that `start` made is gone.

        Not where that was asked for, by `stop` or `kill_scheduler`.
        """
        for server in self._servers:
            server.must_run()

    def wait_for_dags(self, *dag_ids: str, timeout_s: float = 90) -> None:
        """Wait until the Dags are parsed. Raises StackError with the import errors, as soon as there are some."""

        def ready() -> bool:
            self.must_run()
            errors = self.client.import_errors()
            if errors:
                raise StackError("a Dag file cannot be imported:\n" + "\n".join(errors))
            return set(dag_ids) <= set(self.client.dags())

        log = self._log_of(_STANDALONE[0] if self._standalone else _DAG_PROCESSOR)
        wait_until(ready, timeout_s=timeout_s, what=f"Dags {', '.join(dag_ids)} are known", log=log, poll_s=0.5)

    def stop(self) -> None:
        """End Airflow with all its children and tasks. Raises StackError if a process is left."""
        self.__dict__.pop("client", None)
        self._servers = []
        end_all(self._processes())
        left = self._processes()
        if left:
            raise StackError(f"processes of Airflow in {self.root} are left:\n{describe(left)}")
        if self._metadata is not None:
            self._metadata.stop()

    def kill_scheduler(self) -> None:
        """End the scheduler with SIGKILL, and nothing else: its workers are left to themselves. Not of `standalone`."""
        schedulers = [process for process in self._processes() if "scheduler" in process.cmdline()]
        workers = {child.pid for process in schedulers for child in process.children(recursive=True)}
        (scheduler,) = (process for process in schedulers if process.pid not in workers)
        self._servers = [server for server in self._servers if server.process != scheduler]
        scheduler.kill()
        psutil.wait_procs([scheduler], timeout=10)

    def start_scheduler(self) -> None:
        """Start one again after `kill_scheduler`."""
        self._servers.append(self._start(_SCHEDULER))

    def _start(self, command: tuple[str, ...]) -> _Server:
        environment, log = self.environment() | _OWN.get(command[0], {}), self._log_of(command)
        return _Server(command[0], start([_airflow(), *command], log=log, cwd=self.home, env=environment), log)

    def _log_of(self, command: tuple[str, ...]) -> Path:
        return self.root / f"airflow-{command[0]}.log"

    def _airflow(self, *arguments: str) -> None:
        with self.migration_log.open("ab") as log:
            command = [_airflow(), *arguments]
            done = subprocess.run(
                command, check=False, cwd=self.home, env=self.environment(), stdout=log, stderr=subprocess.STDOUT
            )
        if done.returncode != 0:
            raise StackError(f"airflow {' '.join(arguments)} failed\n{tail(self.migration_log)}")

    def _processes(self) -> list[psutil.Process]:
        return belonging_to(self.home)

    def _write_secrets(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        if not self.port_file.exists():
            _write_private(self.passwords_file, json.dumps({user: secrets.token_urlsafe(12) for user in self._roles}))
            _write_private(self.secrets_file, json.dumps({"jwt": secrets.token_urlsafe(48)}))
            self.port_file.write_text(str(free_port()))
        if not self.log_ports_file.exists():
            self.log_ports_file.write_text(json.dumps([free_port(), free_port()]))

    def _settings(self) -> dict[str, str]:
        port = int(self.port_file.read_text())
        jwt_secret = json.loads(self.secrets_file.read_text())["jwt"]
        log_ports = json.loads(self.log_ports_file.read_text())
        return {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self._dags_folder),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self._plugins_folder),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
                f"{user}:{role}" for user, role in self._roles.items()
            ),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.passwords_file),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
            "AIRFLOW__API__SECRET_KEY": jwt_secret,
            "AIRFLOW__API_AUTH__JWT_SECRET": jwt_secret,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self._database_url(),
            # Those of `airflow standalone` alone, away from the fixed ones of another Airflow on this machine.
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(log_ports[0]),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(log_ports[1]),
            **_PACE,
            "NO_COLOR": "1",
            "PYTHONUNBUFFERED": "1",
        }

    def _database_url(self) -> str:
        server = self._metadata
        if server is None:
            return f"sqlite:///{self.home}/airflow.db"
        return f"postgresql+psycopg2://{ROLE}:{quote(server.password)}@{server.host}:{server.port}/{_DATABASE}"


def _make_database(server: PrivateCluster) -> None:
    """Start the server of the metadata; the first time, make their database."""
    if not server.data_dir.exists():
        server.create()
        server.user.write_file(server.knobs_file, "fsync = off\n")  # which a restart of the machine may take away
    server.start()
    with server.connect("postgres") as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [_DATABASE]).fetchone() is None:
            connection.execute(f"CREATE DATABASE {_DATABASE}")


def _started_by(standalone: _Server) -> list[_Server]:
    """What `airflow standalone` has started; it logs for all of them."""
    children = standalone.process.children()
    return [_Server(f"process {describe([child])}", child, standalone.log) for child in children]


def _airflow() -> str:
    return str(Path(sys.executable).with_name("airflow"))


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
