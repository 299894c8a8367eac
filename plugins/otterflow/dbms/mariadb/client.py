"""SQL on MariaDB, and the way to it for its programs."""

from __future__ import annotations

from otterflow.dbms.mariadb.product import MARIADB
from otterflow.dbms.mysql_family.client import Client

CLIENT = Client(MARIADB)
