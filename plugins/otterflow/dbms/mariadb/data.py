"""The benchmark's data on MariaDB."""

from __future__ import annotations

from otterflow.dbms.mariadb.service import SERVICE
from otterflow.dbms.mysql_family.data import FamilyData

DATA = FamilyData(SERVICE)
"""The part `data`."""
