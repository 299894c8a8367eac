"""What an experiment's files said when it began, whatever becomes of them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from otterflow.dbms.registry import dbms_named
from otterflow.errors import InvalidInput
from otterflow.experiment.frozen import differences, files_of, goal_of, keep_files, plan_of
from otterflow.experiment.plan import Plan, known, load_plan
from otterflow.experiment.spec import ExperimentSpec
from otterflow.hosts.workbench import Workbench
from otterflow.measures.goal import Goal
from otterflow.measures.objective import Objective
from otterflow.operators.check_experiment import CheckExperimentOperator
from otterflow.operators.connected_host import ConnectedHost
from otterflow.operators.connections import open_repository
from otterflow.operators.start_iterations import first_trial
from otterflow.workloads.base import workload_for
from tests import records
from tests.operators.harness import context

pytestmark = pytest.mark.slow

INCLUDE = Path(__file__).resolve().parents[2] / "include"


@pytest.fixture
def include(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of `include/` to edit, and a home of its own."""
    shutil.copytree(INCLUDE, tmp_path / "include")
    monkeypatch.setenv("OTTERFLOW_INCLUDE_DIR", str(tmp_path / "include"))
    monkeypatch.delenv("OTTERFLOW_TARGETS_DIR", raising=False)
    monkeypatch.setenv("OTTERFLOW_HOME", str(tmp_path / "home"))
    return tmp_path / "include"


def form(benchmark: str = "pgbench_tpcb", target: str = "example_command", **fields: Any) -> dict[str, Any]:
    return {"experiment": "e", "target": target, "benchmark": benchmark, "iterations": 5, **fields}


def plan(benchmark: str = "pgbench_tpcb", target: str = "example_command", **fields: Any) -> Plan:
    return load_plan(ExperimentSpec.from_params(form(benchmark, target, **fields)))


def edit(path: Path, **changes: Any) -> None:
    record = yaml.safe_load(path.read_text())
    for field, value in changes.items():
        inside = record
        *outer, last = field.split("__")
        for name in outer:
            inside = inside[name]
        inside[last] = value
    path.write_text(yaml.safe_dump(record))


def begun(benchmark: str = "pgbench_tpcb", *, measured: bool = True, **fields: Any) -> None:
    """An experiment that has ended after its first trial."""
    task = CheckExperimentOperator(task_id="check_experiment", experiment="e")
    task.execute(context(form(benchmark, **fields)))
    repository = open_repository()
    repository.set_experiment_state("e", "running")
    repository.plan_trial("e", 0, kind="baseline", wanted={"jit": True}, repairs=[], reasons={}, seed=0)
    repository.begin_try("e", 0)
    if measured:
        repository.record_result("e", 0, result={"seconds": 1.0}, objective=5.0, repeats=[5.0])
    repository.end_trial("e", 0, "ok" if measured else "failed", message="as the test wants")
    repository.set_experiment_state("e", "stopped", "by the test")


def resume(benchmark: str = "pgbench_tpcb") -> dict[str, Any]:
    task = CheckExperimentOperator(task_id="check_experiment", experiment="e")
    return task.execute(context(form(benchmark, iterations=9, resume=True), run_id="resume"))  # type: ignore[no-any-return]


@pytest.mark.parametrize("benchmark", known("benchmarks"))
def test_every_benchmark_is_read_back_as_its_file_had_it(include: Path, benchmark: str) -> None:
    target = {"live": "example_live"}.get(benchmark, "example_command")
    if benchmark.endswith("_lua") or benchmark == "analytics_common":
        target = "example_mariadb"
    recording = {"recording": "/srv/recordings/shop"} if benchmark in ("replay", "replay_fast", "mix") else {}
    now = plan(benchmark, target, **recording)
    spec = now.spec.record()
    kept = replace(records.experiment(), spec=spec, files=files_of(now))
    shutil.rmtree(include)
    then = plan_of(kept)
    assert (then.spec, then.target, then.catalog, then.goal) == (now.spec, now.target, now.catalog, now.goal)
    assert then.catalog.content_hash == now.catalog.content_hash
    assert files_of(then) == kept.files
    if benchmark != "live":
        shutil.copytree(INCLUDE, include)
        dbms = dbms_named(now.target.dbms)
        fingerprints = [workload_for(each.benchmark, dbms).data_fingerprint() for each in (then, now)]
        assert fingerprints[0] == fingerprints[1]


@pytest.mark.parametrize("target", known("targets"))
def test_every_target_is_read_back_as_its_file_had_it(include: Path, target: str) -> None:
    others = {"example_live": "live", "example_mariadb": "sysbench_point_select", "example_mysql": "ycsb_a_lua"}
    benchmark = others.get(target, "pgbench_tpcb")
    now = plan(benchmark, target)
    kept = replace(records.experiment(), spec=now.spec.record(), files=files_of(now))
    assert plan_of(kept).target == now.target


def test_a_file_that_is_edited_in_mid_experiment_changes_nothing(include: Path) -> None:
    """Clients from 2 to 8 and a shorter run in mid-experiment once left all trials green, and mixed."""
    begun()
    with Workbench(open_repository(), "e", ConnectedHost) as bench:
        clients = bench.plan.benchmark.workload.model_dump()["clients"]
    edit(include / "benchmarks" / "pgbench_tpcb.yaml", workload__clients=64, duration_s=2.0)
    edit(include / "targets" / "example_command.yaml", database="other")
    with Workbench(open_repository(), "e", ConnectedHost) as bench:
        assert bench.plan.benchmark.workload.model_dump()["clients"] == clients
        assert bench.plan.target.database != "other"
        assert bench.plan.benchmark.duration_s != 2.0


