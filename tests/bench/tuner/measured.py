"""Problems fitted to measurements: forests grown on (configuration, performance) rows of a real DBMS.

A forest knows only where its rows were and cannot exceed its best leaf, and its default may be an old one. They compare
tuners; they prove no absolute gain. `data/README.md` says where the rows are from and how the files are laid out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.tuner.knob import Config, Knob
from tests.bench.tuner.problem import Problem

DATA = Path(__file__).parent / "data"
NAMES = ("mysql_sysbench20", "mysql_job20", "pg_tpcc_cloudlab", "mysql_sysbench5", "mysql_job5")


@dataclass(frozen=True)
class Trees:
    """Regression trees with their nodes in one list. Plain lists: one configuration at a time is asked for."""

    roots: Sequence[int]
    feature: Sequence[int]
    """The feature that an inner node splits on; -1 for a leaf."""
    number: Sequence[float]
    """An inner node's threshold, a leaf's value."""
    right: Sequence[int]
    """An inner node's right child; the left child is the next node."""

    def predict(self, x: Sequence[float]) -> float:
        """The mean over the trees of the leaf that features `x` fall into."""
        feature, number, right = self.feature, self.number, self.right
        total = 0.0
        for node in self.roots:
            while (split := feature[node]) >= 0:
                node = node + 1 if x[split] <= number[node] else right[node]
            total += number[node]
        return total / len(self.roots)


def read_trees(arrays: Any, prefix: str) -> Trees:
    """Trees from the arrays of a data file: nodes in preorder, so that the right children need not be stored."""
    feature = arrays[f"{prefix}_feature"].tolist()
    roots = np.concatenate([[0], np.cumsum(arrays[f"{prefix}_sizes"])])[:-1].tolist()
    right = [0] * len(feature)
    waiting: list[int] = []
    for node, split in enumerate(feature):
        if split >= 0:
            waiting.append(node)
        elif waiting:
            right[waiting.pop()] = node + 1
    return Trees(roots, feature, arrays[f"{prefix}_number"].astype(float).tolist(), right)


class Measured(Problem):
    """A forest for the value and, where configurations crashed the DBMS, one for the share that crashed."""

    def __init__(self, name: str, data: Path = DATA) -> None:
        self.name = name
        about = json.loads((data / f"{name}.json").read_text())
        with np.load(data / f"{name}.npz") as arrays:
            self._value = read_trees(arrays, "r")
            self._crash = read_trees(arrays, "c") if "c_sizes" in arrays else None
        self.knobs = [_knob(p) for p in about["params"]]
        self.baseline = self.default_value()
        self.reference = json.loads((data / "reference.json").read_text())[name]

    def true(self, config: Config) -> float | None:
        x = [
            float(k.values.index(config[k.name])) if k.kind == "enum" else float(np.float32(config[k.name]))
            for k in self.knobs
        ]
        if self._crash is not None and self._crash.predict(x) > 0.5:
            return None
        return self._value.predict(x)


def _knob(p: dict[str, Any]) -> Knob:
    if p["kind"] == "cat":
        return Knob(p["name"], "enum", p["default"], values=tuple(p["choices"]))
    kind = "integer" if p["kind"] == "int" else "real"
    return Knob(p["name"], kind, p["default"], p["lo"], p["hi"], bool(p["log"]), special=tuple(p["special"] or ()))
