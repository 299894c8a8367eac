"""A second DBMS, that there is in tests alone: it shows what of PostgreSQL is asked for where nobody said so."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import ModuleType
from typing import Any, Literal
from unittest.mock import patch

from otterflow.dbms import registry
from otterflow.dbms.base import Dbms
from otterflow.dbms.postgresql.dbms import DBMS
from otterflow.dbms.target import SystemdService, Target

MODULE = "otterflow_other_dbms"


class OtherTarget(Target):
    dbms: Literal["other"]
    service: SystemdService


OTHER = replace(DBMS, name="other", title="Other", versions=(1, 2), capabilities=frozenset(), target=OtherTarget)

RECORD: dict[str, Any] = {
    "name": "elsewhere", "dbms": "other", "ssh_conn_id": "ssh", "sql_conn_id": "sql",
    "service": {"kind": "systemd", "unit": "other"}, "data_dir": "/srv/data", "log_file": "/srv/log",
    "knobs_file": "/srv/conf/knobs.cnf", "database": "bench", "snapshot": {"dir": "/srv/kept"},
}  # fmt: skip


@contextmanager
def listed() -> Iterator[Dbms]:
    """With the other DBMS in the registry."""
    module = ModuleType(MODULE)
    module.DBMS = OTHER  # type: ignore[attr-defined]
    with patch.dict(sys.modules, {MODULE: module}), patch.dict(registry.MODULES, {"other": MODULE}):
        yield OTHER
