"""A configuration of MySQL for other tools."""

from __future__ import annotations

from otterflow.dbms.mysql.product import MYSQL
from otterflow.dbms.mysql.settings import ORIGINS
from otterflow.dbms.mysql_family.export import FamilyExport

EXPORT = FamilyExport(MYSQL, persists=True, persisted=ORIGINS.persisted)
"""The part `export`."""
