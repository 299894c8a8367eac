"""Why the server is not what it was when a measurement began: it died, or somebody stopped or restarted it.

A server that died under the benchmark teaches the tuner; one that an administrator has stopped does not, and what was
under way is measured again.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from otterflow.dbms.start_report import crashed
from otterflow.dbms.values import Answer
from otterflow.errors import CommandFailed, ServerCrashed, ServerStopped

if TYPE_CHECKING:
    from otterflow.dbms.values import Started
    from otterflow.hosts.server import Server

log = logging.getLogger(__name__)

QUIET_S = 2.0
"""How long a server with a readable control file must give no answer to count as gone."""
QUIET_UNSEEN_S = 5.0
"""The same without a control file: whoever restarts the server may not be done yet."""
LOOK_EVERY_S = 0.3


def raise_if_it_went_away(server: Server, before: Started, during: str) -> None:
    """Raise if the server is not the one that `before` was read from.

    ServerCrashed, with the end of its log, where it died; ServerStopped where it was asked to stop. Where a look at a
    stopped server tells nothing, it is started, for that tells.
    """
    if not server.is_up():
        tail = server.log_tail()
        died = crashed(f"the server died under the benchmark ({during})", tail, server.service.is_complaint)
        known = _wait_until_it_settles(server)
        if known is True:
            raise _stopped(during, "stopped")
        if known is False:
            raise died
        try:
            server.start()
        except (ServerCrashed, CommandFailed) as error:
            log.warning("the server does not start: %s", error)
            raise died from None
    now = server.started()
    if now.is_same_start(before):
        return
    if now.after_shutdown:
        raise _stopped(during, "restarted")
    message = f"the server died under the benchmark, and is up again ({during})"
    raise crashed(message, server.log_tail(), server.service.is_complaint)


def _stopped(during: str, what: str) -> ServerStopped:
    return ServerStopped(
        f"somebody has {what} the server under the benchmark ({during}): it was shut down in order, so its "
        "configuration is not to blame; what was measured is thrown away and measured again"
    )


def _wait_until_it_settles(server: Server) -> bool | None:
    """Whether the server, which gave no answer, was shut down in order; None where it is up, or nothing can be seen."""
    begun, quiet_since = time.monotonic(), None
    while time.monotonic() - begun < server.target.recovery_timeout_s:
        answer, state = server.answer(), server.control_state()
        if answer is Answer.accepts:
            return None
        if answer is Answer.rejects or (state is not None and server.service.is_on_its_way(state)):
            quiet_since = None  # it is being shut down, or started
        elif state is not None and server.service.is_shut_down(state):
            return True
        else:
            quiet_since = quiet_since or time.monotonic()
            if time.monotonic() - quiet_since > (QUIET_UNSEEN_S if state is None else QUIET_S):
                return None if state is None else False
        time.sleep(LOOK_EVERY_S)
    return False
