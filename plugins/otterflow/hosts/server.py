"""The database server as the tasks see it: started, stopped, asked what is in force, and given a new knobs file.

All commands and SQL come from `dbms`; this module only carries them to the host and says what happened in types.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from otterflow.dbms.data_swap import put_back_command
from otterflow.dbms.registry import dbms_named
from otterflow.dbms.start_report import crashed, lines_told, told_without
from otterflow.dbms.values import Answer, Capability, Started, StartOutcome
from otterflow.errors import (
    CommandFailed,
    CommandTimedOut,
    MachineryFault,
    NotApplied,
    Problem,
    ServerCrashed,
    StillRecovering,
)
from otterflow.knobs.setting import LiveSetting
from otterflow.remote.files import read_if_there_command
from otterflow.remote.session import put_command
from otterflow.remote.shell import quote

if TYPE_CHECKING:
    from otterflow.hosts.fence import Fence
    from otterflow.hosts.host import Host
    from otterflow.remote.session import Completed

log = logging.getLogger(__name__)

LOG_TAIL_BYTES = 4000
SHORT_S = 30.0
"""Time limit of a command that only looks."""
KNOBS_FILE_MODE = 0o644
"""The server's user has to read the knobs file, and nobody but the SSH user may write it."""
SAY_EVERY_S = 15.0
"""How often the log says what is waited for."""


