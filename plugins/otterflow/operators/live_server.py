"""What `check_target` looks at on a server that is tuned under its real load."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from otterflow.errors import AccessRefused, Problem
from otterflow.workloads.live import requirements
from otterflow.workloads.objective import Objective

if TYPE_CHECKING:
    from otterflow.operators.workbench import Workbench

log = logging.getLogger(__name__)


def problems(bench: Workbench) -> list[Problem]:
    """What the server lacks to be observed, and to be given a configuration without a restart."""
    target = bench.plan.target
    try:
        with bench.query(target.database) as query:
            row = query(requirements.REQUIREMENTS_SQL)[0]
    except AccessRefused as error:
        return [Problem(f"{target.name}.yaml: database", str(error), "name a database of the server's users")]
    wanted = Objective.latency_mean.value in bench.plan.goal.names
    if not wanted and (absent := requirements.statements_problem(row)):
        log.warning("latencies will not be recorded: %s", absent.advice)
    return requirements.problems(row, needs_statements=wanted)


def warn_of_own_values(
    role_rows: Sequence[Mapping[str, Any]], tuned: Collection[str], database: str, user: str
) -> None:
    """Log the users whose role has a value of its own for a tuned knob; `user` is otterflow's, where it is a fault.

    `role_rows` is the answer to `settings.ROLE_SETTINGS_SQL`.
    """
    for row in role_rows:
        if row["name"] in tuned and row["database"] in (None, database) and row["role"] not in (None, user):
            log.warning(
                "role %s has a %s of its own (ALTER ROLE ... SET): its sessions keep that, whatever is tuned",
                row["role"],
                row["name"],
            )
