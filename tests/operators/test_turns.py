"""Turns of the final comparison, which take a trial's steps; and whom the tuning of a live server does not reach."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from otterflow.dbms.postgresql import settings
from otterflow.dbms.postgresql.database import CURRENT_USER_SQL
from otterflow.errors import BenchmarkFailed, NothingMeasured
from otterflow.experiment.spec import ExperimentSpec
from otterflow.experiment.standing import faulty_arms
from otterflow.hosts import knobs_file, live_server, quiet, steps, turns
from otterflow.hosts.measurement import Measured
from otterflow.measures.goal import Goal
from otterflow.measures.objective import Objective
from otterflow.operators import begin
from otterflow.operators.connections import open_repository
from otterflow.repository import Measurement, Repository, Trial
from stack.host import DatabaseHost
from tests.operators.harness import SUCCESS, Dags
from tests.operators.test_experiment_in_process import explain
from tests.repository.samples import new_experiment


class Recorder:
    """Stands for a server and its host: notes the steps that reach them, in their order."""

    def __init__(
        self, repository: Repository, *, restore_every: int = 1, drop_cache: bool = True, job: str = "none"
    ) -> None:
        self.steps: list[str] = []
        spec = SimpleNamespace(drop_cache=drop_cache, repeats=1)
        target = SimpleNamespace(
            name="t", knobs_file="/k", free_cache=SimpleNamespace(method="sudo", command="/usr/local/sbin/free")
        )
        done = SimpleNamespace(exit_code=0, stderr="")

        def noted(step: str, answer: Any) -> Any:
            self.steps.append(step)
            return answer

        server = SimpleNamespace(
            write_knobs_file=lambda text: noted(f"write {text}", True),
            check_turn=lambda: None,
            start=lambda: self.steps.append("start"),
            bring_into_force=lambda wanted: noted("restart", 0.1),
            read_back=lambda wanted: noted("read back", dict(wanted)),
        )
        session = SimpleNamespace(run=lambda command, **kwargs: noted("free cache", done))
        self.bench: Any = SimpleNamespace(
            name="e",
            repository=repository,
            experiment=SimpleNamespace(comparison=1),
            plan=SimpleNamespace(spec=spec, restore_every=restore_every, target=target, is_live=False),
            server=server,
            host=SimpleNamespace(session=session),
            jobs=SimpleNamespace(
                exists=lambda name, on_driver: on_driver and name.endswith(job), clean=lambda name: None
            ),
        )

    def restore(self, bench: Any, name: str) -> dict[str, Any]:
        self.steps.append("restore")
        return {"method": "dump", "seconds": 1.0}

    def measure(self, *args: Any, **kwargs: Any) -> Measured:
        self.steps.append("benchmark")
        return Measured(7.0, [7.0], {}, 1.0)


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`recorded(...)` is a recorder that the operators find in the place of a host, and a repository to write to."""
    repository = Repository.open(f"sqlite:///{tmp_path}/repository.db")
    repository.create_experiment(new_experiment("e", target="t", benchmark="b", objective="throughput", spec={}))

    def make(**kwargs: Any) -> tuple[Recorder, Repository]:
        recorder = Recorder(repository, **kwargs)
        monkeypatch.setattr(steps, "is_fresh", lambda bench: False)
        monkeypatch.setattr(steps, "restore_data", recorder.restore)
        monkeypatch.setattr(turns, "measure", recorder.measure)
        monkeypatch.setattr(turns, "last_good_text", lambda experiment: "the last good file")
        monkeypatch.setattr(knobs_file, "measured_text", lambda experiment, config, **_: "its file")
        return recorder, repository

    return make


def turn(recorder: Recorder, *, due: bool) -> None:
    turns.take_turn(recorder.bench, 2, "best", {"jit": True}, restore_due=due)


@pytest.mark.parametrize("exists", ["none", "warmup", "run1"])
def test_a_turn_that_has_begun_is_gone_on_with_and_its_server_not_restarted(exists: str, recorded: Any) -> None:
    recorder, repository = recorded(job=exists)
    turn(recorder, due=True)
    assert recorder.steps[-1] == "benchmark"
    assert ("restart" in recorder.steps) is (exists == "none")
    assert [(m.round, m.arm, m.value) for m in repository.measurements("e")] == [(2, "best", 7.0)]


