"""What a configuration does on the past: a recording's intervals, each one's verdict, and that of all together."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from otterflow import settings
from otterflow.errors import InvalidInput, OtterflowError
from otterflow.experiment.backfill import dag_of, load_replay
from otterflow.experiment.interval import IntervalVerdict
from otterflow.experiment.intervals import intervals_of
from otterflow.experiment.verdict import Rule, shares, verdict_of
from otterflow.report.plots import ForestRow, forest_plot
from otterflow.web.opening import Opened
from otterflow.web.reader import Asking
from otterflow.web.rendering import page, when

router = APIRouter()


@router.get("/replays")
def replays(request: Request, asking: Asking, repository: Opened) -> Response:
    """The recordings whose replay may be read."""
    rows = [
        {"name": name, "dag": dag_of(name), "recordings": repository.recorded(name)}
        for name in recordings()
        if asking.may_read(dag_of(name))
    ]
    return page(request, "replays", rows=rows)


@router.get("/replays/{name}")
def replay(request: Request, asking: Asking, repository: Opened, name: str) -> Response:
    """One recording's intervals, and what they say of each candidate."""
    if name not in recordings() or not asking.may_read(dag_of(name)):
        raise HTTPException(404)
    rule, problems = _rule(name)
    found: dict[str, list[IntervalVerdict]] = {}
    try:
        found = intervals_of(repository, name, None, None, of=asking.dags(repository))
    except InvalidInput as error:
        problems.append(str(error))
    candidates = [_candidate(candidate, intervals, rule) for candidate, intervals in found.items()]
    return page(
        request, "replay", name=name, dag=dag_of(name), rule=rule.words(), candidates=candidates, problems=problems
    )


def recordings() -> list[str]:
    """The recordings that there are, by the names of their files."""
    return sorted(path.stem for path in settings.recordings_dir().glob("*.yaml"))


def _rule(name: str) -> tuple[Rule, list[str]]:
    """The rule by which the file judges, or the usual one and what is wrong with the file."""
    try:
        return load_replay(settings.recordings_dir() / f"{name}.yaml").block.rule, []
    except OtterflowError as error:
        return Rule(), [str(error)]


def _candidate(name: str, intervals: list[IntervalVerdict], rule: Rule) -> dict[str, Any]:
    verdict = verdict_of(name, intervals, rule)
    rows = [ForestRow(when(each.start), each.ratio, each.low, each.high, note=_note(each)) for each in intervals]
    return {
        "name": name,
        "sentence": verdict.sentence,
        "shares": shares(verdict),
        "intervals": intervals,
        "forest": forest_plot(rows, title=f"{name} on the past, by interval"),
    }


def _note(interval: IntervalVerdict) -> str:
    return "" if interval.believed else interval.why_not
