"""A private Airflow: SQLite, LocalExecutor, the API server on loopback and a free port.

It runs the scheduler, the Dag processor and the API server as three processes. `airflow standalone` does the same with
two processes more, a parent and a triggerer that nothing here needs; it takes twice as long until it is healthy (24 s
beside 12 s on 2 cores) and 0.6 GB more memory.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import psutil

from stack.airflow_client import AirflowClient
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

PROJECT = Path(__file__).resolve().parents[1]
ADMIN = "admin"
COMPONENTS = ("scheduler", "dag_processor")
"""What the health page must report as healthy. Nothing of otterflow defers, so the triggerer is not waited for."""

_PACE = {
    # Seconds between looks when there was nothing to do. Eight empty tasks in a row take 6 s instead of 10 s, for 4 %
    # more of one core while nothing happens.
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.25",
    # Often a worker notices only at its next heartbeat (5 s apart by default) that its task has ended. Until then it
    # takes no other task, and a task that was skipped or failed, unlike one that succeeded, counts as running.
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    "AIRFLOW__CORE__PARALLELISM": "8",
    # Parsing takes a core from the benchmark that is being measured. A file that was changed is parsed anyhow.
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
}
_OWN = {"scheduler": {"OTTERFLOW_PRELOAD": "1"}, "standalone": {"OTTERFLOW_PRELOAD": "1"}}
"""What one process gets besides: tasks are forked from the scheduler (see plugins/otterflow_plugin.py)."""


class AirflowStack:
    """Airflow under `root`, with `environment` (connections and the like) added to its own settings.

    `standalone` runs `airflow standalone` instead, the way a newcomer starts Airflow by hand.

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
    ) -> None:
        self.root = root.resolve()
        self.home = self.root / "airflow"
        self.log_file = self.root / "airflow.log"
        self.passwords_file = self.root / "airflow-passwords.json"
        self.secrets_file = self.root / "airflow-secrets.json"
        self.port_file = self.root / "airflow-port"
        self._environment = dict(environment)
        self._dags_folder, self._plugins_folder = dags_folder, plugins_folder
        self._standalone = standalone

    @property
    def url(self) -> str:
        """Where the user interface is."""
        return f"http://127.0.0.1:{int(self.port_file.read_text())}"

    @property
    def password(self) -> str:
        """The password of the user `admin`."""
        return str(json.loads(self.passwords_file.read_text())[ADMIN])

    @cached_property
    def client(self) -> AirflowClient:
        """A client of the REST API, as `admin`."""
        return AirflowClient(self.url, ADMIN, self.password)

    def environment(self) -> dict[str, str]:
        """All that Airflow's processes get: the caller's surroundings without their Airflow, and our settings."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "OTTERFLOW_", "PYTHON"))}
        inherited["PATH"] = f"{Path(sys.executable).parent}:{inherited.get('PATH', '')}"
        return {**inherited, **self._settings(), **self._environment, MARKER: str(self.root)}

    def start(self, timeout_s: float = 180) -> None:
        """Start Airflow and wait until API, scheduler and Dag processor are healthy. Raises StackError."""
        self._write_secrets()
        if self.client.is_healthy(*COMPONENTS):
            return
        if not self._standalone:
            self._airflow("db", "migrate")
        commands = ["standalone"] if self._standalone else ["scheduler", "dag-processor", "api-server"]
        environment = self.environment()
        started = [
            start([_airflow(), command], log=self.log_file, cwd=self.home, env=environment | _OWN.get(command, {}))
            for command in commands
        ]
        wait_until(
            lambda: not all(map(is_alive, started)) or self.client.is_healthy(*COMPONENTS),
            timeout_s=timeout_s, what="Airflow is healthy", log=self.log_file, poll_s=0.25,
        )  # fmt: skip
        if not all(map(is_alive, started)):
            raise StackError(f"Airflow did not start\n{tail(self.log_file)}")

    def wait_for_dags(self, *dag_ids: str, timeout_s: float = 90) -> None:
        """Wait until the Dags are parsed. Raises StackError with the import errors, as soon as there are some."""

        def ready() -> bool:
            errors = self.client.import_errors()
            if errors:
                raise StackError("a Dag file cannot be imported:\n" + "\n".join(errors))
            return set(dag_ids) <= set(self.client.dags())

        wait_until(
            ready, timeout_s=timeout_s, what=f"Dags {', '.join(dag_ids)} are known", log=self.log_file, poll_s=0.5
        )

    def stop(self) -> None:
        """End Airflow with all its children and tasks. Raises StackError if a process is left."""
        self.__dict__.pop("client", None)
        end_all(self._processes())
        left = self._processes()
        if left:
            raise StackError(f"processes of Airflow in {self.root} are left:\n{describe(left)}")

    def _airflow(self, *arguments: str) -> None:
        with self.log_file.open("ab") as log:
            command = [_airflow(), *arguments]
            done = subprocess.run(
                command, check=False, cwd=self.home, env=self.environment(), stdout=log, stderr=subprocess.STDOUT
            )
        if done.returncode != 0:
            raise StackError(f"airflow {' '.join(arguments)} failed\n{tail(self.log_file)}")

    def _processes(self) -> list[psutil.Process]:
        return belonging_to(self.home)

    def _write_secrets(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        if not self.port_file.exists():
            _write_private(self.passwords_file, json.dumps({ADMIN: secrets.token_urlsafe(12)}))
            _write_private(self.secrets_file, json.dumps({"jwt": secrets.token_urlsafe(48)}))
            self.port_file.write_text(str(free_port()))

    def _settings(self) -> dict[str, str]:
        port = int(self.port_file.read_text())
        jwt_secret = json.loads(self.secrets_file.read_text())["jwt"]
        return {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self._dags_folder),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self._plugins_folder),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.passwords_file),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
            "AIRFLOW__API__SECRET_KEY": jwt_secret,
            "AIRFLOW__API_AUTH__JWT_SECRET": jwt_secret,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home}/airflow.db",
            **_PACE,
            "NO_COLOR": "1",
            "PYTHONUNBUFFERED": "1",
        }


def _airflow() -> str:
    return str(Path(sys.executable).with_name("airflow"))


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
