"""PostgreSQL 12 to 18, a release of each: its settings and the catalog, and an experiment with a restore.

The oldest, the newest and the newest 15 run a whole experiment. The others run its first two trials: the checks, the
baseline, the restore, the restart with the rules' configuration, what is read back, the metrics.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any

import pytest

from otterflow.dbms.postgresql.access import DatabaseAccess
from otterflow.dbms.postgresql.constraints import repair
from otterflow.dbms.postgresql.dbms import DBMS
from otterflow.dbms.postgresql.spelling import canonical
from otterflow.knobs.catalog import KnobCatalog, catalog_gaps
from otterflow.knobs.facts import HostFacts
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Config, KnobSpace
from otterflow.operators.connections import open_repository
from otterflow.remote.script import JobScript
from otterflow.workloads.base import plan, workload_for
from stack.host import DatabaseHost
from stack.postgres import ROLE, PrivateCluster
from stack.processes import StackError
from stack.programs import find_bin_dir
from stack.releases import RELEASES
from tests.knobs.server import (
    Server,
    as_a_session_reads,
    assert_in_force,
    everything,
    random_config,
    shown_to_a_session,
    unusual_values,
)
from tests.operators.harness import SKIPPED, SUCCESS, Dags, Run
from tests.versions.conftest import HostOf
from tests.workloads.conftest import Ran
from tests.workloads.shipped import SHIPPED
from tests.workloads.test_integration import small

pytestmark = pytest.mark.integration

every_release = pytest.mark.parametrize("release", list(RELEASES))
WHOLE = ("12", "15", "18")


@pytest.fixture
def host(release: str, host_of: HostOf) -> DatabaseHost:
    """The running host of a release."""
    return host_of(release)


@pytest.fixture
def server(host: DatabaseHost) -> Any:
    """Its server, with its defaults in force again afterwards."""
    yield Server(host.cluster)
    if host.cluster.knobs_file.exists():
        host.cluster.knobs_file.unlink()
        host.cluster.restart()


@every_release
def test_the_server_is_the_one_that_was_fetched(release: str, server: Server) -> None:
    ((number,),) = server.query("SELECT current_setting('server_version_num')::int")
    major, minor = divmod(number, 10_000)
    wanted = RELEASES[release].number.split(".")
    assert major == int(wanted[0])
    assert minor >= int(wanted[1]), "the distribution's release is taken only where it is newer"


@every_release
def test_every_setting_has_an_entry_that_fits(server: Server, catalog: KnobCatalog) -> None:
    live, tunable = server.settings(), catalog.tunable(server.version)
    assert catalog_gaps(catalog, live, server.version, tuned=()).sentences() == []
    assert {name: live[name].needs_restart for name in tunable} == {n: knob.restart for n, knob in tunable.items()}


def test_a_cluster_is_not_started_with_another_postgresql_than_it_was_made_with(host_of: HostOf) -> None:
    cluster = host_of("12").cluster
    with pytest.raises(StackError, match="`make clean` removes it"):
        PrivateCluster(cluster.root, cluster.user, bin_dir=find_bin_dir()).start()
    own = (cluster.bin_dir / "postgres").resolve().parent
    PrivateCluster(cluster.root, cluster.user, bin_dir=own).start()
    assert PrivateCluster(cluster.root, cluster.user).bin_dir == cluster.bin_dir, "as another process finds it"


def this_machine() -> HostFacts:
    """Facts for ranges and the memory plan."""
    ram = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return HostFacts(ram_bytes=ram, cores=os.cpu_count() or 1, disk="ssd", max_connections=100)


@every_release
def test_every_knob_can_be_set_and_what_the_server_computed_too(
    server: Server, catalog: KnobCatalog, release: str
) -> None:
    """One start with special values wherever there are any, one with random values: all are in force as written."""
    live, facts = server.settings(), this_machine()
    space = everything(server, catalog, facts)
    computed = {
        name for name in space.names if live[name].sourcefile is None and live[name].text != live[name].row["boot_val"]
    }
    assert "wal_buffers" in computed
    special: Config = {knob.name: knob.special[0] for knob in space if knob.special}
    for config in (special, random_config(space, random.Random(18))):
        repaired = repaired_for(config, space, live, facts)
        assert repaired.keys() >= config.keys()
        server.restart_with(repaired, live)
        assert_in_force(server, repaired)
    assert computed <= repaired.keys(), "a file wins over what the server computes"


def repaired_for(config: Config, space: KnobSpace, live: dict[str, LiveSetting], facts: HostFacts) -> Config:
    """The configuration as a trial of it would begin."""
    repaired, _ = repair(config, {name: setting.value for name, setting in live.items()}, facts, space=space)
    return repaired


@every_release
def test_the_stack_depth_that_the_server_takes_from_its_environment_gives_way_to_a_file(server: Server) -> None:
    """Of source `environment variable` up to 14, which sounds as if it won."""
    live = server.settings()
    assert live["max_stack_depth"].source == ("environment variable" if server.version <= 14 else "default")
    server.restart_with({"max_stack_depth": 1024}, live)
    assert server.settings()["max_stack_depth"].value == 1024


@every_release
def test_every_enum_and_special_value_reads_back_itself(server: Server, catalog: KnobCatalog) -> None:
    live = server.settings()
    tried = 0
    with server.cluster.connect("postgres") as connection:
        for knob in everything(server, catalog, this_machine()):
            for value in unusual_values(knob) if shown_to_a_session(live[knob.name]) else ():
                text = {True: "on", False: "off"}.get(value, str(value)) if isinstance(value, bool) else str(value)
                found = as_a_session_reads(connection, knob.name, text)
                assert canonical(found, live[knob.name]) == value, (knob.name, value)
                tried += 1
    assert tried > 20


def rows_written(host: DatabaseHost) -> int:
    """How many transactions the benchmark has left in its data."""
    with host.cluster.connect() as connection:
        (count,) = connection.execute("SELECT count(*) FROM pgbench_history").fetchone() or (0,)
    return int(count)


@pytest.mark.parametrize("release", ["12", "18"])
@pytest.mark.parametrize("name", ["analytics", "tpcc", "ycsb_a", "sysbench_oltp_read_write"])
def test_the_oldest_and_the_newest_understand_a_benchmarks_sql(
    name: str, release: str, host: DatabaseHost, run_job: Callable[[JobScript], Ran]
) -> None:
    cluster, benchmark = host.cluster, small(SHIPPED[name])
    with cluster.connect("postgres") as connection:
        connection.execute(f"CREATE DATABASE {name}")
    pgpass = f"{cluster.host}:{cluster.port}:*:{ROLE}:{cluster.password}\n"
    database = DatabaseAccess(cluster.host, cluster.port, ROLE, name, pgpass)
    workload, asked = workload_for(benchmark, DBMS), plan(benchmark, 0, 1, seed=1)
    for job in (workload.load(database, str(cluster.bin_dir)), workload.run(database, asked, str(cluster.bin_dir))):
        done = run_job(job)
        assert done.exit_code == 0, done.log
    assert workload.parse(done.results, done.log).transactions
    with cluster.connect("postgres") as connection:
        connection.execute(f"DROP DATABASE {name}")


@every_release
def test_an_experiment_with_a_restore(
    release: str, host: DatabaseHost, environment: Callable[[DatabaseHost], None], dags: Dags
) -> None:
    environment(host)
    whole = release in WHOLE
    trials = 3 if whole else 2
    form: dict[str, Any] = {
        "experiment": "of-version", "target": host.name, "benchmark": "pgbench_tpcb", "iterations": trials,
        "restore_every": 1, "reference_every": 0, "final_rounds": 3, "ablation_percent": 0, "quiet_gate": False,
    }  # fmt: skip
    rows: list[int] = []

    def before(run: Run, task: str) -> None:
        if run.dag_id == "tuning_iteration" and task in ("restore", "benchmark"):
            rows.append(rows_written(host))

    runs = dags.follow("tuning_experiment", form, before=before, most=50 if whole else 1 + trials)
    assert all(run.state == SUCCESS for run in runs), "\n".join(f"{r.run_id}: {r.states} {r.errors}" for r in runs)
    assert [r.run_id for r in runs][trials + 1 :] == (["of-version-finish-1"] if whole else [])
    iterations = runs[1 : trials + 1]
    assert [run.states["restore"] for run in iterations] == [SKIPPED] + [SUCCESS] * (trials - 1)
    left, put_back = rows[1::2], rows[2::2]
    assert len(left) == len(put_back) == trials - 1
    assert all(left), "the benchmark writes"
    assert not any(put_back), "and the restore takes it back"

    measured = open_repository().trials("of-version")
    assert [trial.state for trial in measured] == ["ok"] * trials
    rules = measured[1]
    assert rules.kind == "rules"
    assert rules.in_force == rules.wanted
    assert rules.metrics["pg_stat_database.xact_commit"] > 0
    if whole:
        assert open_repository().experiment("of-version").state == "finished"
