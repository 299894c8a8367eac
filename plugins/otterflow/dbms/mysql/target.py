"""A MySQL server as a target file describes it."""

from __future__ import annotations

from typing import Literal

from otterflow.dbms.mysql_family.target import FamilyTarget


class MysqlTarget(FamilyTarget):
    """One MySQL server."""

    dbms: Literal["mysql"]
