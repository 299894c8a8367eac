"""A small good pack, as a file's content, for tests that break it or use it."""

from __future__ import annotations

import json
import math
from copy import deepcopy
from pathlib import Path
from typing import Any

KNOBS: list[dict[str, Any]] = [
    {"name": "work_mem", "type": "integer", "unit": "kB", "min": 64, "max": 1_000_000, "scale": "log", "default": 4096},
    {"name": "jit", "type": "boolean", "default": True},
    {"name": "elsewhere", "type": "real", "min": 0.0, "max": 1.0, "special": [-1.0], "default": 0.5},
]


def gain(work_mem_kb: float, jit: bool) -> float:
    """1 at the default; best without jit, and with 65,536 kB."""
    best = math.exp(-0.05 * (math.log2(work_mem_kb) - 16) ** 2 - 0.3 * jit)
    return best / math.exp(-0.05 * (math.log2(4096) - 16) ** 2 - 0.3)


def content(**changed: Any) -> dict[str, Any]:
    """A pack of one experiment: 12 trials that were measured and one that crashed."""
    trials: list[dict[str, Any]] = [
        {"value": gain(2**power, jit), "knobs": [2**power, jit, power / 32]}
        for power in range(8, 20, 2)
        for jit in (True, False)
    ]
    trials.append({"state": "crashed", "knobs": [1_000_000, True, -1.0]})
    return {
        "format": "otterflow experience",
        "version": 1,
        "title": "a pack for tests",
        "source": "computed",
        "licence": "CC0-1.0",
        "experiments": [
            {
                "name": "one",
                "dbms": "postgresql",
                "dbms_version": "15.6",
                "workload": "a load for tests",
                "objective": "throughput",
                "origin": "measured",
                "knobs": deepcopy(KNOBS),
                "trials": trials,
                **changed,
            }
        ],
    }


def write(folder: Path, name: str = "good", **changed: Any) -> Path:
    """The pack as a file."""
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content(**changed)))
    return path
