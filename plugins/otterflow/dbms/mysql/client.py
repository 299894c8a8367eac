"""SQL on MySQL, and the way to it for its programs."""

from __future__ import annotations

from otterflow.dbms.mysql.product import MYSQL
from otterflow.dbms.mysql_family.client import Client

CLIENT = Client(MYSQL)
