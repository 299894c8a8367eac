"""Servers of the family that tests of the knobs run: MariaDB of this machine, others where they can be had."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
import pytest

from otterflow.dbms.base import Checks, Constraints, Rules, Service, Settings
from otterflow.dbms.mariadb import constraints as mariadb_constraints
from otterflow.dbms.mariadb import rules as mariadb_rules
from otterflow.dbms.mariadb.checks import CHECKS as MARIADB_CHECKS
from otterflow.dbms.mariadb.product import MARIADB
from otterflow.dbms.mariadb.service import SERVICE as MARIADB_SERVICE
from otterflow.dbms.mariadb.settings import SETTINGS as MARIADB_SETTINGS
from otterflow.dbms.mysql import constraints as mysql_constraints
from otterflow.dbms.mysql import rules as mysql_rules
from otterflow.dbms.mysql.checks import CHECKS as MYSQL_CHECKS
from otterflow.dbms.mysql.product import MYSQL
from otterflow.dbms.mysql.service import SERVICE as MYSQL_SERVICE
from otterflow.dbms.mysql.settings import SETTINGS as MYSQL_SETTINGS
from otterflow.dbms.mysql_family.client import SQL_MODE
from otterflow.dbms.mysql_family.product import Product
from otterflow.dbms.values import Query, StatementRefused
from otterflow.knobs.catalog import KnobCatalog, Risk, load_catalog
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.select import build_space
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Config, KnobSpace, Value
from stack.mariadb import PrivateMariadb
from stack.processes import StackError
from stack.suite_server import SuiteServer
from stack.suites import fetch
from stack.users import server_user

CATALOGS = Path(__file__).resolve().parents[3] / "include" / "knob_catalogs"
THIS_MACHINES = "mariadb-10"
"""What every machine that runs the tests has."""


@dataclass(frozen=True)
class Parts:
    """The parts of a DBMS that knobs have to do with."""

    product: Product
    settings: Settings
    constraints: Constraints
    rules: Rules
    service: Service
    checks: Checks


_MARIADB = Parts(MARIADB, MARIADB_SETTINGS, mariadb_constraints, mariadb_rules, MARIADB_SERVICE, MARIADB_CHECKS)
_MYSQL = Parts(MYSQL, MYSQL_SETTINGS, mysql_constraints, mysql_rules, MYSQL_SERVICE, MYSQL_CHECKS)
ALL = {THIS_MACHINES: _MARIADB, "mariadb-11": _MARIADB, "mysql-9": _MYSQL}
"""Servers, and what each is."""


@dataclass
class Server:
    """A running server, with what these tests ask of it."""

    dbms: Parts
    private: PrivateMariadb | SuiteServer

    def query(self, sql: str, parameters: Any = ()) -> list[dict[str, Any]]:
        with self.private.connect() as connection, connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return list(cursor.fetchall()) if cursor.description else []

    def settings(self) -> dict[str, LiveSetting]:
        return self.dbms.settings.live_settings(self.query)

    @property
    def version(self) -> int:
        return self.dbms.settings.major(self.settings())

    def restart_with(self, config: Mapping[str, Value], settings: Mapping[str, LiveSetting]) -> dict[str, LiveSetting]:
        """The settings in force under the configuration."""
        text = self.dbms.settings.render(config, settings, header="")
        self.private.user.write_file(self.private.knobs_file, text, 0o644)
        self.private.restart()
        return self.settings()

    def with_defaults(self) -> None:
        if self.private.knobs_file.exists():
            self.private.stop()
            self.private.knobs_file.unlink()
        self.private.start()


def as_asked(cursor: pymysql.cursors.DictCursor) -> Query:
    """SQL as otterflow's client gives it."""
    cursor.execute("SET SESSION sql_mode = %s", [SQL_MODE])

    def query(sql: str, parameters: Any = None) -> list[dict[str, Any]]:
        try:
            cursor.execute(sql, parameters)
        except pymysql.MySQLError as error:
            raise StatementRefused(str(error.args[0]), str(error.args[-1])) from None
        return list(cursor.fetchall()) if cursor.description else []

    return query


@contextmanager
def running(name: str) -> Iterator[Server]:
    """A server of `ALL`, made for the occasion; the test is skipped, and says why, where it cannot be had."""
    folder = Path(tempfile.mkdtemp(prefix="otterflow-knobs-"))
    folder.chmod(0o755)
    private: PrivateMariadb | SuiteServer
    if name == THIS_MACHINES:
        private = PrivateMariadb(folder, server_user())
    else:
        try:
            private = SuiteServer(folder, server_user(), fetch(name))
        except StackError as error:
            shutil.rmtree(folder)
            pytest.skip(f"{name} cannot be had here, so nothing was tried on it: {error}")
    try:
        private.start()
        yield Server(ALL[name], private)
    finally:
        private.stop()
        shutil.rmtree(folder)


def catalog_of(dbms: Parts) -> KnobCatalog:
    name = dbms.product.name
    return load_catalog(CATALOGS / f"{name}.yaml", dbms=name, versions=dbms.product.versions)


def everything(server: Server, host: HostFacts) -> KnobSpace:
    return build_space(
        catalog_of(server.dbms), server.settings(), host, server_version=server.version, knob_set="all",
        risks_allowed=[risk.value for risk in Risk],
    )  # fmt: skip


def random_config(space: KnobSpace, rng: random.Random) -> Config:
    return {
        knob.name: rng.choice(knob.special) if knob.special and rng.random() < 0.2 else knob.from_unit(rng.random())
        for knob in space
    }


def differing(config: Mapping[str, Value], after: Mapping[str, LiveSetting]) -> dict[str, tuple[Value, Value]]:
    """Knobs that are in force with another value, which comes second; reals are shown with six digits."""
    pairs = {name: (value, after[name].value) for name, value in config.items()}
    return {name: pair for name, pair in pairs.items() if not _same(*pair)}


def _same(wanted: Value, found: Value) -> bool:
    if isinstance(wanted, float) and isinstance(found, float):
        return abs(wanted - found) <= 1e-6 * max(1.0, abs(wanted))
    return wanted == found
