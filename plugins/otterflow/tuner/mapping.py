"""Workload mapping: which past experiments ran a workload like the current one, by the metrics of the server.

OtterTune's idea (Van Aken et al. 2017, section 6.1) with its definition made whole. The server's metrics, pruned to
those that tell something, are a fingerprint of the workload under a configuration. For each past experiment a model of
its metrics predicts them at the configurations that the current experiment has measured; both are put into deciles,
so that a metric in the billions counts as much as one in the tens; and the distance is the mean over configurations of
the root mean square difference in deciles over metrics. It lies between 0 (the same) and 9.

The deciles' edges come from all workloads together, each with the same weight, and are taken before anything is
predicted. A metric that a past experiment lacks is left out of its distance; one that misses most of them is not
comparable. A metric that is the same everywhere tells nothing and is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from threadpoolctl import threadpool_limits

from otterflow.tuner.encoding import Array, Encoder
from otterflow.tuner.past import PastExperiment, Translation
from otterflow.tuner.trial import OK

BINS = 10
_TREES = 30
_MIN_TRIALS = 5
"""Measured trials with metrics that a past experiment needs for a model of them (OtterTune's own limit)."""
_MIN_SHARE = 0.5
"""The share of the current experiment's metrics that a past one must have too."""


@dataclass(frozen=True)
class Mapped:
    """How far a past experiment's workload is from the current one.

    `distance` is in deciles (0 to 9), and infinite where the two cannot be compared; `metrics` is how many were.
    """

    name: str
    distance: float
    metrics: int


def map_workloads(
    current: PastExperiment, past: Sequence[PastExperiment], metrics: Sequence[str], *, seed: int = 0
) -> list[Mapped]:
    """The distance of each past experiment's workload from the current one's, nearest first (ties: order given).

    `metrics` names the pruned metrics, the same for all. Experiments without metrics, or with too few, come last.
    """
    names = [m for m in dict.fromkeys(metrics) if any(m in row for row in _measured(current)[1])]
    kept = [p for p in past if len(_measured(p)[1]) >= _MIN_TRIALS]
    edges = {m: e for m in names if (e := decile_edges([_column(p, m) for p in (current, *kept)])) is not None}
    found = {p.name: _compare(current, p, edges, seed) for p in kept} if edges else {}
    mapped = [found.get(p.name, Mapped(p.name, np.inf, 0)) for p in past]
    return sorted(mapped, key=lambda m: m.distance)


def decile_edges(columns: Sequence[Array]) -> Array | None:
    """The nine inner edges of a metric's deciles over all workloads; None for a metric that never changes.

    Each of `columns` (n,) is one workload's measurements, and weighs the same however many they are.
    """
    columns = [c for c in columns if len(c)]
    values = np.concatenate([np.sort(c) for c in columns])
    weights = np.concatenate([np.full(len(c), 1.0 / len(c)) for c in columns])
    if values.min() == values.max():
        return None
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order]) / weights.sum()
    at = np.searchsorted(below, np.arange(1, BINS) / BINS - 1e-9)
    return np.asarray(values[order][at])


def deciles(values: Array, edges: Array) -> Array:
    """The decile, 0 to 9, of each value; a value on an edge belongs to the lower decile."""
    return np.searchsorted(edges, values, side="left").astype(float)


def decile_distance(measured: Array, predicted: Array) -> float:
    """Mean over configurations (rows) of the root mean square difference over metrics (columns), in deciles."""
    return float(np.sqrt(((measured - predicted) ** 2).mean(axis=1)).mean())


def _compare(current: PastExperiment, past: PastExperiment, edges: Mapping[str, Array], seed: int) -> Mapped:
    here, rows = _measured(current)
    there, past_rows = _measured(past)
    shared = [m for m in edges if all(m in row for row in (*rows, *past_rows))]
    if len(shared) < max(1, _MIN_SHARE * len(edges)):
        return Mapped(past.name, np.inf, len(shared))
    encoder = Encoder(past.space)
    translation = Translation(Encoder(current.space), encoder)
    forest = RandomForestRegressor(_TREES, min_samples_leaf=2, random_state=seed)
    table = np.array([[row[m] for m in shared] for row in past_rows])
    binned = np.column_stack([deciles(table[:, j], edges[m]) for j, m in enumerate(shared)])
    at = translation.genotypes(translation.current.genotypes([current.trials[i].config for i in here]))
    with threadpool_limits(1):
        targets = binned if len(shared) > 1 else binned[:, 0]
        forest.fit(encoder.features(encoder.genotypes([past.trials[i].config for i in there])), targets)
        predicted = forest.predict(encoder.features(at)).reshape(len(at), len(shared))
    found = np.column_stack([deciles(np.array([r[m] for r in rows]), edges[m]) for m in shared])
    return Mapped(past.name, decile_distance(found, predicted), len(shared))


def _measured(experiment: PastExperiment) -> tuple[list[int], list[Mapping[str, float]]]:
    """Positions and metrics of the trials that were measured and have metrics."""
    if experiment.metrics is None:
        return [], []
    at = [i for i, t in enumerate(experiment.trials) if t.state == OK and experiment.metrics[i]]
    return at, [experiment.metrics[i] for i in at]


def _column(experiment: PastExperiment, metric: str) -> Array:
    return np.array([row[metric] for row in _measured(experiment)[1] if metric in row], dtype=float)
