"""The final comparison: baseline, rules and best, measured again in turns."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from otterflow.errors import NothingMeasured, TrialFault
from otterflow.experiment.comparison import BASELINE, distinct, restore_due, schedule
from otterflow.experiment.loop import TEACHES_NOTHING
from otterflow.experiment.window import needs, reason_to_end_rounds
from otterflow.hosts.knobs_file import last_good_text
from otterflow.hosts.measurement import FIRST_STEPS, Measurement, measure
from otterflow.hosts.steps import prepare_turn

if TYPE_CHECKING:
    from otterflow.hosts.workbench import Workbench

log = logging.getLogger(__name__)


def take_turns(bench: Workbench, arms: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Measure every arm once a round, and record each measurement, unless that was done; what was compared."""
    to_measure = sorted(set(distinct(arms).values()), key=list(arms).index)
    if len(to_measure) == 1:
        log.info("nothing but the baseline was measured: there is nothing to compare")
        return {"arms": [BASELINE], "turns": 0}
    spec = bench.plan.spec
    bench.server.begin_turn()
    bench.jobs.kill(besides="compare")  # of a trial that was given up
    turns = schedule(to_measure, spec.final_rounds, spec.seed)
    done = {(m.round, m.arm) for m in bench.repository.measurements(bench.name)}
    for position, (number, arm) in enumerate(turns):
        if (number, arm) not in done:
            closed = _window_closed(bench, len(to_measure), number - 1) if position % len(to_measure) == 0 else None
            if closed is not None:
                log.warning("%s", closed)
                return {"arms": to_measure, "turns": position, "ended": closed}
            log.info("turn %s of %s: %s, round %s", position + 1, len(turns), arm, number)
            due = restore_due(position, len(to_measure), bench.plan.restore_every)
            take_turn(bench, number, arm, arms[arm], restore_due=due)
    return {"arms": to_measure, "turns": len(turns)}


def _window_closed(bench: Workbench, arms: int, rounds_done: int) -> str | None:
    """Why the comparison ends before all its rounds are made; None where there is no window, or one more fits."""
    spec = bench.plan.spec
    if spec.stop_at is None:
        return None
    needed = needs(bench.repository.trials(bench.name, metrics=()), spec.repeats)
    return reason_to_end_rounds(datetime.now(UTC), spec.stop_at, needed, arms, rounds_done)


def take_turn(bench: Workbench, number: int, arm: str, config: dict[str, Any], *, restore_due: bool) -> None:
    """Measure an arm in round `number`, with the steps that a trial takes, and record what came of it.

    A turn that was begun before is gone on with: its jobs say that its configuration is in force, and a restart would
    end the one that runs.
    """
    name = f"compare{bench.experiment.comparison}-{number}-{arm}"
    try:
        if not any(bench.jobs.exists(f"{name}-{step}", on_driver=True) for step in FIRST_STEPS):
            prepare_turn(bench, name, config, restore_due=restore_due)
        measured = measure(bench, Measurement(name, config, one_pass=True))
    except TrialFault as fault:
        bench.server.check_turn()
        log.error("%s in round %s: %s", arm, number, fault)
        said = {"message": str(fault), TEACHES_NOTHING: isinstance(fault, NothingMeasured)}
        bench.repository.record_measurement(
            bench.name, round=number, arm=arm, value=None, result=said, state=fault.state
        )
        # The next arm's restore must find the server up, and not be blamed for what this one has left.
        bench.server.write_knobs_file(last_good_text(bench.experiment))
        bench.server.start()
    else:
        bench.repository.record_measurement(
            bench.name, round=number, arm=arm, value=measured.value, result=measured.result, state="ok"
        )
    bench.jobs.clean(name)
