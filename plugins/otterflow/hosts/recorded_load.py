"""What a recorded load needs on the hosts, looked at before anything is touched: the recording, and a dump."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from otterflow.errors import InvalidInput, Problem
from otterflow.workloads.replay.looking import look_command, look_input, read_look
from otterflow.workloads.replay.settings import RecordedLoad
from otterflow.workloads.replay.workload import connection

if TYPE_CHECKING:
    from otterflow.hosts.workbench import Workbench

log = logging.getLogger(__name__)

READ_S = 600.0
"""Time limit of reading the whole recording."""
LOOK_S = 120.0
DATABASE_TO_DUMP = 8
"""About how many times larger a database is than its compressed dump, which has no indexes."""


def problems(bench: Workbench) -> list[Problem]:
    """What is wrong with the recording on the driver host, which is read whole, and with the python3 there.

    Raises InvalidInput for an SQL connection that the replayer could not use.
    """
    workload = bench.plan.benchmark.workload
    recording = workload.recording if isinstance(workload, RecordedLoad) else None
    if recording is None:
        return [Problem("recording", "none is given", "name a recording's folder on the driver host")]
    dbms = bench.plan.target.dbms
    connection(dbms, bench.host.access)
    done = bench.host.driver_session.run(
        look_command(recording), what="reading the recording", timeout_s=READ_S, stdin=look_input(dbms), check=False
    )
    found, sentence = read_look(recording, dbms, done.exit_code, done.stdout, done.stderr)
    if sentence:
        log.info("%s", sentence)
    return found


def restored_bytes(bench: Workbench) -> int:
    """About what the dump takes on the server's disk once it is restored. Raises InvalidInput where it cannot be."""
    target, dump = bench.plan.target, str(bench.plan.benchmark.dump)
    command = bench.plan.dbms.data.look_at_dump_command(dump, target)
    done = bench.host.session.run(command, what="looking at the dump", timeout_s=LOOK_S, check=False)
    if done.exit_code == 0:
        return DATABASE_TO_DUMP * int(done.stdout)
    found = f"{dump} on the target cannot be restored: {done.stderr.strip()[-300:]}"
    advice = "name a dump that the SSH user may read, made as a folder or in the archive's own format"
    raise InvalidInput(Problem(f"benchmark {bench.plan.benchmark.name}: data.dump", found, advice))
