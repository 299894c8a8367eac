"""What the faults and the bench ask of the DBMS that they strike: one class a DBMS, and one a way to keep its data.

An object of it has no state: each method is given the host, which is made anew for every run of the bench.
"""

from __future__ import annotations

import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from signal import Signals
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import yaml

from stack.host import Host

QUIET = "quiet"
"""The benchmark under which the faults strike: its numbers are of no interest, and it leaves the machine to them."""
ACCOUNTS = 1000
"""Rows of the benchmark's one table."""

HostT = TypeVar("HostT", bound=Host)


class Death(NamedTuple):
    """A signal that ends the server in the measured run, and the state that the trial is then recorded in, if any."""

    name: str
    signal: Signals
    blamed: tuple[str, ...] = ()


class System(ABC, Generic[HostT]):
    """One DBMS. What a class says of its knobs, lines and signals is of its own words; the faults are the same."""

    name: ClassVar[str]
    """As tests and tables call it."""
    bad_knobs: ClassVar[Mapping[str, Mapping[str, Any]]]
    """Configurations that the server does not start with, by what is wrong with them."""
    bad_line: ClassVar[str]
    """What the server refuses of any file."""
    tuned_line: ClassVar[str]
    """A line for a tuned knob, as somebody might write it into the knobs file."""
    deaths: ClassVar[tuple[Death, ...]]
    recovers_by_itself: ClassVar[bool]
    """Whether the server's own process recovers from a crash, and so can be slowed down; PostgreSQL's starts another
    for that (`test_recovery.py`)."""
    session_ended: ClassVar[tuple[str, frozenset[str]]]
    """What `end_a_session` is, and what the trial may then be recorded as."""
    quiet_workload: ClassVar[Mapping[str, Any]]
    quiet_files: ClassVar[Mapping[str, str]]

    @abstractmethod
    def make_host(self, folder: Path) -> HostT:
        """The host under `folder`, not yet started."""

    @abstractmethod
    def server(self, host: HostT) -> Any:
        """Its private server."""

    @abstractmethod
    def keep_something(self, host: HostT) -> None:
        """Make something of the user's own on the server."""

    @abstractmethod
    def check_what_is_kept(self, host: HostT) -> None:
        """Assert that it is as it was made."""

    @abstractmethod
    def clean(self, host: HostT) -> None:
        """With the server stopped: take away whatever a fault has left in its files."""

    @abstractmethod
    def make_database_anew(self, host: HostT) -> None:
        """An empty database for the benchmark, and none beside it."""

    @abstractmethod
    def main_file(self, host: HostT) -> Path:
        """The server's own configuration file."""

    @abstractmethod
    def in_force(self, host: HostT) -> dict[str, str]:
        """What the server itself says of each setting, asked without any of otterflow's code."""

    @abstractmethod
    def as_shown(self, value: Any) -> str:
        """A knob's value as `in_force` has it."""

    @abstractmethod
    def accounts(self, host: HostT) -> int:
        """The rows of the benchmark's table."""

    @abstractmethod
    def rename_accounts(self, host: HostT) -> None:
        """Take the benchmark's table away."""

    @abstractmethod
    def is_measured(self, host: HostT) -> bool:
        """Whether a measured run is busy on the server."""

    @abstractmethod
    def is_being_restored(self, host: HostT) -> bool:
        """Whether a restore has begun and has not put the data in place."""

    @abstractmethod
    def end_a_session(self, host: HostT) -> None:
        """End one session of the benchmark; see `session_ended`."""

    @abstractmethod
    def override(self, host: HostT) -> None:
        """Set a tuned knob where it wins over the knobs file at the next start."""

    @abstractmethod
    def override_now(self, host: HostT) -> None:
        """Set a tuned knob on the running server."""

    @abstractmethod
    def take_back(self, host: HostT) -> None:
        """Undo `override`."""

    @abstractmethod
    def set_password(self, host: HostT, password: str) -> None:
        """Give the SQL user this password, whatever it is at the moment."""

    @abstractmethod
    def files_to_damage(self, host: HostT) -> list[Path]:
        """The files of the snapshot without which it is none."""

    def is_kept(self, host: HostT) -> bool:
        """Whether a snapshot is being taken."""
        return any(host.snapshot_dir.glob("*.new"))

    def write_benchmark(self, benchmarks: Path) -> None:
        """The quiet benchmark's file and its folder."""
        record = {
            "name": QUIET,
            "title": "Payments between a few accounts, with long pauses",
            "description": "Leaves the machine to the faults: its numbers are of no interest.",
            "kind": "oltp",
            "objective": "throughput",
            "workload": dict(self.quiet_workload),
            "warmup_s": 0,
            "duration_s": 1,
            "load_timeout_s": 60,
            "run_timeout_s": 60,
        }
        (benchmarks / f"{QUIET}.yaml").write_text(yaml.safe_dump(record))
        for name, text in self.quiet_files.items():
            path = benchmarks / QUIET / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def signal(self, host: HostT, sent: Signals) -> None:
        """Send a signal to the server."""
        os.kill(self.server(host).pid or 0, sent)

    def make_clean(self, host: HostT) -> None:
        """The host as it was made, whatever the fault before did; both servers are up."""
        host.break_lock()
        self.server(host).stop()
        self.server(host).knobs_file.unlink(missing_ok=True)
        self.clean(host)
        for folder in (host.snapshot_dir, host.work_dir):
            for leftover in folder.iterdir():
                shutil.rmtree(leftover, ignore_errors=True)
        host.start()
        self.make_database_anew(host)
