"""The first task of a replay: which recording, which configurations, and which experiment compares them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from otterflow import settings
from otterflow.dbms.registry import dbms_named, load_target
from otterflow.errors import InvalidInput, Problem
from otterflow.experiment.backfill import Replay, arm_names, experiment_name, load_replay, number_of
from otterflow.experiment.candidates import configuration_of
from otterflow.experiment.comparison import BASELINE
from otterflow.experiment.plan import MEASURING_LIMIT_H
from otterflow.operators.base import OtterflowOperator, skip
from otterflow.operators.check_recording import interval_of
from otterflow.operators.connected_host import ConnectedHost
from otterflow.operators.guard import ANYWHEN
from otterflow.operators.hand_on import is_under_way
from otterflow.operators.triggers import RecordingTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.experiment.spec import ExperimentSpec
    from otterflow.repository import Experiment, RecordingRecord, Repository

CHECK_INTERVAL = "check_interval"
"""The task's id: those behind it ask for what it returned."""
PATIENCE = timedelta(hours=1)
"""For so long after an interval's end its recording may still be on its way."""


MAKING = timedelta(hours=8)
"""For so long, from the run's start, a recording may be made for it."""


def run_that_makes(recording: str) -> str:
    """`<dag>/<run id>` of the run that `make_recording` triggers for a recording."""
    return f"record_{recording.rpartition('-')[0]}/for-replay-{recording}"


