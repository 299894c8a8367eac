"""What there is to know before a load is recorded, and all that stands in the way."""

from __future__ import annotations

import logging
import posixpath
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from otterflow.dbms.registry import dbms_named
from otterflow.dbms.values import Capability, StatementRefused
from otterflow.errors import AccessRefused, InvalidInput, MachineryFault, Problem
from otterflow.hosts.kept_recordings import KEEP_FREE_BYTES
from otterflow.hosts.log_access import look_at_log
from otterflow.hosts.record import RecordingPlan
from otterflow.hosts.same_server import identity_of
from otterflow.remote.files import missing_programs_command
from otterflow.remote.shell import quote
from otterflow.workloads.recording.cost import Cost, cost_of
from otterflow.workloads.recording.definition import Above, Method

if TYPE_CHECKING:
    from otterflow.hosts.record import Recordings

log = logging.getLogger(__name__)

CLOCK_TOLD_S = 2.0
"""A source whose clock differs by more is told of."""
LOOK_S = 60.0


def prepare(at: Recordings, recording: str, start: datetime, end: datetime) -> RecordingPlan:
    """Look at everything; how the recording is made. Raises InvalidInput with all that is wrong at once."""
    problems = supported(at)
    if problems:
        raise InvalidInput(problems)
    with at.source.query(at.definition.database) as query:
        found = at.capture.facts(query)
        problems += at.capture.access_problems(found, reloads=at.definition.method is not Method.server_log)
        cost = None if problems else cost_of(at.capture.rate(query), at.capture.PRICE, (end - start).total_seconds())
    problems += _same_server(at) + _driver_host(at)
    if cost is None:
        raise InvalidInput(problems)
    for limit in at.capture.limits(found):
        log.warning("%s", limit)
    chosen = _choose(at, found, cost)
    there_before = [] if at.capture.OWN_LOG else chosen.log["patterns"]
    access = look_at_log(at.source.session, there_before)
    problems += chosen.problems + access.problems(there_before)
    problems += [] if chosen.method is Method.server_log else _window_host(at)
    if problems:
        raise InvalidInput(problems)
    if abs(access.clock_ahead_s) > CLOCK_TOLD_S:
        log.warning(
            "the source's clock is %+.0f s from this one's: the interval is by the source's", access.clock_ahead_s
        )
    return RecordingPlan(
        recording, start.isoformat(), end.isoformat(), chosen.method.value, chosen.share, chosen.log, chosen.settings,
        round(access.clock_ahead_s, 3),
    )  # fmt: skip


def supported(at: Recordings) -> list[Problem]:
    """That loads of this DBMS can be recorded, and replayed on that one."""
    source, replay = at.source.target, at.replay.target
    dbms = dbms_named(source.dbms)
    if not dbms.has(Capability.capture):
        found = f"{source.name!r} is a {dbms.title} server, whose load cannot be recorded yet"
        return [Problem("source", found, "record another server")]
    if replay.dbms != source.dbms:
        found = f"{replay.name!r} is a server of {dbms_named(replay.dbms).title}, and the source of {dbms.title}"
        return [Problem("replay_on", found, "name a target of the same DBMS")]
    return []


@dataclass(frozen=True)
class _Chosen:
    method: Method
    share: float
    log: dict[str, Any]
    settings: dict[str, str]
    problems: list[Problem]


def _choose(at: Recordings, found: dict[str, Any], cost: Cost) -> _Chosen:
    """The method and share, within the budget."""
    definition, capture, target = at.definition, at.capture, at.source.target
    if definition.method is Method.server_log:
        log.info("what the log costs the source as it is: %s", cost)
        return _Chosen(
            definition.method, definition.share, capture.log_of(found, target), {}, capture.log_problems(found)
        )
    method, share, problems = definition.method, definition.share, []
    drawn = share if method is Method.transaction_sample else 1.0
    log.info("the recording will cost the source %s", cost.times(drawn))
    if not cost.times(drawn).is_within(definition.budget):
        share_within = cost.share_within(definition.budget) if capture.SAMPLES else 0.0
        if definition.budget.above is Above.sample and share_within:
            method = Method.transaction_sample
            share = drawn = min(drawn, share_within)
            log.warning(
                "above the budget: %.1f %% of the transactions are drawn, for %s", drawn * 100, cost.times(drawn)
            )
        else:
            problems.append(_above(at, cost.times(drawn), share_within))
    sampled = method is Method.transaction_sample
    problems += capture.window_problems(found, sampled=sampled)
    plan = capture.window_plan(found, target, drawn if sampled else None)
    return _Chosen(method, share, plan.log, plan.settings, problems)


