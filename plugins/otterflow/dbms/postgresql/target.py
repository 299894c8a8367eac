"""A PostgreSQL server as a target file describes it: its kinds of service, and what its database may be called."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from otterflow.dbms.target import CommandService, Service, SystemdService, Target


def _database_name(name: str) -> str:
    """Any name that PostgreSQL stores and its programs can be given."""
    if not 0 < len(name.encode()) <= 63:
        raise ValueError("a database's name has 1 to 63 bytes; PostgreSQL cuts off the rest")
    if any(unicodedata.category(letter) == "Cc" for letter in name):
        raise ValueError("a name with a line break or another control character cannot be given to pg_dump")
    if "=" in name or name.startswith(("postgres://", "postgresql://")):
        raise ValueError("PostgreSQL's programs take a name with '=', or that begins like a URL, for more than a name")
    return name


DatabaseName = Annotated[str, AfterValidator(_database_name)]


class PgCtlCluster(Service):
    """The server is a Debian cluster, driven with `pg_ctlcluster`; `sudo` says whether root is needed for it."""

    kind: Literal["pg_ctlcluster"]
    version: Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?$")]
    cluster: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
    sudo: bool = True


class PgCtl(Service):
    """The SSH user owns the server and drives it with `pg_ctl`."""

    kind: Literal["pg_ctl"]


class PostgresqlTarget(Target):
    """One PostgreSQL server."""

    dbms: Literal["postgresql"] = "postgresql"
    service: Annotated[SystemdService | PgCtlCluster | PgCtl | CommandService, Field(discriminator="kind")]
    database: DatabaseName
    """The database the benchmark loads and runs in. It is dropped and restored, unless the server `has_users`."""

    @model_validator(mode="after")
    def _database_may_be_dropped(self) -> PostgresqlTarget:
        if self.database in ("postgres", "template0", "template1") and not self.has_users:
            raise ValueError(
                f"database {self.database!r} is the server's own and cannot be dropped and made anew; name another"
            )
        return self
