"""A target: one DBMS server that may be tuned, how to reach it, how to restart it, and where its files are.

A target is a YAML file under `include/targets/`. It names Airflow connections and holds no secret. What all DBMSs have
in common is here; `registry.load_target` reads a file.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from otterflow.measures.user_metrics import UserMetric
from otterflow.yaml_files import NAME_PATTERN

AbsolutePath = Annotated[str, Field(pattern=r"^/[^\x00\n]*$")]


class Strict(BaseModel):
    """A block of a target file: no key that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Service(Strict):
    """How the server is driven; each kind says which it is."""

    kind: str


class SystemdService(Service):
    """The server is a systemd unit, driven with `sudo -n systemctl`."""

    kind: Literal["systemd"]
    unit: Annotated[str, Field(pattern=r"^[A-Za-z0-9@:._-]+$")]


class CommandService(Service):
    """The user's own shell commands. Each must return only when the server is up (or down).

    A restart is a stop and then a start, which holds from whatever state a failed restart has left.
    """

    kind: Literal["command"]
    start: Annotated[str, Field(min_length=1)]
    stop: Annotated[str, Field(min_length=1)]


class SnapshotMethod(StrEnum):
    """How data is kept and restored: a logical dump of one database, or a copy of the data directory."""

    dump = "dump"
    copy = "copy"


class Snapshot(Strict):
    """Where snapshots go on the target, and how they are made."""

    dir: AbsolutePath
    method: SnapshotMethod = SnapshotMethod.dump
    jobs: Annotated[int, Field(ge=1, le=64)] = 2


class FreeCache(Strict):
    """How the page cache may be dropped: `none`, or a command that may run under `sudo -n`."""

    method: Literal["none", "sudo"] = "none"
    command: AbsolutePath = "/usr/local/sbin/otterflow-free-cache"

    @model_validator(mode="before")
    @classmethod
    def _from_word(cls, value: object) -> object:
        return {"method": value} if isinstance(value, str) else value


class Target(Strict):
    """One DBMS server. Paths are the target's own; sizes and times carry their unit in the name.

    Each DBMS has a class of its own, which says what kinds of `service` there are and what else it checks.
    """

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    description: str = ""
    has_users: bool = False
    """Whether people work on it: then it is only observed, by a live benchmark. Nothing is ever loaded, and it is
    restarted by a promotion alone, where a person has allowed that."""
    is_a_copy: bool = False
    """Whether `database` is a copy that nobody needs, made by the user: recorded loads may then run on it, and it is
    put back, whole, from a snapshot."""
    dbms: str
    """The DBMS, by its name in `otterflow.dbms.registry`."""
    ssh_conn_id: str
    sql_conn_id: str
    sql_tunnel: bool = True
    driver_ssh_conn_id: str | None = None
    driver_host: str | None = None
    """The server's address as the machine that runs the benchmark sees it; the SQL connection's host unless given."""
    service: Service
    bin_dir: AbsolutePath | None = None
    """Where the DBMS's programs are, if not on the SSH user's PATH."""
    data_dir: AbsolutePath
    log_file: AbsolutePath
    """The server's log; a folder or a glob's newest file is allowed (`/var/log/db/*.log`)."""
    knobs_file: AbsolutePath
    """The file otterflow writes; included by the server's configuration, outside the data directory."""
    database: str
    """The database the benchmark loads and runs in. It is dropped and restored, unless the server `has_users`."""
    snapshot: Snapshot
    free_cache: FreeCache = FreeCache()
    work_dir: AbsolutePath = "/tmp/otterflow"  # noqa: S108 a folder on the target, made with mode 700
    """Where job folders are kept on the target and on the driver host."""
    memory_share: Annotated[float, Field(gt=0, le=1)] = 0.8
    """The share of the RAM available to the server that a configuration may plan to use."""
    disk: Literal["auto", "ssd", "hdd"] = "auto"
    start_timeout_s: Annotated[int, Field(ge=5, le=3600)] = 60
    stop_timeout_s: Annotated[int, Field(ge=5, le=3600)] = 120
    recovery_timeout_s: Annotated[int, Field(ge=5, le=24 * 3600)] = 3600
    """How long the server may recover from a crash before it accepts connections. It is never stopped meanwhile."""
    keep_statement_texts: bool = True
    """Whether the repository keeps the texts of the busiest statements: those without constants."""
    metrics: tuple[UserMetric, ...] = ()
    """Numbers of your own, read on this target with every benchmark."""

    @model_validator(mode="after")
    def _users_have_no_copy(self) -> Target:
        if self.is_a_copy and self.has_users:
            raise ValueError("is_a_copy and has_users are both true: what people work on is no copy that may be lost")
        return self

    @model_validator(mode="after")
    def _knobs_file_survives_a_restore(self) -> Target:
        inside = self.knobs_file.startswith(self.data_dir.rstrip("/") + "/")
        if inside and self.snapshot.method is SnapshotMethod.copy:
            raise ValueError(
                f"knobs_file {self.knobs_file!r} lies inside data_dir {self.data_dir!r}, which a restore by "
                "snapshot.method 'copy' overwrites; put it elsewhere and include it from the server's configuration"
            )
        return self

    @model_validator(mode="after")
    def _snapshot_outside_the_data(self) -> Target:
        if (self.snapshot.dir.rstrip("/") + "/").startswith(self.data_dir.rstrip("/") + "/"):
            raise ValueError(
                f"snapshot.dir {self.snapshot.dir!r} lies inside data_dir {self.data_dir!r}; put it elsewhere"
            )
        return self
