"""Finished experiments of the repository as a pack that may be given on.

What goes in is taken field by field, and nothing else is: numbers of trials, knobs and values that the knob catalog
knows, and words of a list or of whoever makes the pack. So no name of the user's own is in it: none of a host, target,
database, user, experiment, file or metric, no SQL, no date, and no measured value, only its ratio to the baseline's.
Imports the tuner, and so scikit-learn: import it inside a task only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import stdev
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from otterflow.errors import BenchmarkFailed, InvalidInput, Problem
from otterflow.experiment import loop
from otterflow.experiment.frozen import goal_of
from otterflow.experiment.plan import catalog_of
from otterflow.experiment.typed import facts_of, live_settings_of, space_of
from otterflow.knobs.catalog import KnobCatalog
from otterflow.knobs.knob import SIGNIFICANT_DIGITS
from otterflow.knobs.space import Knob
from otterflow.learning.packs import FORMAT, MOST, OWN, VERSION, Pack, PackedExperiment, PackedKnob, PackedTrial, State
from otterflow.measures.goal import Goal
from otterflow.measures.objective import Objective
from otterflow.repository import Experiment, Repository
from otterflow.repository import Trial as Record
from otterflow.tuner.past import MIN_MEASURED
from otterflow.tuner.trial import OK
from otterflow.tuner.trial import Trial as Told
from otterflow.yaml_files import problems_of

M = TypeVar("M", bound=BaseModel)

SHIPPED_BENCHMARKS = frozenset({
    "analytics", "analytics_large", "analytics_common", "tpcc", "tpcc_lua",
    *(f"pgbench_{load}" for load in ("tpcb", "simple_update", "select_only")),
    *(f"ycsb_{mix}{way}" for mix in "abcdef" for way in ("", "_lua")),
    *(f"sysbench_{load}" for load in ("oltp_read_write", "oltp_read_only", "oltp_write_only", "point_select")),
    *(f"sysbench_uniform_{load}" for load in ("read_only", "read_write")),
    *(f"benchbase_{load}" for load in ("epinions", "smallbank", "tatp", "tpcc", "twitter", "wikipedia", "ycsb")),
})  # fmt: skip
"""Names that say nothing of a user; a benchmark of the user's own is not named."""
_LEAST_FOR_NOISE = 3
_GIB = 2**30


@dataclass(frozen=True)
class Words:
    """What whoever makes a pack says of it; see the fields of `Pack`. `workload` is said of all its experiments."""

    title: str
    source: str
    licence: str
    copyright: str | None = None
    workload: str | None = None


def pack_of(repository: Repository, names: Sequence[str], words: Words) -> Pack:
    """A pack of these experiments, in the order given.

    Raises InvalidInput that lists all that keep from it: experiments that are unknown, have not ended, or have nothing
    to teach, and words that a pack cannot have.
    """
    problems: list[Problem] = []
    packed: list[PackedExperiment] = []
    for number, name in enumerate(dict.fromkeys(names), 1):
        try:
            packed.append(_packed(repository, name, f"experiment{number}", words.workload))
        except InvalidInput as error:
            problems += error.problems
    if problems:
        raise InvalidInput(problems)
    return _made(Pack, {
        "format": FORMAT, "version": VERSION, "title": words.title, "source": words.source, "licence": words.licence,
        "copyright": words.copyright, "experiments": tuple(packed),
    })  # fmt: skip


def _made(model: type[M], record: Mapping[str, Any]) -> M:
    try:
        return model.model_validate(record)
    except ValidationError as error:
        raise InvalidInput(problems_of(error, "pack")) from None


