"""Starting, stopping and restarting the server, and telling what became of it.

Each builder gives one bash command for the target's kind of service. Where the server's program can be asked, a
configuration that it would refuse is found before a running server is stopped. A start that failed prints to stderr
what the server wrote meanwhile, and what the host itself shows (`start_facts`). `classify_start` then tells a server
that refused its configuration, which teaches the tuner, from a command that could not run, which does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from otterflow.dbms.mysql_family import own_server
from otterflow.dbms.mysql_family.preflight import NO_START, preflight_functions
from otterflow.dbms.mysql_family.processes import process_functions
from otterflow.dbms.mysql_family.product import Product
from otterflow.dbms.mysql_family.programs import program
from otterflow.dbms.mysql_family.set_global import set_global
from otterflow.dbms.mysql_family.start_facts import facts_functions
from otterflow.dbms.mysql_family.target import OwnServer
from otterflow.dbms.start_report import (
    LOG_TAIL_BYTES,
    STILL_RUNNING,
    WAS_SEEN,
    command_functions,
    log_tail_command,
    reported,
    systemd_functions,
)
from otterflow.dbms.target import CommandService, SystemdService, Target
from otterflow.dbms.values import Answer, DatabaseAccess, Query, Started, StartOutcome
from otterflow.knobs.setting import LiveSetting
from otterflow.knobs.space import Value
from otterflow.remote.shell import join

_TIME, _TIME_IN_A_CRASH = r"^\d{4}-\d\d-\d\d[ T]+[\d:.]+Z?[+\d:]* \d+ ", r"^\d{6} +[\d:]+ "
"""What stands before a line's mark: the time and the thread. In a statement of several lines it may stand anywhere."""
_ERROR = re.compile(rf"(?:{_TIME}|{_TIME_IN_A_CRASH})\[ERROR\]")
_MARKED = re.compile(rf"{_TIME}\[(?:Warning|Note|System)\]")
_TELLS_MORE = re.compile(r"statement|query|duplicate|incorrect|truncated|\bvalue\b.*\bcolumn\b", re.IGNORECASE)

STARTED_SQL = """
SELECT UNIX_TIMESTAMP() - CAST(VARIABLE_VALUE AS SIGNED) AS started_s FROM {status} WHERE VARIABLE_NAME = 'Uptime'"""
"""When the running server was started. Both times are those of the statement's begin, in whole seconds, so that the
difference is always the same; FLUSH STATUS leaves Uptime alone."""


