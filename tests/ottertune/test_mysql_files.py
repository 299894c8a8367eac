"""OtterTune's files of MySQL: its own shape, other names, and what cannot be read of them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from otterflow.dbms.mariadb.product import MARIADB
from otterflow.dbms.mysql.product import MYSQL
from otterflow.errors import InvalidInput
from otterflow.knobs.catalog import KnobCatalog, load_catalog
from otterflow.operators.command_line import main
from otterflow.ottertune.exporting import export
from otterflow.ottertune.importing import import_folder
from otterflow.ottertune.report import ImportReport
from otterflow.ottertune.spec import ImportSpec
from otterflow.ottertune.which import dbms_of
from otterflow.repository import Repository, TrialKind
from tests.knobs.values import MIB, SHIPPED_CATALOG

POOLS = (128 * MIB, 1024 * MIB, 2048 * MIB)
SETTINGS: dict[str, str] = {
    "version": "5.7.33-log", "innodb_buffer_pool_size": "134217728", "innodb_log_file_size": "50331648",
    "innodb_flush_method": "O_DIRECT", "innodb_flush_log_at_trx_commit": "1", "innodb_adaptive_hash_index": "ON",
    "innodb_max_dirty_pages_pct": "75.000000", "sort_buffer_size": "262144", "max_connections": "300",
    "query_cache_size": "1048576", "datadir": "/var/lib/mysql/", "report_password": "secret",
}  # fmt: skip
STATUS = {"Innodb_buffer_pool_reads": "100", "Com_commit": "3", "Threads_running": "4", "Uptime": "1000",
          "Innodb_buffer_pool_dump_status": "not started"}  # fmt: skip
COUNTS = {"trx_rw_commits": "1000", "trx_ro_commits": "0", "trx_nl_ro_commits": "500", "trx_rseg_history_len": "7"}


@cache
def catalog(name: str) -> KnobCatalog:
    versions = {"mysql": MYSQL.versions, "mariadb": MARIADB.versions}[name]
    return load_catalog(SHIPPED_CATALOG.parent / f"{name}.yaml", dbms=name, versions=versions)


def write(folder: Path, number: int, *, lacks: str = "", **settings: str) -> None:
    """A set of 100 s, in which 3000 transactions were committed, more with a larger pool."""
    start = 1_600_000_000_000 + number * 1_000_000
    grown = {"trx_rw_commits": str(1000 + 1000 * (number + 1)), "trx_nl_ro_commits": "2500"}
    after = {**COUNTS, **grown, "trx_rseg_history_len": "9"}
    engine = [{name: value for name, value in side.items() if name != lacks} for side in (COUNTS, after)]
    status_after = {**STATUS, "Innodb_buffer_pool_reads": "1100", "Uptime": "1100", "Com_commit": "9"}
    parts: dict[str, Any] = {
        "knobs": {"global": {"global": {**SETTINGS, **settings}}, "local": None},
        "metrics_before": {"global": {"global": STATUS, "innodb_metrics": engine[0]}, "local": None},
        "metrics_after": {"global": {"global": status_after, "innodb_metrics": engine[1]}, "local": None},
        "summary": {"start_time": start, "end_time": start + 100_000, "observation_time": 100,
                    "database_type": "mysql", "database_version": "5.7", "workload_name": "tpcc"},
    }  # fmt: skip
    for part, content in parts.items():
        (folder / f"{number}__{part}.json").write_text(json.dumps(content))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, pool in enumerate(POOLS):
        write(tmp_path, number, innodb_buffer_pool_size=str(pool))
    return tmp_path


def imported(repository: Repository, folder: Path, dbms: str = "mysql") -> ImportReport:
    spec = ImportSpec.from_params({"folder": str(folder), "experiment": "past"})
    return import_folder(repository, spec, catalog(dbms), code_version="test")


def test_the_dbms_is_what_the_sets_say(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert dbms_of(folder) == "mysql"
    assert dbms_of(Path(__file__).parent / "hand_made_9_6") == "postgresql"
    other = tmp_path_factory.mktemp("maria")
    write(other, 0, version="10.6.12-MariaDB-log")
    assert dbms_of(other) == "mariadb"


def test_the_sets_become_a_finished_experiment(repository: Repository, folder: Path) -> None:
    report = imported(repository, folder)
    assert (report.imported, report.left_out) == (["0", "1", "2"], {})
    [experiment] = repository.experiments()
    assert (experiment.dbms, experiment.state, experiment.benchmark) == ("mysql", "finished", "tpcc")
    assert experiment.versions == {"major": 507, "number": 50733, "text": "5.7.33"}
    trials = repository.trials("past")
    assert [t.kind for t in trials] == [TrialKind.baseline, TrialKind.design, TrialKind.design]
    assert [(t.in_force or {})["innodb_buffer_pool_size"] for t in trials] == list(POOLS)


def test_the_command_imports_them(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'own.db'}"
    monkeypatch.setenv("OTTERFLOW_REPOSITORY", url)
    assert main(["ottertune", "import", str(folder), "--experiment", "past"]) == 0
    found = Repository.open(url)
    assert found.experiment("past").dbms == "mysql"
    assert len(found.trials("past")) == len(POOLS)


def test_throughput_is_what_innodb_committed(repository: Repository, folder: Path) -> None:
    imported(repository, folder)
    assert [t.objective for t in repository.trials("past")] == [pytest.approx(rate) for rate in (30.0, 40.0, 50.0)]


def test_counters_become_rates_gauges_stay_and_a_sessions_own_are_not_read(
    repository: Repository, folder: Path
) -> None:
    imported(repository, folder)
    metrics = repository.trials("past")[0].metrics
    assert metrics["global_status.innodb_buffer_pool_reads"] == pytest.approx(10.0)
    assert metrics["innodb_metrics.trx_rw_commits"] == pytest.approx(10.0)
    assert metrics["innodb_metrics.trx_rseg_history_len"] == 9
    assert metrics["global_status.threads_running"] == 4
    assert not [name for name in metrics if "com_commit" in name]


def test_settings_are_typed_and_secrets_are_left_out(repository: Repository, folder: Path) -> None:
    report = imported(repository, folder)
    live = repository.experiment("past").live
    assert live["innodb_adaptive_hash_index"]["type"] == "BOOLEAN"
    assert live["datadir"]["value"] == "/var/lib/mysql/"
    assert "report_password" not in live
    assert "knobs.query_cache_size" in {problem.field for problem in report.unread}


def test_a_set_without_innodbs_commits_is_left_out(repository: Repository, folder: Path) -> None:
    write(folder, 3, lacks="trx_ro_commits")
    report = imported(repository, folder)
    (problem,) = report.left_out["3"]
    assert problem.field == "metrics_after.global.innodb_metrics"
    assert "innodb_monitor_enable" in problem.advice


def test_a_mariadb_among_them_is_another_dbms(repository: Repository, folder: Path) -> None:
    write(folder, 3, version="10.6.12-MariaDB")
    report = imported(repository, folder)
    assert "summary.database_type" in [problem.field for problem in report.left_out["3"]]
    assert report.imported == ["0", "1", "2"]


@pytest.mark.parametrize("version", ["5.5.62", "four", "10.0.0"])
def test_a_version_that_is_not_read_is_named(repository: Repository, tmp_path: Path, version: str) -> None:
    write(tmp_path, 0, version=version)
    with pytest.raises(InvalidInput, match=r"knobs\.version"):
        imported(repository, tmp_path)


def test_a_value_that_cannot_be_read_keeps_a_set_out_where_the_knob_varies(
    repository: Repository, folder: Path
) -> None:
    write(folder, 3, innodb_buffer_pool_size="much")
    report = imported(repository, folder)
    assert [problem.field for problem in report.left_out["3"]] == ["knobs.innodb_buffer_pool_size"]


def test_what_is_not_postgresqls_is_not_written(repository: Repository, folder: Path, tmp_path: Path) -> None:
    imported(repository, folder)
    with pytest.raises(InvalidInput, match="'past' is of mysql; only PostgreSQL's trials are written"):
        export(repository, "past", tmp_path / "out")
