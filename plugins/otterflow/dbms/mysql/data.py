"""The benchmark's data on MySQL."""

from __future__ import annotations

from otterflow.dbms.mysql.service import SERVICE
from otterflow.dbms.mysql_family.data import FamilyData

DATA = FamilyData(SERVICE)
"""The part `data`."""
