from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import cast

import numpy as np
import pytest

from otterflow.knobs.space import KnobSpace
from otterflow.tuner import Trial
from otterflow.tuner.encoding import Array
from otterflow.tuner.mapping import decile_distance, decile_edges, deciles, map_workloads
from otterflow.tuner.past import PastExperiment

SPACE = KnobSpace.from_records([{"name": "a", "type": "real", "min": 0.0, "max": 1.0, "default": 0.0}])


def experiment(name: str, metrics_of: Callable[[float], dict[str, float]], points: Iterable[float]) -> PastExperiment:
    trials = [Trial({"a": float(a)}, 1.0 + float(a)) for a in points]
    return PastExperiment(name, SPACE, trials, metrics=[metrics_of(float(a)) for a in points])


def test_deciles_of_ten_values_are_their_ranks() -> None:
    edges = cast(Array, decile_edges([np.arange(1.0, 11.0)]))
    assert list(edges) == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert list(deciles(np.array([1.0, 2.0, 5.5, 10.0, 1e9, -1e9]), edges)) == [0, 1, 5, 9, 9, 0]


def test_each_workload_weighs_the_same_in_the_deciles() -> None:
    few, many = np.array([0.0]), np.full(1000, 7.0)
    edges = cast(Array, decile_edges([few, many]))
    assert list(edges) == [0, 0, 0, 0, 0, 7, 7, 7, 7]


def test_a_constant_metric_has_no_deciles() -> None:
    assert decile_edges([np.full(4, 3.0), np.full(9, 3.0)]) is None


def test_distance_is_a_mean_over_configurations_and_metrics() -> None:
    measured = np.array([[0.0, 0.0], [5.0, 5.0]])
    predicted = np.array([[3.0, 4.0], [5.0, 5.0]])
    assert decile_distance(measured, predicted) == pytest.approx(math.sqrt(12.5) / 2)
    twice = decile_distance(np.tile(measured, (3, 4)), np.tile(predicted, (3, 4)))
    assert twice == pytest.approx(math.sqrt(12.5) / 2)  # neither more trials nor more metrics make it longer


POINTS = np.linspace(0, 1, 20)


def rising(a: float) -> dict[str, float]:
    return {"reads": 1e9 * (1 + a), "writes": 10 * (1 + a)}


def falling(a: float) -> dict[str, float]:
    return {"reads": 1e9 * (2 - a), "writes": 10 * (2 - a)}


def test_the_workload_that_answers_alike_is_nearest() -> None:
    now = experiment("now", rising, [0.1, 0.5, 0.9])
    mapped = map_workloads(now, [experiment("other", falling, POINTS), experiment("same", rising, POINTS)], ["reads"])
    assert [m.name for m in mapped] == ["same", "other"]
    assert mapped[0].distance < 1.0
    assert mapped[1].distance > 3.0


def test_it_is_the_same_configurations_that_are_compared() -> None:
    """A past experiment that measured other configurations than the current one is as near as ever."""
    now = experiment("now", rising, [0.05, 0.1, 0.15])
    same = experiment("same", rising, np.concatenate([[0.05, 0.1, 0.2], np.linspace(0.6, 1, 20)]))
    level = experiment("level", lambda a: {"reads": 1.5e9 + a}, POINTS)
    assert [m.name for m in map_workloads(now, [level, same], ["reads"])] == ["same", "level"]


def test_the_scale_of_a_metric_does_not_matter() -> None:
    now, past = experiment("now", rising, [0.2, 0.8]), [experiment("p", falling, POINTS)]
    by_reads, by_writes = (map_workloads(now, past, [m])[0].distance for m in ("reads", "writes"))
    assert by_reads == pytest.approx(by_writes)


def test_what_cannot_be_compared_comes_last() -> None:
    now = experiment("now", rising, [0.2, 0.8])
    bare = PastExperiment("bare", SPACE, [Trial({"a": 0.1}, 1.0)] * 9)
    short = experiment("short", rising, [0.1, 0.2])
    foreign = experiment("foreign", lambda a: {"pages": a}, POINTS)
    mapped = map_workloads(now, [bare, short, foreign, experiment("far", falling, POINTS)], ["reads", "writes"])
    assert [m.name for m in mapped] == ["far", "bare", "short", "foreign"]
    assert [math.isinf(m.distance) for m in mapped] == [False, True, True, True]
    assert [m.metrics for m in mapped] == [2, 0, 0, 0]


def test_metrics_that_never_change_or_are_unknown_are_left_out() -> None:
    now = experiment("now", lambda a: {**rising(a), "still": 3.0}, [0.2, 0.8])
    past = [experiment("p", lambda a: {**rising(a), "still": 3.0}, POINTS)]
    assert map_workloads(now, past, ["reads", "still", "nowhere", "reads"])[0].metrics == 1
    assert math.isinf(map_workloads(now, past, ["still"])[0].distance)


@pytest.mark.slow
def test_same_arguments_same_answer() -> None:
    now, past = experiment("now", rising, [0.2, 0.8]), [experiment("p", falling, POINTS)]
    assert map_workloads(now, past, ["reads"], seed=3) == map_workloads(now, past, ["reads"], seed=3)
