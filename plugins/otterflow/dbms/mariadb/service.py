"""Starting and stopping MariaDB, and changing it while it runs."""

from __future__ import annotations

from collections.abc import Mapping

from otterflow.dbms.mariadb.product import MARIADB
from otterflow.dbms.mariadb.settings import SETTINGS
from otterflow.dbms.mysql_family.service import FamilyService
from otterflow.dbms.mysql_family.set_global import set_global
from otterflow.dbms.values import Query
from otterflow.knobs.space import Value


class MariadbService(FamilyService):
    """The family's, and what MariaDB alone tells enough for."""

    def reload(self, query: Query, wanted: Mapping[str, Value]) -> None:
        """Have the running server use the values `wanted`, as far as a statement may change them."""
        set_global(query, wanted, SETTINGS.live_settings)


SERVICE = MariadbService(MARIADB, status_table="information_schema.GLOBAL_STATUS")
"""The part `service`."""
