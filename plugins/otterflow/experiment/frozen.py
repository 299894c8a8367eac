"""What an experiment's files said when it began: kept with it, read from there, and compared when it is resumed.

Target, benchmark and knob catalog may be edited at any time; trials made with one half of them and with the other half
would say nothing together. SQL and scripts that a benchmark's file names are kept too, and are put under otterflow's
home to be read like any other: the folder that they were in may change or go.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from otterflow import settings
from otterflow.dbms.registry import target_of
from otterflow.errors import InvalidInput, Problem
from otterflow.experiment.plan import Plan, checked_plan, load_plan, metric_names
from otterflow.experiment.typed import spec_of
from otterflow.knobs.catalog import KnobCatalog
from otterflow.measures.goal import Goal, goal
from otterflow.plain_files import write_whole
from otterflow.workloads.analytics.settings import AnalyticsSettings
from otterflow.workloads.command.settings import OwnCommands
from otterflow.workloads.definition import Benchmark
from otterflow.workloads.pgbench.scripts_settings import PgbenchScriptsSettings
from otterflow.workloads.sysbench.scripts_settings import SysbenchScriptsSettings
from otterflow.yaml_files import problems_of

if TYPE_CHECKING:
    from otterflow.dbms.target import Target
    from otterflow.experiment.spec import ExperimentSpec
    from otterflow.repository import Experiment, ExperimentFiles, GoalFiles, Repository, Trial

log = logging.getLogger(__name__)

_FOR_PEOPLE = frozenset({"title", "description", "does", "reason", "means"})
"""Fields that only people read: they may be mended at any time."""
_MOST_SHOWN = 20


def files_of(plan: Plan) -> ExperimentFiles:
    """What the plan's files say, as plain JSON, with the texts that the benchmark's file names by their path."""
    from otterflow.repository import ExperimentFiles

    benchmark, workload = plan.benchmark.model_dump(mode="json"), plan.benchmark.workload
    texts: dict[str, str] = {}
    if isinstance(workload, AnalyticsSettings | PgbenchScriptsSettings):
        benchmark["workload"]["sql"] = "."
        texts = _texts_of(workload.sql, ".sql")
    elif isinstance(workload, SysbenchScriptsSettings):
        benchmark["workload"]["folder"] = "."
        texts = _texts_of(workload.folder, ".sql", ".lua")
    elif isinstance(workload, OwnCommands):
        benchmark["workload"]["files"] = [path.name for path in workload.files]
        texts = {path.name: path.read_text() for path in workload.files}
    return ExperimentFiles(
        target=plan.target.model_dump(mode="json"),
        benchmark=benchmark,
        catalog=plan.catalog.model_dump(mode="json"),
        texts=texts,
    )


def plan_of(experiment: Experiment) -> Plan:
    """The plan that the experiment began with; of one that began before files were kept, as the files are now.

    Raises InvalidInput where this version cannot read what was kept.
    """
    spec, files = spec_of(experiment), experiment.files
    if files is None:
        return load_plan(spec)
    target, benchmark = _target_and_benchmark(files, experiment.name)
    try:
        catalog = KnobCatalog.model_validate(files.catalog)
    except ValidationError as error:
        raise InvalidInput(problems_of(error, _whose(experiment.name))) from None
    return checked_plan(spec, target, benchmark, catalog)


def goal_kept(experiment: Experiment) -> Goal:
    """The goal of the plan that the experiment began with, without its catalog, which takes long to be read.

    Raises InvalidInput where this version cannot read what was kept.
    """
    return experiment.once(_goal)


def _goal(experiment: Experiment) -> Goal:
    return goal_by(spec_of(experiment), experiment.files, experiment.name)


def goal_by(spec: ExperimentSpec, files: ExperimentFiles | GoalFiles | None, name: str) -> Goal:
    """The goal by the form of experiment `name` and the files kept with it; without them, as the files are now.

    Raises InvalidInput where this version cannot read what was kept.
    """
    if files is None:
        return load_plan(spec).goal
    target, benchmark = _target_and_benchmark(files, name)
    return goal(spec.objective, spec.direction, spec.constraints, benchmark, metric_names(target, benchmark))


def _target_and_benchmark(files: ExperimentFiles | GoalFiles, name: str) -> tuple[Target, Benchmark]:
    target = target_of(files.target, _whose(name))
    try:
        return target, Benchmark.model_validate(files.benchmark, context={"folder": _folder_of(files.texts)})
    except ValidationError as error:
        raise InvalidInput(problems_of(error, _whose(name))) from None


def _whose(name: str) -> str:
    return f"kept with experiment {name}"


def goal_of(experiment: Experiment) -> Goal | None:
    """What an experiment tuned for, by its benchmark's file or without it; None where neither tells any more."""

    def by_its_files() -> Goal:
        return goal_kept(experiment)

    def by_its_record() -> Goal:
        spec = spec_of(experiment)
        return goal(experiment.objective, spec.direction, spec.constraints, None)

    for read in (by_its_files, by_its_record):
        try:
            return read()
        except InvalidInput:
            continue
    return None


