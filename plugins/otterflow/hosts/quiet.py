"""The quiet gate: a run beside which the host worked for others is marked, and measured again where that may be done.

The look before a run goes with its job, as one of its files: a task that is begun again finds it there.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from otterflow.measures.quiet import HOST_WORK, QuietLimits
from otterflow.remote.other_work import (
    TIMES_FILE,
    WorkSample,
    benchmark_seconds,
    other_work,
    parse_sample,
    sample_command,
    times_after,
)

if TYPE_CHECKING:
    from otterflow.dbms.values import Started
    from otterflow.hosts.jobs import JobOutcome
    from otterflow.hosts.workbench import Workbench
    from otterflow.remote.script import JobScript

log = logging.getLogger(__name__)

MOST_TRIES = 3
"""So often is a run measured at most, where each of them is disturbed."""
BEFORE_FILE = "otterflow-host-before.json"
_LAG_S, _LAG_SHARE = 10.0, 0.2
"""How much longer than the job the looks may be apart: two commands on a busy host."""


class QuietGate:
    """The gate of one measurement; `began` is which start of the server it is."""

    def __init__(self, bench: Workbench, began: Started) -> None:
        self._bench = bench
        self._began = began
        self._is_on = bench.plan.spec.quiet_gate
        self._limits = QuietLimits.learned(_known(bench)) if self._is_on else None
        if self._limits is not None:
            log.info("quiet gate: the limits are %s", self._limits)

    @property
    def may_repeat(self) -> bool:
        """Whether a run may be measured again on the data that the last one left."""
        plan = self._bench.plan
        return plan.is_live or not (plan.benchmark.is_recorded or plan.restore_every == 1)

    def begin(self, script: JobScript) -> JobScript:
        """The job with the look before it in its baggage."""
        if not self._is_on:
            return script
        return times_after(script, {BEFORE_FILE: json.dumps(self._look().as_dict())})

    def end(self, ran: JobOutcome) -> dict[str, Any]:
        """What the host did for others beside the run, and under `disturbed` what was too much; {} if nobody knows."""
        if not self._is_on or BEFORE_FILE not in ran.results:
            return {}
        before = WorkSample(**json.loads(ran.results[BEFORE_FILE]))
        is_beside = self._bench.host.driver_session is self._bench.host.session
        own_s = benchmark_seconds(ran.results.get(TIMES_FILE, "")) if is_beside else 0.0
        found = other_work(before, self._look(), own_s)
        if found is None or found.seconds > ran.seconds * (1 + _LAG_SHARE) + _LAG_S:
            log.info("quiet gate: what the host did for others beside this run is not known")
            return {}
        shares = {"others_share": round(found.others_share, 4), "steal_share": round(found.steal_share, 4)}
        disturbed = None if self._limits is None else self._limits.exceeded(shares)
        if disturbed is None:
            log.info("quiet gate: others took %.1f %% of the processors beside this run", 100 * found.others_share)
        else:
            log.warning("quiet gate: this run was disturbed: %s", disturbed)
        return {**shares, "disturbed": disturbed}

    def _look(self) -> WorkSample:
        done = self._bench.host.session.run(sample_command(), what="looking at the host's work", timeout_s=30)
        return parse_sample(done.stdout, self._bench.plan.dbms.server_programs, self._began.started_s)


def _known(bench: Workbench) -> list[dict[str, float]]:
    """What is known of this experiment's runs so far, trials and turns."""
    trials = [trial.result or {} for trial in bench.repository.trials(bench.name, metrics=())]
    turns = [m.result for m in bench.repository.measurements(bench.name)]
    return [result[HOST_WORK] for result in (*trials, *turns) if result.get(HOST_WORK)]
