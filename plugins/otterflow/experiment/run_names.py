"""What the runs of an experiment are called: given by whoever triggers them, read by whoever is led from one."""

from __future__ import annotations

import re

TUNING_ITERATION, TUNING_FINISH = "tuning_iteration", "tuning_finish"

_ITERATION = re.compile(r"^(?P<name>.+)-(?P<iteration>\d{4,9})(?:\.\d+)?$")
_FINISH = re.compile(r"^(?P<name>.+)-finish-\d+(?:\.\d+)?$")


def run_id(experiment: str, iteration: int) -> str:
    """The run id of an iteration."""
    return f"{experiment}-{iteration:04d}"


def finish_run_id(experiment: str, comparison: int) -> str:
    """The run id of a finish; a resumed experiment has one for each time it finishes."""
    return f"{experiment}-finish-{comparison}"


def read_run_id(dag_id: str, run: str) -> tuple[str, int | None] | None:
    """The experiment and the iteration of a run, None for that of a finish; None for a run of another Dag or name.

    The number that a run gets where its id was taken is passed over.
    """
    if dag_id == TUNING_ITERATION and (found := _ITERATION.match(run)):
        return found["name"], int(found["iteration"])
    if dag_id == TUNING_FINISH and (found := _FINISH.match(run)):
        return found["name"], None
    return None
