"""Starting and stopping MySQL."""

from __future__ import annotations

from otterflow.dbms.mysql.product import MYSQL
from otterflow.dbms.mysql_family.service import FamilyService

SERVICE = FamilyService(MYSQL, status_table="performance_schema.global_status")
"""The part `service`."""
