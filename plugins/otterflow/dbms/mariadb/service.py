"""Starting and stopping MariaDB, and changing it while it runs."""

from __future__ import annotations

from otterflow.dbms.mariadb.product import MARIADB
from otterflow.dbms.mariadb.settings import SETTINGS
from otterflow.dbms.mysql_family.service import FamilyService

SERVICE = FamilyService(MARIADB, SETTINGS.live_settings, status_table="information_schema.GLOBAL_STATUS")
"""The part `service`."""
