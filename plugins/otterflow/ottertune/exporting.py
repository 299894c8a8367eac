"""Trials of ours as OtterTune's four files, for the Dag `export_ottertune` and `python -m otterflow ottertune export`.

Settings are those that `check_target` found on the server, with the tuned knobs as the trial had them in force; all are
spelt as `SHOW` spells them. Counters are the raw ones around the measured window, as `collect` kept them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from otterflow.dbms.postgresql import spelling
from otterflow.dbms.postgresql.metrics import MetricSnapshot
from otterflow.errors import InvalidInput, Problem
from otterflow.experiment.typed import live_settings_of
from otterflow.ottertune.counters import REST, write_metrics
from otterflow.ottertune.files import AFTER, BEFORE, ERRORS, KNOBS, OURS, SUMMARY, write_set
from otterflow.ottertune.names import DBMS, MAY_HOLD_SECRETS
from otterflow.repository import Experiment, JsonObject, RawCounters, Repository, Trial, TrialState

NO_METRICS: JsonObject = {"global": {}, "local": {}}
_SETTINGS_NOTE = "settings that were not tuned are as found before the first trial"
_REST_NOTE = f"a row {REST!r} holds what the busiest rows lack of a view's sum"


@dataclass
class ExportReport:
    """The prefixes that were written to `folder`, and by iteration why a trial was not."""

    experiment: str
    folder: str
    written: list[str] = field(default_factory=list)
    left_out: dict[int, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON takes it."""
        left_out = [{"iteration": number, "why": why} for number, why in self.left_out.items()]
        return {
            "experiment": self.experiment,
            "folder": self.folder,
            "written": self.written,
            "left_out": left_out,
        }

    def table(self) -> str:
        """The report as text, for a log or a terminal."""
        lines = [f"{self.folder}: {len(self.written)} trials of experiment {self.experiment!r}, four files each"]
        lines += [f"  {prefix}__*.json" for prefix in self.written]
        lines += [f"  iteration {number} left out: {why}" for number, why in self.left_out.items()]
        return "\n".join(lines)


def export(repository: Repository, experiment: str, folder: Path, *, iteration: int | None = None) -> ExportReport:
    """Write the four files of one trial, or of all that have ended, as `<experiment>-<iteration>__*.json`.

    Files of these names are overwritten. Raises InvalidInput if the experiment or the trial is unknown, if the one that
    was asked for cannot be written, or if none can.
    """
    found = repository.experiment(experiment)
    if found.dbms != DBMS:
        advice = "only PostgreSQL's trials are written as OtterTune's files"
        raise InvalidInput(Problem("experiment", f"{experiment!r} is of {found.dbms}", advice))
    trials = repository.trials(experiment) if iteration is None else [repository.trial(experiment, iteration)]
    report = ExportReport(experiment, str(folder))
    for trial in trials:
        try:
            contents = four_files(found, trial, repository.raw_counters(experiment, trial.iteration))
        except InvalidInput as error:
            report.left_out[trial.iteration] = str(error)
            continue
        prefix = f"{experiment}-{trial.iteration:04d}"
        write_set(folder, prefix, contents)
        report.written.append(prefix)
    if not report.written:
        reasons = [Problem("iteration", f"{n} cannot be exported", why) for n, why in report.left_out.items()]
        nothing = Problem("experiment", f"{experiment!r} has no trials", "wait until one has ended")
        raise InvalidInput(reasons or nothing)
    return report


def four_files(experiment: Experiment, trial: Trial, snapshots: RawCounters) -> dict[str, JsonObject]:
    """The contents of the four files, by part.

    A trial that failed before its counters were read has empty metrics files, and says so with an `error` in its
    summary, as OtterTune did of a server that would not start. Raises InvalidInput for a trial that has not ended, or
    whose configuration never was in force.
    """
    if not trial.state.ended:
        raise InvalidInput(Problem("state", f"the trial is {trial.state}", "wait until it has ended"))
    if trial.state is TrialState.not_applied:
        found = "not_applied: its configuration never was in force"
        raise InvalidInput(Problem("state", found, "there is no observation to export"))
    if trial.state is TrialState.ok and not (snapshots.before and snapshots.after):
        raise InvalidInput(Problem("snapshots", "the trial's counters were not kept", "it cannot be exported"))
    counted = trial.state is TrialState.ok
    before, after = (MetricSnapshot.from_dict(side["dbms"]) if counted else None for side in snapshots)
    return {
        KNOBS: _knobs(experiment, trial),
        BEFORE: write_metrics(before) if before else NO_METRICS,
        AFTER: write_metrics(after) if after else NO_METRICS,
        SUMMARY: _summary(experiment, trial, before, after),
    }


def _knobs(experiment: Experiment, trial: Trial) -> JsonObject:
    live = live_settings_of(experiment)
    values: Mapping[str, Any] = trial.in_force or trial.wanted
    texts = {
        name: spelling.display(values.get(name, setting.value), setting)
        for name, setting in live.items()
        if name not in MAY_HOLD_SECRETS
    }
    return {"global": {"global": dict(sorted(texts.items()))}, "local": None}


def _summary(
    experiment: Experiment, trial: Trial, before: MetricSnapshot | None, after: MetricSnapshot | None
) -> JsonObject:
    """OtterTune's summary; `observation_time` keeps its fraction, which its controller cut off.

    Without counters the times are those of the trial.
    """
    if before is not None and after is not None:
        start_s, end_s = before.epoch_s, after.epoch_s
    else:
        start_s = trial.started_at.timestamp() if trial.started_at else 0.0
        end_s = trial.ended_at.timestamp() if trial.ended_at else start_s
    start_ms, end_ms = round(start_s * 1000), round(end_s * 1000)
    notes = [_SETTINGS_NOTE] + ([_REST_NOTE] if before is not None else [])
    summary: JsonObject = {
        "start_time": start_ms,
        "end_time": end_ms,
        "observation_time": (end_ms - start_ms) / 1000,
        "database_type": "postgres",
        "database_version": _version(experiment, trial),
        "workload_name": experiment.benchmark,
    }
    if trial.state.value in ERRORS:
        summary["error"] = ERRORS[trial.state.value]
    return summary | {
        OURS: {
            "experiment": experiment.name,
            "iteration": trial.iteration,
            "attempt": trial.attempt,
            "kind": trial.kind.value,
            "state": trial.state.value,
            "objective": {"name": experiment.objective, "value": trial.objective},
            "left_out": sorted(MAY_HOLD_SECRETS),
            "notes": notes,
        }
    }


def _version(experiment: Experiment, trial: Trial) -> str:
    """The server's version as OtterTune wrote it, without what a packager adds: "15.14"."""
    setting = live_settings_of(experiment).get("server_version")
    text = setting.text if setting else str((trial.versions or experiment.versions)["text"])
    return text.split()[0]
