"""What all intervals of a recording say of a candidate."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otterflow import settings
from otterflow.errors import InvalidInput, Problem
from otterflow.experiment.backfill import load_replay
from otterflow.operators.base import OtterflowOperator
from otterflow.operators.guard import ANYWHEN

if TYPE_CHECKING:
    from airflow.sdk import Context

    from otterflow.repository import Repository

_LINE = 110
"""Characters of a line that Airflow's page of a log shows."""


class JudgeBackfillOperator(OtterflowOperator):
    """Logs the table and the verdict, keeps them as `verdicts/<recording>.json` beside the results, returns them."""

    may = ANYWHEN

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(experiment="", **kwargs)

    def work(self, repository: Repository, context: Context) -> dict[str, Any]:
        """Read, judge, keep."""
        text, record = judged(repository, context["params"])
        folder = settings.private_home() / "verdicts"
        folder.mkdir(exist_ok=True, mode=0o700)
        path = folder / f"{record['recording']}.json"
        write(path, record)
        self.log.info("%s\n\nas JSON: %s on the machine that ran this task", text, path)
        return record


def judged(repository: Repository, asked: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The verdicts as text and as plain JSON.

    `asked` has `recording`, and maybe `from` and `to` (ISO 8601; without a zone UTC), `candidate` (an arm's name), and
    in the place of what the recording's file says `better_overall` and `nowhere_worse_percent`. Raises InvalidInput.
    """
    from otterflow.experiment.intervals import intervals_of
    from otterflow.experiment.verdict import shares, table, verdict_of

    name = str(asked.get("recording") or "")
    rule = load_replay(settings.recordings_dir() / f"{name}.yaml").block.rule
    own = {field: asked[field] for field in ("better_overall", "nowhere_worse_percent") if asked.get(field) is not None}
    rule = rule.model_copy(update=own)
    begin, end = (_moment(asked, field) for field in ("from", "to"))
    found = intervals_of(repository, name, begin, end, str(asked.get("candidate") or ""))
    parts, records = [f"The rule: {rule.words()}."], []
    for candidate, intervals in found.items():
        verdict = verdict_of(candidate, intervals, rule)
        sentences = (shares(verdict), verdict.sentence)
        parts += ["", table(intervals), *(textwrap.fill(each, _LINE) for each in sentences)]
        records.append({"intervals": [interval.record() for interval in intervals], "verdict": verdict.record()})
    return "\n".join(parts), {"recording": name, "candidates": records}


def write(path: Path, record: Mapping[str, Any]) -> None:
    """Write the verdicts as JSON."""
    path.write_text(json.dumps(record, indent=2) + "\n")


def _moment(asked: Mapping[str, Any], field: str) -> datetime | None:
    text = asked.get(field)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        advice = "write it as in 2026-11-29T02:00+01:00; without a zone it is UTC"
        raise InvalidInput(Problem(field, f"{text!r} is no date", advice)) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
