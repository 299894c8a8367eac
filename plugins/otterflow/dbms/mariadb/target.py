"""A MariaDB server as a target file describes it."""

from __future__ import annotations

from typing import Literal

from otterflow.dbms.mysql_family.target import FamilyTarget


class MariadbTarget(FamilyTarget):
    """One MariaDB server."""

    dbms: Literal["mariadb"]