def _packed(repository: Repository, name: str, called: str, workload: str | None) -> PackedExperiment:
    experiment = repository.experiment(name)
    goal = goal_of(experiment)
    if not experiment.state.ended:
        raise _no_use(name, f"it is {experiment.state}", "wait until it has ended, or stop it")
    if not experiment.space or goal is None:
        raise _no_use(name, "its knobs or what it tuned for cannot be read any more", "leave it out")
    try:
        ended = [t for t in repository.trials(name, metrics=()) if loop.AT_BEST not in t.reasons]  # no measurements
        told = loop.history_with_trials(experiment, ended, goal)
    except BenchmarkFailed as error:
        raise _no_use(name, str(error), "leave it out") from None
    catalog = catalog_of(experiment.dbms)
    knobs = [knob for knob in space_of(experiment) if _is_known(knob, catalog)]
    trials = _trials(told, [knob.name for knob in knobs], goal)
    if not knobs or sum(trial.state == OK for trial in trials) < MIN_MEASURED:
        found = f"{len(knobs)} of its knobs are in the catalog, and {len(trials)} of its trials teach something"
        raise _no_use(name, found, f"leave it out: a pack needs a baseline and {MIN_MEASURED} measurements")
    benchmark = experiment.benchmark if experiment.benchmark in SHIPPED_BENCHMARKS else None
    record = {
        "name": called,
        "dbms": experiment.dbms,
        "dbms_version": _version(experiment),
        "workload": workload or (f"the benchmark {benchmark}" if benchmark else "a load of its user's own"),
        "benchmark": benchmark,
        "objective": goal.objective.value if isinstance(goal.objective, Objective) else OWN,
        "origin": "measured",
        "noise_percent": _noise(told, goal),
        "knobs": tuple(_knob(knob, experiment) for knob in knobs),
        "trials": tuple(trials),
    }
    return _made(PackedExperiment, record | _machine(experiment))


def _no_use(name: str, found: str, advice: str) -> InvalidInput:
    return InvalidInput(Problem(f"experiment {name}", found, advice))


def _is_known(knob: Knob, catalog: KnobCatalog) -> bool:
    """Whether the catalog has the knob and each of its values that is a word: others may be of the user's own."""
    entries = [entry for entry in catalog.knobs if entry.name == knob.name]
    words = {word for entry in entries for word in (*entry.values, *entry.optional_values)}
    return bool(entries) and (knob.type != "enum" or all(value in words for value in knob.values))


def _trials(told: Sequence[tuple[Record, Told]], names: Sequence[str], goal: Goal) -> list[PackedTrial]:
    """Those that teach something; of what was measured, none where there is no baseline to compare with."""
    gains = loop.relative_gains([record for record, _ in told], goal.objective)
    return [
        PackedTrial(
            state=trial.state,  # type: ignore[arg-type]  # one of State, as asked below
            value=float(f"{min(gain, MOST):.{SIGNIFICANT_DIGITS}g}")
            if trial.state == OK and gain is not None
            else None,
            kept=all(slack >= 0 for slack in trial.slacks),
            knobs=tuple(trial.config[name] for name in names),
        )
        for (_, trial), gain in zip(told, gains, strict=True)
        if trial.state in get_args(State) and (trial.state != OK or gain is not None)
    ]


def _knob(knob: Knob, experiment: Experiment) -> PackedKnob:
    live = live_settings_of(experiment).get(knob.name)
    record: dict[str, Any] = knob.record() | {"unit": None if live is None else live.unit}
    record |= {key: tuple(record[key]) for key in ("values", "special") if key in record}
    return PackedKnob.model_validate(record)


def _version(experiment: Experiment) -> str | None:
    """The server's version in numbers; the words around them may be those of whoever built it."""
    found = re.search(r"\d+(\.\d+){1,3}", str(experiment.versions.get("text", "")))
    return found[0] if found else None


def _machine(experiment: Experiment) -> dict[str, Any]:
    try:
        facts = facts_of(experiment)
    except InvalidInput:
        return {}
    return {"ram_gb": max(0.1, round(facts.ram_bytes / _GIB, 1)), "cores": facts.cores, "disk": facts.disk}


def _noise(told: Sequence[tuple[Record, Told]], goal: Goal) -> float | None:
    """The deviation of the baseline's measurements in percent, where the scores are logarithms and there are enough."""
    if not loop.scoring([record for record, _ in told], goal.objective)[0].logarithmic:
        return None
    first = next((trial for record, trial in told if record.kind == "baseline"), None)
    scores = [t.value for _, t in told if first is not None and t.config == first.config and t.value is not None]
    return round(100 * stdev(scores), 2) if len(scores) >= _LEAST_FOR_NOISE else None
