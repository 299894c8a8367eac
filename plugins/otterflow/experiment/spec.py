"""What the user asks for: the fields of the trigger form, checked together, as the repository keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from otterflow.errors import InvalidInput, Problem
from otterflow.experiment.comparison import ARMS, LEAST_ROUNDS, MATTERS_PERCENT, SEARCHED
from otterflow.experiment.repeated import Looks
from otterflow.knobs.catalog import KnobSetName, Risk
from otterflow.measures.goal import BENCHMARK_DEFAULT, Direction
from otterflow.measures.objective import Objective
from otterflow.yaml_files import NAME_PATTERN, problems_of

MAX_ITERATIONS = 1000
"""The hard ceiling of one experiment's trials; more is a mistake in the form rather than a wish."""

Formulation = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
"""An expression over a result's numbers, as the user writes it."""
RecordingName = Annotated[str, Field(pattern=r"^(/[^\x00\n]+|[A-Za-z0-9][A-Za-z0-9_-]{0,80})$", max_length=4000)]
"""A recording's id, or its folder."""
KnobName = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_.]{0,62}$")]
ArmName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class AlgorithmName(StrEnum):
    """Where suggestions come from; `otterflow.tuner.algorithms` has what each does."""

    default = "default"
    gpr = "gpr"
    dnn = "dnn"
    forest = "forest"
    random = "random"
    lhs = "lhs"
    optuna_tpe = "optuna_tpe"
    optuna_gp = "optuna_gp"


_ANYWHERE = (AlgorithmName.random, AlgorithmName.lhs, AlgorithmName.optuna_tpe, AlgorithmName.optuna_gp)


class SearchMode(StrEnum):
    """How far from what is known to work the search goes."""

    explore = "explore"
    safe = "safe"


class FormSection(StrEnum):
    """Under which heading the form shows a field, in this order."""

    what = "1. What to tune"
    budget = "2. Objective and budget"
    knobs = "3. Knobs"
    search = "4. Search"
    measuring = "5. Measuring"


def _shown(section: FormSection, title: str, description: str, default: Any = ..., **more: Any) -> Any:
    """A field as the form shows it; its bounds are in its type."""
    extra: dict[str, Any] = {"section": section.value}
    return Field(default, title=title, description=description, json_schema_extra=extra, **more)


EMPTIED = BeforeValidator(lambda listed: () if listed is None else listed)
"""The form sends null for a list whose last line was deleted."""
NOTHING = BeforeValidator(lambda given: {} if given is None else given)
"""As for an object."""


