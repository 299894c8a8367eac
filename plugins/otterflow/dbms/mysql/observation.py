"""A MySQL watched under its own users' load."""

from __future__ import annotations

from otterflow.dbms.mysql.product import MYSQL
from otterflow.dbms.mysql_family.observation import FamilyObservation
from otterflow.dbms.mysql_family.observation_sql import Counters

OBSERVATION = FamilyObservation(
    MYSQL, Counters("performance_schema.global_status", "performance_schema.session_status", digests_are_whole=True)
)
"""The part `observation`."""
