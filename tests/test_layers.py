"""Imports run downward only: from room to room in the order of `tests.rooms.STEPS`, and within a room without a circle.

The order is that of the design. Where the design puts rooms on one step that need each other, it is finer here: what
acts on hosts, what learns across experiments and OtterTune's files all ask an experiment for its plan and its trials,
and `experiment` asks none of them; so it lies below them. Every import counts, those within functions and under
TYPE_CHECKING too: an arrow up in a type is an arrow up in a reader's head. As all arrows between rooms point downward,
there is no circle between rooms.
"""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.rooms import PAGE, STEPS, imports, modules, page, room_of, step

WITH_AIRFLOW = {"dags", "otterflow_plugin", "operators", "web"}

READ_RESULTS = """
import sys
from otterflow.experiment.frames import results
from otterflow.experiment.frozen import plan_of
from otterflow.experiment.loop import scoring
from otterflow.experiment.outcome import outcome
from otterflow.experiment.summary import report
from otterflow.measures.drift import relative
from otterflow.measures.objective import Objective
from otterflow.repository import Repository, Trial, TrialKind, TrialState

trials = [
    Trial(experiment="e", iteration=i, attempt=0, kind=kind, state=TrialState.ok, wanted={}, objective=5.0, seed=0)
    for i, kind in enumerate((TrialKind.baseline, TrialKind.rules))
]
scale, scores = scoring(trials, Objective.throughput)
print("scores:", len(scores))
heavy = {"sklearn", "scipy", "pandas", "paramiko", "airflow"}
print("heavy:", sorted({name.partition(".")[0] for name in sys.modules} & heavy))
"""


def test_every_module_is_in_a_room_that_has_its_place() -> None:
    rooms = {room_of(module) for module in modules()}
    assert rooms - set().union(*STEPS) == set(), "give the new room its step in STEPS"


def test_no_room_imports_one_above_it_or_beside_it() -> None:
    up = set()
    for arrow in imports():
        if arrow.imported in modules():
            above, below = room_of(arrow.importer), room_of(arrow.imported)
            if above != below and step(above) >= step(below):
                up.add(str(arrow))
    assert up == set(), "these imports point upward or beside"


def test_no_modules_import_each_other_in_a_circle() -> None:
    below: dict[str, set[str]] = defaultdict(set)
    for arrow in imports():
        if arrow.imported in modules():
            below[arrow.importer].add(arrow.imported)
    try:
        TopologicalSorter(below).prepare()
    except CycleError as circle:
        raise AssertionError(f"import each other: {' -> '.join(reversed(circle.args[1]))}") from None


def test_airflow_is_known_at_the_top_only() -> None:
    knowing = {arrow.importer for arrow in imports() if arrow.imported.split(".")[0] == "airflow"}
    assert {module for module in knowing if room_of(module) not in WITH_AIRFLOW} == set()
    assert len(knowing) > 10


@pytest.mark.slow
def test_reading_results_loads_nothing_heavy() -> None:
    """What pages and reports do. (That no Dag file loads anything heavy: `test_integrity`.)"""
    done = subprocess.run(
        [sys.executable, "-c", READ_RESULTS], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.splitlines() == ["scores: 2", "heavy: []"], done.stderr


def test_the_picture_of_the_rooms_is_of_today() -> None:
    assert PAGE.read_text() == page(), "write it anew: PYTHONPATH=plugins:. .venv/bin/python -m tests.rooms"