class CheckIntervalOperator(OtterflowOperator):
    """Finds the interval's recording, fixes the arms, and names the experiment that compares them.

    Skipped, with the reason, where there is no recording, or where the interval has a result for just this question. A
    run that was cleared asks again all the same: its experiment is another one, with a number, and the old one is kept.
    Raises InvalidInput for an interval of the future, and for candidates that are not there.

    :param recording: the name of the recording's file.
    """

    may = ANYWHEN

    def __init__(self, *, recording: str, **kwargs: Any) -> None:
        super().__init__(experiment="", **kwargs)
        self.recording = recording

    def resume(self, context: Context, event: str) -> Any:
        """The recording is there, or does not come any more."""
        return self.execute(context)

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Decide all that the tasks behind this one do."""
        replay, params = load_replay(settings.recordings_dir() / f"{self.recording}.yaml"), context["params"]
        if context["dag_run"].run_type == "scheduled" and not replay.block.scheduled:
            skip("scheduled is off in the block replay: only a backfill replays")
        recording = self._recording(repository, replay, context)
        candidates = arm_names(tuple(params["candidates"] or ()) or replay.block.candidates)
        if not candidates:
            advice = f"give them to the run, or in {self.recording}.yaml under replay"
            raise InvalidInput(Problem("candidates", "there is none to try", advice))
        arms = self._arms(repository, replay, candidates, params["baseline"] or replay.block.baseline)
        spec = replay.spec(experiment_name(recording.id), recording.id, arms, params["rounds"] or replay.block.rounds)
        spec = self._named(repository, context, recording.id, spec)
        waits = timedelta(minutes=spec.wait_min) + 2 * timedelta(hours=MEASURING_LIMIT_H)
        self.log.info("experiment %s replays %s: %s", spec.experiment, recording.id, ", ".join(arms))
        return {
            "experiment": spec.experiment,
            "closes": (datetime.now(UTC) + waits).isoformat(),
            "form": spec.record(),
            "recording": recording.id,
            "candidates": candidates,
        }

    def _recording(self, repository: Repository, replay: Replay, context: Context) -> RecordingRecord:
        """That of the run's interval; deferred while it may still come, skipped where it does not."""
        start, end = interval_of(replay.recording, context["dag_run"])
        if start > datetime.now(UTC):
            raise InvalidInput(Problem("interval", f"{start} to {end} has not begun", "choose one of the past"))
        wanted = replay.recording.recording_id(start)
        found = next((each for each in repository.recordings(self.recording) if each.id == wanted), None)
        until = end.astimezone(UTC) + PATIENCE
        if found is None and datetime.now(UTC) < until:
            self.log.info("waits until %s for recording %s", until, wanted)
            self.defer(trigger=RecordingTrigger(wanted, until.isoformat()), method_name="resume")
        if found is None:
            self._wait_while_it_is_made(context, wanted)
            skip(f"there is no recording {wanted!r}; the log of make_recording says whether it could be made, and how")
        if found.removed_at is not None:
            skip(f"recording {wanted!r} was removed on {found.removed_at:%Y-%m-%d %H:%M} UTC, by its file's retention")
        if found.manifest.get("statements") == 0:
            skip(f"recording {wanted!r} has no statement: {'; '.join(found.manifest['missing']) or 'nobody sent one'}")
        if not found.manifest.get("complete", True):
            self.log.warning("recording %s does not hold all of its interval; its manifest says why", wanted)
        return found

    def _wait_while_it_is_made(self, context: Context, recording: str) -> None:
        """Defer while the run that makes the recording is under way, within reason."""
        run = run_that_makes(recording)
        if not is_under_way(context, run):
            return
        began: datetime = context["dag_run"].start_date or datetime.now(UTC)
        until = began + MAKING
        if datetime.now(UTC) < until:
            self.log.info("waits until %s for run %s", until, run)
            self.defer(trigger=RecordingTrigger(recording, until.isoformat(), run), method_name="resume")

    def _arms(
        self, repository: Repository, replay: Replay, candidates: dict[str, str], baseline: str
    ) -> dict[str, dict[str, Any]]:
        """The candidates' configurations, and the source's where that is the baseline."""
        target = load_target(settings.targets_dir() / f"{replay.recording.replay_on}.yaml")
        folder = settings.include_dir() / "configurations"
        arms = {arm: configuration_of(named, repository, folder, target.dbms) for arm, named in candidates.items()}
        if baseline == "source":
            knobs = dict.fromkeys(knob for config in arms.values() for knob in config)
            arms[BASELINE] = self._in_force_on(replay.recording.source, target.dbms, list(knobs))
        return arms

    def _in_force_on(self, source: str, dbms: str, knobs: list[str]) -> dict[str, Any]:
        """What the source uses now of these knobs; it is asked, and not touched."""
        target = load_target(settings.targets_dir() / f"{source}.yaml")
        if target.dbms != dbms:
            advice = "compare with what is in force on the target: baseline target"
            raise InvalidInput(Problem("baseline", f"source {source!r} is of dbms {target.dbms}, not {dbms}", advice))
        with ConnectedHost(target, is_live=True) as host, host.query() as query:
            live = dbms_named(dbms).settings.live_settings(query)
        missing = [knob for knob in knobs if knob not in live]
        if missing:
            self.log.warning("the source has no setting %s: it is compared as the target has it", ", ".join(missing))
        return {knob: live[knob].value for knob in knobs if knob in live}

    def _named(self, repository: Repository, context: Context, recording: str, spec: ExperimentSpec) -> ExperimentSpec:
        """The form under the name that is right: that of the experiment under way, or of a new one."""
        begun = repository.experiments(begins=spec.experiment)
        own = [(number, e) for e in begun if (number := number_of(e.name, recording)) is not None]
        newest = max(own, key=lambda pair: pair[0], default=None)
        if newest is None:
            return spec
        number, former = newest
        if not former.state.ended:
            if _runs(former, context):
                return spec.model_copy(update={"experiment": former.name})
            why = "its run has failed; its interval is measured again by another experiment"
            repository.close_experiment(former.name, "stopped", why)
        elif former.outcome is not None and _question(former.spec) == _question(spec.record()):
            if not context["dag_run"].clear_number:
                skip(f"experiment {former.name} has the result; clear this run to measure it again")
            self.log.info(
                "experiment %s has a result, which is kept; this run was cleared: measured again", former.name
            )
        return spec.model_copy(update={"experiment": experiment_name(recording, number + 1)})


def _runs(experiment: Experiment, context: Context) -> bool:
    """Whether the run that is to go on with it is queued or running."""
    return is_under_way(context, experiment.heir or experiment.run)


def _question(spec: dict[str, Any]) -> dict[str, Any]:
    """What an experiment asks, whatever it is called and however long it may wait."""
    return {name: value for name, value in spec.items() if name not in ("experiment", "wait_min")}