def _above(at: Recordings, cost: Cost, share_within: float) -> Problem:
    budget = at.definition.budget
    allowed = f"{budget.core_percent:g} % of a core and {budget.log_size / 2**20:,.0f} MiB"
    if share_within:
        advice = (
            f"allow more, or set budget.above: sample, which would draw {share_within * 100:.1f} % of the transactions"
        )
    elif at.capture.SAMPLES:
        advice = "allow more: not even a thousandth of the transactions is within it"
    else:
        advice = "allow more, or record a shorter interval: this server cannot draw transactions"
    return Problem("budget", f"the recording would cost {cost}; allowed are {allowed}", advice)


def _same_server(at: Recordings) -> list[Problem]:
    """That the source is not, under another name, the very server that the load is replayed on."""
    identities = []
    for host in (at.source, at.replay):
        try:
            with host.query() as query:
                identities.append(identity_of(dbms_named(host.target.dbms), query, host.session))
        except (AccessRefused, InvalidInput, MachineryFault, StatementRefused) as error:
            log.warning("target %s cannot be asked which server it is: %s", host.target.name, error)
            return []
    if identities[0] != identities[1]:
        return []
    found = f"{at.replay.target.name!r} is the same server as the source {at.source.target.name!r} ({identities[0]})"
    return [Problem("replay_on", found, "name the staging server: a replay changes data")]


def _window_host(at: Recordings) -> list[Problem]:
    """That a job on the source's host can write the knobs file and ask the server."""
    target, session = at.source.target, at.source.session
    folder = posixpath.dirname(target.knobs_file)
    command = missing_programs_command(at.capture.PROGRAMS, target.bin_dir)
    missing = session.run(command, what="looking for programs", timeout_s=LOOK_S).stdout.split()
    problems = []
    if missing:
        found = f"{', '.join(missing)} not found on the source's host"
        problems.append(Problem("bin_dir", found, "set bin_dir to the folder that holds them, or install them"))
    writable = session.run(f"[ -w {quote(folder)} ]", what=f"looking at {folder}", timeout_s=LOOK_S, check=False)
    if writable.exit_code != 0:
        found = f"its folder {folder} cannot be written by the user of connection {target.ssh_conn_id!r}"
        problems.append(Problem("knobs_file", found, "make it and give it to that user, with mode 755"))
    return problems


def _driver_host(at: Recordings) -> list[Problem]:
    """That the folder of the recordings can be written, and its disk has room for one more."""
    folder, session = at.definition.dir, at.replay.driver_session
    command = f"""folder={quote(folder)}
while [ ! -e "$folder" ]; do folder=$(dirname -- "$folder"); done
if [ -d "$folder" ] && [ -w "$folder" ]; then echo writable; else echo "$(id -un) may not write $folder"; fi
df -Pk -- "$folder" | awk 'NR == 2 {{ print $4 }}'"""
    said, free_kib = session.run(command, what=f"looking at {folder}", timeout_s=LOOK_S).stdout.splitlines()
    if said != "writable":
        return [Problem("dir", f"{said} on {session.host}", "make the folder, with mode 700, and give it to that user")]
    free_bytes = int(free_kib) * 1024
    if free_bytes < KEEP_FREE_BYTES:
        found = f"its disk on {session.host} has {free_bytes / 2**20:,.0f} MiB free"
        return [Problem("dir", found, f"make room: {KEEP_FREE_BYTES / 2**20:,.0f} MiB are to stay free")]
    return []