def test_sql_that_is_edited_or_removed_in_mid_experiment_changes_nothing(include: Path) -> None:
    begun("analytics")
    with Workbench(open_repository(), "e", ConnectedHost) as bench:
        script = bench.workload.data_fingerprint()
    (include / "benchmarks" / "analytics" / "load" / "20_sales.sql").write_text("SELECT 1;")
    shutil.rmtree(include / "benchmarks" / "analytics" / "queries")
    with Workbench(open_repository(), "e", ConnectedHost) as bench:
        assert bench.workload.data_fingerprint() == script
        assert len(bench.plan.benchmark.workload.query_names) == 18


def test_a_resume_with_other_files_is_refused_with_what_differs(include: Path) -> None:
    begun("ycsb_a")
    edit(include / "benchmarks" / "ycsb_a.yaml", workload__clients=64, duration_s=2.5, title="New words for people")
    edit(include / "targets" / "example_command.yaml", memory_share=0.5)
    (include / "benchmarks" / "ycsb" / "scripts" / "read.sql").write_text("SELECT 1;")
    catalog = include / "knob_catalogs" / "postgresql.yaml"
    record = yaml.safe_load(catalog.read_text())
    next(knob for knob in record["knobs"] if knob["name"] == "work_mem")["max"] = "1GB"
    catalog.write_text(yaml.safe_dump(record))
    with pytest.raises(InvalidInput) as refused:
        resume("ycsb_a")
    found = {problem.field: problem.found for problem in refused.value.problems}
    assert "2.5; the experiment began with" in found["ycsb_a.yaml: duration_s"]
    assert found["example_command.yaml: memory_share"] == "0.5; the experiment began with 0.8"
    assert "64; the experiment began with" in found["ycsb_a.yaml: workload.clients"]
    assert found["knob catalog: knobs.work_mem.max"].startswith("'1GB'; the experiment began with")
    assert "has another text" in found["ycsb_a: scripts/read.sql"]
    assert not any("title" in field for field in found)
    assert open_repository().experiment("e").state == "stopped"


def test_a_resume_with_the_same_files_goes_on(include: Path) -> None:
    begun("ycsb_a")
    assert resume("ycsb_a")["experiment"] == "e"


def test_a_benchmark_that_failed_on_the_baseline_is_mended_and_resumed(include: Path) -> None:
    """Nothing was measured with the file as it was, so nothing is mixed."""
    begun(measured=False)
    edit(include / "benchmarks" / "pgbench_tpcb.yaml", duration_s=2.5)
    assert resume()["experiment"] == "e"
    repository = open_repository()
    keep_files(repository, "e")
    with Workbench(repository, "e", ConnectedHost) as bench:
        assert bench.plan.benchmark.duration_s == 2.5
    first_trial(repository, "e")
    assert repository.trial("e", 1).kind == "baseline"


def test_a_folder_that_was_moved_is_no_difference(include: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun("analytics")
    elsewhere = include.with_name("moved")
    include.rename(elsewhere)
    monkeypatch.setenv("OTTERFLOW_INCLUDE_DIR", str(elsewhere))
    assert resume("analytics")["experiment"] == "e"


def test_a_target_that_is_mended_before_a_trial_is_measured_is_read_as_mended(include: Path) -> None:
    CheckExperimentOperator(task_id="check_experiment", experiment="e").execute(context(form()))
    edit(include / "targets" / "example_command.yaml", database="mended")
    repository = open_repository()
    keep_files(repository, "e")
    with Workbench(repository, "e", ConnectedHost) as bench:
        assert bench.plan.target.database == "mended"


def test_an_experiment_of_before_reads_the_files_as_they_are_and_says_so(
    include: Path, caplog: pytest.LogCaptureFixture
) -> None:
    begun()
    repository = open_repository()
    with repository._database.write() as session:
        session.connection().exec_driver_sql("DELETE FROM experiment_files")
    edit(include / "targets" / "example_command.yaml", database="other")
    with Workbench(repository, "e", ConnectedHost) as bench:
        assert bench.plan.target.database == "other"
    assert "began before its files were kept with it" in caplog.text
    keep_files(repository, "e")
    assert repository.experiment("e").files is not None


def test_many_differences_are_counted_and_not_all_listed(include: Path) -> None:
    then = files_of(plan())
    knobs = [{**knob, "set": "core", "restart": not knob["restart"]} for knob in then.catalog["knobs"]]
    found = differences(then, replace(then, catalog={**then.catalog, "knobs": knobs}))
    assert len(found) == 21
    assert "more differences" in found[-1].found


def test_what_this_version_cannot_read_any_more_is_named(include: Path) -> None:
    files = files_of(plan())
    kept = replace(
        records.experiment(), spec=plan().spec.record(), files=replace(files, target={**files.target, "gone": 1})
    )
    with pytest.raises(InvalidInput, match="kept with experiment e"):
        plan_of(kept)


def test_a_goal_is_read_without_its_files_or_given_up() -> None:
    assert goal_of(records.experiment({"benchmark": "gone"})) == Goal(Objective.throughput)
    assert goal_of(records.experiment(objective="nonsense +")) is None
