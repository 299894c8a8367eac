"""Starting and stopping MySQL, and changing it while it runs."""

from __future__ import annotations

from otterflow.dbms.mysql.product import MYSQL
from otterflow.dbms.mysql.settings import SETTINGS
from otterflow.dbms.mysql_family.service import FamilyService

SERVICE = FamilyService(MYSQL, SETTINGS.live_settings, status_table="performance_schema.global_status")
"""The part `service`."""
