"""Nothing but a DBMS's own folder, and its own drivers, speaks of it: one more DBMS is one more folder.

Every line of every module is read, comments and docstrings too. `ALLOWED` has the places that may speak of one,
each with its reason; a place that does not need its line any more fails.
"""

from __future__ import annotations

import re
from functools import cache

import pytest

from tests.rooms import imports, modules

WORDS = re.compile(
    r"postgres|\bpg_|psql|libpq|\b5432\b|\bwal\b|wal_|vacuum|mysql|mariadb|innodb|\b3306\b", re.IGNORECASE
)

ALLOWED = {
    "otterflow.dbms.postgresql": "PostgreSQL",
    "otterflow.dbms.mysql_family": "what MariaDB and MySQL share",
    "otterflow.dbms.mariadb": "MariaDB",
    "otterflow.dbms.mysql": "MySQL",
    "otterflow.dbms.registry": "the list of what there is",
    "otterflow.dbms.statements.dialect": "the list of whose statements can be read",
    "otterflow.workloads.pgbench": "PostgreSQL's own driver",
    "otterflow.workloads.analytics": "PostgreSQL's own driver: a stream of SQL files that psql runs",
    "otterflow.workloads.sysbench.postgresql": "what sysbench is told of PostgreSQL",
    "otterflow.workloads.sysbench.mysql_family": "what sysbench is told of MariaDB and MySQL",
    "otterflow.workloads.sysbench.scripts_settings": "own scripts are for MariaDB and MySQL",
    "otterflow.workloads.sysbench.scripts_workload": "own scripts are for MariaDB and MySQL: their SQL files",
    "otterflow.workloads.sysbench.ways": "the list of the DBMSs that sysbench is driven on",
    "otterflow.workloads.benchbase.postgresql": "what BenchBase is told of PostgreSQL",
    "otterflow.workloads.benchbase.mysql_family": "what BenchBase is told of MariaDB and MySQL",
    "otterflow.workloads.benchbase.ways": "the list of the DBMSs that BenchBase is driven on",
    "otterflow.workloads.recording.__main__": "by hand a recording is of PostgreSQL's, unless another is named",
    "otterflow.workloads.replay.replayer.postgresql": "PostgreSQL's protocol, and its own times of statements",
    "otterflow.workloads.replay.replayer.mysql_family": "MariaDB's and MySQL's protocol, and their own times",
    "otterflow.workloads.replay.replayer.settings": "settings of before name no DBMS, and are for PostgreSQL",
    "otterflow.workloads.replay.ways": "how an access of each DBMS is told to the replayer",
    "otterflow.ottertune": "OtterTune's files that can be read are PostgreSQL's",
    "dags.import_ottertune": "the form for OtterTune's files",
    "otterflow.repository": "otterflow's own database may be PostgreSQL, whatever is tuned",
    "otterflow.tuner.ranking": "the name of a published table of measurements",
}
"""A module, or a package with all in it, and why."""


@cache
def speaking() -> dict[str, list[str]]:
    """Module to its lines with one of the words."""
    found = {}
    for name, path in modules().items():
        lines = [f"{path}:{i}: {line.strip()}" for i, line in enumerate(path.read_text().splitlines(), 1)]
        if said := [line for line in lines if WORDS.search(line.split(": ", 1)[1])]:
            found[name] = said
    return found


@pytest.mark.slow
def test_only_its_own_places_speak_of_a_dbms() -> None:
    elsewhere = [line for name, lines in speaking().items() if place_of(name) is None for line in lines]
    assert elsewhere == [], "ask the target's DBMS (otterflow.dbms.base), or move it into dbms/<name>/"


def test_every_place_that_may_needs_it() -> None:
    assert ALLOWED.keys() - {place_of(name) for name in speaking()} == set(), "these do not: strike them out"


def place_of(module: str) -> str | None:
    """The entry of `ALLOWED` that the module falls under."""
    return next((place for place in ALLOWED if f"{module}.".startswith(f"{place}.")), None)


@pytest.mark.slow
def test_nothing_outside_imports_the_inside_of_a_dbms() -> None:
    """But for a DBMS's own drivers, OtterTune's files, and the commands that wire things up."""
    inside = re.compile(r"otterflow\.dbms\.(postgresql|mysql_family|mariadb|mysql)\.")
    outside = {arrow.importer for arrow in imports() if inside.match(arrow.imported)}
    assert {module for module in outside if place_of(module) is None} == set()
