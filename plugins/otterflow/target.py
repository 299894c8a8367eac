"""A target: one DBMS server that may be tuned, how to reach it, how to restart it, and where its files are.

A target is a YAML file under `include/targets/`. It names Airflow connections and holds no secret.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from otterflow.errors import InvalidInput, Problem
from otterflow.user_metrics import UserMetric
from otterflow.yaml_files import read_mapping

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"
"""What an experiment, target or benchmark may be called: it ends up in file names and run ids."""

AbsolutePath = Annotated[str, Field(pattern=r"^/[^\x00\n]*$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SystemdService(_Strict):
    """The server is a systemd unit, driven with `sudo -n systemctl`."""

    kind: Literal["systemd"]
    unit: Annotated[str, Field(pattern=r"^[A-Za-z0-9@:._-]+$")]


class PgCtlCluster(_Strict):
    """The server is a Debian cluster, driven with `pg_ctlcluster`; `sudo` says whether root is needed for it."""

    kind: Literal["pg_ctlcluster"]
    version: Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?$")]
    cluster: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
    sudo: bool = True


class PgCtl(_Strict):
    """The SSH user owns the server and drives it with `pg_ctl`."""

    kind: Literal["pg_ctl"]


class CommandService(_Strict):
    """The user's own shell commands. Each must return only when the server is up (or down).

    A restart is a stop and then a start, which holds from whatever state a failed restart has left.
    """

    kind: Literal["command"]
    start: Annotated[str, Field(min_length=1)]
    stop: Annotated[str, Field(min_length=1)]


Service = Annotated[SystemdService | PgCtlCluster | PgCtl | CommandService, Field(discriminator="kind")]


class SnapshotMethod(StrEnum):
    """How data is kept and restored: a logical dump of one database, or a copy of the data directory."""

    dump = "dump"
    copy = "copy"


class Snapshot(_Strict):
    """Where snapshots go on the target, and how they are made."""

    dir: AbsolutePath
    method: SnapshotMethod = SnapshotMethod.dump
    jobs: Annotated[int, Field(ge=1, le=64)] = 2


class FreeCache(_Strict):
    """How the page cache may be dropped: `none`, or a command that may run under `sudo -n`."""

    method: Literal["none", "sudo"] = "none"
    command: AbsolutePath = "/usr/local/sbin/otterflow-free-cache"

    @model_validator(mode="before")
    @classmethod
    def _from_word(cls, value: object) -> object:
        return {"method": value} if isinstance(value, str) else value


class Target(_Strict):
    """One DBMS server. Paths are the target's own; sizes and times carry their unit in the name."""

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    description: str = ""
    has_users: bool = False
    """Whether people work on it: then it is only observed, by a live benchmark; nothing is loaded or restarted."""
    dbms: Literal["postgresql"] = "postgresql"
    ssh_conn_id: str
    sql_conn_id: str
    sql_tunnel: bool = True
    driver_ssh_conn_id: str | None = None
    driver_host: str = "127.0.0.1"
    """The server's address as the machine that runs the benchmark sees it."""
    service: Service
    bin_dir: AbsolutePath | None = None
    """Where `pg_ctl`, `pg_dump` and the others are, if not on the SSH user's PATH."""
    data_dir: AbsolutePath
    log_file: AbsolutePath
    """The server's log; a folder or a glob's newest file is allowed (`/var/log/postgresql/*.log`)."""
    knobs_file: AbsolutePath
    """The file otterflow writes; included by the server's configuration, outside the data directory."""
    database: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]
    """The database the benchmark loads and runs in. It is dropped and restored."""
    snapshot: Snapshot
    free_cache: FreeCache = FreeCache()
    work_dir: AbsolutePath = "/tmp/otterflow"  # noqa: S108 a folder on the target, made with mode 700
    """Where job folders are kept on the target and on the driver host."""
    memory_share: Annotated[float, Field(gt=0, le=1)] = 0.8
    """The share of the RAM available to the server that a configuration may plan to use."""
    disk: Literal["auto", "ssd", "hdd"] = "auto"
    start_timeout_s: Annotated[int, Field(ge=5, le=3600)] = 60
    stop_timeout_s: Annotated[int, Field(ge=5, le=3600)] = 120
    metrics: tuple[UserMetric, ...] = ()
    """Numbers of your own, read on this target with every benchmark."""

    @model_validator(mode="after")
    def _knobs_file_survives_a_restore(self) -> Target:
        inside = self.knobs_file.startswith(self.data_dir.rstrip("/") + "/")
        if inside and self.snapshot.method is SnapshotMethod.copy:
            raise ValueError(
                f"knobs_file {self.knobs_file!r} lies inside data_dir {self.data_dir!r}, which a restore by "
                "snapshot.method 'copy' overwrites; put it elsewhere and include it from postgresql.conf"
            )
        return self

    @model_validator(mode="after")
    def _snapshot_outside_the_data(self) -> Target:
        if (self.snapshot.dir.rstrip("/") + "/").startswith(self.data_dir.rstrip("/") + "/"):
            raise ValueError(
                f"snapshot.dir {self.snapshot.dir!r} lies inside data_dir {self.data_dir!r}; put it elsewhere"
            )
        return self


def problems_of(error: ValidationError, where: str) -> list[Problem]:
    """Pydantic's findings as problems that name file, field, value and what would be right."""
    problems = []
    for item in error.errors():
        field = ".".join(str(part) for part in item["loc"]) or "(whole file)"
        value = item.get("input")
        shown = "" if isinstance(value, dict | list) else f" {value!r}"
        problems.append(Problem(f"{where}: {field}", f"value{shown} is not valid", item["msg"]))
    return problems


def load_target(path: Path) -> Target:
    """Read and check one target file.

    Raises InvalidInput that lists every wrong field of the file, each with what would be right.
    """
    record = read_mapping(path, field="target", plural="targets", example="include/targets/ for an example")
    try:
        target = Target.model_validate(record)
    except ValidationError as error:
        raise InvalidInput(problems_of(error, path.name)) from None
    if target.name != path.stem:
        advice = f"name the file {target.name}.yaml or the target {path.stem!r}"
        raise InvalidInput(Problem(f"{path.name}: name", f"{target.name!r} differs from the file's name", advice))
    return target
