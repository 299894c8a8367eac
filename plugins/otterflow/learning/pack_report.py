"""What is in a pack, as text: for whoever was given one, and for whoever is about to give one on."""

from __future__ import annotations

import textwrap

from otterflow.errors import InvalidInput
from otterflow.experiment.plan import catalog_of
from otterflow.learning.pack_files import NamedPack
from otterflow.learning.packs import PackedExperiment
from otterflow.tuner.trial import OK

_LINE = 110


def summary(named: NamedPack) -> str:
    """The pack's words, and of each experiment its trials and what the knob catalog here says of its knobs."""
    pack = named.pack
    lines = [
        f"{named.name}: {pack.title}",
        f"  source: {pack.source}",
        f"  licence: {pack.licence}" + (f", {pack.copyright}" if pack.copyright else ""),
    ]
    for experiment in pack.experiments:
        lines += ["", f"  {experiment.name}: {experiment.words}", *(f"    {line}" for line in _details(experiment))]
    wrapped = (textwrap.wrap(line, _LINE, subsequent_indent=" " * (2 + _indent(line))) or [""] for line in lines)
    return "\n".join(line for lines in wrapped for line in lines)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _details(experiment: PackedExperiment) -> list[str]:
    values = [trial.value for trial in experiment.trials if trial.value is not None]
    faults = [trial.state for trial in experiment.trials if trial.state != OK]
    told = [f"{state} {faults.count(state)}" for state in sorted(set(faults))]
    machine = [
        text
        for known, text in (
            (experiment.ram_gb, f"{experiment.ram_gb:g} GiB of RAM" if experiment.ram_gb else ""),
            (experiment.cores, f"{experiment.cores} cores"),
            (experiment.disk, str(experiment.disk)),
            (experiment.noise_percent, f"noise {experiment.noise_percent} %"),
        )
        if known is not None
    ]
    return [
        f"objective {experiment.objective}: the best of {len(values)} values is {max(values):.3g} times the baseline"
        + (f"; {', '.join(told)}" if told else ""),
        *([", ".join(machine)] if machine else []),
        *_knobs(experiment),
    ]


def _knobs(experiment: PackedExperiment) -> list[str]:
    """What the catalog says: a knob that it does not tune is taken to stand still, one of another unit is left out."""
    try:
        entries = {entry.name: entry for entry in catalog_of(experiment.dbms).knobs}
    except InvalidInput as error:
        return [f"{len(experiment.knobs)} knobs, which are not looked up: {error}"]
    unknown = [knob.name for knob in experiment.knobs if knob.name not in entries]
    other = [
        f"{knob.name} (pack {knob.unit}, catalog {entries[knob.name].unit})"
        for knob in experiment.knobs
        if knob.name in entries and knob.unit != entries[knob.name].unit
    ]
    lines = [f"{len(experiment.knobs)} knobs, of which the catalog tunes {len(experiment.knobs) - len(unknown)}"]
    if unknown:
        lines.append(f"never tuned here, so they say nothing: {', '.join(unknown)}")
    if other:
        lines.append(f"in another unit, converted or left out: {', '.join(other)}")
    return lines
