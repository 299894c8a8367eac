"""A folder of OtterTune's sets to a finished experiment that later ones can learn from.

`airflow dags trigger import_ottertune` and `python -m otterflow ottertune import` both call `import_folder`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from otterflow.errors import InvalidInput, Problem
from otterflow.experiment.spec import MAX_ITERATIONS, ExperimentSpec
from otterflow.knobs.catalog import KnobCatalog
from otterflow.knobs.facts import HostFacts
from otterflow.measures.objective import Objective
from otterflow.ottertune.family_observation import observe_family
from otterflow.ottertune.files import Folder, read_folder, why_not_read
from otterflow.ottertune.names import DBMS
from otterflow.ottertune.observation import Observation, observe
from otterflow.ottertune.past_space import Tried, assumed_facts, observed_settings, searched_space, what_was_tried
from otterflow.ottertune.report import ImportReport
from otterflow.ottertune.spec import DEFAULT_CORES, DEFAULT_DISK, DEFAULT_RAM_GB, ImportSpec
from otterflow.repository import (
    ImportedExperiment,
    ImportedTrial,
    NewExperiment,
    RawCounters,
    Repository,
    TrialKind,
    TrialState,
)
from otterflow.yaml_files import NAME_PATTERN

_FAULTS = {
    "crashed": "the server did not start with this configuration",
    "failed": "the benchmark failed",
    "timed_out": "the benchmark ran past its limit",
}
_WARM_UP = (
    "OtterTune's controller read metrics_before when it was started, before the warm-up, and timed the observation "
    "from the warm-up's end: its rates, throughput among them, count the warm-up's work as well. Compare them with "
    "each other, not with what another tool measured"
)


def import_folder(repository: Repository, spec: ImportSpec, catalog: KnobCatalog, *, code_version: str) -> ImportReport:
    """Read the folder, and store what can be used of it as a finished experiment, in one transaction.

    The same folder imported twice is stored once (`stored` of the report says which). Raises InvalidInput, and stores
    nothing, if no set can be used, if the sets are of several workloads or versions, or if the name is taken.
    """
    report = ImportReport(experiment=spec.experiment, folder=spec.folder)
    folder = read_folder(Path(spec.folder))
    report.others = {name: why_not_read(name) for name in folder.others}
    report.left_out |= folder.broken
    tried = what_was_tried(_usable(folder, spec, catalog, report), catalog)
    report.left_out |= tried.left_out
    _raise_if_none(tried.kept, report)
    report.notes += tried.notes
    imported = _experiment(tried, spec, catalog, report, code_version)
    report.stored = repository.store_imported(imported, replace=spec.replace)
    return report


def _usable(folder: Folder, spec: ImportSpec, catalog: KnobCatalog, report: ImportReport) -> list[Observation]:
    """The observations of one workload and one version, in the order of time. Raises InvalidInput where none is."""
    found: list[Observation] = []
    seen: dict[str, str] = {}
    for files in folder.sets:
        if files.digest in seen:
            same = Problem("(all files)", f"are those of set {seen[files.digest]}", "one observation counts once")
            report.left_out[files.prefix] = [same]
            continue
        seen[files.digest] = files.prefix
        try:
            observation = (observe if catalog.dbms == DBMS else observe_family)(files, catalog)
        except InvalidInput as error:
            report.left_out[files.prefix] = error.problems
            continue
        if spec.workload is not None and observation.workload != spec.workload:
            other = Problem("summary.workload_name", repr(observation.workload), f"not {spec.workload!r}, as asked")
            report.left_out[files.prefix] = [other]
            continue
        found.append(observation)
    _raise_if_none(found, report)
    _raise_if_mixed(found)
    return sorted(found, key=lambda o: (o.start_s, o.prefix))


def _raise_if_none(found: Sequence[Observation], report: ImportReport) -> None:
    if any(o.rate for o in found):
        return
    for o in found:
        fault = _FAULTS.get(o.state, "not one transaction was committed")
        report.left_out[o.prefix] = [Problem("throughput", fault, "there is nothing to learn from faults alone")]
    nothing = Problem("folder", f"{report.folder!r} holds no set that can be used", "nothing was stored")
    reasons = [Problem(f"{prefix}: {p.field}", p.found, p.advice) for prefix, ps in report.left_out.items() for p in ps]
    files = [Problem(name, "is no part of a set", why) for name, why in report.others.items()]
    raise InvalidInput([nothing, *reasons, *files])


def _raise_if_mixed(found: Sequence[Observation]) -> None:
    """One experiment has one workload and one version of the server."""
    workloads, versions = Counter(o.workload for o in found), Counter(o.version.major for o in found)
    problems = []
    if len(workloads) > 1:
        listed = ", ".join(f"{name!r} ({n} sets)" for name, n in workloads.items())
        problems.append(Problem("workload", f"the sets are of {listed}", "say which; import each under its own name"))
    if len(versions) > 1:
        listed = ", ".join(f"{name} ({n} sets)" for name, n in versions.items())
        problems.append(Problem("folder", f"the sets are of {found[0].title} {listed}", "give each version a folder"))
    if problems:
        raise InvalidInput(problems)


def _experiment(
    tried: Tried, spec: ImportSpec, catalog: KnobCatalog, report: ImportReport, code_version: str
) -> ImportedExperiment:
    """The experiment as it is to be stored; also completes the report."""
    database = _benchmarks_database(tried.kept)
    first, facts = tried.kept[0], _facts(tried.kept[0], spec)
    space = searched_space(tried, catalog, facts)
    trials = [_trial(o, tried, database) for o in tried.kept]
    report.imported, report.knobs = [o.prefix for o in tried.kept], list(space.names)
    report.varying = tried.varying
    report.notes += _inferred(tried.kept, spec, database)
    for observation, trial in zip(tried.kept, trials, strict=True):
        if trial.state is not TrialState.ok:
            report.crashed_or_failed.append(observation.prefix)
        resets = [Problem(f"metrics_after.{n}", "was reset in the window", "it has no rate") for n in trial.reset]
        report.add_unread(observation.prefix, [*observation.problems, *resets])
    benchmark = _benchmark(first.workload, spec)
    form = ExperimentSpec.from_params({
        "experiment": spec.experiment,
        "target": spec.target,
        "benchmark": benchmark,
        "objective": Objective.throughput.value,
        "iterations": min(len(trials), MAX_ITERATIONS),
    })  # fmt: skip
    return ImportedExperiment(
        record=NewExperiment(
            name=spec.experiment,
            target=spec.target,
            dbms=first.dbms,
            benchmark=benchmark,
            objective=Objective.throughput.value,
            spec=form.record(),
            seed=0,
            code_version=code_version,
        ),
        fingerprint=_fingerprint(tried.kept, spec),
        space=space.records(),
        baseline=space.baseline(),
        facts=facts.as_dict(),
        live={name: setting.as_row() for name, setting in observed_settings(first, catalog).items()},
        versions={"major": first.version.release, "number": first.version.number, "text": first.version_text},
        hardware={},
        catalog_hash=catalog.content_hash,
        trials=[_as_baseline(trials[0]), *trials[1:]],
        outcome={"source": "OtterTune", "report": report.as_dict() | {"stored": True}},
        message=f"imported from OtterTune's files: {len(trials)} trials, {len(report.left_out)} sets left out",
    )


def _trial(o: Observation, tried: Tried, database: str) -> ImportedTrial:
    """The observation as a trial."""
    renamed = {"renamed": o.settings.renamed} if o.settings.renamed else {}
    common: dict[str, Any] = {
        "kind": TrialKind.design,
        "configuration": {name: o.settings.values[name] for name in tried.names},
        "reasons": {"source": "OtterTune", "set": o.prefix, **renamed},
        "started_at": datetime.fromtimestamp(o.start_s, UTC),
        "ended_at": datetime.fromtimestamp(o.end_s, UTC),
    }
    if o.state != "ok":
        nothing: dict[str, Any] = {"objective": None, "result": None, "metrics": {}, "snapshots": None, "reset": []}
        return ImportedTrial(state=TrialState(o.state), message=_FAULTS[o.state], **nothing, **common)
    window = o.window(database)
    return ImportedTrial(
        state=TrialState.ok if o.rate else TrialState.failed,
        objective=o.rate or None,
        result={"throughput": o.rate, "transactions": round(o.rate * o.seconds), "seconds": o.seconds},
        metrics=window.metrics,
        snapshots=RawCounters(*({"dbms": side} for side in o.raw_snapshots(database))),
        reset=window.reset,
        message="" if o.rate else "not one transaction was committed in the window",
        **common,
    )


def _as_baseline(trial: ImportedTrial) -> ImportedTrial:
    """What was in force before OtterTune recommended anything."""
    return replace(trial, kind=TrialKind.baseline)


def _benchmarks_database(observations: Sequence[Observation]) -> str:
    """The database that committed most: OtterTune's files do not say which one its benchmark ran in."""
    commits: Counter[str] = Counter()
    for observation in observations:
        commits.update({name: max(0, round(n)) for name, n in observation.commits_by_database().items()})
    return commits.most_common(1)[0][0] if commits else ""


