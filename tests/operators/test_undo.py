"""Going back to the configuration before otterflow, and removing what it made, on a real server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otterflow.errors import InvalidInput, ServerCrashed, TargetHeld
from otterflow.operators.connections import open_repository
from otterflow.operators.undo import UndoTuningOperator
from stack.host import DatabaseHost
from tests.repository.samples import new_experiment, prepare

pytestmark = pytest.mark.integration

BEFORE = "# by hand\nwork_mem = 5MB\n"


def inspected(host: DatabaseHost, name: str, baseline_file: str) -> None:
    """An experiment as `check_target` leaves it, and as it has ended."""
    repository = open_repository()
    repository.create_experiment(
        new_experiment(name, target=host.name, benchmark="analytics", objective="run_time", spec={})
    )
    prepare(repository, name, baseline={"work_mem": 5120}, baseline_file=baseline_file)
    repository.set_experiment_state(name, "finished")


def undo(host: DatabaseHost, experiment: str = "", remove: bool = False) -> dict[str, Any]:
    task = UndoTuningOperator(task_id="undo", target=host.name, experiment=experiment, remove=str(remove))
    done: dict[str, Any] = task.execute({"run_id": "undo"})
    return done


def shown(host: DatabaseHost, sql: str) -> list[Any]:
    with host.cluster.connect("postgres") as connection:
        return [row[0] for row in connection.execute(sql)]


@pytest.fixture
def tuned(lab: DatabaseHost) -> Iterator[DatabaseHost]:
    """A target after two experiments, with what they have left: a configuration, data, a snapshot, a job's folder."""
    inspected(lab, "first", BEFORE)
    inspected(lab, "second", "work_mem = 6MB\n")
    lab.user.write_file(lab.cluster.knobs_file, "# otterflow, experiment second\nwork_mem = 7MB\n")
    lab.cluster.restart()
    with lab.cluster.connect("postgres") as connection:
        connection.execute("COMMENT ON DATABASE bench IS 'otterflow data 0123456789abcdef used'")
    for name in ("private-dump", "precious"):
        lab.user.make_dir(lab.snapshot_dir / name)
    lab.user.write_file(lab.snapshot_dir / "private-dump" / "snapshot.json", "{}")
    jobs = lab.user.make_dir(Path(lab.target.work_dir) / "jobs")
    lab.user.make_dir(Path(lab.target.work_dir) / "recordings")  # as a recorded source has it
    made = [lab.user.make_dir(jobs / job) for job in ("second.0003-1-run1", "of-another-target.0001-1-run1")]
    yield lab
    for folder in [*made, lab.snapshot_dir / "private-dump", lab.snapshot_dir / "precious"]:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def bench_again(tuned: DatabaseHost) -> Any:
    """The host's database is there for the tests that come after."""
    yield
    tuned.cluster.renew_database()


@pytest.mark.parametrize(("experiment", "file", "value"), [("", BEFORE, "5MB"), ("second", "work_mem = 6MB\n", "6MB")])
def test_the_configuration_before_the_first_or_a_named_experiment_is_in_force_again(
    tuned: DatabaseHost, experiment: str, file: str, value: str
) -> None:
    done = undo(tuned, experiment)
    assert tuned.cluster.knobs_file.read_text() == file
    assert shown(tuned, "SHOW work_mem") == [value]
    assert done["removed"] == []
    assert shown(tuned, "SELECT datname FROM pg_database WHERE datname = 'bench'") == ["bench"]
    assert open_repository().holder(tuned.name) is None


@pytest.mark.usefixtures("bench_again")
def test_removing_takes_away_what_otterflow_made_and_says_what_is_left(tuned: DatabaseHost) -> None:
    done = undo(tuned, remove=True)
    work_dir = tuned.target.work_dir
    assert sorted(done["removed"]) == [
        "database bench",
        f"job {work_dir}/jobs/second.0003-1-run1",
        f"snapshot {tuned.snapshot_dir}/private-dump",
    ]
    assert shown(tuned, "SELECT datname FROM pg_database WHERE datname = 'bench'") == []
    assert not (tuned.snapshot_dir / "private-dump").exists()
    assert (tuned.snapshot_dir / "precious").exists(), "no marker of otterflow's"
    assert "of-another-target.0001-1-run1" in [path.name for path in (Path(work_dir) / "jobs").iterdir()]
    (Path(work_dir) / "jobs" / "of-another-target.0001-1-run1").rmdir()
    assert f"folder {work_dir}" in undo(tuned, remove=True)["removed"], "once it is empty"
    tuned.user.make_dir(Path(work_dir))
    left = "\n".join(done["left"])
    assert "ALTER ROLE otterflow NOSUPERUSER NOCREATEDB;" in left
    assert f"the line that includes {tuned.cluster.knobs_file}" in left
    assert "authorized_keys" in left


def test_a_database_that_otterflow_did_not_load_is_never_dropped(tuned: DatabaseHost) -> None:
    with tuned.cluster.connect("postgres") as connection:
        connection.execute("COMMENT ON DATABASE bench IS 'the shop'")
    done = undo(tuned, remove=True)
    assert "database bench" not in done["removed"]
    assert shown(tuned, "SELECT datname FROM pg_database WHERE datname = 'bench'") == ["bench"]
    assert any("'bench': Remove takes it only if otterflow loaded it" in line for line in done["left"])


def test_undoing_is_refused_while_an_experiment_holds_the_target(tuned: DatabaseHost) -> None:
    open_repository().hold_target(tuned.name, "second")
    with pytest.raises(TargetHeld, match="held by experiment 'second'"):
        undo(tuned, remove=True)
    assert "7MB" in tuned.cluster.knobs_file.read_text()
    assert (tuned.snapshot_dir / "private-dump").exists()


def test_a_former_file_that_the_server_refuses_leaves_the_present_one_in_force(lab: DatabaseHost) -> None:
    inspected(lab, "first", "shared_buffers = many\n")
    lab.user.write_file(lab.cluster.knobs_file, "work_mem = 7MB\n")
    lab.cluster.restart()
    with pytest.raises(ServerCrashed, match="shared_buffers"):
        undo(lab)
    assert lab.cluster.knobs_file.read_text() == "work_mem = 7MB\n"
    assert shown(lab, "SHOW work_mem") == ["7MB"]
    assert open_repository().holder(lab.name) is None


def test_an_unknown_experiment_and_an_untouched_target_are_told(tuned: DatabaseHost, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="'third' has not looked at 'private'; use one of first, second"):
        undo(tuned, "third")