def has_measured(trials: Iterable[Trial]) -> bool:
    """Whether there is a number that was measured with the files, so that they have to stay as they are."""
    return any(trial.objective is not None for trial in trials)


def keep_files(repository: Repository, name: str) -> None:
    """Keep what the files say now, unless a trial was measured: until then, the advice of a check may be to mend them.

    Raises InvalidInput that lists all that is wrong in them.
    """
    experiment = repository.experiment(name)
    measured = has_measured(repository.trials(name, metrics=()))
    if measured and experiment.files is not None:
        return
    repository.keep_files(name, files_of(load_plan(spec_of(experiment), repository)))
    if measured:
        log.warning("experiment %s began before its files were kept; they are kept as they are now", name)


def differences(then: ExperimentFiles, now: ExperimentFiles) -> list[Problem]:
    """What the files say otherwise now than when the experiment began; each field with both values."""
    problems = []
    for kind, name in (("target", "target.yaml"), ("benchmark", "benchmark.yaml"), ("catalog", "knob catalog")):
        old, new = dict(_flat(getattr(then, kind))), dict(_flat(getattr(now, kind)))
        name = f"{getattr(now, kind)['name']}.yaml" if kind != "catalog" else name
        problems += [
            Problem(f"{name}: {field}", f"{_shown(new, field)}; the experiment began with {_shown(old, field)}", _BACK)
            for field in {**old, **new}
            if old.get(field, _ABSENT) != new.get(field, _ABSENT)
        ]
    for path in sorted({*then.texts, *now.texts}):
        texts = [files.texts.get(path) for files in (then, now)]
        if texts[0] != texts[1]:
            old_hash, new_hash = ("not there" if text is None else _digest({path: text}) for text in texts)
            found = f"has another text ({new_hash}) than when the experiment began ({old_hash})"
            problems.append(Problem(f"{now.benchmark['name']}: {path}", found, _BACK))
    if len(problems) <= _MOST_SHOWN:
        return problems
    more = Problem("files", f"{len(problems) - _MOST_SHOWN} more differences", _BACK)
    return [*problems[:_MOST_SHOWN], more]


_ABSENT = object()
_BACK = "put it back as it was, or start a new experiment"


def _shown(fields: Mapping[str, Any], field: str) -> str:
    return repr(fields[field]) if field in fields else "nothing"


def _flat(record: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Every value by its path; members of a list go by their name where they have one."""
    for key, value in record.items():
        if key in _FOR_PEOPLE:
            continue
        if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            value = {str(item.get("name") or item.get("family") or i): item for i, item in enumerate(value)}
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{before}{key}.")
        else:
            yield before + key, value


def _texts_of(folder: Path, *suffixes: str) -> dict[str, str]:
    """The files of these kinds in a folder and below, by their path in it."""
    found = sorted(path for path in folder.rglob("*") if path.suffix in suffixes)
    return {str(path.relative_to(folder)): path.read_text() for path in found}


def _digest(texts: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(dict(texts), sort_keys=True).encode()).hexdigest()[:16]


def _folder_of(texts: Mapping[str, str]) -> Path:
    """A folder under otterflow's home that holds the texts; made, or mended, where it does not."""
    folder = settings.private_home() / "files" / _digest(texts)
    for name, text in texts.items():
        path = folder / name
        if not path.is_file() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, text)
    return folder