class Server:
    """One target's DBMS server. One that `is_live` has users: `bring_into_force` never restarts it.

    Where it has users or data of theirs (`users_data`), of its log only those lines are told that are its own.

    What changes something on the host passes the `fence`, if there is one, and raises MayNotAct or Overtaken there.
    """

    def __init__(self, host: Host, *, fence: Fence | None = None, users_data: bool = False) -> None:
        self.target = host.target
        self.is_live = host.is_live
        dbms = dbms_named(host.target.dbms)
        self.service = dbms.service
        self._settings = dbms.settings
        self.reloads = dbms.has(Capability.reload)
        self._host = host
        self._fence = fence
        self._holds_users_data = users_data or host.is_live or host.target.has_users or host.target.is_a_copy

    def begin_turn(self) -> None:
        """Begin to act on the server, after whatever acts at this moment; see `Fence`."""
        if self._fence is not None:
            self._fence.begin_turn(self._host.session)

    def check_turn(self) -> None:
        """Raise Overtaken if another task acts on the server by now."""
        if self._fence is not None:
            self._fence.check_turn(self._host.session)

    def release(self) -> None:
        """Give the server's lock free."""
        if self._fence is not None:
            self._fence.release(self._host.session)

    def is_up(self) -> bool:
        """Whether the server accepts connections."""
        return self.answer() is Answer.accepts

    def answer(self) -> Answer:
        """What the server answers when it is asked whether it accepts connections."""
        command = self.service.is_up_command(self.target, self._host.local_access)
        return self.service.answer(
            self._host.session.run(command, what="asking the server", timeout_s=SHORT_S, check=False).exit_code
        )

    def started(self) -> Started:
        """When the running server was started, and since when it counts."""
        with self._host.query() as query:
            return self.service.started(query)

    def control_state(self) -> str | None:
        """What the control file says of the server's state; None where it cannot be read."""
        command = self.service.control_state_command(self.target)
        done = self._host.session.run(command, what="reading the server's control file", timeout_s=SHORT_S, check=False)
        return done.stdout.strip() or None if done.exit_code == 0 else None

    def restart(self) -> float:
        """Restart (or start) the server and wait until it accepts connections; returns the seconds it took.

        One that recovers from a crash is not stopped, for it would begin again: its end is waited for first. Nor is
        one that says that it would not start with its files as they are: ServerCrashed for a line of the knobs file;
        MachineryFault for one of another file, with which no configuration could start.
        Raises ServerCrashed, with the end of the server's log, when it does not come up with its configuration,
        CommandFailed when the restart could not be tried at all (no such program, a full disk, sudo refused), and
        StillRecovering when it recovers for longer than the target's limit.
        """
        begun = time.monotonic()
        answer = self.answer()
        if answer is Answer.rejects:
            self._wait_while_it_recovers()
            answer = self.answer()
        if answer is Answer.accepts:
            self._raise_if_it_would_refuse("it was not restarted")
        self._bring_up(self.service.restart_command(self.target, self._host.local_access), "restart of the server")
        return time.monotonic() - begun

    def reload(self, wanted: Mapping[str, Any]) -> float:
        """Have the running server use its knobs file, which has the values `wanted`; returns the seconds it took.

        Raises as `restart` does, before anything is reloaded, when it would refuse a line of its files; ConnectionFault
        where it is down; MachineryFault when it takes too long, and where it reads its files at a start alone.
        """
        begun = time.monotonic()
        if not self.reloads:
            raise MachineryFault(
                "the server reads its files at a start alone, and has users: restart it when they can bear it"
            )
        self._raise_if_it_would_refuse("it was not reloaded")
        self.begin_turn()
        with self._host.query() as query:
            self.service.reload(query, wanted)
        return time.monotonic() - begun

    def bring_into_force(self, wanted: Mapping[str, Any]) -> float:
        """Have the server use its knobs file, which has the values `wanted`; returns the seconds it took.

        By a reload where it is live, else by a restart.
        """
        return self.reload(wanted) if self.is_live else self.restart()

    def start(self) -> None:
        """Start the server if it is down; raises as `restart` does."""
        if not self.is_up():
            self._bring_up(self.service.start_command(self.target, self._host.local_access), "start of the server")

    def put_back_data(self) -> None:
        """Put back what a restore has left aside when it was cut off, before any file in it is read or written.

        A start does it too. Raises CommandFailed where the folder cannot be moved.
        """
        what = "looking for data that a restore has left aside"
        done = self._act(put_back_command(self.target), what, SHORT_S)
        if done.exit_code != 0:
            raise CommandFailed(what, done.exit_code, done.stderr[-LOG_TAIL_BYTES:])
        if done.stderr:
            log.warning("%s", done.stderr.strip())

    def _bring_up(self, command: str, what: str) -> None:
        try:
            done = self._act(command, what, self.service.restart_limit_s(self.target))
        except CommandTimedOut as error:
            if self.answer() is not Answer.rejects:
                message = f"the server did not come up within its limit: {error}"
                raise crashed(message, self.log_tail(), self.service.is_complaint) from None
        else:
            self._raise_if_refused(done, what)
        limit = self.target.start_timeout_s
        deadline = time.monotonic() + limit
        last = deadline + self.target.recovery_timeout_s  # for one that its service starts again and again
        while (answer := self.answer()) is not Answer.accepts:
            if answer is Answer.rejects:
                self._wait_while_it_recovers()
                deadline = min(time.monotonic() + limit, last)
            elif time.monotonic() > deadline:
                message = f"the server started but accepted no connection within {limit} s"
                raise crashed(message, self.log_tail(), self.service.is_complaint)
            time.sleep(0.2)

    def _act(self, command: str, what: str, timeout_s: float, stdin: str | None = None) -> Completed:
        """Run a command that changes something on the host, whatever its exit code."""
        if self._fence is None:
            return self._host.session.run(command, what=what, timeout_s=timeout_s, stdin=stdin, check=False)
        return self._fence.run(self._host.session, command, what=what, timeout_s=timeout_s, stdin=stdin)

    def _raise_if_refused(self, done: Completed, what: str) -> None:
        """Raise what the start's end means, unless the server lives and only takes its time."""
        outcome = self.service.classify_start(done.exit_code, done.stderr)
        if outcome is StartOutcome.up or self.answer() is Answer.rejects:
            return
        said = done.stderr
        if self._holds_users_data:
            said = told_without(said, self.service.is_of_the_server)
        said = said[-LOG_TAIL_BYTES:]
        if outcome is StartOutcome.not_run:
            raise CommandFailed(what, done.exit_code, said)
        raise crashed("the server does not start with this configuration", said, self.service.is_complaint)

    def _wait_while_it_recovers(self) -> None:
        """Wait until the server rejects connections no more: it accepts them, or its postmaster has ended.

        Raises StillRecovering after `recovery_timeout_s`; the server is left to its recovery.
        """
        begun = said = time.monotonic()
        limit = self.target.recovery_timeout_s
        log.info("the server lives and rejects connections: it starts, stops or recovers from a crash; waiting for it")
        while self.answer() is Answer.rejects:
            now = time.monotonic()
            if now - begun > limit:
                raise StillRecovering(
                    f"the server lives and accepts no connection for {limit} s (recovery_timeout_s of target "
                    f"{self.target.name!r}): it recovers from a crash, and was not stopped, for it would begin again. "
                    "Wait for its end, then clear this task; raise recovery_timeout_s if it may take longer. The end "
                    f"of its log:\n{self.log_tail()}"
                )
            if now - said > SAY_EVERY_S:
                said = now
                last = self.log_tail().strip().rpartition("\n")[2]
                log.info("waiting for the server's recovery, %.0f s of at most %s s; it last said: %s", now - begun,
                         limit, last)  # fmt: skip
            time.sleep(0.2)

    def log_tail(self) -> str:
        """The end of the server's own log, or a sentence saying why it could not be read."""
        command = self.service.log_tail_command(self.target, LOG_TAIL_BYTES)
        done = self._host.session.run(command, what="reading the server's log", timeout_s=SHORT_S, check=False)
        if done.exit_code != 0:
            return f"(the server's log could not be read: {done.stderr.strip()})"
        if not self._holds_users_data:
            return done.stdout
        return "\n".join(lines_told(done.stdout, self.service.is_of_the_server))

    def live(self) -> dict[str, LiveSetting]:
        """Every setting of the server, by name."""
        with self._host.query() as query:
            return self._settings.live_settings(query)

    def read_knobs_file(self) -> str:
        """The text of the knobs file; empty where there is none yet."""
        command = read_if_there_command(self.target.knobs_file)
        return self._host.session.run(command, what="reading the knobs file", timeout_s=SHORT_S).stdout

    def write_knobs_file(self, text: str) -> bool:
        """Put `text` into the knobs file, atomically. Returns False when it was there already, for the server to read.

        Servers pass over a file that they cannot read, and some over one that all may write, without an error: a file
        with other permissions than otterflow gives it is written anew.
        """
        if self.read_knobs_file() == text and self._knobs_file_is_readable():
            return False
        what = f"writing {self.target.knobs_file}"
        done = self._act(
            put_command(self.target.knobs_file, len(text.encode()), KNOBS_FILE_MODE), what, SHORT_S, stdin=text
        )
        if done.exit_code != 0:
            raise CommandFailed(what, done.exit_code, done.stderr[-LOG_TAIL_BYTES:])
        return True

    def _knobs_file_is_readable(self) -> bool:
        """Whether it has the permissions that otterflow gives it; none to have where there is no file."""
        file = quote(self.target.knobs_file)
        command = f'[ ! -e {file} ] || [ "$(stat -Lc %a -- {file})" = {KNOBS_FILE_MODE:o} ]'
        what = f"looking at {self.target.knobs_file}"
        return self._host.session.run(command, what=what, timeout_s=SHORT_S, check=False).exit_code == 0

    def file_problems(self) -> list[Problem]:
        """What the server would refuse of its configuration files as they are now, before any restart."""
        own, others = self._file_problems()
        return own + others

    def _file_problems(self) -> tuple[list[Problem], list[Problem]]:
        """The problems of the knobs file, and those of files that somebody else writes."""
        with self._host.query() as query:
            found = self._settings.file_problems(query, self.target.knobs_file)
        if found is None:
            log.warning("the SQL user may not ask what is wrong in the files: the restart is the first to check them")
            return [], []
        return found

    def _raise_if_it_would_refuse(self, so: str) -> None:
        try:
            own, others = self._file_problems()
        except MachineryFault as error:  # perhaps for the very configuration that is to be replaced
            log.warning("the server cannot be asked what it would say of its files: %s", error)
            return
        if own:
            raise ServerCrashed(f"the server refuses the configuration; {so}:\n" + "\n".join(map(str, own)))
        if others:
            listed = "\n".join(map(str, others))
            raise MachineryFault(
                f"the server refuses lines of its files that otterflow has not written; {so}. Mend them and clear this "
                f"task:\n{listed}"
            )

    def read_back(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """What is in force for each wanted knob. Raises NotApplied that names each knob that is not as wanted."""
        return self.look(wanted)[0]

    def look(self, wanted: Mapping[str, Any]) -> tuple[dict[str, Any], Started]:
        """`read_back`, and of which start of the server it is."""
        with self._host.query() as query:
            live, started = self._settings.live_settings(query), self.service.started(query)
        problems = self._settings.read_back(wanted, live, self.target.knobs_file)
        if problems:
            raise NotApplied(problems)
        return in_force(live, wanted), started

    def put_in_force(self, text: str, config: Mapping[str, Any]) -> dict[str, Any]:
        """Write the knobs file, bring it into force, read back; what is. Raises ServerCrashed or NotApplied."""
        self.write_knobs_file(text)
        self.bring_into_force(config)
        return self.read_back(config)


def in_force(live: Mapping[str, LiveSetting], names: Mapping[str, Any]) -> dict[str, Any]:
    """The values in force of the named knobs."""
    return {name: live[name].value for name in names if name in live}
