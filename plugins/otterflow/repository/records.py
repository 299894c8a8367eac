"""What the repository takes and gives: plain, frozen dataclasses that hold no connection and no table.

Configurations hold canonical values (integers in the unit that the server itself counts in, reals as float, enums as
str, booleans as bool). All times are aware datetimes in UTC; all durations are seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Self, TypeVar

LONGEST_GAP_S = 60.0
"""Of the time between two tasks, so much counts as the experiment's: what lies beyond was a pause, or a clock set."""

JsonObject = dict[str, Any]
"""A JSON object: string keys; strings, finite numbers, booleans, None, lists and objects as values."""
Made = TypeVar("Made")


class ExperimentState(StrEnum):
    """Where an experiment is in its life."""

    created = "created"
    preparing = "preparing"
    running = "running"
    stopping = "stopping"
    finishing = "finishing"
    finished = "finished"
    failed = "failed"
    stopped = "stopped"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens unless the experiment is resumed."""
        return self in {ExperimentState.finished, ExperimentState.failed, ExperimentState.stopped}


class TrialKind(StrEnum):
    """Where a trial's configuration came from."""

    baseline = "baseline"
    rules = "rules"
    design = "design"
    model = "model"
    reference = "reference"
    ablation = "ablation"


class TrialState(StrEnum):
    """How far a trial is, or how it ended."""

    planned = "planned"
    running = "running"
    ok = "ok"
    crashed = "crashed"
    failed = "failed"
    timed_out = "timed_out"
    not_applied = "not_applied"

    @property
    def ended(self) -> bool:
        """Whether the trial is over."""
        return self not in {TrialState.planned, TrialState.running}


class PromotionState(StrEnum):
    """How far a promotion is, or how it ended."""

    proposed = "proposed"
    approved = "approved"
    declined = "declined"
    expired = "expired"
    superseded = "superseded"
    refused = "refused"
    installing = "installing"
    watching = "watching"
    kept = "kept"
    rolled_back = "rolled_back"
    failed = "failed"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens, but that a person may roll back what was kept."""
        return self not in {PromotionState.proposed, PromotionState.approved} and not self.acts

    @property
    def acts(self) -> bool:
        """Whether the server has been given the configuration, and nothing is decided yet."""
        return self in {PromotionState.installing, PromotionState.watching}


class FileKind(StrEnum):
    """The files that an experiment is begun with; `texts` are SQL and scripts, those that the benchmark's names."""

    target = "target"
    benchmark = "benchmark"
    catalog = "catalog"
    texts = "texts"


class MetricScope(StrEnum):
    """Whose metric it is: the DBMS's or its host's."""

    dbms = "dbms"
    host = "host"


class ModelKind(StrEnum):
    """What a model says: which knobs matter, which metrics tell, or how a surrogate fits the trials."""

    ranking = "ranking"
    pruning = "pruning"
    surrogate = "surrogate"


class ModelScope(StrEnum):
    """Whose trials a model is of: one experiment's, those of one workload, or all there are."""

    experiment = "experiment"
    workload = "workload"
    all = "all"


@dataclass(frozen=True, kw_only=True)
class ExperimentFiles:
    """What the files said that an experiment was begun with; `texts` are SQL and scripts of the benchmark, by path."""

    target: JsonObject
    benchmark: JsonObject
    catalog: JsonObject
    texts: dict[str, str]

    def by_kind(self) -> dict[FileKind, JsonObject]:
        """Each kind's content."""
        return {kind: dict(getattr(self, kind.value)) for kind in FileKind}


@dataclass(frozen=True, kw_only=True)
class NewExperiment:
    """What is known of an experiment before its target is looked at.

    `spec` is the validated form; `extend` changes its keys `iterations` and `time_budget_min`. `target_definition` is
    the target's file, kept with the target as last seen; `files` are kept with the experiment. `run` is the run that
    opens it, as `<dag>/<run id>`.
    """

    name: str
    target: str
    dbms: str
    benchmark: str
    objective: str
    spec: JsonObject
    seed: int
    code_version: str
    target_definition: JsonObject | None = None
    files: ExperimentFiles | None = None
    run: str = ""


@dataclass(frozen=True)
class LastGood:
    """The last configuration known to be good, and the text of the file that puts it in force."""

    configuration: JsonObject
    file: str


