"""The knob catalog, to be searched: what a knob does, its range here, its risk, the rule for it and its source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from otterflow.dbms.registry import MODULES, dbms_named
from otterflow.errors import OtterflowError
from otterflow.experiment.plan import catalog_of
from otterflow.experiment.typed import facts_of, live_settings_of
from otterflow.knobs.catalog import KnobCatalog, TunableKnob
from otterflow.repository import Experiment
from otterflow.web.opening import Opened
from otterflow.web.reader import Asking
from otterflow.web.rendering import page
from otterflow.web.shown import KnobTexts

router = APIRouter()


@router.get("/knobs")
def knobs(
    request: Request,
    asking: Asking,
    repository: Opened,
    dbms: Annotated[str, Query(max_length=40)] = "",
    target: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """All knobs of a DBMS; with a target also what the newest experiment on it found there."""
    dags = asking.dags(repository)
    targets = {each.name: each for each in repository.targets_of(dags)}
    here = repository.experiment(targets[target].newest) if target in targets else None
    known = list(MODULES)
    chosen = here.dbms if here else dbms if dbms in known else known[0]
    catalog, problem = _catalog(chosen)
    known_here = _Here.of(here)
    return page(
        request,
        "knobs",
        dbms=chosen,
        title=dbms_named(chosen).title,
        all_dbms=known,
        target=target if here else "",
        targets=list(targets),
        seen_by=here,
        problem=problem,
        rows=[knob_row(knob, known_here) for knob in _tunable(catalog, here)],
        untuned=[
            {"family": f.family, "reason": f.reason, "risk": f.risk.value if f.risk else "", "knobs": list(f.knobs)}
            for f in (catalog.untuned if catalog else ())
        ],
    )


def _catalog(dbms: str) -> tuple[KnobCatalog | None, str]:
    """The catalog, or what is wrong with its file."""
    try:
        return catalog_of(dbms), ""
    except OtterflowError as error:
        return None, str(error)


def _tunable(catalog: KnobCatalog | None, here: Experiment | None) -> list[TunableKnob]:
    """The knobs of the server's version where that is known, else each knob's newest entry."""
    if catalog is None:
        return []
    if here is not None and here.live:
        version = dbms_named(here.dbms).settings.major(live_settings_of(here))
        return list(catalog.tunable(version).values())
    return list({knob.name: knob for knob in sorted(catalog.knobs, key=lambda k: k.until)}.values())


class _Here:
    """What is known of the knobs on a target: ranges, values in force, and what the rules set, with their source."""

    def __init__(self, experiment: Experiment | None, rules: Mapping[str, Any], reasons: Mapping[str, str]) -> None:
        self.texts = KnobTexts(experiment) if experiment else None
        self.space = {str(r.get("name")): r for r in experiment.space} if experiment else {}
        self.in_force = (
            (experiment.last_good.configuration if experiment.last_good else experiment.baseline or {})
            if experiment
            else {}
        )
        self.rules, self.reasons = rules, reasons

    @classmethod
    def of(cls, experiment: Experiment | None) -> _Here:
        """Nothing without an experiment."""
        rules, reasons = _rules(experiment)
        return cls(experiment, rules, reasons)

    def text(self, knob: str, value: Any) -> str:
        """A value as text."""
        return "-" if self.texts is None else self.texts(knob, value)

    def range(self, knob: str) -> str:
        """The range that was searched; empty where the knob was not tuned."""
        record = self.space.get(knob)
        if record is None:
            return ""
        if record.get("min") is None:
            return ", ".join(map(str, record.get("values") or ("off", "on")))
        return f"{self.text(knob, record['min'])} to {self.text(knob, record['max'])}"


def _rules(experiment: Experiment | None) -> tuple[Mapping[str, Any], Mapping[str, str]]:
    """What the rules set on the experiment's server for its kind of workload, and why."""
    if experiment is None or experiment.files is None or not experiment.live:
        return {}, {}
    dbms = dbms_named(experiment.dbms)
    live = live_settings_of(experiment)
    kind = str(experiment.files.benchmark.get("kind", "mixed"))
    try:
        found = dbms.rules.rule_based(facts_of(experiment), kind, live, server_version=dbms.settings.major(live))
    except OtterflowError:
        return {}, {}
    return found.config, found.reasons


def knob_row(knob: TunableKnob, here: _Here) -> dict[str, Any]:
    """A knob as a row."""
    return {
        "name": knob.name,
        "set": knob.set.value,
        "type": knob.type,
        "does": knob.does,
        "range": _range(knob),
        "specials": [f"{special.value}: {special.means}" for special in knob.special],
        "here": here.range(knob.name),
        "in_force": here.text(knob.name, here.in_force.get(knob.name)),
        "rule": here.text(knob.name, here.rules[knob.name]) if knob.name in here.rules else "",
        "why": here.reasons.get(knob.name, ""),
        "risk": knob.risk.value if knob.risk else "",
        "restart": knob.restart,
    }


def _range(knob: TunableKnob) -> str:
    if knob.min is not None:
        return f"{knob.min} to {knob.max}"
    return ", ".join(knob.values) if knob.values else "off, on"
