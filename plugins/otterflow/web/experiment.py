"""One experiment, live while it runs: trials, comparison, knobs, what comes next and why, and where the time went."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from otterflow.experiment.loop import iterations_of
from otterflow.report.plots import forest_plot, trials_plot
from otterflow.web import experiment_parts as parts
from otterflow.web.opening import Opened
from otterflow.web.reader import Asking
from otterflow.web.rendering import page
from otterflow.web.shown import NOT_THERE, gains, owner, yardstick_of
from otterflow.web.zoom import Viewed, query_of, zoom

router = APIRouter()


@router.get("/experiment/{name}")
def experiment(
    request: Request,
    asking: Asking,
    repository: Opened,
    name: str,
    seen: Viewed,
    drift: Annotated[str, Query(pattern="^(out|in)$")] = "in",
    live: bool = False,
) -> Response:
    """The page; with `live` only the part that changes, and 304 where it has not."""
    owner(repository, asking, name)
    pulse = repository.pulse(name)
    if pulse is None:
        raise HTTPException(404, NOT_THERE)
    tag = f'W/"{hashlib.sha256(repr((pulse, drift, seen)).encode()).hexdigest()[:20]}"'
    if live and request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    found, trials = repository.experiment(name), repository.trials(name, metrics=())
    ended = [trial for trial in trials if trial.state.ended]
    done = iterations_of(ended)
    told = yardstick_of(found)
    gained = gains(trials, told)
    turns = repository.measurements(name)
    drawn = parts.trials_as_points(found, trials, gained, told, drift, str(request.scope["root_path"]))
    answer = page(
        request,
        "experiment_live" if live else "experiment",
        experiment=found,
        told=told,
        drift=drift,
        planned=found.spec.get("iterations"),
        done=done,
        sent_home=len(ended) - done,
        verdict=(found.outcome or {}).get("verdict"),
        best=parts.best_so_far(trials, gained, told),
        now=parts.under_way(trials),
        left=parts.left_to_gain(trials),
        plot=trials_plot(**drawn, view=seen),
        zoom=zoom([point.iteration for point in drawn["points"]], seen, {"drift": drift}),
        same_part=query_of(seen),
        trials=parts.trial_rows(trials, gained),
        forest=forest_plot(parts.forest_rows(found, turns, told), title="Against the baseline"),
        arms=parts.arm_table(found, turns, told),
        knobs=parts.knobs(found, trials, gained),
        leading=parts.leading_knobs(repository, found, trials),
        next=parts.upcoming(found, trials),
        spent=parts.seconds_by_task(trials),
        actions=parts.actions(found),
        downloads=parts.downloads(found),
        run=parts.run_of(found),
    )
    answer.headers["ETag"] = tag
    return answer
