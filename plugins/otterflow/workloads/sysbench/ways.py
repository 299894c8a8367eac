"""The DBMSs that sysbench is driven on: one file each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from otterflow.dbms.values import DatabaseAccess
from otterflow.workloads.sysbench import postgresql


class Way(Protocol):
    """What differs from one DBMS to another."""

    @property
    def PROGRAMS(self) -> tuple[str, ...]:
        """The programs that `after_load` takes."""

    def options(self, access: DatabaseAccess) -> list[str]:
        """Sysbench's options that lead to the database."""

    def after_load(self, tables: Sequence[str]) -> str:
        """A command that tends the tables after a load."""


WAYS: Mapping[str, Way] = {"postgresql": postgresql}
"""By the DBMS's name."""
