"""The trigger form of `tuning_experiment`: Airflow's widgets over the fields of `ExperimentSpec`.

The choices are read from `include/` when the Dag file is parsed (file names only, so it stays quick and the same for
the same files). What JSON schema cannot say, fields that depend on each other, `check_experiment` says.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from airflow.sdk import Param

from otterflow.experiment import MAX_ITERATIONS, AlgorithmName, ExperimentSpec, SearchMode, known
from otterflow.goal import BENCHMARK_DEFAULT, Direction
from otterflow.knobs.catalog import KnobSetName, Risk
from otterflow.target import NAME_PATTERN
from otterflow.workloads.objective import Objective

_WHAT, _BUDGET, _KNOBS = "1. What to tune", "2. Objective and budget", "3. Knobs"
_SEARCH, _MEASURE = "4. Search", "5. Measuring"


def _default(field: str) -> object:
    return ExperimentSpec.model_fields[field].default


def _choice(kind: str, preferred: str, description: str) -> Param:
    names = known("targets" if kind == "target" else "benchmarks")
    default = preferred if preferred in names else (names[0] if names else "")
    choices: dict[str, Any] = {"enum": names} if names else {}
    return Param(default, type="string", title=kind.capitalize(), description=description, section=_WHAT, **choices)


def _knob_names(field: str, title: str, description: str) -> Param:
    return Param(
        [],
        type="array",
        items={"type": "string", "pattern": "^[a-z_][a-z0-9_.]{0,62}$"},
        title=title,
        description=description,
        section=_KNOBS,
    )


def _integer(field: str, title: str, low: int, high: int, description: str, section: str) -> Param:
    return Param(
        _default(field),
        type="integer",
        minimum=low,
        maximum=high,
        title=title,
        description=description,
        section=section,
    )


def _optional_number(title: str, low: float, high: float, description: str, section: str) -> Param:
    return Param(
        None, type=["null", "number"], minimum=low, maximum=high, title=title, description=description, section=section
    )


def _one_of(field: str, choices: type[StrEnum], title: str, description: str) -> Param:
    default = ExperimentSpec.model_fields[field].default.value
    names = [choice.value for choice in choices]
    return Param(default, type="string", enum=names, title=title, description=description, section=_SEARCH)


def _switch(field: str, title: str, description: str) -> Param:
    return Param(_default(field), type="boolean", title=title, description=description, section=_SEARCH)


def experiment_params() -> dict[str, Param]:
    """The form's fields by name, in the order they are shown. The names are those of `ExperimentSpec`."""
    return {
        "experiment": Param(
            "my-first-experiment",
            type="string",
            pattern=NAME_PATTERN,
            title="Experiment",
            description="A name of your choice: letters, digits, '_' and '-', at most 63. Its runs are named after it.",
            section=_WHAT,
        ),
        "target": _choice("target", "demo", "The server to tune: a file in include/targets/."),
        "benchmark": _choice("benchmark", "analytics", "The workload to tune for: a file in include/benchmarks/."),
        "resume": Param(
            False,
            type="boolean",
            title="Resume",
            description="Go on with the ended experiment of this name; Iterations is then its new total.",
            section=_WHAT,
        ),
        "objective": Param(
            BENCHMARK_DEFAULT,
            type="string",
            examples=[BENCHMARK_DEFAULT, *(o.value for o in Objective)],
            title="Objective",
            description="The number to improve: one of the list, or an expression of these and of errors, error_share, "
            "transactions and metrics.<name>, such as throughput / latency_p99. Latencies are in ms, run_time is in s.",
            section=_BUDGET,
        ),
        "direction": Param(
            Direction.own.value,
            type="string",
            enum=[d.value for d in Direction],
            title="Direction",
            description="For an expression. Throughput is maximised by itself, latency and run time are minimised.",
            section=_BUDGET,
        ),
        "constraints": Param(
            [],
            type="array",
            items={"type": "string", "minLength": 1},
            title="Constraints",
            description="What must hold, one a line, such as latency_p99 < 50 or error_share < 0.001. A configuration "
            "that breaks one is never the best.",
            section=_BUDGET,
        ),
        "iterations": _integer(
            "iterations",
            "Iterations",
            1,
            MAX_ITERATIONS,
            "How many trials to make. Trial 0 measures the configuration you have, trial 1 the rule-based one.",
            _BUDGET,
        ),
        "time_budget_min": _optional_number(
            "Time budget (minutes)", 0.1, 43200, "No new trial is begun after this time. Empty: no limit.", _BUDGET
        ),
        "stop_below_percent": _optional_number(
            "Stop when less is left to gain (%)",
            0.01,
            1000,
            "The experiment ends early when less than this is still to be gained. Empty: it uses its whole budget.",
            _BUDGET,
        ),
        "stop_confidence": Param(
            _default("stop_confidence"),
            type="number",
            minimum=0.5,
            maximum=0.999,
            title="... with this probability",
            description="How sure the model must be of it. Nearer to 1 stops later.",
            section=_BUDGET,
        ),
        "knob_set": Param(
            KnobSetName.core.value,
            type="string",
            enum=[s.value for s in KnobSetName],
            title="Knob set",
            description="core: about a dozen that matter on almost any server. extended, all: more, for longer runs.",
            section=_KNOBS,
        ),
        "extra_knobs": _knob_names("extra_knobs", "Extra knobs", "Knobs to tune beyond the set, one a line."),
        "excluded_knobs": _knob_names("excluded_knobs", "Excluded knobs", "Knobs to leave as they are, one a line."),
        "risks_allowed": Param(
            [],
            type="array",
            items={"type": "string", "enum": [r.value for r in Risk]},
            examples=[r.value for r in Risk],
            title="Risks allowed",
            description="Classes of knobs that stay locked unless named here. durability may lose committed data.",
            section=_KNOBS,
        ),
        "algorithm": _one_of(
            "algorithm",
            AlgorithmName,
            "Algorithm",
            "default is best as far as measured. gpr, dnn: OtterTune's models, made right. forest: a random forest. "
            "random, lhs: without a model, to compare or to collect data. optuna_...: where optuna is installed.",
        ),
        "mode": _one_of(
            "mode",
            SearchMode,
            "Mode",
            "explore searches the whole range. safe stays near what is known to work, for servers that must not crash.",
        ),
        "ranking": _switch(
            "ranking",
            "Rank knobs",
            "Also offers candidates that move only the knobs that matter most so far. No gain where it was measured.",
        ),
        "transfer": _switch("transfer", "Learn from other experiments", "Their trials help where they are alike."),
        "restore_every": _integer(
            "restore_every",
            "Restore data every N iterations",
            0,
            MAX_ITERATIONS,
            "From the snapshot that is taken after loading. 0: never (right for read-only benchmarks).",
            _MEASURE,
        ),
        "drop_cache": Param(
            _default("drop_cache"),
            type="boolean",
            title="Drop the page cache",
            description="Before each trial, if the target's free_cache allows it. Otherwise the cache stays warm.",
            section=_MEASURE,
        ),
        "repeats": _integer(
            "repeats",
            "Repeats per trial",
            1,
            50,
            "Measured runs per trial; the trial's value is their median.",
            _MEASURE,
        ),
        "warmup_s": _optional_number(
            "Warm-up (seconds)", 0, 3600, "Load before the measured window. Empty: the benchmark's own.", _MEASURE
        ),
        "duration_s": _optional_number(
            "Duration (seconds)", 1, 86400, "Length of a measured run. Empty: the benchmark's own.", _MEASURE
        ),
        "reference_every": _integer(
            "reference_every",
            "Reference trial every K iterations",
            0,
            MAX_ITERATIONS,
            "Measures a known configuration again, so that drift of the machine shows. 0: never.",
            _MEASURE,
        ),
        "final_rounds": _integer(
            "final_rounds",
            "Rounds of the final comparison",
            1,
            50,
            "Baseline, rules and best are measured again at the end, in turns, this many times each.",
            _MEASURE,
        ),
        "seed": _integer(
            "seed", "Seed", 0, 2**31 - 1, "The same seed and results give the same suggestions.", _MEASURE
        ),
    }