@dataclass(frozen=True, kw_only=True)
class Record:
    """What the repository has read of something, with what was made of that."""

    _made: dict[Callable[[Any], Any], Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def once(self, make: Callable[[Self], Made]) -> Made:
        """What `make` makes of this record, made when it is first asked for; the record carries it from then on."""
        if make not in self._made:
            self._made[make] = make(self)
        made: Made = self._made[make]
        return made


@dataclass(frozen=True, kw_only=True)
class Experiment(Record):
    """One experiment as the repository knows it. What `prepare_experiment` records is None or empty before it."""

    name: str
    target: str
    dbms: str
    """The DBMS of the target, by its name in target files."""
    benchmark: str
    objective: str
    spec: JsonObject
    state: ExperimentState
    message: str
    stop_requested: bool
    stop_reason: str
    space: list[JsonObject]
    baseline: JsonObject | None
    baseline_file: str | None
    rules: JsonObject | None
    facts: JsonObject
    live: JsonObject
    versions: JsonObject
    hardware: JsonObject
    catalog_hash: str
    last_good: LastGood | None
    outcome: JsonObject | None
    comparison: int
    """Number of the final comparison that measurements belong to now, from 1; a resumed experiment makes a new one."""
    seed: int
    code_version: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    files: ExperimentFiles | None = None
    """What its files said when it began; None for one that began before they were kept."""
    ran_s: float = 0.0
    """For how long its trials ran, up to `clock_at`."""
    clock_at: datetime | None = None
    """Up to when the time is counted; None while nothing runs."""
    finished_because: str = ""
    """Why no further trial was made; empty as long as there is one to make."""

    def ran_for_s(self, now: datetime) -> float:
        """For how long the experiment ran until now: neither between an end and a resume, nor while a run is red.

        Since its last task has ended, that is `LONGEST_GAP_S` at most, whatever the clock says.
        """
        passed_s = (now - self.clock_at).total_seconds() if self.clock_at else 0.0
        return self.ran_s + min(max(passed_s, 0.0), LONGEST_GAP_S)

    run: str = ""
    """The run that may act for the experiment, as `<dag>/<run id>`; empty if none has taken it."""
    heir: str = ""
    """The run that `run` has named to go on; empty if none, or once that one has taken the experiment."""

    @property
    def has_result(self) -> bool:
        """Whether there is a result."""
        return self.outcome is not None

    @property
    def headline(self) -> JsonObject:
        """What lists show of its result; see `headline_of`."""
        return headline_of(self.outcome)


_HEADLINE = ("winner", "installed", "baseline", "best")


def headline_of(outcome: JsonObject | None) -> JsonObject:
    """Of a result what lists show; {} where there is none.

    Those of `winner`, `installed`, `baseline` and `best` that it has, the `ratios` of its comparison by arm, and the
    number of its `trials`.
    """
    if outcome is None:
        return {}
    comparison, trials = outcome.get("comparison"), outcome.get("trials")
    return {
        **{key: outcome[key] for key in _HEADLINE if key in outcome},
        "ratios": (comparison.get("ratios") or {}) if isinstance(comparison, dict) else {},
        "trials": len(trials) if isinstance(trials, list) else 0,
    }


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What decides whether a task may act: the experiment's state, who holds it and its target, how far it is."""

    experiment: str
    target: str
    state: ExperimentState
    run: str
    heir: str
    holder: str | None
    newest_begun: int | None
    """The highest iteration that a run has begun; None before the first."""
    trial: TrialState | None
    """How far the newest try of the iteration asked for is; None if it is not planned."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One try of one iteration's trial.

    `metrics` and `host` are per second for counters and as read for gauges; `reset` names the counters that were
    reset inside the measured window. `seconds` is each task's duration by its name. `versions`, `hardware` and
    `catalog_hash` are those of the moment the try began.
    """

    experiment: str
    iteration: int
    attempt: int
    kind: TrialKind
    state: TrialState
    wanted: JsonObject
    in_force: JsonObject | None = None
    objective: float | None = None
    result: JsonObject | None = None
    repeats: list[float] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    host: dict[str, float] = field(default_factory=dict)
    reset: list[str] = field(default_factory=list)
    repairs: list[JsonObject] = field(default_factory=list)
    reasons: JsonObject = field(default_factory=dict)
    seed: int
    seconds: dict[str, float] = field(default_factory=dict)
    message: str = ""
    log_tail: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    versions: JsonObject = field(default_factory=dict)
    hardware: JsonObject = field(default_factory=dict)
    catalog_hash: str = ""
    code_version: str = ""


@dataclass(frozen=True)
class Measurement:
    """One measurement of the final, interleaved comparison: `arm` (baseline, rules, best or reduced) in `round`."""

    comparison: int
    round: int
    arm: str
    value: float | None
    result: JsonObject
    state: TrialState
    measured_at: datetime


class RawCounters(NamedTuple):
    """The raw counters at the begin and at the end of a measured window; {} where none is recorded yet."""

    before: JsonObject
    after: JsonObject


class MetricRow(NamedTuple):
    """One metric of one trial, for models that read many trials in bulk."""

    experiment: str
    iteration: int
    scope: MetricScope
    name: str
    value: float


@dataclass(frozen=True, kw_only=True)
class StoredModel:
    """Something computed from trials. `sources` is by experiment what it was computed from, `version` the method's."""

    scope: ModelScope
    subject: str
    kind: ModelKind
    version: int
    sources: JsonObject
    content: JsonObject
    computed_at: datetime


class Progress(NamedTuple):
    """How far an experiment is: iterations with an ended trial, and when the last trial ended."""

    trials: int
    last_ended_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class RecordingRecord:
    """A recording that was made: where it is kept, what interval it holds, and its manifest, which holds no value.

    `name` is its file's; `target` is what it is replayed on, whose driver host has it as folder `path`.
    `removed_at` is when that folder was removed, None while it is there.
    """

    id: str
    name: str
    target: str
    path: str
    start: datetime
    end: datetime
    manifest: JsonObject
    recorded_at: datetime
    removed_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """A configuration's way to a server with users.

    `form` is what was asked, `proposal` what would change and what it rests on, `answer` who said what. `file_after` is
    the knobs file that was installed; what it was before is in the proposal. `windows` are the windows of the live load
    that were watched, `verdict` what they say. `schedule` is the nightly schedule that it comes from, if it does.
    """

    id: int
    target: str
    schedule: str
    state: PromotionState
    run: str
    asked_by: str
    form: JsonObject
    proposal: JsonObject
    answer: JsonObject | None
    file_after: str | None
    windows: list[JsonObject]
    verdict: JsonObject | None
    message: str
    proposed_at: datetime
    answered_at: datetime | None
    installed_at: datetime | None
    ended_at: datetime | None

    @property
    def name(self) -> str:
        """What it is called where experiments are by their names: its jobs, and who holds a target."""
        return f"promotion-{self.id}"

    @property
    def holder(self) -> str:
        """Who holds the target while it acts; no experiment can be called so."""
        return f"({self.name})"
