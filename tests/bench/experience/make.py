"""The packs that ship, from the forests fitted to published measurements (`tests/bench/tuner/data`).

The measured rows are not here, and most lie where a random search went. So each pack is one experiment of this tuner,
from cold, on a forest: each trial is a configuration that the tuner chose, and what the forest says of it, without
noise. The packs call that `modelled`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otterflow.dbms.mysql_family.sizes import unit_of
from otterflow.knobs.space import KnobSpace
from otterflow.learning.pack_files import write_pack
from otterflow.learning.packs import FORMAT, VERSION, Pack
from otterflow.tuner import Trial, suggest
from tests.bench.tuner.catalogue import make
from tests.bench.tuner.knob import Knob

PROJECT = Path(__file__).resolve().parents[3]
PACKS = PROJECT / "include" / "experience"
TRIALS = 100
"""As many as the tuner learns from of one past experiment."""
SEED = 0
_SETTINGS = {row["name"]: row for row in json.loads((PROJECT / "tests/knobs/pg_settings_15.json").read_text())}
_SINCE_16 = {"vacuum_buffer_usage_limit": "kB"}
_SWITCH = {"on": True, "off": False, "1": True, "0": False}
_DBTUNE = "https://github.com/PKU-DAIR/DBTune, tuning_benchmark/data"
_TUNA = "https://github.com/uw-mad-dash/TUNA, sample_configs/cloudlab/postgres/tpcc"


@dataclass(frozen=True)
class Shipped:
    """A pack: the problem whose forest it asks, and what it says of itself."""

    problem: str
    title: str
    rows: str
    copyright: str
    about: dict[str, Any]


SHIPPED = {
    "postgresql_tpcc": Shipped(
        "pg_tpcc_cloudlab",
        "121 knobs of PostgreSQL 16.1 under TPC-C",
        f"2,514 measured rows of {_TUNA}",
        "Copyright (c) 2025 Johannes Freischuetz",
        {"dbms": "postgresql", "dbms_version": "16.1", "workload": "TPC-C, transactions a second"},
    ),
    "mysql_sysbench": Shipped(
        "mysql_sysbench20",
        "20 knobs of MySQL 5.7 under sysbench",
        f"5,290 measured rows of {_DBTUNE}/SYSBENCH_20knob.csv",
        "Copyright (c) 2022 DAIR Lab",
        {"dbms": "mysql", "dbms_version": "5.7.19", "workload": "sysbench, transactions a second"},
    ),
    "mysql_job": Shipped(
        "mysql_job20",
        "20 knobs of MySQL 5.7 under the Join Order Benchmark",
        f"6,250 measured rows of {_DBTUNE}/JOB_20knob.csv",
        "Copyright (c) 2022 DAIR Lab",
        {
            "dbms": "mysql",
            "dbms_version": "5.7.19",
            "workload": "the Join Order Benchmark, the inverse of the 95th percentile of its queries' times",
            "objective": "latency_p95",
        },
    ),
}


def make_pack(name: str, trials: int = TRIALS) -> Path:
    """Make one pack in `include/experience/`, over the one that is there."""
    shipped = SHIPPED[name]
    path = PACKS / f"{name}.json"
    write_pack(path, pack_of(shipped, trials), replace=True)
    return path


def pack_of(shipped: Shipped, trials: int) -> Pack:
    """The pack of an experiment of so many trials."""
    problem = make(shipped.problem, SEED)
    space = KnobSpace.from_records([knob.record() for knob in problem.knobs])
    told: list[Trial] = []
    for _ in range(trials):
        config = dict(suggest(space, told, seed=SEED, budget=trials))
        value = problem.true(config)
        told.append(Trial(config, value, "crashed" if value is None else "ok"))
    experiment = {
        "name": shipped.problem,
        "objective": "throughput",
        **shipped.about,
        "origin": "modelled",
        "noise_percent": 0.0,
        "knobs": [_knob(knob, shipped.about["dbms"]) for knob in problem.knobs],
        "trials": [_trial(trial, problem.knobs, problem.baseline) for trial in told],
    }
    return Pack.model_validate_json(
        json.dumps(
            {
                "format": FORMAT,
                "version": VERSION,
                "title": shipped.title,
                "source": f"a forest fitted to {shipped.rows}, asked by an experiment of otterflow's tuner from cold",
                "licence": "MIT",
                "copyright": shipped.copyright,
                "experiments": [experiment],
            }
        )
    )


def is_switch(knob: Knob) -> bool:
    """Whether it is on or off, and no more: a boolean to otterflow."""
    return knob.kind == "enum" and set(knob.values) <= set(_SWITCH)


def _knob(knob: Knob, dbms: str) -> dict[str, Any]:
    if is_switch(knob):
        return {"name": knob.name, "type": "boolean", "default": _SWITCH[knob.default]}
    record = knob.record()
    unit = unit_of(knob.name) if dbms == "mysql" else _SETTINGS.get(knob.name, {}).get("unit")
    unit = unit or _SINCE_16.get(knob.name)
    return record | ({"unit": unit} if unit else {})


def _trial(trial: Trial, knobs: Sequence[Knob], baseline: float) -> dict[str, Any]:
    values = [
        _SWITCH[trial.config[k.name]] if is_switch(k) else trial.config[k.name]  # type: ignore[index]
        for k in knobs
    ]
    value = {} if trial.value is None else {"value": float(f"{trial.value / baseline:.5g}")}
    return {"state": trial.state, **value, "knobs": values}