@pytest.mark.parametrize(
    ("fields", "due", "expected"),
    [
        ({}, True, ["restore", "free cache", "write its file", "restart", "read back", "benchmark"]),
        ({"drop_cache": False}, True, ["restore", "write its file", "restart", "read back", "benchmark"]),
        ({}, False, ["free cache", "write its file", "restart", "read back", "benchmark"]),
        ({"restore_every": 0}, True, ["free cache", "write its file", "restart", "read back", "benchmark"]),
    ],
)
def test_a_turn_takes_the_steps_of_a_trial(
    fields: dict[str, Any], due: bool, expected: list[str], recorded: Any
) -> None:
    """Neither restored nor cold, a nightly batch took 0.8 s in its trials and 0.05 s in its turns."""
    recorder, _ = recorded(**fields)
    turn(recorder, due=due)
    assert recorder.steps == expected

    recorder.steps.clear()
    iteration = 4 if due else 5
    recorder.bench.plan.restore_every *= 2  # every other trial
    if begin.why_not_restore(recorder.bench, iteration) is None:
        steps.restore(recorder.bench, "0004-1")
    if steps.why_not_free_cache(recorder.bench) is None:
        steps.free_cache(recorder.bench)
    steps.bring_into_force(recorder.bench, {"jit": True})
    assert [*recorder.steps, "benchmark"] == expected


def test_a_turn_whose_configuration_failed_is_told_from_one_without_anything_to_measure(
    recorded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder, repository = recorded()

    def fail(error: Exception) -> Any:
        def measure(*args: Any, **kwargs: Any) -> Measured:
            raise error

        return measure

    monkeypatch.setattr(turns, "measure", fail(NothingMeasured("no statement was run")))
    turn(recorder, due=False)
    assert faulty_arms(repository.measurements("e")) == {}
    monkeypatch.setattr(turns, "measure", fail(BenchmarkFailed("out of memory")))
    turn(recorder, due=False)
    assert recorder.steps[-2:] == ["write the last good file", "start"], "for the next arm's restore"
    assert faulty_arms(repository.measurements("e")) == {"best": "failed in round 2: out of memory"}


class Turns:
    """Stands for everything that measures: each arm has its values round by round, None for a crash."""

    def __init__(self, repository: Repository, monkeypatch: pytest.MonkeyPatch, **values: list[float | None]) -> None:
        self.taken: list[tuple[int, str, bool]] = []
        self.values = values
        self.repository = repository
        spec = ExperimentSpec.from_params({"experiment": "e", "target": "t", "benchmark": "b", "final_rounds": 12})
        plan = SimpleNamespace(spec=spec, restore_every=3, goal=Goal(Objective.throughput))
        self.bench: Any = SimpleNamespace(
            name="e", repository=repository, experiment=SimpleNamespace(comparison=1), plan=plan,
            server=SimpleNamespace(begin_turn=lambda: None), jobs=SimpleNamespace(kill=lambda besides: None),
        )  # fmt: skip
        monkeypatch.setattr(turns, "take_turn", self.take)

    def take(self, bench: Any, number: int, arm: str, config: dict[str, Any], *, restore_due: bool) -> None:
        value = self.values[arm][number - 1]
        self.taken.append((number, arm, restore_due))
        state = "ok" if value is not None else "crashed"
        self.repository.record_measurement("e", round=number, arm=arm, value=value, result={}, state=state)

    def go(self) -> dict[str, Any]:
        return turns.take_turns(self.bench, {arm: {"of": arm} for arm in self.values})

    @property
    def rounds(self) -> dict[str, int]:
        return {arm: max((n for n, of, _ in self.taken if of == arm), default=0) for arm in self.values}


CALM: list[float | None] = [100.0, 101.0, 99.0, 100.5, 100.0, 99.5, 101.0, 100.0, 99.0, 100.0, 100.0, 101.0]
WILD: list[float | None] = [100.0, 140.0, 80.0, 120.0, 70.0, 150.0, 100.0, 90.0, 130.0, 100.0, 95.0, 125.0]


@pytest.fixture
def taking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, all_rounds: None) -> Any:
    """`taking(baseline=[...], ...)` takes turns that measure these values."""
    repository = Repository.open(f"sqlite:///{tmp_path}/repository.db")
    repository.create_experiment(new_experiment("e", target="t", benchmark="b", objective="throughput", spec={}))
    return lambda **values: Turns(repository, monkeypatch, **values)


def times(values: list[float | None], factor: float) -> list[float | None]:
    return [None if value is None else value * factor for value in values[1:] + values[:1]]


