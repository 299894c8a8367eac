"""Problems with the packs that may be asked on them: never one of the same rows, nor one of the same load."""

from __future__ import annotations

import numpy as np

from otterflow.learning import shipped
from otterflow.tuner import PastExperiment
from tests.bench.tuner.catalogue import make
from tests.bench.tuner.knob import Config, Knob
from tests.bench.tuner.problem import Problem

HELD_OUT = {
    "mysql_sysbench20": ("mysql", "experience/mysql_job"),
    "mysql_sysbench5": ("mysql", "experience/mysql_job"),
    "mysql_job20": ("mysql", "experience/mysql_sysbench"),
    "mysql_job5": ("mysql", "experience/mysql_sysbench"),
    "stranger": ("postgresql", "experience/postgresql_tpcc"),
}
"""By problem the DBMS, and the one pack of it that is not held out."""


def problem_of(name: str, seed: int) -> Problem:
    """A problem of `HELD_OUT` by name."""
    return Stranger(seed) if name == "stranger" else make(name, seed)


def past_of(name: str) -> list[PastExperiment]:
    """The experience that may be used on it."""
    dbms, pack = HELD_OUT[name]
    return [past for past in shipped(dbms) if past.name == pack]


class Stranger(Problem):
    """A synthetic problem of 20 knobs that has taken names and ranges of PostgreSQL's, and nothing else of them.

    Its knobs that are numbers without special values, and its switches, are called like some of the pack's, drawn by
    the seed. What the pack knows of those names is wrong here: how much does it cost?
    """

    def __init__(self, seed: int) -> None:
        self.name = "stranger"
        self._inner = make("synthetic20", seed)
        g = np.random.default_rng(9900 + seed)
        space = past_of("stranger")[0].space
        numbers = [k for k in space if k.is_numeric and not k.special and k.high > 20 * max(1, k.low)]
        switches = [k for k in space if k.type == "boolean"]
        self._named: list[tuple[Knob, Knob]] = []
        for knob in self._inner.knobs:
            pool = switches if set(knob.values) == {"on", "off"} else numbers
            if knob.special or (knob.kind == "enum" and pool is numbers):
                self._named.append((knob, knob))
                continue
            other = pool.pop(int(g.integers(len(pool))))
            outer = Knob(other.name, knob.kind, knob.default, values=knob.values)
            if knob.kind != "enum":
                outer = Knob(other.name, str(other.type), 0, float(other.low), float(other.high), other.scale == "log")
                start = outer.from_unit(knob.to_unit(float(knob.default)))
                outer = Knob(outer.name, outer.kind, start, outer.low, outer.high, outer.log)
            self._named.append((knob, outer))
        self.knobs = [outer for _, outer in self._named]
        self.baseline = self.default_value()
        self.reference = self._inner.reference

    def true(self, config: Config) -> float | None:
        return self._inner.true(
            {
                inner.name: config[outer.name]
                if inner is outer or inner.kind == "enum"
                else inner.from_unit(outer.to_unit(float(config[outer.name])))
                for inner, outer in self._named
            }
        )