class ExperimentSpec(BaseModel):
    """The form's fields, in its order. Times carry their unit in the name; None means the benchmark's own value."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    experiment: Annotated[str, Field(pattern=NAME_PATTERN)] = _shown(
        FormSection.what,
        "Experiment",
        "A name of your choice: letters, digits, '_' and '-', at most 63. Its runs are named after it.",
    )
    target: Annotated[str, Field(pattern=NAME_PATTERN)] = _shown(
        FormSection.what, "Target", "The server to tune: a file in include/targets/."
    )
    benchmark: Annotated[str, Field(pattern=NAME_PATTERN)] = _shown(
        FormSection.what, "Benchmark", "The workload to tune for: a file in include/benchmarks/."
    )
    recording: RecordingName | None = _shown(
        FormSection.what,
        "Recording",
        "For a benchmark that replays one and names none: the id of a recording, or its folder on the driver host.",
        None,
    )
    resume: bool = _shown(
        FormSection.what,
        "Resume",
        "Go on with the ended experiment of this name; Iterations is then its new total.",
        False,
    )

    objective: Formulation = _shown(
        FormSection.budget,
        "Objective",
        "The number to improve: one of the list, or an expression of these and of errors, error_share, transactions "
        "and metrics.<name>, such as throughput / latency_p99. Latencies are in ms, run_time is in s.",
        BENCHMARK_DEFAULT,
        examples=[BENCHMARK_DEFAULT, *(objective.value for objective in Objective)],
    )
    direction: Direction = _shown(
        FormSection.budget,
        "Direction",
        "For an expression. Throughput is maximised by itself, latency and run time are minimised.",
        Direction.own,
    )
    constraints: Annotated[tuple[Formulation, ...], Field(max_length=10), EMPTIED] = _shown(
        FormSection.budget,
        "Constraints",
        "What must hold, one a line, such as latency_p99 < 50 or error_share < 0.001. A configuration that breaks one "
        "is never the best.",
        (),
    )
    iterations: Annotated[int, Field(ge=1, le=MAX_ITERATIONS)] = _shown(
        FormSection.budget,
        "Iterations",
        "How many trials to make. Trial 0 measures the configuration you have, trial 1 the rule-based one.",
        30,
    )
    ablation_percent: Annotated[float, Field(ge=0, le=100)] = _shown(
        FormSection.budget,
        "Trials to send knobs home (% of the iterations)",
        "After the search, knobs that the best configuration need not change go back to the baseline, tried in so many "
        "further trials at most. 0: none goes back.",
        30.0,
    )
    time_budget_min: Annotated[float, Field(gt=0, le=60 * 24 * 30)] | None = _shown(
        FormSection.budget,
        "Time budget (minutes)",
        "No new trial is begun once the trials have run for so long, all together; what lies between a stop and a "
        "resume does not count. Empty: no limit.",
        None,
    )
    stop_below_percent: Annotated[float, Field(gt=0, le=1000)] | None = _shown(
        FormSection.budget,
        "Stop when less is left to gain (%)",
        "The experiment ends early when less than this is still to be gained. Empty: it uses its whole budget.",
        None,
    )
    stop_confidence: Annotated[float, Field(ge=0.5, lt=1)] = _shown(
        FormSection.budget,
        "... with this probability",
        "How sure the model must be of it. Nearer to 1 stops later.",
        0.9,
    )
    stop_at: AwareDatetime | None = _shown(
        FormSection.budget,
        "All over by",
        "Nothing is begun that would not be over by then, the final comparison included. Empty: no limit.",
        None,
    )

    knob_set: KnobSetName = _shown(
        FormSection.knobs,
        "Knob set",
        "core: about a dozen that matter on almost any server. extended, all: more, for longer runs.",
        KnobSetName.core,
    )
    extra_knobs: Annotated[tuple[KnobName, ...], EMPTIED] = _shown(
        FormSection.knobs, "Extra knobs", "Knobs to tune beyond the set, one a line.", ()
    )
    excluded_knobs: Annotated[tuple[KnobName, ...], EMPTIED] = _shown(
        FormSection.knobs, "Excluded knobs", "Knobs to leave as they are, one a line.", ()
    )
    risks_allowed: Annotated[tuple[Risk, ...], EMPTIED] = _shown(
        FormSection.knobs,
        "Risks allowed",
        "Classes of knobs that stay locked unless named here. durability may lose committed data.",
        (),
    )

    algorithm: AlgorithmName = _shown(
        FormSection.search,
        "Algorithm",
        "default is best as far as measured. gpr, dnn: OtterTune's models, made right. forest: a random forest. "
        "random, lhs: without a model, to compare or to collect data. optuna_...: where optuna is installed.",
        AlgorithmName.default,
    )
    mode: SearchMode = _shown(
        FormSection.search,
        "Mode",
        "explore searches the whole range. safe stays near what is known to work, for servers that must not crash.",
        SearchMode.explore,
    )
    ranking: bool = _shown(
        FormSection.search,
        "Rank knobs",
        "Also offers candidates that move only the knobs that matter most so far. No gain where it was measured.",
        False,
    )
    transfer: bool = _shown(
        FormSection.search,
        "Learn from other experiments",
        "Those of this DBMS that have ended here, and the packs of trials from elsewhere in include/experience. They "
        "help where they are alike; the log of recommend says what came from where.",
        True,
    )

    restore_every: Annotated[int, Field(ge=0, le=MAX_ITERATIONS)] | None = _shown(
        FormSection.measuring,
        "Restore data every N iterations",
        "From the snapshot that is taken after loading. 0: never (right for read-only benchmarks). Empty: 10, and 1 "
        "where a recording is replayed, for on the data of the last replay it would do other work.",
        None,
    )
    drop_cache: bool = _shown(
        FormSection.measuring,
        "Drop the page cache",
        "Before each trial, if the target's free_cache allows it. Otherwise the cache stays warm.",
        False,
    )
    repeats: Annotated[int, Field(ge=1, le=50)] = _shown(
        FormSection.measuring, "Repeats per trial", "Measured runs per trial; the trial's value is their median.", 1
    )
    warmup_s: Annotated[float, Field(ge=0, le=3600)] | None = _shown(
        FormSection.measuring, "Warm-up (seconds)", "Load before the measured window. Empty: the benchmark's own.", None
    )
    duration_s: Annotated[float, Field(gt=0, le=24 * 3600)] | None = _shown(
        FormSection.measuring, "Duration (seconds)", "Length of a measured run. Empty: the benchmark's own.", None
    )
    reference_every: Annotated[int, Field(ge=0, le=MAX_ITERATIONS)] = _shown(
        FormSection.measuring,
        "Reference trial every K iterations",
        "Measures a known configuration again, so that drift of the machine shows. 0: never.",
        5,
    )
    quiet_gate: bool = _shown(
        FormSection.measuring,
        "Quiet gate",
        "A run beside which the host works for others much more than usual is measured again, up to twice, and marked "
        "if it stays so. Off: nobody looks.",
        True,
    )
    end_hopeless: bool = _shown(
        FormSection.measuring,
        "End hopeless trials early",
        "A trial that, while it is measured, is known to be far worse than the best is ended, and told by what it "
        "would have given at best. For throughput and run times, without constraints, with one run a trial.",
        False,
    )
    final_rounds: Annotated[int, Field(ge=LEAST_ROUNDS, le=50)] = _shown(
        FormSection.measuring,
        "Rounds of the final comparison at most",
        "Baseline, rules, best and reduced are measured again at the end, in turns, until it is decided which is best, "
        "but not more often than this each. More find smaller gains where measurements vary much.",
        15,
    )
    final_min: Annotated[float, Field(gt=0, le=60 * 24 * 7)] | None = _shown(
        FormSection.measuring,
        "Minutes of the final comparison at most",
        "No round is begun that would not be over by then, but three are always made. Empty: the rounds are the limit.",
        None,
    )
    gain_that_matters_percent: Annotated[float, Field(gt=0, le=100)] | None = _shown(
        FormSection.measuring,
        "Gain that matters (%)",
        "The final comparison ends early where no arm can gain so much any more, and knobs go back to the baseline "
        "where less than this is lost. Empty: it makes all its rounds, and is looked at once.",
        MATTERS_PERCENT,
    )
    install: bool = _shown(
        FormSection.measuring,
        "Install the winner",
        "Off: the winner is proposed, and what was in force before is left in force.",
        True,
    )
    arms: Annotated[dict[ArmName, dict[KnobName, bool | int | float | str]], Field(max_length=6), NOTHING] = _shown(
        FormSection.measuring,
        "Arms",
        'Configurations to compare with what is in force, and no search: {"bigger": {"work_mem": "64MB"}}. No trials '
        "are made and nothing is installed. One called baseline is compared in the place of what is in force.",
        {},
    )
    wait_min: Annotated[float, Field(ge=0, le=60 * 24 * 30)] = _shown(
        FormSection.measuring,
        "Wait for the target (minutes)",
        "How long to wait where another experiment holds the target. 0: the experiment is refused then.",
        0.0,
    )
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = _shown(
        FormSection.measuring, "Seed", "The same seed and results give the same suggestions.", 0
    )

    @model_validator(mode="after")
    def _fields_agree(self) -> ExperimentSpec:
        both = sorted(set(self.extra_knobs) & set(self.excluded_knobs))
        if both:
            raise ValueError(
                f"extra_knobs and excluded_knobs both name {', '.join(both)}; name each knob in one of them"
            )
        if self.reference_every == 1:
            raise ValueError(
                "reference_every is 1, so every trial would measure a known configuration again and iterations "
                f"({self.iterations}) could try nothing new; use 0 (never) or at least 2"
            )
        if self.mode is SearchMode.safe and self.algorithm in _ANYWHERE:
            raise ValueError(
                f"mode safe is not to be had with algorithm {self.algorithm.value}, which searches everywhere; use "
                "mode explore, or algorithm default, gpr, dnn or forest"
            )
        if self.time_budget_min is not None and self.duration_s is not None:
            wanted_s = self.duration_s * self.repeats
            if wanted_s > self.time_budget_min * 60:
                raise ValueError(
                    f"duration_s x repeats ({wanted_s:g} s) is longer than time_budget_min ({self.time_budget_min:g} "
                    "min), so not one trial would fit; shorten the one or raise the other"
                )
        return self

    @model_validator(mode="after")
    def _arms_agree(self) -> ExperimentSpec:
        if not self.arms:
            return self
        taken = sorted({*SEARCHED} & set(self.arms))
        if taken:
            raise ValueError(f"arms: {taken[0]} is what a search finds; give it another name")
        if any(not config for config in self.arms.values()):
            raise ValueError("arms: one of them names no knob; leave it out, or say what is to be another value")
        if self.install:
            raise ValueError("arms are compared and not installed; switch install off")
        if self.stop_at is not None:
            raise ValueError("stop_at judges by the trials' seconds, and with arms there are no trials; leave it empty")
        return self

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> ExperimentSpec:
        """Read the trigger form. Raises InvalidInput that names every wrong field, its value and what is right."""
        try:
            return cls.model_validate(dict(params))
        except ValidationError as error:
            raise InvalidInput([in_the_forms_words(p) for p in problems_of(error, "form")]) from None

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> ExperimentSpec:
        """Read what the repository keeps of a form that was valid when it was sent.

        Fewer rounds of the final comparison than can have a winner were once allowed; there are as many as it takes.
        All rounds were made, whatever they said, before there was a gain that matters; nobody looked at the host; and
        no knob was sent home.
        """
        record = {"gain_that_matters_percent": None, "quiet_gate": False, "ablation_percent": 0.0, **record}
        rounds = record.get("final_rounds")
        if isinstance(rounds, int) and rounds < LEAST_ROUNDS:
            record = {**record, "final_rounds": LEAST_ROUNDS}
        return cls.from_params(record)

    @property
    def looks(self) -> Looks | None:
        """How long the final comparison goes on; None where it makes all its rounds and is looked at once."""
        if self.gain_that_matters_percent is None:
            return None
        return Looks(self.final_rounds, self.gain_that_matters_percent / 100)

    @property
    def matters(self) -> float:
        """The gain that matters, as a share (0.03: 3 %)."""
        percent = self.gain_that_matters_percent
        return (MATTERS_PERCENT if percent is None else percent) / 100

    @property
    def most_arms(self) -> int:
        """How many configurations the comparison after a search measures in a round at most."""
        return len(ARMS) + (self.ablation_percent > 0)

    def most_ablation(self, searched: int) -> int:
        """How many trials may send knobs home after a search of so many."""
        return int(self.ablation_percent * searched / 100 + 1e-9)

    def record(self) -> dict[str, Any]:
        """The spec as plain JSON, for the repository. `resume` is the trigger's word, not the experiment's."""
        return self.model_dump(mode="json", exclude={"resume"})


def in_the_forms_words(problem: Problem) -> Problem:
    """A problem as who has filled in the form reads it.

    The field without the file prefix, and the name pattern said in words.
    """
    field = problem.field.removeprefix("form: ")
    advice = problem.advice
    if "pattern" in advice and field in ("experiment", "target", "benchmark"):
        advice = "use 1 to 63 letters, digits, '_' or '-', beginning with a letter or a digit"
    if "pattern" in advice and field == "recording":
        advice = "give a recording's id, such as shop-20261129T0200Z, or its folder on the driver host, from / on"
    return Problem("form" if field == "(whole file)" else field, problem.found, advice.removeprefix("Value error, "))
