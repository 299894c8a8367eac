"""What is wrong with a target that is a MySQL."""

from __future__ import annotations

from otterflow.dbms.mysql.product import MYSQL
from otterflow.dbms.mysql_family.checks import FamilyChecks

CHECKS = FamilyChecks(MYSQL)
"""The part `checks`."""
