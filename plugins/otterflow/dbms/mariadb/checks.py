"""What is wrong with a target that is a MariaDB."""

from __future__ import annotations

from otterflow.dbms.mariadb.product import MARIADB
from otterflow.dbms.mysql_family.checks import FamilyChecks

CHECKS = FamilyChecks(MARIADB)
"""The part `checks`."""
