"""How a recording of MariaDB or MySQL is replayed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

from otterflow.dbms.mysql_family.statements.dialect import DIALECT
from otterflow.workloads.replay.replayer.mysql_family.connection import Connection
from otterflow.workloads.replay.replayer.mysql_family.server_times import read_times
from otterflow.workloads.replay.replayer.settings import RunSettings
from otterflow.workloads.replay.replayer.ways import Way


def way_of(dbms: str) -> Way:
    """The way of one of the two: they differ in how long a statement may take."""
    return Way(DIALECT, Connection, partial(startup, dbms), completed, read_times)


def startup(dbms: str, settings: RunSettings) -> dict[str, str]:
    """Settings of every session. What would change them is not sent (`replaying.LIMITS`).

    A lock is waited for whole seconds, one at least; MySQL has a limit for statements that only read.
    """
    lock_s = str(max(1, math.ceil(settings.lock_timeout_ms / 1000)))
    limit = {
        "mariadb": ("max_statement_time", f"{settings.statement_timeout_ms / 1000:.3f}"),
        "mysql": ("max_execution_time", str(settings.statement_timeout_ms)),
    }
    return {"innodb_lock_wait_timeout": lock_s, "lock_wait_timeout": lock_s, **dict([limit[dbms]])}


def completed(startup: Mapping[str, str], parameters: Mapping[str, str]) -> Mapping[str, str]:
    """Nothing is added: a session begins with utf8mb4, which its recorded SET NAMES changes as it did then."""
    return startup
