"""An experiment's results as pandas DataFrames: for notebooks, and for whatever shows or compares them.

`results(repository, name)` gives three tables. Their columns have fixed types and names that do not depend on what was
measured, but for the knobs and metrics themselves; `frame.attrs["units"]` names the unit of each column that has one.
What a trial does not have is missing (NaN, NA), never 0. pandas is imported when a table is made, not before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from otterflow.errors import BenchmarkFailed
from otterflow.experiment.frozen import goal_of
from otterflow.experiment.loop import relative_gains
from otterflow.experiment.typed import live_settings_of, space_of
from otterflow.measures.names import UNITS, measures
from otterflow.measures.result import BenchmarkResult

if TYPE_CHECKING:
    import pandas as pd

    from otterflow.knobs.space import KnobSpace
    from otterflow.measures.formula import Formula
    from otterflow.measures.objective import Objective
    from otterflow.repository import Experiment, Measurement, Repository, Trial

KNOB = "knob."
"""What the name of a knob's column begins with."""
_KNOB_TYPES = {"integer": "Int64", "real": "Float64", "enum": "string", "boolean": "boolean"}
_TIME = "datetime64[us, UTC]"


class Results(NamedTuple):
    """All that was measured in an experiment."""

    trials: pd.DataFrame
    metrics: pd.DataFrame
    comparison: pd.DataFrame


def results(repository: Repository, name: str) -> Results:
    """The experiment's tables. Raises InvalidInput where there is none of that name, or it is not prepared yet."""
    experiment, trials = repository.experiment(name), repository.trials(name)
    goal = goal_of(experiment)
    objective = None if goal is None else goal.objective
    return Results(
        trials_frame(experiment, trials, objective),
        metrics_frame(trials),
        comparison_frame(repository.measurements(name), objective),
    )


def trials_frame(
    experiment: Experiment, trials: Sequence[Trial], objective: Objective | Formula | None
) -> pd.DataFrame:
    """A row for each ended trial, by `iteration`.

    `kind` and `state` are categories; `value` is the objective as measured, in its unit; `relative` the gain over the
    baseline with the machine's drift taken out (1.2 is 20 % better), missing where nobody can say any more what the
    objective was. `took_s` is the sum of its tasks' seconds. The configuration is what was in force, a column
    `knob.<name>` each: integers and reals in the server's own unit, enums as text, booleans.
    """
    import pandas as pd

    ended, space = [trial for trial in trials if trial.state.ended], space_of(experiment)
    relative = [None] * len(ended) if objective is None else relative_gains(ended, objective)
    columns: dict[str, Any] = {
        "kind": pd.Categorical([trial.kind.value for trial in ended]),
        "state": pd.Categorical([trial.state.value for trial in ended]),
        "value": _floats(trial.objective for trial in ended),
        "relative": _floats(relative),
        "started_at": pd.Series([trial.started_at for trial in ended], dtype=_TIME),
        "took_s": _floats(sum(trial.seconds.values()) for trial in ended),
        "message": pd.Series([trial.message for trial in ended], dtype="string"),
    }
    for knob in space:
        values = [(trial.in_force or trial.wanted).get(knob.name) for trial in ended]
        columns[KNOB + knob.name] = pd.Series(values, dtype=_KNOB_TYPES[knob.type])
    frame = pd.DataFrame(columns).set_index(_iterations(ended))
    unit = objective.unit if objective else ""
    frame.attrs["units"] = {"value": unit, "took_s": "s", **_knob_units(experiment, space)}
    return frame


def metrics_frame(trials: Sequence[Trial]) -> pd.DataFrame:
    """A row for each ended trial, by `iteration`, and a column of floats for each number there is, by its name.

    First the result's, as objectives speak of them (`throughput`, `latency_p99`, `metrics.<name>` for the user's own),
    then the DBMS's and the host's metrics: counters per second of the measured window, gauges as read at its end.
    """
    import pandas as pd

    ended = [trial for trial in trials if trial.state.ended]
    numbers = [_numbers(trial.result) for trial in ended]
    counted = [{**trial.metrics, **trial.host} for trial in ended]
    names = dict.fromkeys(name for side in (numbers, counted) for row in side for name in row)
    rows = [{**metrics, **own} for own, metrics in zip(numbers, counted, strict=True)]
    columns = {name: _floats(row.get(name) for row in rows) for name in names}
    frame = pd.DataFrame(columns, index=range(len(ended))).set_index(_iterations(ended))
    frame.attrs["units"] = {name: UNITS[name] for name in names if UNITS.get(name)}
    return frame


def comparison_frame(measurements: Sequence[Measurement], objective: Objective | Formula | None) -> pd.DataFrame:
    """A row for each turn of the final comparison, in order of time within its `round` (from 1).

    `arm` and `state` are categories, `value` is the objective in its unit, missing for a turn that failed.
    """
    import pandas as pd

    frame = pd.DataFrame(
        {
            "round": pd.Series([turn.round for turn in measurements], dtype="int64"),
            "arm": pd.Categorical([turn.arm for turn in measurements]),
            "state": pd.Categorical([turn.state.value for turn in measurements]),
            "value": _floats(turn.value for turn in measurements),
            "measured_at": pd.Series([turn.measured_at for turn in measurements], dtype=_TIME),
        }
    )
    frame.attrs["units"] = {"value": objective.unit if objective else ""}
    return frame


def _iterations(trials: Sequence[Trial]) -> pd.Index[int]:
    import pandas as pd

    return pd.Index([trial.iteration for trial in trials], dtype="int64", name="iteration")


def _floats(values: Iterable[float | None]) -> pd.Series[float]:
    import pandas as pd

    return pd.Series(list(values), dtype="float64")


def _numbers(result: Mapping[str, Any] | None) -> dict[str, float]:
    """A result's numbers by name; none of one in another shape, as OtterTune's are."""
    try:
        return measures(BenchmarkResult.from_dict(result or {}))
    except BenchmarkFailed:
        return {}


def _knob_units(experiment: Experiment, space: KnobSpace) -> dict[str, str]:
    live = live_settings_of(experiment)
    return {KNOB + name: unit for name in space.names if name in live and (unit := live[name].unit)}
