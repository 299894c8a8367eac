"""The export bundle: a configuration of an experiment, as files for the tools by which servers are configured.

Only what differs from the configuration before the experiment is in it. Each value comes with a line that says where
it is from: a rule and its source, or the trial that found it, and what it is worth where that is known.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otterflow.dbms.bundle.values import ExportedKnob, Order
from otterflow.dbms.values import RuleBased
from otterflow.errors import InvalidInput, Problem
from otterflow.experiment.comparison import RULES
from otterflow.experiment.frozen import plan_of
from otterflow.experiment.summary import aligned
from otterflow.experiment.typed import facts_of, live_settings_of
from otterflow.report.chosen import FIELD, Chosen, chosen, differing
from otterflow.report.effects import KnobEffect, effects

if TYPE_CHECKING:
    from otterflow.experiment.plan import Plan
    from otterflow.repository import Experiment, Repository, Trial

README = "README.txt"
_SAME_DATE = (1980, 1, 1, 0, 0, 0)
"""The same configuration gives the same archive."""
_TABLE = ("knob", "before", "now", "", "where it comes from")


@dataclass(frozen=True)
class Export:
    """A bundle's files by their path, and by path the knobs that a service does not take, each with the reason."""

    title: str
    files: Mapping[str, str]
    left_out: Mapping[str, Mapping[str, str]]

    def archive(self) -> bytes:
        """The files as a zip archive."""
        memory = io.BytesIO()
        with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, text in sorted(self.files.items()):
                entry = zipfile.ZipInfo(path, _SAME_DATE)
                entry.external_attr = (0o100755 if path.endswith(".sh") else 0o100644) << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, text)
        return memory.getvalue()


def export(repository: Repository, name: str, configuration: str = "best") -> Export:
    """The bundle of a configuration of experiment `name`; see `chosen.chosen` for what one is called.

    Raises InvalidInput for an experiment or a configuration that is unknown, and for one that changes nothing.
    """
    experiment = repository.experiment(name)
    return export_of(experiment, repository.trials(name, metrics=()), configuration)


def export_of(experiment: Experiment, trials: Sequence[Trial], configuration: str = "best") -> Export:
    """The same of records that are there already."""
    plan = plan_of(experiment)
    found = chosen(experiment, plan, trials, configuration)
    order = order_of(experiment, plan, found)
    bundle = plan.dbms.export.bundle(order)
    readme = _readme(order, plan, bundle.files, bundle.left_out)
    return Export(order.title, {README: readme, **bundle.files}, bundle.left_out)


def order_of(experiment: Experiment, plan: Plan, found: Chosen) -> Order:
    """The knobs that differ, each with where its value comes from."""
    live, differs = live_settings_of(experiment), differing(found.values, experiment)
    if not differs:
        what = f"{found.name!r} changes no knob: it is what was in force before the experiment"
        raise InvalidInput(Problem(FIELD, what, "export another configuration of the experiment"))
    major = plan.dbms.settings.major(live)
    entries = plan.catalog.tunable(major)
    because = _Origins(experiment, plan, found)
    knobs = [
        ExportedKnob(
            setting=live[name],
            value=value,
            before=before,
            restart=entries[name].restart if name in entries else live[name].needs_restart,
            because=f"was {plan.dbms.spelling.display(before, live[name])}; {because.of(name, value)}",
        )
        for name, (before, value) in differs.items()
    ]
    title = (
        f"Experiment {experiment.name}, configuration {found.name}: measured with {experiment.benchmark} on "
        f"{experiment.target}"
    )
    return Order(title, f"{experiment.name}-{found.name}", major, knobs)


class _Origins:
    """Where the values of one configuration come from."""

    def __init__(self, experiment: Experiment, plan: Plan, found: Chosen) -> None:
        self.found = found
        self.ruled = _ruled(experiment, plan)
        self.effects: Mapping[str, KnobEffect] = effects(experiment.outcome or {}) if found.name == "best" else {}

    def of(self, name: str, value: Any) -> str:
        """A sentence without its full stop."""
        effect = self.effects.get(name)
        return self._source(name, value) + (f"; worth {effect.words}" if effect and not effect.dropped else "")

    def _source(self, name: str, value: Any) -> str:
        trial = self.found.trial
        rule = self.ruled.reasons.get(name) if self.ruled.config.get(name) == value else None
        if self.found.name == RULES or (trial is not None and trial.kind == "rules"):
            return rule or "from the rules"
        if trial is None:
            return f"from {self.found.name!r}, as the form gave it or the comparison made it"
        found = f"found in trial {trial.iteration}"
        return f"{found}, as the rules have it: {rule}" if rule else found


def _ruled(experiment: Experiment, plan: Plan) -> RuleBased:
    """What the rules set, with their reasons; nothing for a server that they do not know, as of an import."""
    live = live_settings_of(experiment)
    major = plan.dbms.settings.major(live)
    try:
        return plan.dbms.rules.rule_based(facts_of(experiment), plan.benchmark.kind.value, live, server_version=major)
    except InvalidInput:
        return RuleBased({}, {})


def _readme(order: Order, plan: Plan, files: Mapping[str, str], left_out: Mapping[str, Mapping[str, str]]) -> str:
    display = plan.dbms.spelling.display
    rows = [
        (
            knob.name,
            display(knob.before, knob.setting),
            display(knob.value, knob.setting),
            "restart" if knob.restart else "",
            knob.because.partition("; ")[2],
        )
        for knob in order.knobs
    ]
    parts = [order.title, "", f"{len(rows)} knobs differ from the configuration before the experiment.", ""]
    parts += aligned(_TABLE, rows)
    parts += ["", "Files (each says at its head how it is used):", *(f"  {path}" for path in sorted(files))]
    for path, knobs in left_out.items():
        parts += ["", f"Left out of {path}:", *(f"  {name}: {why}" for name, why in knobs.items())]
    parts += [
        "",
        "The values were measured on one machine under one load. On another, those that are a share of its memory or",
        "its cores have to be a share of that.",
    ]
    return "\n".join(parts) + "\n"


def write_archive(path: Path, found: Export) -> None:
    """Write the archive; a file of the name is replaced, whole. Raises InvalidInput where it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        part.write_bytes(found.archive())
        part.replace(path)
    except OSError as error:
        raise InvalidInput(
            Problem("to", f"{path} cannot be written: {error.strerror}", "name a file in a folder of yours")
        ) from None
