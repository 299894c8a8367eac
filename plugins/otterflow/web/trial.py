"""One trial: its configuration against the baseline, why it was tried, what was measured, and what the server said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from otterflow.errors import BenchmarkFailed, InvalidInput
from otterflow.experiment.comparison import BASELINE
from otterflow.experiment.run_names import run_id
from otterflow.measures.names import UNITS, measures
from otterflow.measures.result import BenchmarkResult
from otterflow.repository import Repository, Trial
from otterflow.web.experiment_parts import differs
from otterflow.web.opening import Opened
from otterflow.web.reader import Asking
from otterflow.web.rendering import page
from otterflow.web.shown import KnobTexts, gains, knob_rows, owner, yardstick_of

router = APIRouter()

_LARGEST = 2**31 - 1


@router.get("/experiment/{name}/trial/{iteration}")
def trial(
    request: Request,
    asking: Asking,
    repository: Opened,
    name: str,
    iteration: int,
    attempt: Annotated[int | None, Query(ge=1, le=_LARGEST)] = None,
) -> Response:
    """The newest try of the iteration, or that of the number `attempt`."""
    dag_id = owner(repository, asking, name)
    found = _found(repository, name, iteration, attempt)
    experiment, first = repository.experiment(name), _found(repository, name, 0, None)
    trials, told = repository.trials(name, metrics=()), yardstick_of(experiment)
    texts, reasons = KnobTexts(experiment), found.reasons
    columns = {BASELINE: experiment.baseline or {}, "wanted": found.wanted}
    if found.in_force is not None and found.in_force != found.wanted:
        columns["in force"] = found.in_force
    rows = knob_rows(columns, texts, BASELINE)
    moves = {str(m.get("knob")): m.get("gain_percent") for m in reasons.get("moved") or () if isinstance(m, Mapping)}
    for row in rows:
        row["gain"] = moves.get(row["knob"]) if row["change"] else None
    return page(
        request,
        "trial",
        experiment=experiment,
        trial=found,
        told=told,
        gain=gains(trials, told).get(iteration),
        last=max(other.iteration for other in trials),
        columns=list(columns),
        knobs=rows,
        reasons=reasons,
        repairs=_repairs(found, texts),
        results=_compared(_numbers(found), _numbers(first)),
        counters=_compared({**found.metrics, **found.host}, {**first.metrics, **first.host}),
        may_read_logs=asking.may_read_logs(dag_id),
        run=run_id(name, iteration),
        may_export=attempt is None and found.state == "ok" and differs(experiment, found.in_force or found.wanted),
    )


def _found(repository: Repository, name: str, iteration: int, attempt: int | None) -> Trial:
    if not 0 <= iteration <= _LARGEST:
        raise HTTPException(404)
    try:
        return repository.trial(name, iteration, attempt=attempt)
    except InvalidInput:
        raise HTTPException(404) from None


def _repairs(found: Trial, texts: KnobTexts) -> list[dict[str, str]]:
    return [
        {
            "knob": str(r.get("knob")),
            "wanted": texts(str(r.get("knob")), r.get("wanted")),
            "used": texts(str(r.get("knob")), r.get("used")),
            "reason": str(r.get("reason", "")),
        }
        for r in found.repairs
    ]


def _numbers(found: Trial) -> dict[str, float]:
    try:
        return measures(BenchmarkResult.from_dict(found.result or {}))
    except BenchmarkFailed:
        return {}


def _compared(own: Mapping[str, float], baseline: Mapping[str, float]) -> list[dict[str, Any]]:
    """Numbers beside the baseline's, those that differ most first."""
    rows = [
        {
            "name": n,
            "value": v,
            "baseline": baseline.get(n),
            "ratio": _ratio(v, baseline.get(n)),
            "unit": UNITS.get(n, ""),
        }
        for n, v in own.items()
    ]
    return sorted(rows, key=lambda row: -_distance(row["ratio"]))


def _ratio(value: float, baseline: float | None) -> float | None:
    return value / baseline if baseline else None


def _distance(ratio: Any) -> float:
    if ratio is None or ratio <= 0:
        return -1.0
    return float(max(ratio, 1 / ratio))
