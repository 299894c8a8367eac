"""A promotion's steps on its target: looked at, installed and read back, watched, and put back."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from otterflow.errors import (
    CommandFailed,
    MachineryFault,
    NotApplied,
    NothingMeasured,
    Problem,
    ServerCrashed,
)
from otterflow.experiment.live_verdict import AFTER
from otterflow.experiment.promotion import RESTART, after_of, before_of, finding, moved_since, oldest_told, proposal
from otterflow.experiment.translation import Machine
from otterflow.hosts.inspection import Findings, inspect
from otterflow.hosts.measurement import Measurement, measure
from otterflow.hosts.promotion_bench import PromotionBench, raise_if_any

if TYPE_CHECKING:
    from otterflow.experiment.plan import Plan
    from otterflow.repository import Promotion
    from otterflow.workloads.definition import RunPlan

log = logging.getLogger(__name__)


class NotInForce(MachineryFault):
    """The configuration could not be put in force; the former one is in force again."""


def propose(bench: PromotionBench) -> dict[str, Any]:
    """Look at the target, and say what would change there.

    Raises InvalidInput, with all that is wrong: of the form, of what is to be promoted, of the target.
    """
    plan = bench.plan
    findings = inspect(bench)
    raise_if_any(findings.problems)
    if findings.facts is None:
        raise MachineryFault("the target could not be inspected, and nothing says why")
    here = Machine(findings.facts, findings.live, int(findings.versions["major"]))
    asked = finding(bench.repository, bench.form, here, plan.dbms, plan.catalog)
    found = proposal(asked, bench.form, here, plan.dbms, plan.catalog, findings.baseline_file)
    raise_if_any(_in_the_way(bench, findings, found))
    if findings.identity is not None:
        bench.repository.identify_target(plan.target.name, str(findings.identity))
    return found


def _in_the_way(bench: PromotionBench, findings: Findings, proposed: Mapping[str, Any]) -> list[Problem]:
    """What would keep these knobs from coming into force, or bring others along."""
    target, settings = bench.plan.target, bench.plan.dbms.settings
    with bench.host.query() as query:
        names = set(after_of(proposed))
        problems = settings.overrides(
            query, bench.host.session, target, findings.live, names, findings.baseline_file,
            restarts=proposed["how"] == RESTART,
        )  # fmt: skip
    if proposed["how"] != RESTART:
        return problems
    waiting = sorted(name for name, setting in findings.live.items() if setting.pending_restart)
    if waiting:
        found = f"{', '.join(waiting)} changed in a configuration file and wait for a restart, which would bring them"
        problems.append(Problem("restart", found, "restart the server yourself first, or take those lines back"))
    return problems


def look_again(bench: PromotionBench, asked: Mapping[str, Any]) -> list[str]:
    """What is not as it was when the proposal was `asked` about; see `promotion.moved_since`."""
    return moved_since(asked, propose(bench))


def text_of(bench: PromotionBench, promotion: Promotion) -> str:
    """The knobs file with the promotion's values over whatever it holds besides."""
    proposed = promotion.proposal
    header = f"otterflow, promotion {promotion.id}: {proposed['label']}"
    settings = bench.plan.dbms.settings
    return settings.render(after_of(proposed), bench.server.live(), keep=proposed["file"], header=header)


def install(bench: PromotionBench, promotion: Promotion, text: str) -> dict[str, Any]:
    """Write the knobs file, bring it into force, read back; what is in force.

    Where the server refuses it, or something else wins over it, the former file is put back, and NotInForce says why.
    A file that is neither the one that was asked about nor this one is left alone: MachineryFault.
    """
    server, wanted = bench.server, after_of(promotion.proposal)
    found = server.read_knobs_file()
    if found not in (promotion.proposal["file"], text):
        raise MachineryFault(
            f"{bench.target.knobs_file} was changed since it was asked about; nothing was written. Look who wrote "
            "it, and propose again"
        )
    server.begin_turn()
    try:
        if not server.write_knobs_file(text) and _is_in_force(bench, wanted):
            log.info("a try before this one has put it in force")
            return server.read_back(wanted)
        seconds = server.restart() if promotion.proposal["how"] == RESTART else server.reload(wanted)
        in_force = server.read_back(wanted)
    except (ServerCrashed, NotApplied, CommandFailed) as error:
        log.error("the configuration is not in force; the former one is put back: %s", error)
        done = put_back(bench, promotion)
        raise NotInForce(f"the configuration could not be put in force; {done}. Why: {error}") from error
    log.info("in force after %.1f s", seconds)
    return in_force


