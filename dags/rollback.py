"""Put a server with users back to what was in force before a promotion.

### What it does
`roll_back` writes the knobs file as it was before the newest promotion that is in force on the target (or before the
one that you name), reloads, and reads back; it restarts the server only where the promotion has changed a knob that
takes a restart. It takes seconds. One that is being watched is taken over, and its run ends by itself.

### When this fails
The log says why. *An experiment holds the target*: stop it first. *The knobs file was changed since*: somebody has
written it after the promotion; look what, and trigger this again with *Anyway* on to put back the former file all the
same. To undo an experiment, trigger `undo_tuning`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from otterflow.experiment.notices import Event
from otterflow.experiment.plan import known
from otterflow.operators.base import RETRIES
from otterflow.operators.notices import EventNotifier
from otterflow.operators.rollback import RollBackOperator

with DAG(
    dag_id="rollback",
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    schedule=None,
    is_paused_upon_creation=False,
    params={
        "target": Param(
            "",
            type="string",
            enum=["", *known("targets")],
            title="Target",
            description="The server that is to be as it was before.",
        ),
        "promotion": Param(
            0,
            type="integer",
            minimum=0,
            title="Promotion",
            description="Back to before this one. 0: the newest that is in force.",
        ),
        "why": Param("", type="string", maxLength=2000, title="Why", description="Kept with the promotion."),
        "anyway": Param(
            False,
            type="boolean",
            title="Anyway",
            description="Put the former file back though somebody has changed the knobs file since.",
        ),
    },
    tags=["otterflow"],
    on_failure_callback=EventNotifier(Event.machinery_fault),
    default_args={"owner": "otterflow", "execution_timeout": timedelta(minutes=30), **RETRIES},
):
    RollBackOperator(task_id="roll_back")
