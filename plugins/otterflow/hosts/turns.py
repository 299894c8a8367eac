"""The final comparison: baseline, rules, best and reduced, measured again in turns."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from otterflow.errors import NothingMeasured, TrialFault
from otterflow.experiment.comparison import BASELINE, distinct, restore_due, schedule
from otterflow.experiment.loop import TEACHES_NOTHING
from otterflow.experiment.standing import describe, faulty_arms, standing
from otterflow.experiment.window import needs, reason_rounds_take_too_long, reason_to_end_rounds
from otterflow.hosts.knobs_file import last_good_text
from otterflow.hosts.measurement import FIRST_STEPS, Measurement, measure
from otterflow.hosts.steps import prepare_turn

if TYPE_CHECKING:
    from otterflow.hosts.workbench import Workbench

log = logging.getLogger(__name__)


def take_turns(bench: Workbench, arms: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Measure every arm once a round until it is decided, each turn recorded unless that was done; what was compared.

    Whether it is decided is asked of the recorded turns alone: a task that is run again asks it anew after each round
    that was measured, and goes on where it stopped.
    """
    to_measure = sorted(set(distinct(arms).values()), key=list(arms).index)
    if len(to_measure) == 1:
        log.info("nothing but the baseline was measured: there is nothing to compare")
        return {"arms": [BASELINE], "turns": 0}
    spec = bench.plan.spec
    bench.server.begin_turn()
    bench.jobs.kill(besides="compare")  # of a trial that was given up
    turns = schedule(to_measure, spec.final_rounds, spec.seed)
    count, is_owed = len(to_measure), False
    ended: str | None = None
    for position, (number, arm) in enumerate(turns):
        if position % count == 0:
            ended = _why_end(bench, count, number - 1)
            if ended is not None:
                log.info("%s", ended)
                break
        is_owed = is_owed or restore_due(position, count, bench.plan.restore_every)
        measured = bench.repository.measurements(bench.name)
        if any((m.round, m.arm) == (number, arm) for m in measured):
            is_owed = False
        elif arm != BASELINE and arm in faulty_arms(measured):
            log.info("%s is not measured in round %s: it cannot win any more", arm, number)
        else:
            log.info("round %s of at most %s: %s", number, spec.final_rounds, arm)
            take_turn(bench, number, arm, arms[arm], restore_due=is_owed)
            is_owed = False
    said = {"arms": to_measure, "turns": len(bench.repository.measurements(bench.name))}
    return said | ({"ended": ended} if ended else {})


def _why_end(bench: Workbench, arms: int, rounds_done: int) -> str | None:
    """Why the comparison ends before its last round: decided, too long, or the window closes; None to go on."""
    plan = bench.plan
    measured = [m for m in bench.repository.measurements(bench.name) if m.round <= rounds_done]
    stands = standing(measured, plan.goal, plan.spec.looks)
    if stands.decided is not None:
        return f"decided after {rounds_done} rounds: {stands.decided}"
    if rounds_done:
        log.info("after round %s: %s; another round is made", rounds_done, describe(stands))
    if plan.spec.final_min is not None:
        ended = [m.measured_at for m in measured]
        too_long = reason_rounds_take_too_long(datetime.now(UTC), ended, rounds_done, plan.spec.final_min)
        if too_long is not None:
            return too_long
    return _window_closed(bench, arms, rounds_done)


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
        said = {"message": fault.said, TEACHES_NOTHING: isinstance(fault, NothingMeasured)}
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