def _is_in_force(bench: PromotionBench, wanted: Mapping[str, Any]) -> bool:
    try:
        bench.server.read_back(wanted)
    except NotApplied:
        return False
    return True


def put_back(bench: PromotionBench, promotion: Promotion, *, anyway: bool = False) -> str:
    """Put back the knobs file of before the promotion, and bring it into force; what was done, in a sentence.

    A file that somebody else has written since is left alone, unless `anyway`: MachineryFault. The server is restarted
    only where a knob that takes one has another value than before, and started where it is down. One that reads its
    file at a start alone is left running where all its values are as before.
    """
    server, before = bench.server, _all_before(bench, promotion)
    former = promotion.proposal["file"]
    found = server.read_knobs_file()
    if found not in (former, promotion.file_after) and not anyway:
        raise MachineryFault(
            f"{bench.target.knobs_file} was changed since promotion {promotion.id}; it is left as it is. To put "
            "back what was there before it all the same, trigger rollback with Anyway on"
        )
    server.begin_turn()
    server.write_knobs_file(former)
    server.start()
    how = "left running"
    if _needs_restart(bench, promotion):
        server.restart()
        how = "restarted"
    elif server.reloads:
        server.reload(before)
        how = "reloaded"
    try:
        server.read_back(before)
    except NotApplied as error:
        log.error("the former knobs file is in force, and these are otherwise than before:\n%s", error)
        return f"the knobs file is as before promotion {promotion.id}, the server was {how}, and: {error}"
    return f"what was in force before promotion {promotion.id} is in force again; the server was {how}"


def _all_before(bench: PromotionBench, promotion: Promotion) -> dict[str, Any]:
    """The values in force before the promotion, of what it and all promotions after it have changed."""
    later = [
        p for p in bench.repository.promotions(bench.target.name) if p.id > promotion.id and p.file_after is not None
    ]
    return oldest_told((p.proposed_at, before_of(p.proposal)) for p in (promotion, *later))


def _needs_restart(bench: PromotionBench, promotion: Promotion) -> bool:
    live = bench.server.live()
    return any(
        change["restart"] and change["knob"] in live and live[change["knob"]].value != change["before"]
        for change in promotion.proposal["changes"]
    )


@dataclass(frozen=True)
class _Window(Measurement):
    """A window of the live load, which is left to settle for `warmup_s` first."""

    warmup_s: float = 0.0

    def run_plan(self, plan: Plan) -> RunPlan:
        """The window's own length."""
        return replace(super().run_plan(plan), warmup_s=self.warmup_s)


def watch(bench: PromotionBench, promotion: Promotion, phase: str, number: int) -> dict[str, Any]:
    """One window of the live load: what `Repository.add_window` takes.

    A window in which nothing could be measured has a value of None and says why. Raises TrialFault where the server
    died, the knobs are not as they were, or too many transactions failed.
    """
    wanted = (after_of if phase == AFTER else before_of)(promotion.proposal)
    name = f"{phase}-{number}"
    said: dict[str, Any] = {"phase": phase, "number": number, "value": None, "result": {}, "message": ""}
    try:
        settles = phase == AFTER and number == 1
        measured = measure(bench, _Window(name, wanted, warmup_s=bench.form.settle_s if settles else 0.0))
    except NothingMeasured as error:
        log.warning("%s: %s", name, error)
        said["message"] = str(error)
    else:
        said |= {"value": measured.value, "result": measured.result}
    bench.jobs.clean(name)
    return said
