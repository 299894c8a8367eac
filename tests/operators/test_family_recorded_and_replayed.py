"""The load of a MariaDB and of a MySQL recorded in a window and replayed on a copy of its data.

Two servers, and the tasks of all Dags.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from otterflow.dbms.mysql_family.slow_log.sessions import BY_SERVER
from otterflow.dbms.mysql_family.slow_log.tables import BY_EXECUTE
from otterflow.dbms.mysql_family.statements.replaying import OTHER_DATABASE
from otterflow.operators import check_recording
from otterflow.operators.connections import open_repository
from otterflow.operators.task_command import SERVER
from otterflow.repository import Trial
from stack.family_host import FamilyHost
from stack.mariadb import DATABASE
from tests.dbms.mysql_family.conftest import mariadb_host  # noqa: F401 fixture
from tests.operators.conftest import small_benchmarks
from tests.operators.family_source import Source, cleaned, host_of
from tests.operators.family_users import (
    ERRORS,
    OF_THE_SERVER,
    PREPARED_BY_SQL,
    SCHEMAS,
    SYSBENCH_EVENTS,
    TRUSTED,
    Users,
)
from tests.operators.harness import Dags, Run
from tests.operators.recording_lab import SHORTEST
from tests.operators.test_family_recordings import FamilyLab, in_a_window, source_host  # noqa: F401 fixture
from tests.operators.test_replay_in_process import MIX, REPLAY

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

ANEW = f"DROP DATABASE IF EXISTS {DATABASE}; CREATE DATABASE {DATABASE}; USE {DATABASE};\n"
BENCHMARKS: dict[str, dict[str, Any]] = {
    "replayed": REPLAY | {"workload": {"driver": "replay", "schedule": "think"}},
    "mixed": MIX | {
        "objective": "latency_mean", "workload": {"driver": "mix", "clients": 2, "rate": 30}, "duration_s": 3,
        "max_error_share": 0.5,
    },
}  # fmt: skip
"""A mix of a load as short as this does some of it again, whose keys are there by then."""


@dataclass
class Flow:
    """A source that is recorded, and a copy that its load is replayed on."""

    lab: FamilyLab
    copy: Source
    dags: Dags

    def experiment(self, benchmark: str, recording: str) -> tuple[list[Trial], list[dict[str, Any]]]:
        """The trials of an experiment on the copy, and what the copy held after each of its runs."""
        left: list[dict[str, Any]] = []

        def look(run: Run, task: str) -> None:
            if task == "collect":
                left.append(contents(self.copy))

        form: dict[str, Any] = {
            "experiment": f"of-{benchmark}", "target": "staging", "benchmark": benchmark, "recording": recording,
            "iterations": 2, "restore_every": 1, "reference_every": 0, "final_rounds": 3, "ablation_percent": 0,
            "quiet_gate": False,
        }  # fmt: skip
        runs = self.dags.follow("tuning_experiment", form, before=look)
        assert all(run.state == "success" for run in runs), [(run.run_id, run.states, run.errors) for run in runs]
        trials = open_repository().trials(form["experiment"])
        assert [trial.state for trial in trials] == ["ok"] * 2, [trial.message for trial in trials]
        return trials, left


def contents(source: Source) -> dict[str, Any]:
    """All rows of all tables."""
    with source.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT table_name AS t FROM information_schema.tables WHERE table_schema = DATABASE()")
        names = {str(row["t"]) for row in cursor.fetchall()} - {"otterflow_data", OF_THE_SERVER}
        found = {}
        for name in sorted(names):
            cursor.execute(f"SELECT * FROM `{name}`")
            found[name] = sorted(map(str, cursor.fetchall()))
        return found


@pytest.fixture(scope="module")
def copy_host(source_host: FamilyHost) -> Iterator[FamilyHost]:  # noqa: F811
    """Another host of the same product."""
    with host_of(source_host.dbms, "staging", connections="staging") as host:
        yield host


@pytest.fixture
def flow(
    source_host: FamilyHost,  # noqa: F811
    copy_host: FamilyHost,
    dags: Dags,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Flow]:
    include, targets = small_benchmarks(tmp_path), tmp_path / "targets"
    targets.mkdir()
    (include / "recordings").mkdir(exist_ok=True)
    for host, name, own in ((source_host, "shop", "has_users"), (copy_host, "staging", "is_a_copy")):
        record = yaml.safe_load((host.targets_dir / f"{host.name}.yaml").read_text())
        (targets / f"{name}.yaml").write_text(yaml.safe_dump(record | {"name": name, own: True}))
        for variable, value in host.airflow_connections().items():
            monkeypatch.setenv(variable, value)
    for name, benchmark in BENCHMARKS.items():
        (include / "benchmarks" / f"{name}.yaml").write_text(yaml.safe_dump(benchmark | {"name": name}))
    monkeypatch.setenv("OTTERFLOW_TARGETS_DIR", str(targets))
    monkeypatch.setenv("OTTERFLOW_INCLUDE_DIR", str(include))
    monkeypatch.setenv("OTTERFLOW_RECORDINGS_DIR", str(include / "recordings"))
    monkeypatch.setenv("OTTERFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(*SERVER)
    monkeypatch.setattr(check_recording, "SHORTEST", SHORTEST)
    kept = copy_host.user.make_dir(copy_host.root / "kept") / "recordings"
    with cleaned(source_host):
        source = Source(source_host)
        source.sql(ANEW + SCHEMAS[source_host.dbms])
        source.sysbench("prepare")
        yield Flow(FamilyLab(source_host, include, copy_host.sshd, kept), Source(copy_host), dags)
        source.sql("SET GLOBAL event_scheduler = OFF; SET GLOBAL slow_query_log = OFF; TRUNCATE TABLE mysql.slow_log;")
        source.sql(ANEW)


def test_what_was_recorded_is_done_again_on_a_copy(flow: Flow) -> None:
    source, product = flow.lab.source, flow.lab.product
    source.sql("SET GLOBAL event_scheduler = ON")
    dump = source.dump()
    flow.copy.sql(TRUSTED[product] + ANEW + dump)

    def act() -> int:
        Users(source).live()
        return 0

    _, _, record = in_a_window(flow.lab, act, before=lambda: source.sql(ANEW + dump))
    wanted = contents(source)
    recording = flow.lab.opened(record)
    manifest = recording.manifest
    assert manifest.complete, manifest.missing
    if product == "mariadb":
        assert manifest.left_out[BY_SERVER] >= 3
        assert manifest.left_out.keys() == {BY_SERVER}
    else:
        assert manifest.left_out == {BY_EXECUTE: 2 * PREPARED_BY_SQL}
    statements = list(recording.statements())
    assert not any(OF_THE_SERVER in each.text for each in statements)
    points = [each for each in statements if each.text.startswith("SELECT c FROM sbtest") and "id=" in each.text]
    assert len(points) == 10 * SYSBENCH_EVENTS

    trials, left = flow.experiment("replayed", record.id)
    recorded = Counter(str(each.statement_class) for each in statements if not each.text.startswith("USE"))
    for trial in trials:
        assert trial.result is not None
        told = trial.result["replay"]
        assert told["errors"] == ERRORS[product]
        assert told["statements"]["left_out"] == {OTHER_DATABASE: 1}
        assert told["statements"]["done"] == len(statements) - 1
        assert told["statements"]["skipped_after_an_error"] == told["statements"]["not_sent"] == 0
        types = trial.result["types"].items()
        assert {name: each["transactions"] + each["errors"] for name, each in types} == recorded
    assert len(left) == 2
    for after in left:
        for table, rows in wanted.items():
            assert after[table] == rows, table
        assert after.keys() == wanted.keys()

    for trial in flow.experiment("mixed", record.id)[0]:
        assert trial.result is not None
        told = trial.result["replay"]
        assert told["mix"]["covers"]["share"] > 0.8
        # Keys that are there by then, what failed on the source, and two clients in a deadlock.
        assert told["errors"].keys() <= {*ERRORS[product], "40001"}
        assert trial.result["transactions"] > 30
