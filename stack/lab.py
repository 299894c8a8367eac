"""The whole laboratory in one folder: a database host, Airflow with otterflow's Dags, and their repository."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Generic, TypeVar

from otterflow.repository import Repository
from stack.airflow import AirflowStack
from stack.checkout import PROJECT
from stack.free_cache import FreeCacheRule
from stack.host import DatabaseHost, Host
from stack.mariadb_host import MariadbHost
from stack.postgres import PrivateCluster
from stack.processes import StackError, belonging_to, describe, end_all
from stack.users import ServerUser, server_user

STATE = PROJECT / ".demo"
"""Where the demo keeps its result and, where it can, its lab."""
DAG_IDS = (
    "tuning_experiment", "tuning_iteration", "tuning_finish", "stop_experiment", "undo_tuning", "promote_configuration",
    "rollback",
)  # fmt: skip

_LONGEST_ROOT = 70  # bytes; PostgreSQL's socket lies some folders deeper, and its path may have 107

Say = Callable[[str], None]


H_co = TypeVar("H_co", bound=Host, covariant=True)


class AnyLab(Generic[H_co]):
    """A database host and Airflow under `root`; `environment` is added to Airflow's.

    With `backfills` Airflow has a triggerer, and its metadata in a PostgreSQL whose programs are in `bin_dir`.
    A lab may be taken up again from its folder alone: `lab_of(root).stop()` ends what another process started.
    """

    def __init__(
        self,
        root: Path,
        host: H_co,
        *,
        standalone: bool = False,
        environment: Mapping[str, str] | None = None,
        backfills: bool = False,
        bin_dir: Path | None = None,
    ) -> None:
        self.root = root.resolve()
        self.host = host
        self.otterflow_home = self.root / "otterflow"
        self._standalone = standalone
        self._environment = dict(environment or {})
        self._metadata = PrivateCluster(self.root / "metadata", host.user, bin_dir) if backfills else None

    @cached_property
    def airflow(self) -> AirflowStack:
        """Airflow, with the connections to the host in its environment. The host must have been started once."""
        return AirflowStack(
            self.root / "control", self.environment(), standalone=self._standalone,
            triggerer=self._metadata is not None, metadata=self._metadata,
        )  # fmt: skip

    def environment(self) -> dict[str, str]:
        """What Airflow's environment has of otterflow."""
        return {**self.host.environment(), "OTTERFLOW_HOME": str(self.otterflow_home), **self._environment}

    @cached_property
    def repository(self) -> Repository:
        """The embedded repository that the Dags write."""
        self.otterflow_home.mkdir(parents=True, exist_ok=True)
        return Repository.open(f"sqlite:///{self.otterflow_home / 'repository.db'}")

    @property
    def is_up(self) -> bool:
        """Whether any process of the lab runs."""
        return bool(belonging_to(self.root))

    def start(self, say: Say) -> None:
        """Start everything, and wait for the Dags. Raises StackError; what was started by then keeps running."""
        self.start_servers(say)
        self.start_airflow(say, *DAG_IDS)

    def start_servers(self, say: Say) -> None:
        """Start the database host."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o755)
        if not FreeCacheRule().grant(self.host.user):
            say("The page cache cannot be dropped here (no sudo rule or no right to); trials run with a warm cache.")
        say(f"Starting {self.host.title} and sshd as user {self.host.user.name} ...")
        self.host.start()
        say(self.host.programs)

    def start_airflow(self, say: Say, *dag_ids: str) -> None:
        """Start Airflow, and wait for these Dags."""
        say("Starting Airflow ...")
        _ = self.repository
        self.airflow.start()
        self.airflow.wait_for_dags(*dag_ids)

    def stop(self) -> None:
        """End Airflow first, then the servers and all jobs. Raises StackError if a process is left."""
        if (self.root / "host" / "sshd" / "port").exists():
            self.airflow.stop()
        self.host.stop()
        end_all(belonging_to(self.root))
        left = belonging_to(self.root)
        if left:
            raise StackError(f"processes are left:\n{describe(left)}")

    def remove(self) -> None:
        """Delete all that the stopped lab has written."""
        shutil.rmtree(self.root, ignore_errors=True)


class Lab(AnyLab[DatabaseHost]):
    """A lab with a PostgreSQL.

    `target` is the target file's name, `fields` are fields of it that are to be otherwise; `bin_dir` names the
    PostgreSQL to use.
    """

    def __init__(
        self,
        root: Path,
        target: str = "demo",
        *,
        standalone: bool = False,
        environment: Mapping[str, str] | None = None,
        bin_dir: Path | None = None,
        backfills: bool = False,
        fields: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        host = DatabaseHost(root.resolve() / "host", name=target, bin_dir=bin_dir, fields=fields)
        super().__init__(
            root, host, standalone=standalone, environment=environment, backfills=backfills, bin_dir=bin_dir
        )


class MariadbLab(AnyLab[MariadbHost]):
    """A lab with a MariaDB; `target` is the target file's name."""

    def __init__(
        self,
        root: Path,
        target: str = "demo",
        *,
        standalone: bool = False,
        environment: Mapping[str, str] | None = None,
        backfills: bool = False,
    ) -> None:
        host = MariadbHost(root.resolve() / "host", name=target)
        super().__init__(root, host, standalone=standalone, environment=environment, backfills=backfills)


SYSTEMS = ("postgresql", "mariadb")
"""The DBMSs that a lab can have."""


def system_of(root: Path) -> str | None:
    """The DBMS of the lab that was made under `root`, if one was."""
    made = {"postgresql": root / "host" / "pg", "mariadb": root / "host" / "maria"}
    return next((name for name, folder in made.items() if folder.exists()), None)


def lab_of(root: Path, target: str, *, dbms: str | None = None, bin_dir: Path | None = None) -> AnyLab[Host]:
    """The lab under `root` with the DBMS that it was made with, or that is asked for."""
    if (dbms or system_of(root)) == "mariadb":
        return MariadbLab(root, target)
    return Lab(root, target, bin_dir=bin_dir)


def lab_folder(state: Path, user: ServerUser | None = None) -> Path:
    """The folder of the demo's lab: `state/lab`, or one under /var/tmp where the servers could not live there.

    They could not where their user may not enter (a checkout under /root), or where a socket's path would be too long.
    The choice is kept in `state/place.json`, so that it is the same in the next process.
    """
    recorded = recorded_lab(state)
    if recorded is not None:
        return recorded
    state.mkdir(parents=True, exist_ok=True)
    folder = state / "lab"
    if len(str(folder)) > _LONGEST_ROOT or not (user or server_user()).can_reach(state):
        folder = Path(tempfile.mkdtemp(prefix="otterflow-lab-", dir="/var/tmp"))
        folder.chmod(0o755)
    folder.mkdir(exist_ok=True)
    (state / "place.json").write_text(json.dumps({"lab": str(folder)}) + "\n")
    return folder


def recorded_lab(state: Path) -> Path | None:
    """The folder of the lab that an earlier process has made, if it is still there."""
    with contextlib.suppress(FileNotFoundError):
        recorded = Path(json.loads((state / "place.json").read_text())["lab"])
        if recorded.exists():
            return recorded
    return state / "lab" if (state / "lab").exists() else None