@pytest.mark.slow
def test_rounds_go_on_until_it_is_decided(taking: Any) -> None:
    clear = taking(baseline=CALM, rules=times(CALM, 1.5), best=times(CALM, 3.0))
    said = clear.go()
    assert "best is better than the baseline and than the rules" in said["ended"]
    assert set(clear.rounds.values()) == {3}
    assert said["turns"] == 9
    assert clear.go() == said, "a cleared task finds it decided"
    assert len(clear.taken) == 9


@pytest.mark.slow
def test_undecided_rounds_go_on_to_the_limit_and_what_was_measured_before_a_crash_is_kept(taking: Any) -> None:
    wild = taking(baseline=WILD, best=times(WILD, 1.05))
    wild.repository.record_measurement("e", round=1, arm="baseline", value=100.0, result={}, state="ok")
    wild.repository.record_measurement("e", round=1, arm="best", value=147.0, result={}, state="ok")
    said = wild.go()
    assert "ended" not in said
    assert (said["turns"], len(wild.taken)) == (24, 22)
    assert min(wild.taken)[0] == 2


@pytest.mark.slow
def test_an_arm_that_cannot_win_any_more_is_not_measured_again_and_the_restores_are_kept(taking: Any) -> None:
    crashing = taking(baseline=WILD, rules=times(WILD, 1.05), best=[110.0, None, *CALM[2:]])
    crashing.go()
    assert crashing.rounds == {"baseline": 12, "rules": 12, "best": 2}
    by_round = [[due for n, _, due in crashing.taken if n == number] for number in range(1, 13)]
    assert all(dues[0] for dues in by_round), "each round begins with data that is put back, whoever begins it"
    assert sum(map(sum, by_round)) == 12


BATCH = """
name: closing
title: Books are closed once
kind: analytics
objective: run_time
passes: 1
warmup_passes: 0
run_timeout_s: 60
workload:
  driver: batch
  bytes_per_scale: 1000000
  programs: [psql]
  load: psql -q -c 'CREATE TABLE open_items AS SELECT 1 AS id'
  run: psql -q -c 'SELECT pg_sleep(0.4) FROM open_items' -c 'DELETE FROM open_items' -c 'SELECT pg_sleep(0.01)'
"""


@pytest.mark.integration
def test_a_batch_finds_its_work_to_do_in_every_turn(
    lab: DatabaseHost, dags: Dags, params: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quiet, "_LAG_S", 600.0)  # however busy this machine is
    Path(os.environ["OTTERFLOW_INCLUDE_DIR"], "benchmarks", "closing.yaml").write_text(BATCH)
    form = {**params, "benchmark": "closing", "restore_every": 1, "iterations": 2, "quiet_gate": True}
    runs = dags.follow("tuning_experiment", form)
    assert all(r.state == SUCCESS for r in runs), explain(runs)
    assert runs[-1].dag_id == "tuning_finish"
    repository = open_repository()
    assert all(t.objective is not None and t.objective > 0.4 for t in repository.trials("in-process"))
    measured = repository.measurements("in-process")
    assert len(measured) >= 2
    assert all(m.value is not None and m.value > 0.4 for m in measured), [m.value for m in measured]
    of_all: list[Trial | Measurement] = [*repository.trials("in-process"), *measured]
    beside = [m.result["host_work"] for m in of_all if m.result is not None]
    assert len(beside) >= 4
    assert all(work["tries"] == 1 and 0 <= work["others_share"] <= 1 for work in beside), beside
    assert beside[0]["disturbed"] is None, "of the first runs nobody knows what is usual"


def test_roles_with_a_value_of_their_own_for_a_tuned_knob_are_named(caplog: pytest.LogCaptureFixture) -> None:
    rows: list[dict[str, Any]] = [
        {"database": None, "role": "app", "name": "work_mem"},
        {"database": "shop", "role": "nightly", "name": "work_mem"},
        {"database": "elsewhere", "role": "other", "name": "work_mem"},
        {"database": None, "role": "app", "name": "jit"},
        {"database": "shop", "role": None, "name": "work_mem"},
        {"database": None, "role": "otterflow", "name": "work_mem"},
    ]
    with caplog.at_level("WARNING"):
        answers: dict[str, list[dict[str, Any]]] = {
            settings.ROLE_SETTINGS_SQL: rows, CURRENT_USER_SQL: [{"name": "otterflow"}],
        }  # fmt: skip
        live_server.warn_of_own_values(settings.own_values(answers.__getitem__, {"work_mem"}, "shop"))
    assert [record.args for record in caplog.records] == [("app", "work_mem"), ("nightly", "work_mem")]
