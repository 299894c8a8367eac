"""How an experiment looks in a terminal: a live table, plain lines where there is no terminal, and the last summary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from otterflow.experiment import summary as results
from otterflow.measures.objective import Objective
from otterflow.repository import Trial, TrialState
from stack.watch import Progress

_STATE_STYLE = {TrialState.ok: "green", TrialState.running: "cyan", TrialState.planned: "dim"}


def show(progresses: Iterable[Progress], console: Console) -> Progress:
    """Show all looks as they come, live in a terminal and as plain lines elsewhere; returns the last one."""
    last = None
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4) as live:
            for last in progresses:
                live.update(live_view(last))
    else:
        lines = PlainLines()
        for last in progresses:
            for line in lines.new(last):
                console.print(line, markup=False, highlight=False)
    if last is None:
        raise ValueError("progresses: nothing to show; one look at least is needed")
    return last


def value_text(value: float | None, objective: Objective) -> str:
    """A value of the objective with its unit, or a dash."""
    return results.value_text(value, objective.unit)


def time_text(seconds: float | None) -> str:
    """Seconds as `m:ss`, or dots when unknown."""
    if seconds is None:
        return "..."
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def live_view(progress: Progress) -> Group:
    """The table of the trials, with what is going on below it."""
    better = "more" if progress.objective.maximise else "less"
    table = Table(
        title=f"Experiment {progress.name}: {progress.objective.value} ({better} is better)", title_justify="left"
    )
    for column in ("trial", "kind", "state", "value", "best so far", "took"):
        table.add_column(column, justify="left" if column in {"kind", "state"} else "right")
    for trial in progress.trials:
        table.add_row(
            progress.number_of(trial),
            trial.kind.value,
            Text(trial.state.value, style=_STATE_STYLE.get(trial.state, "red")),
            value_text(trial.objective, progress.objective),
            value_text(progress.best_until(trial.iteration), progress.objective) if trial.state.ended else "",
            _took(trial),
        )
    return Group(table, Text(_status(progress)))


def _took(trial: Trial) -> str:
    if not (trial.started_at and trial.ended_at):
        return ""
    return f"{(trial.ended_at - trial.started_at).total_seconds():.0f} s"


def _status(progress: Progress) -> str:
    phase = {
        "preparing": "Loading the data and keeping a copy",
        "running": _trial_of(progress),
        "stopping": "Stopping after this trial",
        "finishing": f"Measuring baseline, rules and best again, in turns: {len(progress.measurements)} measured",
        "finished": "Finished",
    }.get(progress.state.value, "Checking the experiment and the target")
    doing = f": {progress.doing}" if progress.doing and not progress.state.ended else ""
    return f"{phase}{doing}. Elapsed {time_text(progress.elapsed_s)}, left about {time_text(progress.seconds_left)}."


def _trial_of(progress: Progress) -> str:
    ended = len(progress.ended_trials)
    return f"Trial {ended + 1} of {progress.iterations}" if ended < progress.iterations else "Sending knobs home"


class PlainLines:
    """Turns looks at an experiment into lines, each said once: one a trial, and one a phase."""

    def __init__(self) -> None:
        self._phase = ""
        self._said: set[tuple[str, int, int | str]] = set()

    def new(self, progress: Progress) -> list[str]:
        """The lines that this look adds."""
        elapsed = time_text(progress.elapsed_s)
        lines = []
        if progress.state.value != self._phase:
            self._phase = progress.state.value
            lines.append(f"[{elapsed}] {self._phase}")
        for trial in progress.ended_trials:
            if self._is_new("trial", trial.iteration, trial.attempt):
                lines.append(self._trial_line(progress, trial))
        for turn in progress.measurements:
            if self._is_new("turn", turn.round, turn.arm):
                value = value_text(turn.value, progress.objective)
                left = time_text(progress.seconds_left)
                lines.append(
                    f"[{elapsed}] comparison, round {turn.round}  {turn.arm:<9} {value:>10}  left about {left}"
                )
        return lines

    def _is_new(self, what: str, number: int, which: int | str) -> bool:
        seen = (what, number, which) in self._said
        self._said.add((what, number, which))
        return not seen

    @staticmethod
    def _trial_line(progress: Progress, trial: Trial) -> str:
        elapsed, left = time_text(progress.elapsed_s), time_text(progress.seconds_left)
        best = value_text(progress.best_until(trial.iteration), progress.objective)
        value = value_text(trial.objective, progress.objective)
        return (
            f"[{elapsed}] trial {progress.number_of(trial)}  {trial.kind.value:<9} "
            f"{trial.state.value:<8} {value:>10}  best {best:>10}  left about {left}"
        )


def summary(result: Mapping[str, Any]) -> Group:
    """What came of the experiment: a sentence, baseline, rules and best with their ratios, the knobs that changed."""
    table = Table(
        title=f"{result['objective']} of {result['benchmark']}, measured again in turns", title_justify="left"
    )
    for column in results.VALUE_COLUMNS:
        table.add_column(column, justify="left" if column == "configuration" else "right")
    for row in results.arm_rows(result):
        table.add_row(*row.cells())
    return Group(table, *_changed_knobs(results.knob_rows(result)), Text(result["verdict"]))


def _changed_knobs(rows: Sequence[tuple[str, ...]]) -> list[Table]:
    if not rows:
        return []
    table = Table(title="Changed knobs", title_justify="left")
    for column in results.KNOB_COLUMNS:
        table.add_column(column)
    for row in rows:
        table.add_row(*map(escape, row))
    return [table]