class FamilyService:
    """The part `service` for one product; see `otterflow.dbms.base.Service`."""

    def __init__(
        self, product: Product, live_settings: Callable[[Query], dict[str, LiveSetting]], status_table: str
    ) -> None:
        self.product = product
        self._live_settings = live_settings
        self._started_sql = STARTED_SQL.format(status=status_table)

    def start_command(self, target: Target, access: DatabaseAccess | None = None) -> str:
        """Start the server and wait until it accepts connections. A running server is a success."""
        return self._reported(target, "start_server", access)

    def restart_command(self, target: Target, access: DatabaseAccess | None = None) -> str:
        """Stop, then start; neither where the server says beforehand that it would not start."""
        command = f"{{ would_start || exit {NO_START}; stop_server || exit {STILL_RUNNING}; start_server; }}"
        return self._reported(target, command, access)

    def is_of_the_server(self, line: str) -> bool:
        """Lines with the mark of an error, a warning or a note, unless they go on to tell a statement or a key."""
        is_marked = self.is_complaint(line) or _MARKED.match(line) is not None
        return is_marked and _TELLS_MORE.search(line) is None

    def is_complaint(self, line: str) -> bool:
        """Lines with the mark of an error."""
        return _ERROR.match(line) is not None

    def restart_limit_s(self, target: Target) -> float:
        """The longest that `restart_command` may take on the target, in seconds: the limit to run it under."""
        return float(target.stop_timeout_s + own_server.KILL_S + target.start_timeout_s + 60)

    def classify_start(self, exit_code: int, stderr: str) -> StartOutcome:
        """What became of `start_command` or `restart_command`: by exit code, by facts of the host, by what was said.

        A full disk, a taken port, a missing program or a forbidden sudo is the machinery's fault; whatever else stops
        the server is the configuration's.
        """
        if exit_code == 0:
            return StartOutcome.up
        if WAS_SEEN.search(stderr):
            return StartOutcome.not_run
        if exit_code == NO_START:
            return StartOutcome.refused
        if exit_code in (STILL_RUNNING, 126, 127) or _NOT_THE_CONFIGURATION.search(stderr):
            return StartOutcome.not_run
        return StartOutcome.refused

    def is_up_command(self, target: Target, access: DatabaseAccess, timeout_s: int = 3) -> str:
        """Ask the server whether it accepts connections; exit code 0 yes, 1 it is at work and does not, 2 no.

        The program asks for no password: a server that refuses the user is up.
        """
        at_socket = ["--protocol=SOCKET", f"--socket={access.host}"]
        at_port = ["--protocol=TCP", f"--host={access.host}", f"--port={access.port}"]
        where = [*(at_socket if access.host.startswith("/") else at_port), f"--user={access.user}"]
        words = ["--no-defaults", *self.product.without_tls, f"--connect-timeout={timeout_s}", *where, "ping"]
        ping = f"timeout {timeout_s + 2} {program(target, self.product.admin)} {join(words)}"
        return (
            f"if {ping} > /dev/null 2>&1; then exit 0; fi\n{process_functions(self.product, target)}\n"
            "if find_server && is_at_work; then exit 1; fi\nexit 2\n"
        )

    def answer(self, exit_code: int) -> Answer:
        """The answer behind the exit code of `is_up_command`."""
        return {0: Answer.accepts, 1: Answer.rejects}.get(exit_code, Answer.none)

    def log_tail_command(self, target: Target, max_bytes: int = LOG_TAIL_BYTES) -> str:
        """The end of the server's newest log: of the file, the newest that matches the glob, or of one in the folder.

        Exit code 1 with the reason where none can be read.
        """
        return log_tail_command(target, max_bytes)

    def reload(self, query: Query, wanted: Mapping[str, Value]) -> None:
        """Have the running server use the values `wanted`, as far as a statement may change them; see `set_global`."""
        set_global(query, wanted, self._live_settings)

    def started(self, query: Query) -> Started:
        """Which start of the server it is; its counters begin with it, whatever ended the one before."""
        return Started(float(query(self._started_sql)[0]["started_s"]), None)

    def control_state_command(self, target: Target) -> str:
        """Print `running`, `shutting down`, `shut down` or `killed`; see `stoppage`."""
        return own_server.state_command(self.product, target)

    def is_shut_down(self, state: str) -> bool:
        """Whether that is a server which was shut down in order."""
        return state == own_server.SHUT_DOWN

    def is_on_its_way(self, state: str) -> bool:
        """Whether that is a server which is being shut down, or started."""
        return state == own_server.AT_WORK

    def functions(self, target: Target) -> str:
        """Bash functions `start_server` and `stop_server` for the target's kind of service, and those of processes."""
        return f"{process_functions(self.product, target)}\n{self._service_functions(target)}"

    def _service_functions(self, target: Target) -> str:
        match target.service:
            case OwnServer():
                return own_server.functions(self.product, target)
            case SystemdService(unit=unit):
                return systemd_functions(unit)
            case CommandService(start=start, stop=stop):
                return command_functions(start, stop)
            case service:
                raise TypeError(f"no {self.product.title} server is driven by a service of kind {service.kind!r}")

    def _reported(self, target: Target, command: str, access: DatabaseAccess | None) -> str:
        return reported(
            target, command, self.functions(target), preflight_functions(self.product, target),
            facts_functions(target, access),
        )  # fmt: skip


_NOT_THE_CONFIGURATION = re.compile(
    r"""
      ^sudo:\ .* | is\ not\ in\ the\ sudoers | command\ not\ found
    | Unit\ \S+\ (not\ found|could\ not\ be\ found) | Failed\ to\ connect\ to\ (bus|system) | Access\ denied
    | Interactive\ authentication\ required | not\ been\ booted\ with\ systemd
    | Please\ (consult|read).*run\ .*as\ root
    | Can't\ change\ dir\ to | Could\ not\ open\ required\ defaults\ file
    | No\ space\ left\ on\ device | Disk\ quota\ exceeded | Errcode:\ 28 | OS\ error:\ 28
    | Address\ already\ in\ use | Unable\ to\ lock\ \S+\ error:\ 11 | Can't\ lock\ aria\ control\ file
    | Permission\ denied
    """,
    re.VERBOSE | re.MULTILINE,
)
