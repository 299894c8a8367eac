"""A MariaDB watched under its own users' load."""

from __future__ import annotations

from otterflow.dbms.mariadb.product import MARIADB
from otterflow.dbms.mysql_family.observation import FamilyObservation
from otterflow.dbms.mysql_family.observation_sql import Counters

OBSERVATION = FamilyObservation(
    MARIADB, Counters("information_schema.GLOBAL_STATUS", "information_schema.SESSION_STATUS", digests_are_whole=False)
)
"""The part `observation`."""