def _benchmark(workload: str, spec: ImportSpec) -> str:
    """The name that the workload is filed under. Raises InvalidInput where OtterTune's own cannot be used."""
    if spec.benchmark is not None:
        return spec.benchmark
    if re.fullmatch(NAME_PATTERN, workload):
        return workload
    found = f"the sets' workload_name {workload!r} cannot be a benchmark's name"
    raise InvalidInput(Problem("benchmark", found, "give the name to file the workload under"))


def _facts(first: Observation, spec: ImportSpec) -> HostFacts:
    ram_bytes = int((spec.ram_gb or DEFAULT_RAM_GB) * 2**30)
    return assumed_facts(first.settings.texts, ram_bytes, spec.cores or DEFAULT_CORES, spec.disk or DEFAULT_DISK)


def _inferred(kept: Sequence[Observation], spec: ImportSpec, database: str) -> list[str]:
    """What the import had to assume."""
    notes = [] if all(o.ours for o in kept) else [_WARM_UP]
    if database:
        notes.append(f"database {database!r} committed most, and is taken for the benchmark's")
    assumed = [
        words
        for value, words in (
            (spec.ram_gb, f"{DEFAULT_RAM_GB:g} GiB of RAM"),
            (spec.cores, f"{DEFAULT_CORES} cores"),
            (spec.disk, f"an {DEFAULT_DISK.upper()}"),
        )
        if value is None
    ]
    if assumed:
        notes.append(
            f"the knobs' ranges are for a host with {', '.join(assumed)}, as OtterTune assumed: none was given"
        )
    renamed = sorted({f"{new} {how}" for o in kept for new, how in o.settings.renamed.items()})
    return [*notes, *renamed, *kept[0].notes]


def _fingerprint(kept: Sequence[Observation], spec: ImportSpec) -> str:
    """SHA-256 of the sets that became trials and of the fields that matter; where the folder lies does not."""
    fields = spec.model_dump(mode="json", exclude={"folder", "replace"})
    content = json.dumps([sorted(o.digest for o in kept), fields], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()
