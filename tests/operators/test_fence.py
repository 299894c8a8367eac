"""Two Airflows and two tasks at one server's lock, with real bash in the place of the host."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from otterflow.errors import MayNotAct, Overtaken
from otterflow.hosts.fence import Fence, ServerIdentity, owner_name
from otterflow.remote import host_lock
from otterflow.remote.session import Completed
from otterflow.repository import Repository
from tests.dbms.conftest import target_of
from tests.repository.samples import new_experiment

SERVER = ServerIdentity("7123456789", "/srv/a folder in b on c/data", "db1")


class ThisMachine:
    """Stands for an SSH session: runs the commands here."""

    def run(self, command: str, *, stdin: str | None = None, **_: Any) -> Completed:
        done = subprocess.run(["bash", "-c", command], input=stdin or "", capture_output=True, text=True, timeout=30)
        return Completed(done.returncode, done.stdout, done.stderr)


@pytest.fixture(autouse=True)
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_lock, "LOCKS", str(tmp_path))


def airflow(tmp_path: Path, name: str, *experiments: str) -> Repository:
    """A repository of its own, with experiments on the target `staging`, each of which holds it for a while."""
    repository = Repository.open(f"sqlite:///{tmp_path}/{name}.db")
    for experiment in experiments:
        repository.create_experiment(
            new_experiment(experiment, target="staging", benchmark="b", objective="o", spec={})
        )
    return repository


def fence(repository: Repository, experiment: str) -> Fence:
    return Fence(SERVER, target_of(), owner_name(repository.experiment(experiment)), repository)


def test_an_identity_is_read_back_as_it_was_written() -> None:
    assert ServerIdentity.parse(str(SERVER)) == SERVER
    assert ServerIdentity.parse("") is None
    moved = ServerIdentity(SERVER.system, "/srv/copy", SERVER.host)
    assert moved.lock_path != SERVER.lock_path, "a copy of the cluster in another folder is another server"


@pytest.mark.slow
def test_a_second_airflow_is_refused_and_told_who_holds_the_server(tmp_path: Path) -> None:
    here: Any = ThisMachine()
    ours, theirs = airflow(tmp_path, "ours", "night"), airflow(tmp_path, "theirs", "night")
    first, second = fence(ours, "night"), fence(theirs, "night")
    first.take(here, ours)
    with pytest.raises(MayNotAct) as refused:
        second.take(here, theirs)
    for part in ("experiment: night", f"{tmp_path}/ours.db", "since: 20", f"rm -r {first.path}"):
        assert part in str(refused.value)
    with pytest.raises(MayNotAct):
        second.run(here, "echo acted", what="a restart", timeout_s=5)
    first.release(here)
    second.take(here, theirs)
    with pytest.raises(MayNotAct):
        first.begin_turn(here)


@pytest.mark.slow
def test_a_lock_that_an_experiment_of_ones_own_left_behind_is_taken_over(tmp_path: Path) -> None:
    here: Any = ThisMachine()
    repository = airflow(tmp_path, "ours", "night", "day")
    repository.hold_target("staging", "night")
    fence(repository, "night").take(here, repository)
    with pytest.raises(MayNotAct, match="experiment: night"):
        fence(repository, "day").take(here, repository)
    repository.release_target("staging", "night")  # its host was gone when it ended
    fence(repository, "day").take(here, repository)


@pytest.mark.slow
def test_a_restart_that_recover_has_overtaken_touches_nothing_more(tmp_path: Path) -> None:
    here: Any = ThisMachine()
    repository = airflow(tmp_path, "ours", "night")
    restart, recover = fence(repository, "night"), fence(repository, "night")
    restart.check_turn(here)  # it has not begun to act, so nobody can have overtaken it
    assert restart.run(here, "cat; exit 3", what="a write", timeout_s=5, stdin="knobs").stdout == "knobs"
    recover.begin_turn(here)
    with pytest.raises(Overtaken, match="another task of this experiment has begun to act on the server of 'staging'"):
        restart.run(here, f"touch {tmp_path}/touched", what="a restart", timeout_s=5)
    with pytest.raises(Overtaken):
        restart.check_turn(here)
    assert not (tmp_path / "touched").exists()
    assert recover.run(here, "exit 0", what="a start", timeout_s=5).exit_code == 0
