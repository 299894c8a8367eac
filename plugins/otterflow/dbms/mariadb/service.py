"""Starting and stopping MariaDB."""

from __future__ import annotations

from otterflow.dbms.mariadb.product import MARIADB
from otterflow.dbms.mysql_family.service import FamilyService

SERVICE = FamilyService(MARIADB, status_table="information_schema.GLOBAL_STATUS")
"""The part `service`."""
