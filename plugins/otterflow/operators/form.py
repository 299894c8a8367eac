"""The trigger form of `tuning_experiment`: Airflow's widgets over the fields of `ExperimentSpec`.

The choices are read from `include/` when the Dag file is parsed (file names only, so it stays quick and the same for
the same files). What JSON schema cannot say, fields that depend on each other, `check_experiment` says.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param

from otterflow.experiment import BENCHMARK_DEFAULT, MAX_ITERATIONS, ExperimentSpec, known
from otterflow.knobs.catalog import KnobSetName, Risk
from otterflow.target import NAME_PATTERN
from otterflow.workloads.objective import Objective

_WHAT, _BUDGET, _KNOBS, _MEASURE = "1. What to tune", "2. Objective and budget", "3. Knobs", "4. Measuring"


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
            enum=[BENCHMARK_DEFAULT, *(o.value for o in Objective)],
            title="Objective",
            description="The number to improve. Throughput is maximised, latency and run time are minimised.",
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
