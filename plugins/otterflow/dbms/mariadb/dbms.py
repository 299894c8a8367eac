"""MariaDB as the rest of otterflow sees it; see `otterflow.dbms.base`."""

from __future__ import annotations

from otterflow.dbms.base import Dbms
from otterflow.dbms.mariadb import constraints, metrics, rules, spelling
from otterflow.dbms.mariadb.capture import CAPTURE
from otterflow.dbms.mariadb.checks import CHECKS
from otterflow.dbms.mariadb.client import CLIENT
from otterflow.dbms.mariadb.data import DATA
from otterflow.dbms.mariadb.export import EXPORT
from otterflow.dbms.mariadb.observation import OBSERVATION
from otterflow.dbms.mariadb.product import MARIADB
from otterflow.dbms.mariadb.service import SERVICE
from otterflow.dbms.mariadb.settings import SETTINGS
from otterflow.dbms.mariadb.target import MariadbTarget
from otterflow.dbms.values import Capability

DBMS = Dbms(
    name=MARIADB.name,
    title=MARIADB.title,
    versions=MARIADB.versions,
    capabilities=frozenset(Capability),
    settings=SETTINGS,
    spelling=spelling,
    rules=rules,
    constraints=constraints,
    service=SERVICE,
    client=CLIENT,
    metrics=metrics,
    data=DATA,
    checks=CHECKS,
    target=MariadbTarget,
    server_programs=("mariadbd", "mysqld"),
    observing=OBSERVATION,
    capturing=CAPTURE,
    exporting=EXPORT,
)
