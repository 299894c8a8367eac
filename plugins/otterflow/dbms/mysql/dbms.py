"""MySQL as the rest of otterflow sees it; see `otterflow.dbms.base`."""

from __future__ import annotations

from otterflow.dbms.base import Dbms
from otterflow.dbms.mysql import constraints, metrics, rules, spelling
from otterflow.dbms.mysql.capture import CAPTURE
from otterflow.dbms.mysql.checks import CHECKS
from otterflow.dbms.mysql.client import CLIENT
from otterflow.dbms.mysql.data import DATA
from otterflow.dbms.mysql.export import EXPORT
from otterflow.dbms.mysql.observation import OBSERVATION
from otterflow.dbms.mysql.product import MYSQL
from otterflow.dbms.mysql.service import SERVICE
from otterflow.dbms.mysql.settings import SETTINGS
from otterflow.dbms.mysql.target import MysqlTarget
from otterflow.dbms.values import Capability

DBMS = Dbms(
    name=MYSQL.name,
    title=MYSQL.title,
    versions=MYSQL.versions,
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
    target=MysqlTarget,
    server_programs=("mysqld",),
    observing=OBSERVATION,
    capturing=CAPTURE,
    exporting=EXPORT,
)
