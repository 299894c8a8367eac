"""One server, led to by two target files, by two Airflows, and by two tasks at once: one of them acts."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from otterflow.errors import MayNotAct, Overtaken, ServerCrashed
from otterflow.hosts.fence import Fence
from otterflow.hosts.trial import ends_by_its_fault
from otterflow.hosts.workbench import Workbench
from otterflow.operators.connected_host import ConnectedHost
from otterflow.operators.connections import open_repository
from stack.host import DatabaseHost
from tests.operators.harness import FAILED, SUCCESS, Dags, Run

pytestmark = pytest.mark.integration


@pytest.fixture
def twin(lab: DatabaseHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes a second target file that leads to the same server, called `twin`."""

    def write(**changes: Any) -> None:
        folder = tmp_path / "targets"
        shutil.copytree(lab.targets_dir, folder, dirs_exist_ok=True)
        record = yaml.safe_load((folder / f"{lab.name}.yaml").read_text())
        (folder / "twin.yaml").write_text(yaml.safe_dump({**record, "name": "twin", **changes}))
        monkeypatch.setenv("OTTERFLOW_TARGETS_DIR", str(folder))

    return write


def checked(dags: Dags, form: dict[str, Any]) -> Run:
    """The first two tasks of an experiment."""
    first = dags.run_task("tuning_experiment", "check_experiment", form)
    assert first.states["check_experiment"] == SUCCESS, first.errors
    return dags.run_task("tuning_experiment", "check_target", form)


def test_two_target_files_that_lead_to_one_server_exclude_each_other(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any], twin: Any
) -> None:
    twin(work_dir=f"{lab.work_dir}-twin")
    assert checked(dags, params).states["check_target"] == SUCCESS
    second = checked(dags, {**params, "experiment": "second", "target": "twin"})
    assert second.states["check_target"] == FAILED
    assert f"'twin' is the same server as '{lab.name}', which experiment 'in-process' holds" in str(
        second.errors["check_target"]
    )
    repository = open_repository()
    assert repository.holder("twin") is None
    with pytest.raises(MayNotAct, match="as target 'private', which is the same server"):
        repository.hold_target("twin", "second")


@pytest.mark.parametrize("seen_before", [True, False])
def test_a_file_without_has_users_does_not_let_a_benchmark_restart_a_server_with_users(
    dags: Dags, lab: DatabaseHost, params: dict[str, Any], twin: Any, seen_before: bool
) -> None:
    twin(has_users=True)
    if seen_before:
        live = {**params, "experiment": "live", "target": "twin", "benchmark": "live"}
        checked(dags, {**live, "objective": "throughput"})
        open_repository().release_target("twin", "live")
        lab.break_lock()
    run = checked(dags, params)
    assert run.states["check_target"] == FAILED
    assert "benchmark: 'analytics' loads data and restarts the server, which has users by twin.yaml" in str(
        run.errors["check_target"]
    )
    assert open_repository().holder(lab.name) is None


def test_a_second_airflow_is_refused_and_told_who_holds_the_server(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checked(dags, params).states["check_target"] == SUCCESS
    first = open_repository()
    monkeypatch.setenv("OTTERFLOW_HOME", str(tmp_path / "elsewhere"))
    other = {**params, "experiment": "others"}
    run = checked(dags, other)
    assert run.states["check_target"] == FAILED
    said = str(run.errors["check_target"])
    for part in ("experiment: in-process", "airflow: on host", str(tmp_path / "home"), "since: 20", "rm -r /var/tmp/"):
        assert part in said, said
    assert open_repository().holder(lab.name) is None

    lab.break_lock()  # as the message says
    assert checked(dags, other).states["check_target"] == SUCCESS
    with Workbench(first, "in-process", ConnectedHost) as bench, pytest.raises(MayNotAct, match="experiment: others"):
        bench.server.restart()


def test_a_lock_that_an_experiment_of_ones_own_left_behind_is_taken_over(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any]
) -> None:
    assert checked(dags, params).states["check_target"] == SUCCESS
    open_repository().close_experiment("in-process", "failed", "its host was gone when it ended")
    assert checked(dags, {**params, "experiment": "next"}).states["check_target"] == SUCCESS


def test_a_restart_that_recover_has_overtaken_touches_nothing_more_and_blames_nobody(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any]
) -> None:
    """As when the task is marked as failed while its command is at work on the host: recover begins at once."""
    assert checked(dags, params).states["check_target"] == SUCCESS
    repository = open_repository()
    repository.plan_trial("in-process", 0, kind="baseline", wanted={}, repairs=[], reasons={}, seed=0)
    trial = repository.begin_try("in-process", 0)
    with (
        Workbench(repository, "in-process", ConnectedHost) as restart,
        Workbench(repository, "in-process", ConnectedHost) as recover,
    ):
        assert isinstance(restart.fence, Fence)
        restart.server.begin_turn()
        restart.server.write_knobs_file("work_mem = 5MB\n")
        recover.server.begin_turn()
        recover.server.write_knobs_file("")
        pid = lab.cluster.pid
        for act in (restart.server.restart, lambda: restart.server.write_knobs_file("work_mem = 6MB\n")):
            with pytest.raises(Overtaken, match="another task of this experiment has begun to act on the server"):
                act()
        with pytest.raises(Overtaken), ends_by_its_fault(restart, trial):
            raise ServerCrashed("somebody else has written the file")
        assert lab.cluster.pid == pid
    assert lab.cluster.knobs_file.read_text() == ""
    assert repository.trial("in-process", 0).state == "running"
