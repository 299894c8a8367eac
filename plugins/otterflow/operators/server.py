"""The database server as the tasks see it: started, stopped, asked what is in force, and given a new knobs file.

All commands and SQL come from `dbms`; this module only carries them to the host and says what happened in types.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from otterflow.dbms.postgresql import service, settings
from otterflow.errors import CommandFailed, CommandTimedOut, MachineryFault, NotApplied, Problem, ServerCrashed
from otterflow.knobs.live import LiveSetting
from otterflow.remote.files import read_if_there_command

if TYPE_CHECKING:
    from otterflow.dbms.access import DatabaseAccess
    from otterflow.operators.connections import Query
    from otterflow.remote.session import Session
    from otterflow.target import Target

log = logging.getLogger(__name__)

LOG_TAIL_BYTES = 4000
SHORT_S = 30.0
"""Time limit of a command that only looks."""
RELOAD_S = 30.0
"""How long the postmaster may take to read its files again; it is asked by a signal and does it at once."""


class Server:
    """One target's DBMS server.

    `access` is how a command on the target reaches it; `query` opens SQL on it from here:
    `with server.query() as query: query("SELECT 1")`. One that `is_live` has users, and is never restarted.
    """

    def __init__(
        self,
        target: Target,
        session: Session,
        access: DatabaseAccess,
        query: Callable[[], AbstractContextManager[Query]],
        *,
        live: bool = False,
    ) -> None:
        self.target = target
        self.session = session
        self.query = query
        self.is_live = live
        self._access = access

    def is_up(self) -> bool:
        """Whether the server accepts connections."""
        command = service.is_up_command(self.target, self._access)
        return self.session.run(command, what="pg_isready", timeout_s=SHORT_S, check=False).exit_code == 0

    def restart(self) -> float:
        """Restart (or start) the server and wait until it accepts connections; returns the seconds it took.

        Raises ServerCrashed, with the end of the server's log, when it does not come up with its configuration, and
        CommandFailed when the restart could not be tried at all (no such program, a full disk, sudo refused).
        """
        begun = time.monotonic()
        self._bring_up(service.restart_command(self.target), "restart of the server")
        return time.monotonic() - begun

    def reload(self) -> float:
        """Have the running server read its files again, and wait until it has; returns the seconds it took.

        Raises ServerCrashed, before anything is reloaded, when it would refuse a line of them; ConnectionFault where
        it is down; MachineryFault when it has not read them in time.
        """
        begun = time.monotonic()
        problems = self.file_problems()
        if problems:
            listed = "\n".join(map(str, problems))
            raise ServerCrashed(f"the server refuses the configuration; it was not reloaded:\n{listed}")
        with self.query() as query:
            former = query(service.LOADED_AT_SQL)[0]["loaded_at"]
            query(service.RELOAD_SQL)
            # A session reads the files again between two statements, once the postmaster has.
            while query(service.LOADED_AT_SQL)[0]["loaded_at"] == former:
                if time.monotonic() - begun > RELOAD_S:
                    raise MachineryFault(f"the server has not read its files again within {RELOAD_S:g} s of a reload")
                time.sleep(0.05)
        return time.monotonic() - begun

    def bring_into_force(self) -> float:
        """Have the server use its knobs file: by a reload where it is live, else by a restart; the seconds it took."""
        return self.reload() if self.is_live else self.restart()

    def start(self) -> None:
        """Start the server if it is down; raises as `restart` does."""
        if not self.is_up():
            self._bring_up(service.start_command(self.target), "start of the server")

    def _bring_up(self, command: str, what: str) -> None:
        try:
            done = self.session.run(command, what=what, timeout_s=service.restart_limit_s(self.target), check=False)
        except CommandTimedOut as error:
            raise ServerCrashed(f"the server did not come up within its limit: {error}", self.log_tail()) from None
        outcome = service.classify_start(done.exit_code, done.stderr)
        if outcome is service.StartOutcome.not_run:
            raise CommandFailed(what, done.exit_code, done.stderr[-LOG_TAIL_BYTES:])
        if outcome is service.StartOutcome.refused:
            raise ServerCrashed("the server does not start with this configuration", done.stderr[-LOG_TAIL_BYTES:])
        deadline = time.monotonic() + self.target.start_timeout_s
        while not self.is_up():
            if time.monotonic() > deadline:
                limit = self.target.start_timeout_s
                raise ServerCrashed(f"the server started but accepted no connection within {limit} s", self.log_tail())
            time.sleep(0.2)

    def log_tail(self) -> str:
        """The end of the server's own log, or a sentence saying why it could not be read."""
        command = service.log_tail_command(self.target, LOG_TAIL_BYTES)
        done = self.session.run(command, what="reading the server's log", timeout_s=SHORT_S, check=False)
        return done.stdout if done.exit_code == 0 else f"(the server's log could not be read: {done.stderr.strip()})"

    def live(self) -> dict[str, LiveSetting]:
        """Every row of pg_settings, by name."""
        with self.query() as query:
            return live_settings(query)

    def read_knobs_file(self) -> str:
        """The text of the knobs file; empty where there is none yet."""
        command = read_if_there_command(self.target.knobs_file)
        return self.session.run(command, what="reading the knobs file", timeout_s=SHORT_S).stdout

    def write_knobs_file(self, text: str) -> bool:
        """Put `text` into the knobs file, atomically. Returns False when it was there already."""
        if self.read_knobs_file() == text:
            return False
        self.session.put_file(self.target.knobs_file, text, mode=0o644)
        return True

    def file_problems(self) -> list[Problem]:
        """What the server would refuse of its configuration files as they are now, before any restart."""
        from psycopg.errors import InsufficientPrivilege

        with self.query() as query:
            try:
                rows = query(settings.FILE_SETTINGS_SQL)
            except InsufficientPrivilege:
                log.warning("the SQL user may not read pg_file_settings: the file is first checked by the restart")
                return []
            return settings.file_errors(rows, live_settings(query))

    def preflight(self) -> None:
        """Raise ServerCrashed if the running server says that it would not start with its files as they are now."""
        if self.is_up():
            problems = self.file_problems()
            if problems:
                listed = "\n".join(map(str, problems))
                raise ServerCrashed(f"the server refuses the configuration; it was not restarted:\n{listed}")

    def read_back(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """What is in force for each wanted knob. Raises NotApplied that names each knob that is not as wanted."""
        live = self.live()
        problems = settings.read_back(wanted, live, self.target.knobs_file)
        if problems:
            raise NotApplied(problems)
        return in_force(live, wanted)

    def put_in_force(self, text: str, config: Mapping[str, Any]) -> dict[str, Any]:
        """Write the knobs file, bring it into force, read back; what is. Raises ServerCrashed or NotApplied."""
        self.write_knobs_file(text)
        self.bring_into_force()
        return self.read_back(config)


def live_settings(query: Query) -> dict[str, LiveSetting]:
    """Every row of pg_settings, by name, over an open connection."""
    return {row["name"]: LiveSetting.from_row(row) for row in query(settings.SETTINGS_SQL)}


def in_force(live: Mapping[str, LiveSetting], names: Mapping[str, Any]) -> dict[str, Any]:
    """The values in force of the named knobs."""
    return {name: live[name].value for name in names if name in live}
