"""Two experiments side by side: what each was about, what came of it, and where their configurations differ."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from otterflow.experiment.comparison import BASELINE
from otterflow.report.plots import ForestRow, View, forest_plot, trials_plot
from otterflow.repository import Experiment, Repository
from otterflow.web import experiment_parts as parts
from otterflow.web.experiments import gain_of
from otterflow.web.opening import Opened
from otterflow.web.reader import Asking, Reader
from otterflow.web.rendering import page
from otterflow.web.shown import KnobTexts, gains, knob_rows, seen, yardstick_of
from otterflow.web.zoom import Viewed, zoom

router = APIRouter()

_OFFERED = 200
_Name = Annotated[str, Query(max_length=200)]
_ALIKE = ("target", "dbms", "benchmark", "objective", "seed", "code_version", "catalog_hash")


@router.get("/compare")
def compare(
    request: Request, asking: Asking, repository: Opened, part: Viewed, a: _Name = "", b: _Name = ""
) -> Response:
    """The choice of two, and once both are chosen, the two."""
    dags = asking.dags(repository)
    offered = repository.newest_names(dags, _OFFERED)
    base = str(request.scope["root_path"])
    chosen = {name: _side(repository, asking, name, base, part) for name in (a, b) if name}
    both = [chosen[name] for name in (a, b) if name in chosen]
    pair = both if len(both) == 2 else []
    return page(
        request,
        "compare",
        a=a,
        b=b,
        offered=offered,
        sides=pair,
        alike=_alike(*(side["experiment"] for side in pair)) if pair else [],
        zoom=zoom([number for side in pair for number in side["iterations"]], part, {"a": a, "b": b}),
        knobs=_knobs(pair) if pair else None,
        forest=forest_plot(_forest(pair), title="Each against its own baseline") if pair else None,
    )


def _side(repository: Repository, asking: Reader, name: str, base: str, part: View) -> dict[str, Any]:
    experiment = seen(repository, asking, name)
    trials = repository.trials(name, metrics=())
    told = yardstick_of(experiment)
    gained = gains(trials, told)
    outcome = experiment.outcome or {}
    ratios = outcome.get("comparison", {}).get("ratios") or {}
    best = outcome.get("best_configuration") or parts.best_configuration(trials, gained)
    drawn = parts.trials_as_points(experiment, trials, gained, told, "out", base)
    return {
        "experiment": experiment,
        "told": told,
        "done": sum(trial.state.ended for trial in trials),
        "failed": sum(trial.state.ended and trial.state != "ok" for trial in trials),
        "verdict": outcome.get("verdict", ""),
        "gain": gain_of(outcome.get("winner"), ratios),
        "baseline": next((t.objective for t in trials if t.kind == BASELINE), None),
        "best": best or {},
        "iterations": [point.iteration for point in drawn["points"]],
        "plot": trials_plot(**drawn, view=part),
    }


def _alike(one: Experiment, other: Experiment) -> list[dict[str, Any]]:
    """What the two were about, each with whether it is the same."""
    rows = [(name.replace("_", " "), getattr(one, name), getattr(other, name)) for name in _ALIKE]
    rows += [("versions", one.versions, other.versions), ("hardware", one.hardware, other.hardware)]
    return [{"what": what, "a": _text(a), "b": _text(b), "same": a == b} for what, a, b in rows]


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {each}" for key, each in sorted(value.items())) or "-"
    return str(value) or "-"


def _forest(sides: list[dict[str, Any]]) -> list[ForestRow]:
    rows = []
    for side in sides:
        name, gain = side["experiment"].name, side["gain"]
        if gain is None:
            rows.append(ForestRow(name, None, note="not compared yet"))
        else:
            rows.append(ForestRow(f"{name}: {gain['arm']}", gain["ratio"], gain.get("low"), gain.get("high")))
    return rows


def _knobs(sides: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The two best configurations, where they differ first. Values read as the first one's server spells them."""
    one, other = (side["best"] for side in sides)
    texts = KnobTexts(sides[0]["experiment"])
    return knob_rows({"a": one, "b": other}, texts, "a")
