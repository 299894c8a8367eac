"""The verdict of a backfill: a table of the intervals, and in one sentence whether the candidate is good enough.

### What it does
`verdict` reads the intervals of a recording that were replayed, as far as the repository has them: no host is touched,
nothing is measured. Its log has a row for each interval and the sentence; all of it is written to
`verdicts/<recording>.json` under otterflow's home, and returned. `python -m otterflow verdict` does the same in a
shell.

### When this fails
The log names the field that is wrong: a recording without a block `replay`, a time that is none, or a candidate that
was not tried.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from otterflow.operators.base import RETRIES
from otterflow.operators.judge_backfill import JudgeBackfillOperator

with DAG(
    dag_id="replay_verdict",
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    schedule=None,
    is_paused_upon_creation=False,
    params={
        "recording": Param(
            "", type="string", title="Recording", description="A file in include/recordings/ that has a block replay."
        ),
        "from": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="From",
            description="Intervals that begin then or later.",
        ),
        "to": Param(
            None, type=["null", "string"], format="date-time", title="To", description="Intervals that begin before it."
        ),
        "candidate": Param(
            "", type="string", title="Candidate", description="One of those that were tried. Empty: all."
        ),
        "nowhere_worse_percent": Param(
            None,
            type=["null", "number"],
            exclusiveMinimum=0,
            exclusiveMaximum=100,
            title="Nowhere worse by more than (%)",
            description="In the place of what the recording's file says.",
        ),
    },
    tags=["otterflow"],
    default_args={"owner": "otterflow", "execution_timeout": timedelta(minutes=10), **RETRIES},
):
    JudgeBackfillOperator(task_id="verdict")
