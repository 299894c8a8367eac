"""A configuration of MariaDB for other tools."""

from __future__ import annotations

from otterflow.dbms.mariadb.product import MARIADB
from otterflow.dbms.mysql_family.export import FamilyExport

EXPORT = FamilyExport(MARIADB, persists=False, persisted=frozenset())
"""The part `export`."""
