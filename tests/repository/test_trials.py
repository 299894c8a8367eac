"""Trials: planned, replanned, tried again, measured, ended."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from otterflow.errors import InvalidInput
from otterflow.repository import MetricRow, MetricScope, RawCounters, Repository, TrialKind, TrialState
from otterflow.repository.tables import ConfigurationRow
from tests.repository.samples import BASELINE, RULES, findings, measured, new_experiment, plan


@pytest.fixture
def prepared(repository: Repository) -> Repository:
    repository.create_experiment(new_experiment())
    repository.prepare_experiment("night", **findings())
    return repository


def test_a_planned_trial_is_as_it_was_given(prepared: Repository) -> None:
    repairs = [{"knob": "work_mem", "from": 99, "to": 64, "why": "memory budget"}]
    reasons = {"work_mem": "rule 3"}
    trial = prepared.plan_trial(
        "night", 3, kind="rules", wanted=RULES, repairs=repairs, reasons=reasons, seed=2**63 - 1
    )
    assert trial == prepared.trial("night", 3)
    assert (trial.experiment, trial.iteration, trial.attempt) == ("night", 3, 1)
    assert (trial.kind, trial.state) == (TrialKind.rules, TrialState.planned)
    assert (trial.wanted, trial.repairs, trial.reasons, trial.seed) == (RULES, repairs, reasons, 2**63 - 1)
    assert (trial.in_force, trial.objective, trial.started_at, trial.ended_at) == (None,) * 4


def test_a_knobs_value_keeps_its_type(prepared: Repository) -> None:
    wanted = {"a": 1, "b": 1.0, "c": True, "d": "1", "e": 1e22, "f": -0.0, "g": 2**53 + 1, "h": 5e-324}
    plan(prepared, wanted=wanted)
    found = prepared.trial("night", 0).wanted
    assert {k: (type(v), repr(v)) for k, v in found.items()} == {k: (type(v), repr(v)) for k, v in wanted.items()}


def test_values_of_numpy_become_plain_ones(prepared: Repository) -> None:
    plan(prepared, wanted={"a": np.int64(3), "b": np.float64(0.5), "c": np.float32(0.25)})
    assert repr(prepared.trial("night", 0).wanted) == "{'a': 3, 'b': 0.5, 'c': 0.25}"


def test_equal_configurations_are_stored_once(prepared: Repository) -> None:
    for iteration in range(5):
        plan(prepared, iteration, wanted=dict(reversed(BASELINE.items())))
    with prepared._database.read() as session:
        assert session.query(ConfigurationRow).count() == 2  # baseline and rules of the experiment itself


def test_a_plan_that_nobody_has_begun_is_replaced(prepared: Repository) -> None:
    plan(prepared)
    plan(prepared, kind="model", wanted=RULES, seed=9, repairs=[{"knob": "jit"}], reasons={"jit": "off"})
    trial = prepared.trial("night", 0)
    assert (trial.kind, trial.wanted, trial.seed, trial.attempt) == ("model", RULES, 9, 1)
    assert (trial.repairs, trial.reasons) == ([{"knob": "jit"}], {"jit": "off"})


def test_a_plan_that_has_begun_is_kept(prepared: Repository) -> None:
    plan(prepared)
    begun = prepared.begin_try("night", 0)
    kept = prepared.plan_trial("night", 0, kind="model", wanted=RULES, repairs=[], reasons={}, seed=9)
    assert kept == begun == prepared.trial("night", 0)


def test_a_begun_try_knows_what_it_runs_on(prepared: Repository) -> None:
    plan(prepared)
    trial = prepared.begin_try("night", 0)
    assert (trial.state, trial.attempt, trial.code_version) == (TrialState.running, 1, "0.1.0")
    assert (trial.versions, trial.hardware, trial.catalog_hash) == ({"postgresql": "15.14"}, {"cores": 2}, "c0ffee")
    assert trial.started_at is not None
    prepared.prepare_experiment("night", **findings(versions={"postgresql": "16.1"}))
    plan(prepared, 1)
    assert prepared.begin_try("night", 1, code_version="0.2.0").versions == {"postgresql": "16.1"}
    assert prepared.trial("night", 0).versions == {"postgresql": "15.14"}
    assert prepared.trial("night", 1).code_version == "0.2.0"


def test_a_retried_task_finds_its_open_try(prepared: Repository) -> None:
    plan(prepared)
    first = prepared.begin_try("night", 0)
    prepared.record_in_force("night", 0, BASELINE)
    again = prepared.begin_try("night", 0)
    assert (again.attempt, again.started_at, again.in_force) == (1, first.started_at, BASELINE)


@pytest.mark.parametrize("state", ["ok", "crashed", "failed", "timed_out", "not_applied"])
def test_a_cleared_run_opens_the_next_try_and_keeps_the_older(prepared: Repository, state: str) -> None:
    plan(prepared, wanted=RULES, kind="rules")
    prepared.begin_try("night", 0)
    prepared.record_result("night", 0, result={"seconds": 4}, objective=4, repeats=[4])
    prepared.end_trial("night", 0, state, message="first", log_tail="PANIC")
    older = prepared.trial("night", 0)
    newer = prepared.begin_try("night", 0)
    assert (newer.attempt, newer.state, newer.kind, newer.wanted) == (2, "running", "rules", RULES)
    assert (newer.objective, newer.result, newer.repeats, newer.metrics, newer.message) == (None, None, [], {}, "")
    assert prepared.trial("night", 0, attempt=1) == older
    assert prepared.trial("night", 0) == newer == prepared.begin_try("night", 0)
    assert prepared.trials("night") == [older], "an unfinished newer try hides no finished older one"
    prepared.end_trial("night", 0, "crashed", message="second")
    assert [t.message for t in prepared.trials("night")] == ["second"]


@pytest.mark.slow
def test_a_result_is_not_hidden_by_newer_tries_that_say_nothing_of_the_configuration(prepared: Repository) -> None:
    measured(prepared, 0)
    prepared.begin_try("night", 0)
    prepared.record_before("night", 0, {"dbms": {}})
    assert prepared.begin_try("night", 0).attempt == 3, "the second was left in the middle of its measurement"
    assert [(t.attempt, t.state) for t in prepared.trials("night")] == [(1, "ok")]
    assert {row.iteration for row in prepared.metric_rows(["night"])} == {0}
    assert prepared.trial("night", 0).attempt == 3, "the tasks of the run go on with their own"


@pytest.mark.parametrize("is_result_there", [False, True], ids=["window begun", "result there"])
def test_a_run_cleared_while_measuring_ends_the_older_try(prepared: Repository, is_result_there: bool) -> None:
    plan(prepared)
    prepared.begin_try("night", 0)
    if is_result_there:
        prepared.record_result("night", 0, result={}, objective=3, repeats=[])
    else:
        prepared.record_before("night", 0, {"dbms": {}})
    assert prepared.begin_try("night", 0).attempt == 2
    older = prepared.trial("night", 0, attempt=1)
    assert (older.state, older.message) == (TrialState.failed, "not ended before try 2 began")
    assert older.ended_at is not None


def test_an_unplanned_iteration_is_refused(prepared: Repository) -> None:
    with pytest.raises(InvalidInput, match="iteration: 0 is not planned; experiment 'night' has no trials"):
        prepared.begin_try("night", 0)
    plan(prepared, 2)
    with pytest.raises(
        InvalidInput, match=r"iteration: 3 is not planned; experiment 'night' has trials up to iter.* 2"
    ):
        prepared.trial("night", 3)
    with pytest.raises(InvalidInput, match="iteration: 2, try 4, is not planned"):
        prepared.record_seconds("night", 2, "apply", 1, attempt=4)


@pytest.mark.slow
def test_all_that_a_try_measured_is_kept(prepared: Repository) -> None:
    plan(prepared)
    prepared.begin_try("night", 0)
    prepared.record_in_force("night", 0, RULES)
    prepared.record_result("night", 0, result={"latency_ms": {"p99": 1.5}}, objective=3, repeats=[3, 3.5])
    prepared.record_metrics("night", 0, {"x": 1, "same": 2.5}, host={"same": -1.0}, reset=["y", "b"])
    prepared.record_seconds("night", 0, "benchmark", 61.5)
    prepared.record_seconds("night", 0, "apply", 0)
    prepared.end_trial("night", 0, TrialState.ok, message="fine")
    trial = prepared.trial("night", 0)
    assert (trial.in_force, trial.objective, trial.repeats) == (RULES, 3.0, [3.0, 3.5])
    assert trial.result == {"latency_ms": {"p99": 1.5}}
    assert (trial.metrics, trial.host, trial.reset) == ({"same": 2.5, "x": 1.0}, {"same": -1.0}, ["b", "y"])
    assert trial.seconds == {"apply": 0.0, "benchmark": 61.5}
    assert (trial.state, trial.message) == (TrialState.ok, "fine")
    assert trial.started_at is not None
    assert trial.ended_at is not None
    assert trial.started_at <= trial.ended_at
    assert prepared.trials("night") == [trial]
    read = [prepared.trials("night", metrics=names)[0] for names in (["x", "y"], ["same"], [])]
    assert [(t.metrics, t.host) for t in read] == [({"x": 1.0}, {}), ({"same": 2.5}, {"same": -1.0}), ({}, {})]


def test_what_is_recorded_again_replaces(prepared: Repository) -> None:
    measured(prepared)
    prepared.record_metrics("night", 0, {"only": 1.0}, host={}, reset=["z"])
    prepared.record_seconds("night", 0, "benchmark", 2)
    prepared.record_result("night", 0, result={"seconds": 2}, objective=2, repeats=[2])
    prepared.record_in_force("night", 0, RULES)
    trial = prepared.trial("night", 0)
    assert (trial.metrics, trial.host, trial.reset, trial.seconds) == ({"only": 1.0}, {}, ["z"], {"benchmark": 2.0})
    assert (trial.objective, trial.repeats, trial.in_force) == (2.0, [2.0], RULES)


def test_the_window_begins_once_and_ends_last(prepared: Repository) -> None:
    plan(prepared)
    prepared.begin_try("night", 0)
    assert prepared.raw_counters("night", 0) == RawCounters({}, {})
    for counter in (1, 2):
        prepared.record_before("night", 0, {"xact_commit": counter})
        prepared.record_after("night", 0, {"xact_commit": 10 * counter})
    assert prepared.raw_counters("night", 0) == RawCounters(before={"xact_commit": 1}, after={"xact_commit": 20})


def test_an_ended_trial_keeps_its_first_state(prepared: Repository) -> None:
    measured(prepared)
    ended = prepared.trial("night", 0)
    prepared.end_trial("night", 0, "crashed", message="too late", log_tail="no")
    assert prepared.trial("night", 0) == ended


def test_a_forgotten_task_writes_to_its_own_try(prepared: Repository) -> None:
    measured(prepared, value=10.0)
    prepared.begin_try("night", 0)
    prepared.record_result("night", 0, result={}, objective=99, repeats=[], attempt=1)
    prepared.end_trial("night", 0, "crashed", attempt=1)
    assert prepared.trial("night", 0, attempt=1).objective == 99
    assert (prepared.trial("night", 0).objective, prepared.trial("night", 0).state) == (None, "running")


@pytest.mark.parametrize("state", ["planned", "running", "done", ""])
def test_a_trial_ends_only_in_a_state_that_is_an_end(prepared: Repository, state: str) -> None:
    plan(prepared)
    with pytest.raises(InvalidInput, match=f"^state: '{state}' "):
        prepared.end_trial("night", 0, state)
    assert prepared.trial("night", 0).state is TrialState.planned


def test_ok_needs_an_objective(prepared: Repository) -> None:
    plan(prepared)
    prepared.begin_try("night", 0)
    with pytest.raises(InvalidInput, match="state: 'ok' for a trial without an objective; call record_result"):
        prepared.end_trial("night", 0, "ok")
    prepared.end_trial("night", 0, "failed")
    assert prepared.trial("night", 0).state is TrialState.failed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "arguments", "said"),
    [
        ("record_result", {"result": {"p": [1, float("nan")]}, "objective": 1, "repeats": []}, "result.p[1]: nan"),
        ("record_result", {"result": {}, "objective": float("inf"), "repeats": []}, "objective: inf"),
        ("record_result", {"result": {}, "objective": True, "repeats": []}, "objective: True"),
        ("record_result", {"result": {}, "objective": "9", "repeats": []}, "objective: '9'"),
        ("record_result", {"result": {}, "objective": 1, "repeats": [1, float("-inf")]}, "repeats[1]: -inf"),
        ("record_result", {"result": [], "objective": 1, "repeats": []}, "result: [] is a list"),
        ("record_metrics", {"metrics": {"a.b": np.nan}, "host": {}, "reset": []}, "metrics.a.b: nan"),
        ("record_metrics", {"metrics": {}, "host": {"load": float("inf")}, "reset": []}, "host.load: inf"),
        ("record_in_force", {"in_force": {"work_mem": float("nan")}}, "in_force.work_mem: nan"),
        ("record_in_force", {"in_force": {3: 1}}, "in_force: key 3 is a int"),
        ("record_before", {"snapshot": {"a": {1, 2}}}, "before.a: {1, 2} is a set"),
        ("record_after", {"snapshot": {"a": [b"x"]}}, "after.a[0]: b'x' is a bytes"),
        ("record_seconds", {"task": "apply", "seconds": -0.1}, "seconds: -0.1; give a duration"),
        ("record_seconds", {"task": "apply", "seconds": float("nan")}, "seconds: nan"),
    ],
)
def test_what_cannot_be_stored_is_refused_whole(
    prepared: Repository, call: str, arguments: dict[str, Any], said: str
) -> None:
    measured(prepared)
    before = prepared.trial("night", 0)
    with pytest.raises(InvalidInput, match=f"^{re.escape(said)}"):
        getattr(prepared, call)("night", 0, **arguments)
    assert prepared.trial("night", 0) == before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "guess"}, "kind: 'guess' is unknown; give one of baseline, rules, design, model, reference"),
        ({"iteration": -1}, "iteration: -1; give a whole number"),
        ({"iteration": 1.0}, "iteration: 1.0; give a whole number"),
        ({"iteration": 2**31}, "iteration: 2147483648; give a whole number"),
        ({"seed": 2**63}, "seed: 9223372036854775808; give a whole number"),
        ({"wanted": {"a": float("nan")}}, "wanted.a: nan"),
        ({"repairs": [{"to": float("inf")}]}, "repairs[0].to: inf"),
    ],
)
def test_a_bad_plan_is_refused(prepared: Repository, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{re.escape(said)}"):
        plan(prepared, **changes)
    assert prepared.trials("night") == []


def test_a_damaged_log_is_kept_readable(prepared: Repository) -> None:
    plan(prepared)
    damaged = b"FATAL: out of m\xe4mory \x00 \xff".decode(errors="surrogateescape")
    prepared.end_trial("night", 0, "crashed", message="bad\x00", log_tail=damaged)
    trial = prepared.trial("night", 0)
    assert (trial.message, trial.log_tail) == ("bad\ufffd", "FATAL: out of m\ufffdmory \ufffd \ufffd")


@pytest.mark.slow
def test_a_trial_belongs_to_one_experiment(prepared: Repository) -> None:
    prepared.create_experiment(new_experiment("day"))
    measured(prepared, 0, "night", 1.0)
    measured(prepared, 0, "day", 2.0)
    assert [t.objective for t in prepared.trials("night")] == [1.0]
    assert [t.objective for t in prepared.trials("day")] == [2.0]


@pytest.mark.slow
def test_metrics_in_bulk_are_of_the_newest_ok_tries(prepared: Repository) -> None:
    prepared.create_experiment(new_experiment("day"))
    for iteration in (10, 2):
        measured(prepared, iteration)
    measured(prepared, 0, "day")
    plan(prepared, 3)
    prepared.begin_try("night", 3)
    prepared.record_metrics("night", 3, {"crashing": 1.0}, host={}, reset=[])
    prepared.end_trial("night", 3, "crashed")
    prepared.begin_try("night", 10)  # cleared: what its first try measured stands until the next has ended
    dbms = [MetricRow("night", n, MetricScope.dbms, "xact_commit", 0.4) for n in (2, 10)]
    host = [MetricRow("night", n, MetricScope.host, "load_1m", 1.5) for n in (2, 10)]
    assert prepared.metric_rows(["night"]) == [dbms[0], host[0], dbms[1], host[1]]
    prepared.end_trial("night", 10, "crashed")
    assert prepared.metric_rows(["night"]) == [dbms[0], host[0]]
    assert prepared.metric_rows(["night"], scope=MetricScope.host) == host[:1]
    assert {row.experiment for row in prepared.metric_rows()} == {"night", "day"}
    assert prepared.metric_rows([]) == []


def test_reasons_are_added_to_whatever_state_the_trial_is_in(prepared: Repository) -> None:
    plan(prepared, reasons={"idea": "why"})
    measured(prepared, 1)
    for iteration, before in ((0, {"idea": "why"}), (1, {})):
        prepared.add_reasons("night", iteration, {"outlook": {"expected_percent": 4.0}})
        prepared.add_reasons("night", iteration, {"outlook": {"expected_percent": 3.0}})
        assert prepared.trial("night", iteration).reasons == {**before, "outlook": {"expected_percent": 3.0}}
    with pytest.raises(InvalidInput, match="reasons"):
        prepared.add_reasons("night", 0, {"outlook": float("nan")})
