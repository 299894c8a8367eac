"""What is wrong with a target that is a MariaDB."""

from __future__ import annotations

from dataclasses import replace

from otterflow.dbms.mariadb.product import MARIADB
from otterflow.dbms.mysql_family.checks import FamilyChecks
from otterflow.dbms.mysql_family.privileges import GLOBAL_SQL, cannot_set_global
from otterflow.dbms.target import Target
from otterflow.dbms.values import Privileges, Query


class MariadbChecks(FamilyChecks):
    """The family's, and what MariaDB alone can be changed by while it runs."""

    def may_ask(self, query: Query, target: Target, *, live: bool) -> Privileges:
        """As the family's; of a `live` server also whether a knob can be changed without a restart."""
        found = super().may_ask(query, target, live=live)
        if not live:
            return found
        own = [row["privilege"] for row in query(GLOBAL_SQL)]
        return replace(found, limits=[*found.limits, *cannot_set_global(query, target, own)])


CHECKS = MariadbChecks(MARIADB)
"""The part `checks`."""
