"""PostgreSQL as the rest of otterflow sees it; see `otterflow.dbms.base`."""

from __future__ import annotations

from otterflow.dbms.base import Dbms
from otterflow.dbms.postgresql import (
    capture,
    checks,
    client,
    constraints,
    data,
    export,
    metrics,
    observation,
    rules,
    service,
    settings,
    spelling,
)
from otterflow.dbms.postgresql.target import PostgresqlTarget
from otterflow.dbms.postgresql.versions import NEWEST, OLDEST
from otterflow.dbms.values import Capability

DBMS = Dbms(
    name="postgresql",
    title="PostgreSQL",
    versions=(OLDEST, NEWEST),
    capabilities=frozenset(Capability),
    settings=settings,
    spelling=spelling,
    rules=rules,
    constraints=constraints,
    service=service,
    client=client,
    metrics=metrics,
    data=data,
    checks=checks,
    target=PostgresqlTarget,
    server_programs=("postgres", "postmaster"),
    observing=observation,
    capturing=capture,
    exporting=export,
)
