"""What `check_target` looks at on a server that is tuned under its real load."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from otterflow.dbms.registry import dbms_named
from otterflow.errors import AccessRefused, Problem
from otterflow.measures.objective import Objective

if TYPE_CHECKING:
    from otterflow.hosts.host import Host
    from otterflow.measures.goal import Goal

log = logging.getLogger(__name__)


def problems(host: Host, goal: Goal) -> list[Problem]:
    """What the server lacks to be observed, and to be given a configuration without a restart."""
    target = host.target
    try:
        with host.query(target.database) as query:
            lacks = dbms_named(target.dbms).observation.requirements(query)
    except AccessRefused as error:
        return [Problem(f"{target.name}.yaml: database", str(error), "name a database of the server's users")]
    wanted = Objective.latency_mean.value in goal.names
    if lacks.statements is None:
        return lacks.problems
    if wanted:
        return [*lacks.problems, lacks.statements]
    log.warning("latencies will not be recorded: %s", lacks.statements.advice)
    return lacks.problems


def warn_of_own_values(own_values: Iterable[tuple[str, str]]) -> None:
    """Log the users whose role has a value of its own for a tuned knob; see `dbms.settings.own_values`."""
    for role, knob in own_values:
        log.warning("role %s has a %s of its own: its sessions keep that, whatever is tuned", role, knob)
